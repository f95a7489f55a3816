package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// lines of a pre-check and its summary.
func (a *answer) lines(t *testing.T) (lines []string, summary map[string]any) {
	t.Helper()
	in := bufio.NewScanner(bytes.NewReader(a.body))
	for in.Scan() {
		var line map[string]any
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			t.Fatalf("line %q: %v", in.Text(), err)
		}
		if sum, ok := line["summary"].(map[string]any); ok {
			if summary != nil {
				t.Fatal("two summaries")
			}
			summary = sum
			continue
		}
		if fault, ok := line["error"].(map[string]any); ok {
			lines = append(lines, fmt.Sprint(line["userId"], ": ", fault["code"]))
			continue
		}
		lines = append(lines, fmt.Sprint(line["userId"], ": ", line["eligible"], " ", line["reason"]))
	}
	return lines, summary
}

func TestPrecheckAnswersEachUserOnceInOrder(t *testing.T) {
	p := newPlane(t)
	p.put("yes", `{"attributes":{"country":"DE"},"consent":{"whatsapp":true}}`)
	p.put("silent", `{"attributes":{"country":"DE"}}`)
	p.put("no", `{"attributes":{"country":"DE"},"consent":{"whatsapp":false}}`)
	p.put("abroad", `{"attributes":{"country":"FR"},"consent":{"whatsapp":true}}`)
	a := p.call("POST", "/v1/precheck", serverKey,
		`{"promotion":"german","channel":"whatsapp","userIds":["abroad","yes","","no","yes","silent","nobody","abroad","a\nb"]}`)
	lines, summary := a.lines(t)
	want := []string{
		"abroad: false rule_false", "yes: true eligible", ": invalid_user_id", "no: false no_consent",
		"silent: false no_consent", "nobody: false missing_attribute", "a\nb: invalid_user_id",
	}
	if a.status != 200 || strings.Join(lines, "|") != strings.Join(want, "|") {
		t.Errorf("%d\ngot  %q\nwant %q", a.status, lines, want)
	}
	if got := a.header.Get("Content-Type"); got != contentNDJSON {
		t.Errorf("Content-Type %q", got)
	}
	version := float64(p.live.Load("shop").Version)
	if summary["total"] != 7.0 || summary["eligible"] != 1.0 || summary["failed"] != 2.0 || summary["rulesVersion"] != version ||
		fmt.Sprint(summary["reasons"]) != "map[missing_attribute:1 no_consent:2 rule_false:1]" || summary["oldestAsOf"] == nil {
		t.Errorf("summary %v", summary)
	}
	if !strings.HasSuffix(string(a.body), "}}\n") {
		t.Error("the last line does not end")
	}
	lines, _ = p.call("POST", "/v1/precheck", serverKey, `{"promotion":"german","channel":"email","userIds":["yes"]}`).lines(t)
	if lines[0] != "yes: false not_targeted" {
		t.Errorf("on a channel that the promotion does not target: %v", lines)
	}
}

func TestPrecheckRefuses(t *testing.T) {
	p := newPlane(t)
	ids := make([]string, 1001)
	for i := range ids {
		ids[i] = strconv.Quote(strconv.Itoa(i))
	}
	all := strings.Join(ids, ",")
	for _, c := range []struct {
		name, body  string
		status      int
		code, field string
	}{
		{"no promotion", `{"channel":"push","userIds":["a"]}`, 400, "missing_field", "promotion"},
		{"no channel", `{"promotion":"german","userIds":["a"]}`, 400, "missing_field", "channel"},
		{"unknown channel", `{"promotion":"german","channel":"pigeon","userIds":["a"]}`, 400, "invalid_value", "channel"},
		{"nobody", `{"promotion":"german","channel":"push","userIds":[]}`, 400, "out_of_range", "userIds"},
		{"unknown promotion", `{"promotion":"none","channel":"push","userIds":["a"]}`, 404, "promotion_not_found", "promotion"},
		{"another project's promotion", `{"promotion":"canary","channel":"push","userIds":["a"]}`, 404, "promotion_not_found", "promotion"},
		{"1,001 users", `{"promotion":"german","channel":"push","userIds":[` + all + `]}`, 413, "too_many_users", "userIds"},
		{"user as a number", `{"promotion":"german","channel":"push","userIds":["a",7]}`, 400, "wrong_type", "userIds[1]"},
		{"unknown field", `{"promotion":"german","channel":"push","userIds":["a"],"now":1}`, 400, "unknown_field", "now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.call("POST", "/v1/precheck", serverKey, c.body)
			if a.status != c.status || a.code() != c.code || a.field() != c.field {
				t.Errorf("%d %s at %q, want %d %s at %q", a.status, a.code(), a.field(), c.status, c.code, c.field)
			}
		})
	}
	a := p.call("POST", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","userIds":[`+strings.Join(ids[:1000], ",")+`]}`)
	if lines, summary := a.lines(t); len(lines) != 1000 || summary["total"] != 1000.0 || lines[999] != "999: false missing_attribute" {
		t.Errorf("1,000 users: %d lines, %v", len(lines), summary)
	}
}
