package app

import (
	"context"
	"log/slog"
	"testing"
)

// TestStopRightAfterReadyEnds stops replicas that have hardly begun: whatever is still on its way up must come down again.
func TestStopRightAfterReadyEnds(t *testing.T) {
	for range 12 {
		a, err := New(testConfig(t.TempDir()), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
