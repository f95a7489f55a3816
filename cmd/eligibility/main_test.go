package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"eligibility/internal/app"
)

// runMain makes this test binary be the program: the tests below run it as a child, as a shell would.
const runMain = "RUN_ELIGIBILITY_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a child may take for what it does in a moment on a quiet machine.
const patience = 60 * time.Second

// program is the child with an environment of its own.
func program(t *testing.T, ctx context.Context, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{runMain + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}, env...)
	return cmd
}

type result struct {
	out, err string
	code     int
}

func invoke(t *testing.T, dir string, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(t, ctx, dir, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %v: %v", args, err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// child is a running replica.
type child struct {
	cmd   *exec.Cmd
	ready app.Ready
	out   *bytes.Buffer // may be read after end
	errs  *bytes.Buffer
}

// anyPort are arguments that let children run side by side.
var anyPort = []string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}

// launch starts a verb that keeps running and waits for its ready file.
func launch(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	args = append(append(args, anyPort...), "--ready-file", file)
	c := &child{cmd: program(t, context.Background(), dir, nil, args...), out: new(bytes.Buffer), errs: new(bytes.Buffer)}
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.errs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has long ended unless the test failed
		_ = c.cmd.Wait()
	})
	for deadline := time.Now().Add(patience); ; {
		text, err := os.ReadFile(file)
		if err == nil {
			if err := json.Unmarshal(text, &c.ready); err != nil {
				t.Fatalf("ready file %q: %v", text, err)
			}
			return c
		}
		if time.Now().After(deadline) {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
			t.Fatalf("%v did not become ready:\n%s", args, c.errs)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// end sends the signal and returns the exit code.
func (c *child) end(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = c.cmd.Process.Signal(syscall.SIGQUIT) }) // which prints what hangs
	defer timer.Stop()
	_ = c.cmd.Wait() // the exit code below says it all
	return c.cmd.ProcessState.ExitCode()
}

func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", what, want, text)
		}
	}
}
