package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { StopShared(); os.Exit(code) }))
}

// query runs one statement with psql.
func query(t *testing.T, s *Server, url, statement string) (string, error) {
	t.Helper()
	out, err := exec.Command(filepath.Join(s.bin, "psql"), "-X", "-A", "-t", "-c", statement, url).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestWhatWasCommittedSurvivesAKill(t *testing.T) {
	s := Start(t)
	url := s.Database(t)
	if out, err := query(t, s, url, "CREATE TABLE t (n INT8); INSERT INTO t VALUES (7)"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Kill(t)
	if _, err := query(t, s, url, "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	s.Kill(t) // again changes nothing
	s.Restart(t)
	if out, err := query(t, s, url, "SELECT n FROM t"); err != nil || out != "7" {
		t.Errorf("after the restart: %q, %v", out, err)
	}
}

func TestDatabasesAreSeparate(t *testing.T) {
	s := Shared(t)
	if Shared(t) != s {
		t.Error("there are two shared servers")
	}
	a, b := s.Database(t), s.Database(t)
	if out, err := query(t, s, a, "CREATE TABLE only_in_a ()"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := query(t, s, b, "SELECT FROM only_in_a"); err == nil {
		t.Error("two databases share a table")
	}
}

// orphanEnv marks the child that starts a server and is killed.
const orphanEnv = "ELIGIBILITY_TEST_ORPHAN"

func TestServerDiesWithTheProcess(t *testing.T) {
	if os.Getenv(orphanEnv) != "" {
		s := Shared(t)
		if err := os.WriteFile(os.Getenv(orphanEnv), []byte(filepath.Join(s.data(), "postmaster.pid")), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if _, err := find(); err != nil {
		absent(t, err)
	}
	file := filepath.Join(t.TempDir(), "where")
	child := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithTheProcess$")
	child.Env = append(os.Environ(), orphanEnv+"="+file)
	if err := child.Run(); err == nil {
		t.Fatal("the child was not killed")
	}
	path, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A server that ends in order removes this file.
	for deadline := time.Now().Add(patience); ; pause() {
		if _, err := os.Stat(string(path)); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the server outlives the process that started it")
		}
	}
}
