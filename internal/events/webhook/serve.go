package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Why a request is not taken in, as the database's job shows it.
var (
	errStandby = errors.New("this process does not hold the relay's lease: another one takes changes in")
	errFull    = errors.New("too much is waiting for the bus")
	errLate    = errors.New("the bus has not acknowledged in time")
	errCut     = errors.New("the body could not be read")
)

func (s *Sink) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/changes/{feed}", s.receive)
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// Handler is the whole surface.
func (s *Sink) Handler() http.Handler { return s.http.Handler }

// Start serves on ln in the background until Stop.
func (s *Sink) Start(ln net.Listener) {
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("webhook ended", "error", err)
		}
	}()
}

// Stop closes the listener, lets running requests end until ctx does, and waits. It may be called more than once and without Start.
func (s *Sink) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("stop webhook: %w", errors.Join(err, s.http.Close()))
	}
	if s.done != nil {
		<-s.done
	}
	return err
}

// ready is for the load balancer in front of the webhooks: it finds the one that leads.
func (s *Sink) ready(w http.ResponseWriter, _ *http.Request) {
	if !s.Leads() {
		answer(w, http.StatusServiceUnavailable, errStandby.Error())
		return
	}
	answer(w, http.StatusOK, "leads")
}

// receive takes one request of a changefeed job in.
func (s *Sink) receive(w http.ResponseWriter, r *http.Request) {
	if !s.trusted(r) {
		s.count.refused.Add(1)
		answer(w, http.StatusUnauthorized, "the Authorization header is not the one agreed on")
		return
	}
	feed := r.PathValue("feed")
	if !s.feeds[feed] {
		s.count.refused.Add(1)
		answer(w, http.StatusNotFound, "no changefeed job of this id is expected: see --webhook-feeds")
		return
	}
	var tooLarge *http.MaxBytesError
	switch err := s.take(w, r, feed); {
	case err == nil:
		s.count.taken.Add(1)
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, errStandby), errors.Is(err, errFull), errors.Is(err, errLate):
		s.count.unavailable.Add(1)
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, err.Error())
	case errors.As(err, &tooLarge):
		s.count.refused.Add(1)
		answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes: lower the job's batch size", tooLarge.Limit))
	default:
		s.count.refused.Add(1)
		s.log.Warn("webhook got a body that it cannot read", "feed", feed, "error", err)
		answer(w, http.StatusBadRequest, errCut.Error())
	}
}

// trusted reports whether the request has the token, in a time that does not tell how much of it is right.
func (s *Sink) trusted(r *http.Request) bool {
	given := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	return subtle.ConstantTimeCompare(given[:], s.token[:]) == 1
}

// take returns nil once the bus has acknowledged what the request holds.
func (s *Sink) take(w http.ResponseWriter, r *http.Request, feed string) error {
	t := s.term.Load()
	if t == nil {
		return errStandby // before the body is read: a standby is asked again and again
	}
	size := r.ContentLength
	if size < 0 || size > s.cfg.MaxBodyBytes {
		size = s.cfg.MaxBodyBytes
	}
	if !s.room.TryAcquire(size) {
		return errFull
	}
	defer s.room.Release(size)
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.AckTimeout)
	defer cancel()
	d, err := s.read(ctx, w, r, feed)
	if err != nil {
		return err
	}
	select {
	case t.deliveries <- d:
	case <-t.over:
		return errStandby
	case <-ctx.Done():
		return errLate
	}
	select {
	case <-d.arrived:
	case <-t.over:
		return d.since(errStandby)
	case <-ctx.Done():
		return d.since(errLate)
	}
	s.count.changes.Add(uint64(len(d.Changes)))
	return nil
}

// since is nil when the bus has acknowledged after all, else err.
func (d *delivery) since(err error) error {
	select {
	case <-d.arrived:
		return nil
	default:
		return err
	}
}

// read takes the body apart.
func (s *Sink) read(ctx context.Context, w http.ResponseWriter, r *http.Request, feed string) (*delivery, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBodyBytes))
	if err != nil {
		return nil, err
	}
	said, err := s.cfg.Decode(body)
	if err != nil {
		return nil, err
	}
	d := &delivery{feed: feed, Delivery: said, arrived: make(chan struct{})}
	return d, s.date(ctx, d)
}

// date gives changes that cannot be told a stamp at or after their commit, so that followers know up to where something is missing.
func (s *Sink) date(ctx context.Context, d *delivery) error {
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.Table != 0 && !c.At.IsZero() {
			continue
		}
		s.count.untold.Add(1)
		if !c.At.IsZero() {
			continue
		}
		now, err := s.cfg.Now(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errLate, err)
		}
		c.At = now
	}
	return nil
}

// answer sends a line of text. A client that is gone needs no answer.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
