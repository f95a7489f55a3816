package server

import (
	"fmt"
	"strings"
	"testing"
)

const linesPath = "/v1/precheck?promotion=german&channel=push"

// lined sends lines, as the server key.
func (p *plane) lined(path, body string) *answer {
	p.t.Helper()
	return p.call("POST", path, serverKey, body, "Content-Type", contentNDJSON)
}

func TestPrecheckAnswersEveryLineInOrder(t *testing.T) {
	p := newPlane(t)
	p.put("yes", `{"attributes":{"country":"DE"},"consent":{"push":true}}`)
	a := p.lined(linesPath, `{"userId":"yes"}`+"\n{broken\n\n"+`{"userId":"nobody","name":"Nemo"}`+"\r\n"+`{"userId":"yes"}`+"\n"+`{"userId":""}`)
	lines, summary := a.lines(t)
	want := []string{"yes: true eligible", ": invalid_json", "nobody: false missing_attribute", "yes: true eligible", ": invalid_user_id"}
	if a.status != 200 || strings.Join(lines, "|") != strings.Join(want, "|") {
		t.Errorf("%d\ngot  %q\nwant %q", a.status, lines, want)
	}
	if summary["total"] != 5.0 || summary["eligible"] != 2.0 || summary["failed"] != 2.0 || a.header.Get("Content-Type") != contentNDJSON {
		t.Errorf("%v, %v", summary, a.header)
	}
	if !strings.Contains(string(a.body), `"line":2}`) {
		t.Errorf("the broken line has no number: %s", a.body)
	}
	if lines, summary := p.lined(linesPath, "").lines(t); len(lines) != 0 || summary["total"] != 0.0 {
		t.Errorf("no lines: %v, %v", lines, summary)
	}
}

func TestPrecheckOfLinesRefuses(t *testing.T) {
	p := newPlane(t)
	one := "{\"userId\":\"a\"}\n"
	for _, c := range []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"no promotion", "/v1/precheck?channel=push", one, 400, "missing_field"},
		{"no channel", "/v1/precheck?promotion=german", one, 400, "missing_field"},
		{"unknown channel", "/v1/precheck?promotion=german&channel=pigeon", one, 400, "invalid_value"},
		{"unknown promotion", "/v1/precheck?promotion=none&channel=push", one, 404, "promotion_not_found"},
		{"another project's promotion", "/v1/precheck?promotion=canary&channel=push", one, 404, "promotion_not_found"},
		{"another parameter", linesPath + "&skip=1", one, 400, "invalid_parameter"},
		{"a parameter twice", linesPath + "&channel=push", one, 400, "invalid_parameter"},
		{"a broken query", linesPath + "&%zz", one, 400, "invalid_parameter"},
		{"10,001 lines", linesPath, strings.Repeat(one, 10_001), 413, "too_many_users"},
		{"10,001 lines, the last without its end", linesPath, strings.Repeat(one, 10_000) + `{"userId":"a"}`, 413, "too_many_users"},
		{"above 1 MiB", linesPath, strings.Repeat(" ", 1<<20) + one, 413, "body_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := p.lined(c.path, c.body); a.status != c.status || a.code() != c.code {
				t.Errorf("%d %s, want %d %s", a.status, a.code(), c.status, c.code)
			}
		})
	}
	if lines, summary := p.lined(linesPath, strings.Repeat(one, 10_000)).lines(t); len(lines) != 10_000 || summary["total"] != 10_000.0 {
		t.Errorf("10,000 lines: %d, %v", len(lines), summary)
	}
	if a := p.call("POST", linesPath, serverKey, `{"promotion":"german","channel":"push","userIds":["a"]}`); a.code() != "invalid_parameter" {
		t.Errorf("a document with a query: %d %s", a.status, a.code())
	}
	p.store.down.Store(true)
	defer p.store.down.Store(false)
	if a := p.lined(linesPath, one); a.status != 503 {
		t.Errorf("while the store is down: %d %s", a.status, a.body)
	}
}

func TestListsOfLinesAreFewAtOneTime(t *testing.T) {
	p := newPlane(t)
	for range maxLinesAtOnce {
		p.lines <- struct{}{}
	}
	a := p.lined(linesPath, "{\"userId\":\"a\"}\n")
	if a.status != 429 || a.code() != "rate_limited" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, Retry-After %q", a.status, a.code(), a.header.Get("Retry-After"))
	}
	<-p.lines
	if a := p.lined(linesPath, "{\"userId\":\"a\"}\n"); a.status != 200 {
		t.Error(fmt.Sprint(a.status, string(a.body)))
	}
}
