package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"eligibility/internal/problem"
	"eligibility/internal/strictjson"
)

const contentJSON = "application/json"

// read takes in the body, bounded.
func (s *Server) read(w http.ResponseWriter, c *call) ([]byte, error) {
	if encoding := c.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, problem.New("unsupported_encoding", "")
	}
	if c.ContentLength > s.cfg.BodyBytes { // before a byte is read: who expects 100 Continue must not be told to go on
		return nil, tooLarge(s.cfg.BodyBytes)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Body, s.cfg.BodyBytes))
	switch {
	case err == nil:
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, tooLarge(s.cfg.BodyBytes)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problem.New("request_timeout", "the request must arrive within %v", s.cfg.ReadTimeout)
	default:
		return nil, problem.New("bad_request", "the body is cut short, or not framed as HTTP/1.1 wants")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != contentJSON {
		return nil, problem.New("unsupported_media_type", "send Content-Type: %s", contentJSON)
	}
	return body, nil
}

func tooLarge(most int64) *problem.Problem {
	return problem.New("body_too_large", "send at most %d bytes", most)
}

// decode reads a required JSON body into v.
func (c *call) decode(body []byte, v any) error { return strictjson.Unmarshal(body, v) }

// decodeOptional reads a JSON body into v when there is one.
func (c *call) decodeOptional(body []byte, v any) error {
	if len(body) == 0 {
		return nil
	}
	return strictjson.Unmarshal(body, v)
}

// send answers a success.
func (s *Server) send(w http.ResponseWriter, c *call, a answer) {
	if a.generation != 0 {
		w.Header().Set("ETag", etag(a.generation))
	}
	if c.once != nil && c.once.Repeated {
		w.Header().Set(headerReplayed, "true")
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	// The answer is JSON and says so, with nosniff; escaping < and & would only make rules unreadable.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a.body); err != nil {
		s.deps.Logger.Error("control plane answer does not encode", "request_id", c.id, "error", err)
		s.refuse(w, c, problem.New(problem.Internal, ""))
		return
	}
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(a.status)
	s.write(w, c, out.Bytes())
}

func etag(generation uint64) string { return `"` + strconv.FormatUint(generation, 10) + `"` }

// ifMatch is the generation that the caller saw: "" when he does not say. Weak tags never match, as RFC 9110 wants.
func (c *call) ifMatch() (string, error) {
	values := c.Header.Values("If-Match")
	if len(values) == 0 {
		return "", nil
	}
	tag := strings.TrimSpace(values[0])
	if tag == "*" && len(values) == 1 {
		return tag, nil
	}
	if inner, ok := strings.CutPrefix(tag, `"`); ok && len(values) == 1 {
		if inner, ok = strings.CutSuffix(inner, `"`); ok {
			if _, err := strconv.ParseUint(inner, 10, 64); err == nil {
				return inner, nil
			}
		}
	}
	return "", problem.New("precondition_failed", "send the ETag of the promotion as you last read it")
}
