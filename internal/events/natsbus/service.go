package natsbus

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"eligibility/internal/problem"
)

// Names of the service on the bus, and the headers of its messages. They are part of its wire format.
const (
	ServiceName     = "eligibility"
	PrecheckSubject = "eligibility.precheck"
	serviceVersion  = "1.0.0" // of the wire format; the framework demands one
	serviceQueue    = "eligibility"
	keyHeader       = "Api-Key"
	typeHeader      = "Content-Type"
	retryHeader     = "Retry-After"
	contentNDJSON   = "application/x-ndjson"
	contentJSON     = "application/json"
)

// Prechecks answers the requests; precheck.Service is one. Both methods must be safe for concurrent use.
type Prechecks interface {
	// Project is that of a key, or what its bearer is told.
	Project(key []byte) (string, *problem.Problem)
	// Answer is the body of the reply, of at most room bytes.
	Answer(ctx context.Context, project string, body []byte, room int) ([]byte, *problem.Problem)
}

// ServiceConfig is what a service may take. Start from DefaultService.
type ServiceConfig struct {
	Workers int           // requests answered at one time
	Queue   int           // requests that may wait for one of them; what comes beyond is refused at once
	Timeout time.Duration // of a request, waiting included; whoever asked has given up by then
}

// DefaultService takes as many requests at one time as the bulk plane takes streams. What waits, of at most 1 MiB each by the server's limit, is bounded to 64 MiB.
func DefaultService() ServiceConfig {
	return ServiceConfig{Workers: 16, Queue: 64, Timeout: 10 * time.Second}
}

// Service has pre-checks asked over the bus, through NATS's own framework for services, which makes it discoverable. Replicas share what is asked by a queue group. Make it with
// NewService, Start it once, Stop it any number of times, before the bus.
type Service struct {
	bus     *Bus
	cfg     ServiceConfig
	answers Prechecks
	service micro.Service // nil before Start
	queue   chan call
	base    context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup
	count   serviceCounters

	stopOnce sync.Once
	taking   sync.RWMutex // held while something is put into the queue
	stopped  bool         // the queue is closed; guarded by taking
}

// call is a request that was let in.
type call struct {
	request micro.Request
	project string
	came    time.Time
}

type serviceCounters struct {
	answered, refused, failed, lost atomic.Uint64
	open                            atomic.Int64
	nanos                           atomic.Int64
	last                            atomic.Pointer[string]
}

// ServiceStats is what a service did.
type ServiceStats struct {
	Answered uint64        `json:"answered"` // whole answers, each about a chunk of users
	Refused  uint64        `json:"refused"`  // because too many waited, or the replica is stopping
	Failed   uint64        `json:"failed"`   // answered with another error
	Lost     uint64        `json:"lost"`     // replies that could not be sent
	Open     int64         `json:"open"`
	Waiting  int           `json:"waiting"`
	Took     time.Duration `json:"processing_time"` // nanoseconds of all that were answered or failed, waiting included
	Last     string        `json:"last_error,omitempty"`
}

// NewService makes a service that takes nothing yet.
func NewService(b *Bus, cfg ServiceConfig, answers Prechecks) (*Service, error) {
	if cfg.Workers < 1 || cfg.Queue < 1 || cfg.Timeout <= 0 {
		return nil, errors.New("bus: every limit of a service must be above 0")
	}
	return &Service{bus: b, cfg: cfg, answers: answers, queue: make(chan call, cfg.Queue)}, nil
}

// Start registers the service and takes requests until Stop.
func (s *Service) Start(ctx context.Context) error {
	s.base, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for range s.cfg.Workers {
		s.workers.Go(s.work)
	}
	service, err := micro.AddService(s.bus.conn, micro.Config{
		Name: ServiceName, Version: serviceVersion, Description: "who of these users may be sent a promotion on a channel now", QueueGroup: serviceQueue,
		StatsHandler: func(*micro.Endpoint) any { return s.Stats() },
	})
	if err != nil {
		return wrap("register the service", err)
	}
	s.service = service
	err = service.AddEndpoint("precheck", micro.HandlerFunc(s.take), micro.WithEndpointSubject(PrecheckSubject), micro.WithEndpointMetadata(map[string]string{
		"request": contentJSON, "response": contentNDJSON,
	}))
	if err == nil {
		err = s.bus.conn.FlushTimeout(s.bus.cfg.RequestTimeout)
	}
	return wrap("register the service", err)
}

