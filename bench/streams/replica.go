package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"eligibility/internal/app"
)

// hello is what the replica says when it is ready.
type hello struct{ Decision, Control, Root string }

// memory is what the replica's process uses, in bytes, after a collection.
type memory struct {
	Used     uint64 // heap and stacks
	Resident uint64
}

// serve is the child: it says hello, answers every line of its standard input with its memory, and ends with it.
func serve(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "bench-streams-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := app.Defaults()
	cfg.Listen, cfg.AdminListen, cfg.OpsListen, cfg.DataDir, cfg.ClientRate = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", dir, 0
	replica, err := app.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := replica.Stop(ctx); err == nil {
			err = stopErr
		}
	}()
	if err := replica.Start(ctx); err != nil {
		return err
	}
	root, err := os.ReadFile(dir + "/root.key")
	if err != nil {
		return err
	}
	h := hello{Root: strings.TrimSpace(string(root))}
	h.Decision, h.Control, _ = replica.Addrs()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(h); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := out.Encode(used()); err != nil {
			return err
		}
	}
	return nil
}

func used() memory {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out := memory{Used: m.HeapAlloc + m.StackInuse}
	var size, resident uint64
	if text, err := os.ReadFile("/proc/self/statm"); err == nil { // elsewhere than on Linux it stays 0
		if _, err := fmt.Sscan(string(text), &size, &resident); err == nil {
			out.Resident = resident * uint64(os.Getpagesize())
		}
	}
	return out
}

// replica is the child as its parent sees it.
type replica struct {
	hello
	key  string // of the backend
	cmd  *exec.Cmd
	in   io.WriteCloser
	said *json.Decoder
}

func spawn() (*replica, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &replica{cmd: exec.Command(self)}
	r.cmd.Env = append(os.Environ(), role+"=1")
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	r.said = json.NewDecoder(out)
	return r, r.said.Decode(&r.hello)
}

func (r *replica) memory() (m memory, err error) {
	if _, err := io.WriteString(r.in, "memory\n"); err != nil {
		return m, err
	}
	return m, r.said.Decode(&m)
}

func (r *replica) end() error {
	if err := r.in.Close(); err != nil {
		return err
	}
	return r.cmd.Wait()
}
