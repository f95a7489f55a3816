package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExamineDirectory(t *testing.T) {
	dir := t.TempDir()
	facts := ExamineDirectory(dir)
	if facts.Err != nil || facts.Missing || facts.SyncErr != nil || facts.Sync <= 0 || facts.Slowest < facts.Sync {
		t.Fatalf("facts %+v", facts)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("looking left %v behind, %v", left, err)
	}
	if facts := ExamineDirectory(filepath.Join(dir, "none")); !facts.Missing || facts.Judge()[0].Status != OK {
		t.Errorf("a directory of a first start: %+v", facts)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if checks := ExamineDirectory(file).Judge(); len(checks) != 1 || checks[0].Status != Fail {
		t.Errorf("a file for a directory: %+v", checks)
	}
}

func TestJudgingDirectories(t *testing.T) {
	good := DirectoryFacts{Path: "/d", Mode: os.ModeDir | 0o700, Free: 10 << 30, Sync: 2 * time.Millisecond, Slowest: 9 * time.Millisecond}
	for _, c := range []struct {
		name  string
		spoil func(*DirectoryFacts)
		id    string
		want  Status
		seen  string
	}{
		{"well", func(*DirectoryFacts) {}, "directory", OK, "0700"},
		{"others may write", func(d *DirectoryFacts) { d.Mode = os.ModeDir | 0o777 }, "directory", Warn, "others may write"},
		{"full", func(d *DirectoryFacts) { d.Free = 10 << 20 }, "disk_free", Fail, "10 MiB"},
		{"nearly full", func(d *DirectoryFacts) { d.Free = 500 << 20 }, "disk_free", Warn, "500 MiB"},
		{"system does not tell", func(d *DirectoryFacts) { d.Free = -1 }, "disk_free", Skipped, "does not tell"},
		{"slow disk", func(d *DirectoryFacts) { d.Sync = 30 * time.Millisecond }, "disk_sync", Warn, "30ms"},
		{"very slow disk", func(d *DirectoryFacts) { d.Sync = time.Second }, "disk_sync", Fail, "1s"},
		{"failing disk", func(d *DirectoryFacts) { d.SyncErr = errors.New("input/output error") }, "disk_sync", Fail, "input/output"},
	} {
		facts := good
		c.spoil(&facts)
		if got := find(t, facts.Judge(), c.id); got.Status != c.want || !strings.Contains(got.Seen, c.seen) {
			t.Errorf("%s: %+v, want %s %q", c.name, got, c.want, c.seen)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	closed, open := filepath.Join(dir, "closed.key"), filepath.Join(dir, "open.key")
	for path, mode := range map[string]os.FileMode{closed: 0o600, open: 0o644} {
		if err := os.WriteFile(path, []byte("secret-canary"), mode); err != nil {
			t.Fatal(err)
		}
	}
	checks := ExamineKeys([]string{closed, open, filepath.Join(dir, "none.key"), dir}).Judge()
	want := []Status{OK, Fail, OK, Fail}
	for i, check := range checks {
		if check.Status != want[i] || strings.Contains(check.Seen, "canary") {
			t.Errorf("check %+v, want %s", check, want[i])
		}
	}
	if checks[1].Run != "chmod 0600 "+open {
		t.Errorf("an open key file: %+v", checks[1])
	}
}