// take lets a request in or refuses it. The framework calls it for one message after the other, so it must not wait; what it refuses here stands in the framework's own counts.
func (s *Service) take(request micro.Request) {
	if request.Reply() == "" { // nobody would hear, not even of a reservation
		s.lost(errNoReply)
		return
	}
	project, p := s.answers.Project([]byte(request.Headers().Get(keyHeader)))
	if p == nil {
		p = s.enqueue(call{request, project, time.Now()})
	} else {
		s.failed(p)
	}
	if p == nil {
		return
	}
	m := fault(p)
	if err := request.Error(m.Header.Get(micro.ErrorCodeHeader), m.Header.Get(micro.ErrorHeader), m.Data, micro.WithHeaders(micro.Headers(m.Header))); err != nil {
		s.lost(err)
	}
}

func (s *Service) enqueue(c call) *problem.Problem {
	s.taking.RLock()
	defer s.taking.RUnlock()
	if s.stopped {
		s.count.refused.Add(1)
		return later("shutting_down", "this replica is stopping: ask again")
	}
	select {
	case s.queue <- c:
		return nil
	default:
		s.count.refused.Add(1)
		return later("rate_limited", "as many requests wait here as may: ask again")
	}
}

// later is a refusal of what another replica, or this one in a second, may answer.
func later(code, detail string) *problem.Problem {
	p := problem.New(code, detail)
	p.RetryAfter = 1
	return p
}

func (s *Service) work() {
	for c := range s.queue {
		s.count.open.Add(1)
		s.answer(c)
		s.count.open.Add(-1)
	}
}

// answer does not reply through the framework's request: that notes errors where its own goroutine reads them unguarded once take has returned.
func (s *Service) answer(c call) {
	ctx, cancel := context.WithDeadline(s.base, c.came.Add(s.cfg.Timeout))
	defer cancel()
	var body []byte
	var p *problem.Problem
	if ctx.Err() != nil {
		p = later("overloaded", "the request waited for too long")
	} else {
		body, p = s.answers.Answer(ctx, c.project, c.request.Data(), s.room())
	}
	m := &nats.Msg{Header: nats.Header{typeHeader: {contentNDJSON}}, Data: body}
	if p != nil {
		m = fault(p)
		s.failed(p)
	} else {
		s.count.answered.Add(1)
	}
	s.count.nanos.Add(int64(time.Since(c.came)))
	m.Subject = c.request.Reply()
	if err := s.bus.conn.PublishMsg(m); err != nil {
		s.lost(err)
	}
}

// headerBytes is what the headers of a reply may take.
const headerBytes = 1 << 10

// room is what the server takes in one message.
func (s *Service) room() int { return int(s.bus.conn.MaxPayload()) - headerBytes }

var errNoReply = errors.New("the message names no subject for replies")

// fault is a problem in the framework's form: the stable code as the code, the problem as the body.
func fault(p *problem.Problem) *nats.Msg {
	detail := p.Detail
	if detail == "" {
		detail = problem.Catalogue[p.Code].Title
	}
	m := &nats.Msg{Header: nats.Header{micro.ErrorHeader: {detail}, micro.ErrorCodeHeader: {p.Code}, typeHeader: {problem.ContentType}}}
	if p.RetryAfter > 0 {
		m.Header.Set(retryHeader, strconv.Itoa(p.RetryAfter))
	}
	m.Data = p.Body(PrecheckSubject, "")
	return m
}

func (s *Service) failed(p *problem.Problem) {
	s.count.failed.Add(1)
	s.count.last.Store(&p.Code) // and not its detail, which may quote what another project sent
}

// lost notes a reply that could not be sent: whoever asked asks again, with the same ids where he reserves.
func (s *Service) lost(err error) {
	s.count.lost.Add(1)
	s.bus.log.Debug("reply to a pre-check could not be sent", "error", err)
}

// Stop leaves the queue group, answers what was let in, and waits for it.
func (s *Service) Stop() {
	s.stopOnce.Do(func() {
		if s.service != nil {
			if err := s.service.Stop(); err != nil {
				s.bus.log.Warn("bus service does not leave in order", "error", err)
			}
			// Behind the answer to this nothing more is delivered. What the framework still holds by then is told to ask elsewhere.
			_ = s.bus.conn.FlushTimeout(s.bus.cfg.RequestTimeout)
		}
		s.taking.Lock()
		s.stopped = true
		close(s.queue)
		s.taking.Unlock()
		s.workers.Wait()
		if s.cancel != nil {
			s.cancel()
		}
	})
}

// Stats is a snapshot; its parts are not taken at one instant.
func (s *Service) Stats() ServiceStats {
	c := &s.count
	stats := ServiceStats{
		Answered: c.answered.Load(), Refused: c.refused.Load(), Failed: c.failed.Load(), Lost: c.lost.Load(), Open: c.open.Load(), Waiting: len(s.queue),
		Took: time.Duration(c.nanos.Load()),
	}
	if last := c.last.Load(); last != nil {
		stats.Last = *last
	}
	return stats
}
