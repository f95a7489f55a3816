package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measurePeers has the module of the peers ask other engines the same, and takes over its table.
func measurePeers(p plan, r *report) error {
	dir, err := os.MkdirTemp("", "bench-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	span := p.span / 2
	if p.quick {
		span = 100 * time.Millisecond
	}
	run := exec.Command("go", "run", "-mod=mod", ".", "-rounds", strconv.Itoa(p.rounds), "-span", span.String(), "-out", dir)
	run.Dir, run.Stderr = "bench/peers", os.Stderr
	out, err := run.Output()
	if err != nil {
		return fmt.Errorf("run the peers: %w", err)
	}
	page, err := os.ReadFile(filepath.FromSlash(strings.TrimSpace(string(out))))
	if err != nil {
		return err
	}
	t := r.table("Beside other engines", fmt.Sprintf("Processor time for one question, which of N rules hold for a user, with no network; %d rounds of %v. Answers were compared before; users have every attribute, and peers are "+
		"told how many events each window holds, which helps them. `make bench-peers` has it again.", p.rounds, span), "rules", "engine", "a question", "÷ this engine")
	least := map[string]float64{"expr": 70, "GrowthBook Go": 200, "OPA, in process": 350}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if _, err := strconv.Atoi(cells[0]); err != nil {
			continue
		}
		t.row(cells[0], cells[1], cells[2], cells[3])
		if hoped := least[cells[1]]; hoped > 0 && cells[0] == "1000" {
			median, _, _ := strings.Cut(cells[3], " ")
			times, err := strconv.ParseFloat(median, 64)
			if err != nil {
				return fmt.Errorf("the peers' table: %w", err)
			}
			r.goal(goalPeers, "processor time of "+cells[1]+" for 1,000 rules ÷ ours", fmt.Sprintf("≥ %.0f", hoped), times >= hoped, "%s", cells[3])
		}
	}
	return nil
}
