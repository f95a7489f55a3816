package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
)

// childDir, when set, makes the test binary a replica on that directory: tests that kill a process need a real one.
const childDir = "ELIGIBILITY_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(childDir) != "":
		err = runChild(os.Getenv(childDir))
	case os.Getenv(childSpec) != "":
		err = runMember(os.Getenv(childSpec))
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runChild runs until it is killed.
func runChild(dir string) error {
	cfg := testConfig(dir)
	cfg.ReadyFile = dir + "/ready.json"
	a, err := New(cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return err
	}
	if err := a.Start(context.Background()); err != nil {
		return err
	}
	select {}
}
