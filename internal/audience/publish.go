package audience

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"eligibility/internal/rules"
)

// ErrBusFull: the bus keeps no more results until it forgets old ones or is given more room. It never throws out what may not have been read.
var ErrBusFull = errors.New("the bus has no room for results")

// Publisher puts results where others read them as they come; a bus is one.
type Publisher interface {
	// Subject is where the results of a job go.
	Subject(project, job string) string
	// Last says what the bus has of a job.
	Last(ctx context.Context, project, job string) (Place, error)
	// Publish appends a message behind the one that has the sequence after, which must be the job's last, and returns its own once it is durable. After an error it may be there or
	// not. ErrBusFull.
	Publish(ctx context.Context, project, job string, m *Message, after uint64) (sequence uint64, err error)
}

// Place is how far the results of a job are on the bus.
type Place struct {
	Stream   string `json:"stream"`         // which one: a stream that was made anew has another text
	Sequence uint64 `json:"sequence"`       // of the last message in the stream; 0: the stream has none of the job, or no longer
	Number   int64  `json:"number"`         // of the last message in the job, the first is 1; 0: there is none
	Bytes    int64  `json:"bytes"`          // of the results in it and all before it
	Whole    bool   `json:"whole,omitzero"` // the last is the summary
}

// Message is a part of the results, whole lines, or their summary.
type Message struct {
	Number int64
	Start  int64 // where in the results it begins
	Data   []byte
	Whole  bool // it is the summary
}

// messageBytes is what a message of results is filled to. It must not change while jobs are at work: a message that is published again after a crash has to be the same.
const messageBytes = 64 << 10

// publication publishes what is durable of a job's results, and never anything else: a line that is on the bus stands in the download, at the same place, for good. Places are those
// of the download, range behind range: what ranges further on have found waits until those before them are whole, as it does there.
type publication struct {
	to    Publisher
	keep  keep
	job   *Job   // of it Published is its own; workers write to the rest
	known bool   // the bus was asked what it has
	last  Job    // the last checkpoint
	lines *parts // what last speaks of; nil until it is needed
	buf   []byte
}

// durable takes over what a checkpoint speaks of.
func (p *publication) durable(checkpoint Job) {
	p.close()
	p.last = checkpoint
}

func (p *publication) close() {
	if p.lines != nil {
		_ = p.lines.Close() // was only read
		p.lines = nil
	}
}

// publish has the bus take what is durable, and holds those up who evaluate meanwhile: a bus that takes nothing is waited for, and not outrun. It returns why the job is to rest, ""
// when all was taken, the job is to become something else, or ctx ended.
func (r *runner) publish(ctx context.Context) (why string) {
	if r.published == nil {
		return ""
	}
	number, well := r.job.Published.Number, time.Now()
	for r.wish() == "" {
		err := r.published.advance(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return ""
		case errors.Is(err, errDamaged):
			return WhyResultsDamaged
		}
		now := time.Now()
		if n := r.job.Published.Number; n != number {
			number, well = n, now
		}
		why := unpublished(err)
		if now.Sub(well) > r.m.cfg.Patience {
			return why
		}
		r.again(why, err)
		retry(ctx)
	}
	return ""
}

// advance publishes all that fills a message, and, when every user was evaluated, the rest and the summary.
func (p *publication) advance(ctx context.Context) error {
	if p.to == nil { // the job is of a process that had a bus
		return ErrNoBus
	}
	if !p.known {
		if err := p.ask(ctx); err != nil {
			return err
		}
	}
	for {
		at := &p.job.Published
		if at.Whole {
			return nil
		}
		m, err := p.next()
		if m == nil || err != nil {
			return err
		}
		sequence, err := p.to.Publish(ctx, p.job.Project, p.job.ID, m, at.Sequence)
		if err != nil {
			p.known = false // whether it is there shows when the bus is asked
			return fmt.Errorf("publish results: %w", err)
		}
		*at = Place{Stream: at.Stream, Sequence: sequence, Number: m.Number, Bytes: m.Start, Whole: m.Whole}
		if !m.Whole {
			at.Bytes += int64(len(m.Data))
		}
	}
}

// ask finds out where to go on. What the bus says is newer than the checkpoint, unless it has forgotten, by its age, what the checkpoint knows of; on a stream that was made anew
// everything is published again.
func (p *publication) ask(ctx context.Context) error {
	last, err := p.to.Last(ctx, p.job.Project, p.job.ID)
	if err != nil {
		return fmt.Errorf("ask for the results on the bus: %w", err)
	}
	if at := &p.job.Published; last.Stream != at.Stream || last.Number > at.Number {
		*at = last
	} else {
		at.Sequence = last.Sequence
	}
	p.known = true
	return nil
}

// next is the message that is due, nil when there is none yet.
func (p *publication) next() (*Message, error) {
	at := p.job.Published
	m := &Message{Number: at.Number + 1, Start: at.Bytes}
	left := p.last.Bytes - at.Bytes
	switch {
	case left < 0:
		return nil, errDamaged
	case left < messageBytes && !p.last.evaluated():
		return nil, nil
	case left == 0:
		m.Whole = true
		var err error
		m.Data, err = summary(&p.last, at)
		return m, err
	}
	data := p.buf[:min(left, messageBytes)]
	if err := p.read(data, at.Bytes); err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 {
		return nil, errDamaged
	}
	m.Data = data[:end]
	return m, nil
}

func (p *publication) read(data []byte, at int64) (err error) {
	if p.lines == nil {
		p.lines, err = p.keep.read(&p.last)
	}
	if err == nil {
		_, err = p.lines.ReadAt(data, at)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrNotExist):
		return errDamaged
	case err != nil:
		return fmt.Errorf("read results: %w", err)
	}
	return nil
}

// summary is the last message, behind what stands at the place. A reader who has not seen it has not seen all.
func summary(j *Job, at Place) ([]byte, error) {
	text, err := json.Marshal(map[string]any{"summary": struct {
		Job           string                 `json:"job"`
		Promotion     string                 `json:"promotion"`
		Channel       string                 `json:"channel"`
		At            time.Time              `json:"at"`
		Users         int64                  `json:"users"`
		Eligible      int64                  `json:"eligible"`
		Reasons       map[rules.Reason]int64 `json:"reasons"`
		RulesVersions []uint64               `json:"rulesVersions"`
		OldestAsOf    string                 `json:"oldestAsOf,omitzero"`
		NewestAsOf    string                 `json:"newestAsOf,omitzero"`
		Messages      int64                  `json:"messages"` // before this one
		Bytes         int64                  `json:"bytes"`    // of their lines
	}{
		j.ID, j.Ask.Promotion, j.Ask.Channel, j.Ask.At, j.Users, j.Eligible, maps.Clone(j.Reasons), j.RulesVersions, j.OldestAsOf, j.NewestAsOf,
		at.Number, at.Bytes,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode summary: %w", err)
	}
	return append(text, '\n'), nil
}

// unpublished is why a job rests whose results the bus does not take.
func unpublished(err error) string {
	if errors.Is(err, ErrBusFull) {
		return WhyBusFull
	}
	return WhyBus
}
