package bulk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audience"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// everybody is thirty users, ten of them German.
type everybody struct{ schema *profile.Schema }

func (e everybody) UserIDs(_ context.Context, _, after string, limit int) (ids []string, err error) {
	for i := range 30 {
		if id := fmt.Sprintf("=%02d", i); id > after && len(ids) < limit {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (everybody) Now(context.Context) (hlc.Timestamp, error) { return hlc.Timestamp{Wall: 1}, nil }

func (e everybody) Load(_ context.Context, keys []profile.Key, dst []*profile.Snapshot) error {
	for i, key := range keys {
		var b profile.Builder
		b.Reset(e.schema, key, hlc.Timestamp{Wall: 1})
		b.Found()
		b.Attributes([]byte(`{"country":"` + map[bool]string{true: "DE", false: "FR"}[key.User[1] == '0'] + `"}`))
		b.Consent("push", true)
		dst[i] = b.Build()
	}
	return nil
}

func (e everybody) LoadPart(ctx context.Context, _ *profile.Projection, keys []profile.Key, dst []*profile.Snapshot) error {
	return e.Load(ctx, keys, dst)
}

// jobs is a plane with jobs, as a handler.
type jobs struct {
	t *testing.T
	http.Handler
}

func newJobs(t *testing.T) *jobs {
	t.Helper()
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	if err != nil {
		t.Fatal(err)
	}
	german := rules.Promotion{ID: "german", Name: "n", Rule: "user.country == 'DE'", Channels: []string{"push"}}
	german.Content.Title = "t"
	spec := rules.Spec{Project: "shop", Version: 1, Schema: schema, Promotions: rules.NewRoll(rules.LivePromotion{Promotion: &german, Revision: 1})}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(&spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	live, logger := &rules.Live{}, slog.New(slog.DiscardHandler)
	live.Swap(rs)
	manager, err := audience.New(audience.Defaults(t.TempDir()), audience.Deps{Users: everybody{schema}, Rulesets: live, Clock: &hlc.Estimate{}, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Stop)
	s, err := New(Defaults(), Deps{
		Users: &crowd{schema: schema}, Rulesets: live, Clock: &hlc.Estimate{}, Logger: logger, Audiences: manager,
		Keys: keys{"s": {ID: "1", Project: "shop", Kind: access.Server}, "c": {ID: "2", Project: "shop", Kind: access.Client}, "held": {ID: "3", Project: "shop", Kind: access.Server, Suspended: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &jobs{t, s.http.Handler}
}

func (j *jobs) call(method, path, key, body string, headers ...string) *httptest.ResponseRecorder {
	j.t.Helper()
	req := httptest.NewRequestWithContext(j.t.Context(), method, "/v1/projects/"+path, strings.NewReader(body))
	req.Header.Set("Api-Key", key)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	// A recorder has no deadlines; the plane's own listener, which has, is what the command is tested over.
	j.ServeHTTP(deadlines{w}, req)
	return w
}

// deadlines takes the deadlines that a recorder does not know.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetWriteDeadline(time.Time) error { return nil }

func TestAnAudienceIsMadeWatchedAndDownloaded(t *testing.T) {
	j := newJobs(t)
	made := j.call("POST", "shop/audiences", "s", `{"promotion":"german","channel":"push","countBy":"country","lines":"all"}`)
	var job shown
	if err := json.Unmarshal(made.Body.Bytes(), &job); err != nil || made.Code != http.StatusCreated || !strings.HasSuffix(made.Header().Get("Location"), job.ID) {
		t.Fatalf("%d %s %v", made.Code, made.Body, err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !job.State.Ended() {
		<-tick.C
		if err := json.Unmarshal(j.call("GET", "shop/audiences/"+job.ID, "s", "").Body.Bytes(), &job); err != nil {
			t.Fatal(err)
		}
	}
	if job.Users != 30 || job.Eligible != 10 || len(job.CountBy.Values) != 2 || job.CountBy.Values[0].Value != "FR" || job.CountBy.Values[1].Eligible != 10 {
		t.Errorf("%+v %+v", job, job.CountBy)
	}
	results := "shop/audiences/" + job.ID + "/results"
	whole := j.call("GET", results, "s", "").Body.String()
	if strings.Count(whole, "\n") != 30 || int64(len(whole)) != job.ResultBytes {
		t.Errorf("%d bytes: %s", len(whole), whole)
	}
	rest := j.call("GET", results, "s", "", "Range", "bytes=100-")
	if rest.Code != http.StatusPartialContent || rest.Body.String() != whole[100:] {
		t.Errorf("%d %s", rest.Code, rest.Body)
	}
	table := j.call("GET", results+"?format=csv", "s", "").Body.String()
	if !strings.HasPrefix(table, "userId,eligible,reason,retryAt\n'=00,true,eligible,\n") || strings.Count(table, "\n") != 31 {
		t.Errorf("csv: %s", table)
	}
	for _, c := range []struct {
		name, method, path, key, body, code string
		status                              int
	}{
		{"no key", "GET", "shop/audiences", "", "", "missing_credential", 401},
		{"an unknown key", "GET", "shop/audiences", "x", "", "invalid_credential", 401},
		{"a client key", "GET", "shop/audiences", "c", "", "forbidden", 403},
		{"a suspended key", "GET", "shop/audiences", "held", "", "key_suspended", 403},
		{"another project", "GET", "other/audiences", "s", "", "forbidden", 403},
		{"no body", "POST", "shop/audiences", "s", "", "empty_body", 400},
		{"no promotion", "POST", "shop/audiences", "s", "{}", "missing_field", 400},
		{"an unknown promotion", "POST", "shop/audiences", "s", `{"promotion":"x"}`, "promotion_not_found", 404},
		{"an unknown field", "POST", "shop/audiences", "s", `{"promotion":"german","x":1}`, "unknown_field", 400},
		{"an unknown channel", "POST", "shop/audiences", "s", `{"promotion":"german","channel":"pigeon"}`, "invalid_value", 400},
		{"an unknown attribute", "POST", "shop/audiences", "s", `{"promotion":"german","countBy":"x"}`, "invalid_value", 400},
		{"a bus where there is none", "POST", "shop/audiences", "s", `{"promotion":"german","publish":true}`, "invalid_value", 400},
		{"the past", "POST", "shop/audiences", "s", `{"promotion":"german","at":"2001-01-01T00:00:00Z"}`, "out_of_range", 400},
		{"too wide a window", "POST", "shop/audiences", "s", `{"promotion":"german","spreadOver":"25h"}`, "invalid_value", 400},
		{"too large", "POST", "shop/audiences", "s", strings.Repeat(" ", maxAskBytes+1), "body_too_large", 413},
		{"an unknown job", "GET", "shop/audiences/x", "s", "", "audience_not_found", 404},
		{"an unknown verb", "POST", "shop/audiences/" + job.ID + ":fly", "s", "", "not_found", 404},
		{"an end that was", "POST", "shop/audiences/" + job.ID + ":cancel", "s", "", "audience_ended", 409},
		{"an unknown format", "GET", results + "?format=xls", "s", "", "invalid_parameter", 400},
	} {
		w := j.call(c.method, c.path, c.key, c.body)
		if text, _ := io.ReadAll(w.Body); w.Code != c.status || !strings.Contains(string(text), `"code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s", c.name, w.Code, text)
		}
	}
	if w := j.call("DELETE", "shop/audiences/"+job.ID, "s", ""); w.Code != http.StatusNoContent || strings.Contains(j.call("GET", "shop/audiences", "s", "").Body.String(), job.ID) {
		t.Errorf("removed: %d", w.Code)
	}
}

func TestThePlaneTakesItsShareWhileAppsAsk(t *testing.T) {
	p := pace{share: 0.25}
	start := time.Now()
	for _, c := range []struct {
		name     string
		after    time.Duration
		requests uint64
		rest     time.Duration
	}{
		{"nobody asks", 0, 0, 0},
		{"somebody asked", time.Second, 1, 12 * time.Millisecond},
		{"and is still there", time.Second + 50*time.Millisecond, 1, 12 * time.Millisecond},
		{"and has gone", 2 * time.Second, 1, 0},
	} {
		p.next = time.Time{}
		ended := start.Add(c.after)
		p.worked(ended, 4*time.Millisecond, c.requests)
		if rest := max(0, p.next.Sub(ended)); rest != c.rest {
			t.Errorf("%s: rests %v, want %v", c.name, rest, c.rest)
		}
	}
	p.worked(start.Add(time.Hour), time.Hour, 2)
	if rest := p.next.Sub(start.Add(time.Hour)); rest != maxRest {
		t.Errorf("after an hour it rests %v", rest)
	}
}
