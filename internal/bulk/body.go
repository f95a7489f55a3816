package bulk

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"eligibility/internal/precheck"
	"eligibility/internal/problem"

	"github.com/klauspost/compress/zstd"
)

// body is what the client sends, decompressed. A stream may expand to any length: it is never held, only its decoder's window is.
func (s *Server) body(raw *patient, r *http.Request) (io.ReadCloser, *problem.Problem) {
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return io.NopCloser(raw), nil
	case "gzip":
		reader, err := gzip.NewReader(raw)
		if err != nil {
			return nil, problem.New("unsupported_encoding", "the body is not gzip")
		}
		return reader, nil
	case "zstd":
		decoder, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(s.cfg.WindowBytes))
		if err != nil {
			return nil, problem.New("unsupported_encoding", "the body is not zstd")
		}
		return decoder.IOReadCloser(), nil
	}
	return nil, problem.New("unsupported_encoding", "send the body plain, or as gzip or zstd")
}

// patient gives each read of a body its own time: a stream as a whole has none.
type patient struct {
	io.Reader
	control *http.ResponseController
	idle    time.Duration

	mu    sync.Mutex
	ended bool // guarded by mu
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.allow(); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}

func (p *patient) allow() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errEnded
	}
	return p.control.SetReadDeadline(time.Now().Add(p.idle))
}

var errEnded = errors.New("the answer has ended")

// end lets a read that waits return, and all later ones: nobody needs what they would bring.
func (p *patient) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	_ = p.control.SetReadDeadline(time.Now()) // fails when the connection is gone, which ends the read as well
}

var errSkip = errors.New("the body has fewer lines than were to be skipped")

// skipped reads past the first lines, which were answered before. Blank lines, which are not answered, do not count.
func skipped(in io.Reader, lines int64) (io.Reader, error) {
	if lines == 0 {
		return in, nil
	}
	reader := bufio.NewReaderSize(in, precheck.MaxLineBytes)
	for blank := true; lines > 0; {
		part, err := reader.ReadSlice('\n')
		for _, c := range part {
			blank = blank && (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue // the line goes on
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		}
		if !blank {
			lines--
		}
		if blank = true; err != nil && lines > 0 {
			return nil, errSkip
		}
	}
	return reader, nil
}

// fault answers with a problem, before anything else was answered.
func (s *Server) fault(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	const maxInstance = 64
	path := r.URL.Path
	if len(path) > maxInstance {
		path = path[:maxInstance]
	}
	w.Header().Set("Content-Type", problem.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	w.Header().Set("Connection", "close") // what is left of the body is not read
	w.WriteHeader(p.Status())
	_, _ = w.Write(p.Body(path, "")) // a client that is gone needs no answer
}
