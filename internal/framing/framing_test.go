package framing

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	get  = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	post = "POST /a HTTP/1.1\r\nHost: x\r\n"
)

// accepted and refused are what a connection may begin with, and what it may not.
var (
	accepted = map[string]string{
		"a request":               get,
		"HTTP/1.0":                "GET / HTTP/1.0\r\n\r\n",
		"two requests":            get + get,
		"a body":                  post + "Content-Length: 3\r\n\r\nabc" + get,
		"an empty body":           post + "content-length: 0\r\n\r\n" + get,
		"chunks":                  post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n" + get,
		"a value with tabs":       "GET / HTTP/1.1\r\nHost:\tx\r\nA: \tb c \r\n\r\n",
		"bytes beyond ASCII":      "GET /ä HTTP/1.1\r\nHost: x\r\nA: ä\r\n\r\n",
		"a body of line ends":     post + "Content-Length: 4\r\n\r\n\n\n\r\r" + get,
		"a header of no value":    "GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n",
		"a header like a framing": post + "X-Content-Length: 5\r\nContent-Length2: 7\r\n\r\n" + get,
	}
	refused = map[string]string{
		"an absolute target":             "GET http://evil.test/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"an authority":                   "CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"an asterisk":                    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"the preface of HTTP/2":          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/0.9":                       "GET /\r\n\r\n",
		"HTTP/1.2":                       "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
		"a version in small letters":     "GET / http/1.1\r\nHost: x\r\n\r\n",
		"two blanks":                     "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a tab for a blank":              "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"a blank at the end":             "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
		"an empty line first":            "\r\n" + get,
		"TLS":                            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"bare LF":                        "GET / HTTP/1.1\nHost: x\n\n",
		"bare LF behind a header":        "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
		"bare CR":                        "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
		"NUL":                            "GET / HTTP/1.1\r\nHost: x\r\nA: a\x00b\r\n\r\n",
		"a folded header":                "GET / HTTP/1.1\r\nHost: x\r\nA: a\r\n b\r\n\r\n",
		"a blank before the colon":       "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
		"no colon":                       "GET / HTTP/1.1\r\nHost\r\n\r\n",
		"no name":                        "GET / HTTP/1.1\r\n: x\r\n\r\n",
		"a length and a coding":          post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a coding and a length":          post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"two lengths":                    post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
		"one length twice":               post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"a list of lengths":              post + "Content-Length: 3, 3\r\n\r\nabc",
		"a length with a sign":           post + "Content-Length: +3\r\n\r\nabc",
		"a negative length":              post + "Content-Length: -3\r\n\r\nabc",
		"a length with an underscore":    post + "Content-Length: 1_0\r\n\r\nabc",
		"an empty length":                post + "Content-Length:\r\n\r\n",
		"a length beyond 64 bits":        post + "Content-Length: 18446744073709551617\r\n\r\nabc",
		"a length behind 100 blanks":     post + "Content-Length: " + strings.Repeat(" ", 100) + "3\r\n\r\nabc",
		"another coding":                 post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"a coding with a vertical tab":   post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
		"a coding twice":                 post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a coding in HTTP/1.0":           "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a negative chunk":               post + "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
		"a chunk length of 17 digits":    post + "Transfer-Encoding: chunked\r\n\r\n1000000000000000f\r\nabc\r\n0\r\n\r\n",
		"a chunk length of 0x":           post + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
		"a chunk without its end":        post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
		"a chunk extension":              post + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
		"a chunk line that ends with LF": post + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
		"a trailer":                      post + "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: y\r\n\r\n",
	}
)

func TestWhatIsTaken(t *testing.T) {
	for name, text := range accepted {
		var s scanner
		if good, ok := s.scan([]byte(text)); !ok {
			t.Errorf("%s: refused behind %d bytes of %q", name, good, text)
		} else if !s.fresh() {
			t.Errorf("%s: not at an end behind %q", name, text)
		}
	}
	for name, text := range refused {
		var s scanner
		if _, ok := s.scan([]byte(text)); ok {
			t.Errorf("%s: taken: %q", name, text)
		}
		if good, ok := new(scanner).scan([]byte(get + text)); ok || good != len(get) {
			t.Errorf("%s behind another request: %d bytes are good, %v", name, good, ok)
		}
	}
}

// server serves on a listener of the package and counts its requests.
func server(t *testing.T) (addr string, served *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served = new(atomic.Int64)
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served.Add(1)
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, "", http.StatusBadRequest)
				return
			}
			_, _ = w.Write(body)
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), ReadTimeout: 5 * time.Second,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(Listen(ln)); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return ln.Addr().String(), served
}

// exchange sends text and reads until the server closes, or until as many answers came as are expected.
func exchange(t *testing.T, addr, text string, answers int) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, text)
	in := bufio.NewReader(c)
	for len(statuses) < answers {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if statuses = append(statuses, res.StatusCode); res.Close {
			break
		}
	}
	return statuses
}

func TestAServerBehindIt(t *testing.T) {
	for name, text := range refused {
		t.Run(name, func(t *testing.T) {
			addr, served := server(t)
			got := exchange(t, addr, text+get+get, 4)
			if len(got) > 1 || len(got) == 1 && got[0] != http.StatusBadRequest || served.Load() > 1 {
				t.Errorf("answers %v, served %v: want one 400 and the end of the connection", got, served.Load())
			}
		})
	}
	t.Run("three requests on one connection", func(t *testing.T) {
		addr, served := server(t)
		text := post + "Content-Length: 3\r\n\r\nabc" + post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get
		if got := exchange(t, addr, text, 3); len(got) != 3 || served.Load() != 3 {
			t.Errorf("answers %v, served %v", got, served.Load())
		}
	})
}

// FuzzOneReading: whatever is taken is read alike by net/http, requests and their bodies, in one piece or byte by byte.
func FuzzOneReading(f *testing.F) {
	for _, text := range accepted {
		f.Add([]byte(text))
	}
	for _, text := range refused {
		f.Add([]byte(get + text + get))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole := new(scanner)
		good, ok := whole.scan(text)
		slow := new(scanner)
		slowly := true
		for i := range text {
			if _, slowly = slow.scan(text[i : i+1]); !slowly {
				break
			}
		}
		if ok != slowly {
			t.Fatalf("%q: taken whole %v, byte by byte %v", text, ok, slowly)
		}
		if ok && !whole.fresh() {
			return // the last request is not over
		}
		if !ok {
			text = text[:good]
		}
		ends := requestEnds(text)
		in := bufio.NewReader(iotest.OneByteReader(bytes.NewReader(text)))
		for n := range ends {
			r, err := http.ReadRequest(in)
			if err != nil {
				return // net/http refuses more, which is no disagreement about where a request ends
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			rest, _ := io.ReadAll(in)
			if len(text)-len(rest) != ends[n] {
				t.Fatalf("%q: request %d ends at %d, net/http says %d", text, n, ends[n], len(text)-len(rest))
			}
			in = bufio.NewReader(bytes.NewReader(rest))
		}
	})
}

// requestEnds is where the requests in text end.
func requestEnds(text []byte) (ends []int) {
	s := new(scanner)
	for i := range text {
		if _, ok := s.scan(text[i : i+1]); !ok {
			return ends
		}
		if s.fresh() {
			ends = append(ends, i+1)
		}
	}
	return ends
}
