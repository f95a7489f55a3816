package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/framing"
)

// lifecycle is what every process of ours needs to come up and go down: its listeners, its phase, and how its parts end. The zero value is not
// ready; see newLifecycle. Parts are added by one goroutine, before stop.
type lifecycle struct {
	phase   atomic.Int32 // of type phase
	fault   chan error
	started time.Time

	stopOnce sync.Once
	stopErr  error
	stops    []stop // in the order of starting; run backwards
}

// stop ends one part.
type stop struct {
	name string
	run  func(ctx context.Context) error
}

type phase int32

const (
	phaseStarting phase = iota
	phaseReady
	phaseDraining
)

func newLifecycle() lifecycle { return lifecycle{fault: make(chan error, 1), started: time.Now()} }

func (l *lifecycle) onStop(name string, run func(context.Context) error) {
	l.stops = append(l.stops, stop{name, run})
}

// end runs the stops, last started first, once. drain is called before them when the process was ready; patience bounds the rest.
func (l *lifecycle) end(ctx context.Context, patience time.Duration, drain func(context.Context)) error {
	l.stopOnce.Do(func() {
		if phase(l.phase.Swap(int32(phaseDraining))) == phaseReady {
			drain(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var faults []error
		for i := len(l.stops) - 1; i >= 0; i-- {
			if err := l.stops[i].run(ctx); err != nil {
				faults = append(faults, fmt.Errorf("stop %s: %w", l.stops[i].name, err))
			}
		}
		l.stopErr = errors.Join(faults...)
	})
	return l.stopErr
}

// part is started and stopped with the process.
type part struct {
	name  string
	start func(context.Context) error
	stop  func()
}

// startParts starts them in their order. A part that fails is stopped here, those before it by end.
func (l *lifecycle) startParts(ctx context.Context, parts []part) error {
	for _, p := range parts {
		if err := p.start(ctx); err != nil {
			p.stop()
			return fmt.Errorf("start %s: %w", p.name, err)
		}
		l.onStop(p.name, nothing(p.stop))
	}
	return nil
}

// plane is a listener to open.
type plane struct {
	flag, name, addr string
	to               *net.Listener
	elsewhere        string // to listen on when addr is taken; "" for nowhere else
	frames           bool   // its server sees to the framing of requests itself
}

// listen opens the planes, with TLS when the configuration has a certificate.
func (l *lifecycle) listen(cfg *Config, planes []plane) error {
	certificates, err := cfg.certificates()
	if err != nil {
		return err
	}
	for _, p := range planes {
		ln, err := net.Listen("tcp", p.addr)
		if err != nil && p.elsewhere != "" {
			ln, err = net.Listen("tcp", p.elsewhere)
		}
		if err != nil {
			return fmt.Errorf("%s: %w (is another server running? port 0 picks a free one)", p.flag, err)
		}
		bound := ln
		l.onStop(p.flag, func(context.Context) error { return closeOnce(bound) })
		ln = watched{Listener: ln, plane: p.name, fault: l.fault}
		if certificates != nil {
			ln = tls.NewListener(ln, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
		}
		if !p.frames {
			ln = framing.Listen(ln)
		}
		*p.to = ln
	}
	return nil
}

func closeOnce(ln net.Listener) error {
	if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// nothing makes a stop of a part that cannot fail.
func nothing(run func()) func(context.Context) error {
	return func(context.Context) error {
		run()
		return nil
	}
}
