package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// plainTold is what the server of bench/peers/plain is told.
type plainTold struct {
	Rules, Users      int
	Now               time.Time
	Placements, Shown int
	Fields            []string
	Body              []byte
}

// buildPlain builds the server that evaluates rules with cel-go and nothing else. It is of the module of the peers, for cel-go is no dependency of the harness.
func buildPlain(dir string) (string, error) {
	file := filepath.Join(dir, "plain")
	build := exec.Command("go", "build", "-mod=mod", "-o", file, "./plain")
	build.Dir = "bench/peers"
	if _, err := os.Stat(build.Dir); err != nil {
		build.Dir = "peers" // as a test of this package
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server of plain cel-go: %w\n%s", err, out)
	}
	return file, nil
}

var promotionID = regexp.MustCompile(`"promotion":"([^"]+)"`)

// startPlain starts it over the engine's workload and compares what both show to the users.
func startPlain(program string, engine *child, w world, answer *fixed, requests [][]byte) (*child, error) {
	fields, err := answer.fields()
	if err != nil {
		return nil, err
	}
	plain, err := spawnProgram(program, "", plainTold{w.Rules, w.Users, w.Now, placements, shown, fields, answer.Body})
	if err != nil {
		return nil, fmt.Errorf("plain cel-go: %w", err)
	}
	if err := answer.equals(plain, requests[0]); err != nil {
		plain.end()
		return nil, fmt.Errorf("plain cel-go: %w", err)
	}
	for _, request := range requests[:min(64, len(requests))] {
		if err := alike(engine, plain, request); err != nil {
			plain.end()
			return nil, err
		}
	}
	return plain, nil
}

// alike compares what two servers show. An event may leave a window between two answers, so a difference counts when it is there three times.
func alike(engine, plain *child, request []byte) error {
	asked := bytes.Replace(request, []byte("/v1/eligibility"), []byte("/shown"), 1)
	var ours, theirs string
	for range 3 {
		_, _, body, err := once(engine.hello.Listen, request)
		if err != nil {
			return err
		}
		var ids []string
		for _, found := range promotionID.FindAllSubmatch(body, -1) {
			ids = append(ids, string(found[1]))
		}
		ours = strings.Join(ids, ",")
		if _, _, body, err = once(plain.hello.Listen, asked); err != nil {
			return err
		}
		if theirs = string(body); ours == theirs {
			return nil
		}
	}
	return fmt.Errorf("plain cel-go shows %s, the engine %s, to %s", theirs, ours, request)
}
