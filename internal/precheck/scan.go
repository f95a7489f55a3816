package precheck

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxLineBytes bounds one line of a stream: an id of 256 bytes, every one of them escaped, fits many times.
const MaxLineBytes = 8 << 10

// Faults of a line of a stream. The line is answered with it, and the stream goes on.
const (
	CodeLine     = "invalid_json"  // not {"userId":"…"}
	CodeLineSize = "line_too_long" // above MaxLineBytes
)

// Lines are handed over in batches, all of which together are a chunk: one hand-over for each line would cost more than the line.
const (
	batches    = 4
	batchLines = ChunkUsers / batches
)

// scan reads lines ahead of those who answer them.
type scan struct {
	in    *bufio.Reader
	full  chan []Line
	empty chan []Line // comes back once it was answered

	plain []plain // users of the batch at hand whose ids are in text
	text  []byte
}

// plain is where the id of a line stands until the batch is handed over: the ids of all its lines become one string.
type plain struct{ line, from, to int }

func newScan(in io.Reader) *scan {
	s := &scan{in: bufio.NewReaderSize(in, MaxLineBytes), full: make(chan []Line, batches), empty: make(chan []Line, batches)}
	for range batches {
		s.empty <- make([]Line, 0, batchLines)
	}
	return s
}

// run hands over each line that is not blank. A batch goes when it is full, or when the next line has not come yet.
func (s *scan) run(ctx context.Context) error {
	var batch []Line
	for number := int64(1); ; number++ {
		line, blank, err := s.line(len(batch))
		line.Number = number
		if !blank {
			if batch == nil {
				select {
				case batch = <-s.empty:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			batch = append(batch, line)
		}
		if len(batch) == batchLines || len(batch) > 0 && (err != nil || !s.ready()) {
			s.name(batch)
			s.full <- batch // there are as many places as batches
			batch = nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// ready reports whether a whole line has been read ahead.
func (s *scan) ready() bool {
	ahead, _ := s.in.Peek(s.in.Buffered()) // never fails: that much is there
	return bytes.IndexByte(ahead, '\n') >= 0
}

// name gives the plain lines of a batch their ids.
func (s *scan) name(batch []Line) {
	all := string(s.text)
	for _, p := range s.plain {
		batch[p.line].UserID = all[p.from:p.to]
	}
	s.plain, s.text = s.plain[:0], s.text[:0]
}

// line reads the next line, which is the at-th of its batch.
func (s *scan) line(at int) (line Line, blank bool, err error) {
	text, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line.Fault = CodeLineSize
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.in.ReadSlice('\n')
		}
		return line, false, err
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return line, true, err
	}
	if id, is := plainUser(text); is {
		from := len(s.text)
		s.text = append(s.text, id...)
		s.plain = append(s.plain, plain{line: at, from: from, to: len(s.text)})
		return line, false, err
	}
	line.UserID, line.Reserve, line.Fault = parse(text)
	return line, false, err
}

// plainUser reads {"userId":"…"} where it stands exactly so, with nothing to be unescaped, which is how nearly all lines are. All else is for the decoder.
func plainUser(text []byte) (id []byte, is bool) {
	rest, found := bytes.CutPrefix(text, []byte(`{"userId":"`))
	if !found {
		return nil, false
	}
	rest, found = bytes.CutSuffix(rest, []byte(`"}`))
	return rest, found && asItIs(rest)
}

// parse reads {"userId":"…","reserve":{…}}; other members are what the sender keeps for himself.
func parse(text []byte) (user string, ask *Reservation, fault string) {
	var line struct {
		UserID  *string        `json:"userId"`
		Reserve jsontext.Value `json:"reserve"`
	}
	if json.Unmarshal(text, &line) != nil || line.UserID == nil {
		return "", nil, CodeLine
	}
	if len(line.Reserve) == 0 || string(line.Reserve) == "null" {
		return *line.UserID, nil, ""
	}
	ask = new(Reservation)
	if json.Unmarshal(line.Reserve, ask, json.RejectUnknownMembers(true)) != nil {
		return *line.UserID, nil, CodeReservation
	}
	return *line.UserID, ask, ""
}
