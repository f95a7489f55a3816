package main

import (
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestWishes(t *testing.T) {
	base := time.Now()
	var w wishes
	for i, c := range []struct {
		signal os.Signal
		after  time.Duration
		want   wish
	}{
		{syscall.SIGHUP, 0, wishReload},
		{syscall.SIGTERM, 0, wishStop},
		{syscall.SIGTERM, bounce - 1, wishNothing},
		{syscall.SIGHUP, bounce - 1, wishReload},
		{syscall.SIGINT, bounce, wishEnd},
		{syscall.SIGTERM, time.Hour, wishEnd},
	} {
		if got := w.of(c.signal, base.Add(c.after)); got != c.want {
			t.Errorf("signal %d, %v after %v: wish %d, want %d", i, c.signal, c.after, got, c.want)
		}
	}
}

func TestSignalEndsTheContext(t *testing.T) {
	ctx, stop := onSignal(t.Context(), slog.New(slog.DiscardHandler), func() { t.Error("one signal ended everything at once") })
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Error("the context goes on")
	}
	stop()
}

func TestStopWithoutSignal(t *testing.T) {
	ctx, stop := onSignal(t.Context(), slog.New(slog.DiscardHandler), func() {})
	stop()
	if ctx.Err() == nil {
		t.Error("the context goes on after stop")
	}
}
