package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// bounce is how soon after the first signal another one is the same wish: a supervisor that signals the process and then its group sends
// two.
const bounce = 50 * time.Millisecond

// wish is what a signal asks for.
type wish int

const (
	wishNothing wish = iota
	wishReload       // which is not offered: configuration is read once
	wishStop
	wishEnd // at once
)

// wishes makes sense of one signal after the other.
type wishes struct{ stopped time.Time }

func (w *wishes) of(got os.Signal, now time.Time) wish {
	switch {
	case got == syscall.SIGHUP:
		return wishReload
	case w.stopped.IsZero():
		w.stopped = now
		return wishStop
	case now.Sub(w.stopped) < bounce:
		return wishNothing
	}
	return wishEnd
}

// onSignal returns a context that ends with the first SIGINT or SIGTERM; the second one calls force, because somebody does not want to
// wait. SIGHUP is noted and ignored. stop ends the listening and waits for it.
func onSignal(parent context.Context, logger *slog.Logger, force func()) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	incoming := make(chan os.Signal, 4)
	signal.Notify(incoming, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var w wishes
		for {
			select {
			case got := <-incoming:
				switch w.of(got, time.Now()) {
				case wishReload:
					logger.Info("signal ignored: configuration is read at the start only", "signal", got.String())
				case wishStop:
					logger.Info("stopping", "signal", got.String())
					cancel()
				case wishEnd:
					logger.Warn("second signal, ending at once", "signal", got.String())
					force()
				case wishNothing:
				}
			case <-quit:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(incoming)
		close(quit)
		<-done
		cancel()
	}
}
