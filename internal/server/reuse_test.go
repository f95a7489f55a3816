package server

import (
	"fmt"
	"math"
	"testing"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/server/ask"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"
)

func TestAnswersAreReusedUntilSomethingChanges(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE","age":30}}`)
	ask := func(body string) (*answer, bool) {
		before := p.Stats().Reused()
		a := p.decide(body)
		return a, p.Stats().Reused() > before
	}
	p.warm("ada")
	first, _ := ask(`{"userId":"ada"}`)
	second, reused := ask(`{"userId":"ada"}`)
	if !reused || fmt.Sprint(first.shown(101), first.shown(102)) != fmt.Sprint(second.shown(101), second.shown(102)) {
		t.Fatalf("the same question again: reused %v\n%s\n%s", reused, first.body, second.body)
	}
	for _, other := range []string{
		`{"userId":"ada","placements":[101]}`, `{"userId":"ada","placements":[102,101]}`, `{"userId":"ada","limit":1}`,
		`{"userId":"ada","context":{"platform":"ios"}}`, `{"userId":"ada","context":{"platform":"web"}}`, `{"userId":"ada","explain":true}`,
	} {
		if a, reused := ask(other); reused {
			t.Errorf("%s is answered from another question: %s", other, a.body)
		}
	}
	p.put("ada", `{"attributes":{"country":"FR"}}`)
	p.warm("ada")
	if a, reused := ask(`{"userId":"ada"}`); reused || len(a.shown(101)) != 0 {
		t.Errorf("after a write: reused %v, %s", reused, a.body)
	}
	p.warm("ada")
	ask(`{"userId":"ada"}`)
	p.publish("shop", rules.Promotion{ID: "french", Rule: "user.country == 'FR'", Placements: target(101, 1)})
	if a, reused := ask(`{"userId":"ada"}`); reused || len(a.shown(101)) != 1 {
		t.Errorf("after a publish: reused %v, %s", reused, a.body)
	}
}

// TestReuseNeverChangesAnAnswer compares what a memo answers with what the engine says, at any time and in any order.
func TestReuseNeverChangesAnAnswer(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE","age":30}}`)
	p.list("/v1/events", `{"userId":"ada","name":"purchase"}`)
	rs := p.live.Load("shop")
	older := *rs
	read, err := p.users.Get(t.Context(), profile.Key{Project: "shop", User: "ada"}, &cache.Demand{ReadsSchema: rs.ReadsSchema})
	if err != nil {
		t.Fatal(err)
	}
	begin := read.Snapshot.AsOf.Wall
	platform, _, _ := rs.ContextSlot("platform")
	const hour = int64(3600e9)
	rapid.Check(t, func(t *rapid.T) {
		var memo cache.Memo
		var d, truth engine.Decision
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			set := rs
			if rapid.IntRange(0, 9).Draw(t, "version") == 0 {
				set = &older
			}
			req := engine.Request{
				Channel: channelEmbedded, Now: begin + rapid.Int64Range(0, 30*hour).Draw(t, "now"),
				Limit:      rapid.IntRange(0, 2).Draw(t, "limit"),
				Placements: [][]int32{nil, {101}, {102}, {102, 101}, {9}}[rapid.IntRange(0, 4).Draw(t, "placements")],
			}
			if rapid.Bool().Draw(t, "context") {
				req.Context = make([]rules.ContextValue, len(set.Context))
				req.Context[platform] = rules.ContextValue{Set: true, Text: rapid.SampledFrom([]string{"ios", "web"}).Draw(t, "platform")}
			}
			engine.Decide(set, read.Snapshot, &req, &truth)
			want := appendPlacements(nil, formOwn, truth.Placements)
			class := appendClass(nil, set, &req)
			kept, ok := recall(&memo, set, class, req.Now)
			if !ok {
				engine.Decide(set, read.Snapshot, &req, &d)
				remember(&memo, set, class, req.Now, &d, formOwn, weakTag{})
				continue
			}
			if got := kept.append(nil); string(got) != string(want) {
				t.Fatalf("at %d the memo answers %s, the engine %s", req.Now-begin, got, want)
			}
			if kept.until > truth.ValidUntil && truth.ValidUntil > req.Now {
				t.Fatalf("at %d the memo promises %d, the engine %d", req.Now-begin, kept.until-begin, truth.ValidUntil-begin)
			}
		}
	})
}

func TestLargeAnswersAreNotKept(t *testing.T) {
	d := engine.Decision{ValidUntil: rules.Forever, Placements: make([]engine.Placement, 30)}
	if r := newReusable(&rules.Ruleset{}, nil, 0, &d, formOwn, weakTag{}); r != nil {
		t.Error("30 placements are kept")
	}
	if r := newReusable(&rules.Ruleset{}, make([]byte, maxReusableBytes), 0, &engine.Decision{ValidUntil: rules.Forever}, formOwn, weakTag{}); r != nil {
		t.Error("half a kilobyte of context is kept")
	}
}

func TestOnlyEqualRequestsHaveEqualClasses(t *testing.T) {
	rs := &rules.Ruleset{}
	requests := rapid.Custom(func(t *rapid.T) engine.Request {
		req := engine.Request{Limit: rapid.IntRange(0, 3).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "some") {
			req.Placements = rapid.SliceOfN(rapid.Int32Range(-2, 2), 1, 3).Draw(t, "placements")
		}
		return req
	})
	set := func(req *engine.Request) (all []any) {
		return append(all, req.Limit, req.Placements == nil, req.Placements)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := requests.Draw(t, "a"), requests.Draw(t, "b")
		equal := string(appendClass(nil, rs, &a)) == string(appendClass(nil, rs, &b))
		if same := fmt.Sprintf("%#v", set(&a)) == fmt.Sprintf("%#v", set(&b)); equal != same {
			t.Fatalf("%+v and %+v: equal classes %v, equal requests %v", a, b, equal, same)
		}
	})
}

func TestTheHitPathAllocatesNothing(t *testing.T) {
	if raceDetector || copies() {
		t.Skip("this build allocates by design")
	}
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE","age":30}}`)
	p.list("/v1/events", `{"userId":"ada","name":"purchase"}`)
	p.warm("ada")
	entry, _ := p.keyring.Lookup([]byte(serverKey))
	for _, c := range []struct{ name, body string }{
		{"reused", `{"userId":"ada","placements":[101,102],"context":{"platform":"ios","appVersion":"5.2.0","locale":"de"}}`},
		{"computed", `{"userId":"ada","placements":[102,101,101],"limit":2,"context":{"platform":"ios","visits":7,"ratio":0.25,` +
			`"beta":true,"opened":"2026-06-15T00:00:00Z"},"minRulesVersion":1,"minAsOf":"1700000000000000000.0000000000"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(c.body)
			run := func() {
				st := p.acquire()
				st.caller.entry = entry
				if problem := p.answer(st, body); problem != nil {
					t.Fatal(problem)
				}
				p.release(st)
			}
			if c.name == "computed" { // fill the memo with other questions, so that this one finds no place in it
				for i := range cache.MemoSlots {
					p.decide(fmt.Sprintf(`{"userId":"ada","limit":%d}`, 10+i))
				}
			}
			run()
			before := p.Stats().Reused()
			if n := testing.AllocsPerRun(200, run); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if reused := p.Stats().Reused() > before; reused != (c.name == "reused") {
				t.Errorf("reused: %v", reused)
			}
		})
	}
}

// copies reports whether this build reads bodies by copying them.
func copies() bool {
	body := []byte(`{"userId":"ada"}`)
	var r ask.Request
	_ = r.Parse(body)
	body[11] = 'x'
	return r.UserID == "ada"
}

func BenchmarkDecision(b *testing.B) {
	p := newPlane(b)
	p.put("ada", `{"attributes":{"country":"DE","age":30}}`)
	p.warm("ada")
	body := `{"userId":"ada","placements":[101,102],"context":{"platform":"ios","appVersion":"5.2.0","locale":"de"}}`
	entry, _ := p.keyring.Lookup([]byte(serverKey))
	b.Run("answer", func(b *testing.B) {
		raw := []byte(body)
		b.ReportAllocs()
		for b.Loop() {
			st := p.acquire()
			st.caller.entry = entry
			if problem := p.answer(st, raw); problem != nil {
				b.Fatal(problem)
			}
			p.release(st)
		}
	})
	b.Run("handler", func(b *testing.B) { // with routing, authentication and counting, without the network
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.SetRequestURI("/v1/eligibility")
		ctx.Request.Header.SetContentType(contentJSON)
		ctx.Request.Header.Set(headerKey, serverKey)
		ctx.Request.SetBodyString(body)
		b.ReportAllocs()
		for b.Loop() {
			ctx.Response.Reset()
			p.handle(&ctx)
		}
		if ctx.Response.StatusCode() != 200 {
			b.Fatalf("%s", ctx.Response.Body())
		}
	})
	b.Run("connection", func(b *testing.B) {
		c := p.dial()
		text, buffer := []byte(request("POST", "/v1/eligibility", serverKey, body)), make([]byte, 8<<10)
		_ = c.SetDeadline(time.Time{})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(text); err != nil {
				b.Fatal(err)
			}
			if _, err := c.Read(buffer); err != nil { // the answer fits one read
				b.Fatal(err)
			}
		}
	})
}

func TestAnAnswerWithFifteenMessagesIsKept(t *testing.T) {
	d := engine.Decision{ValidUntil: rules.Forever}
	for id := range int32(3) {
		d.Placements = append(d.Placements, engine.Placement{ID: id, Messages: candidates(5)})
	}
	if newReusable(nil, make([]byte, 100), 0, &d, formOwn, weakTag{}) == nil {
		t.Error("three placements with five messages each are too much to keep")
	}
	d.Placements = append(d.Placements, engine.Placement{ID: 4, Messages: candidates(100)})
	if newReusable(nil, nil, 0, &d, formOwn, weakTag{}) != nil {
		t.Error("an answer beyond the allowance is kept")
	}
}

func candidates(n int) []*rules.Candidate {
	all := make([]*rules.Candidate, n)
	for i := range all {
		all[i] = &rules.Candidate{Fragment: fmt.Sprintf(`{"messageId":"m%d"}`, i)}
	}
	return all
}

func TestWhatIsKeptIsWrittenAsItWas(t *testing.T) {
	for _, shown := range [][]int{{}, {0}, {1}, {0, 3, 0}, {5, 5, 5}} {
		var d engine.Decision
		for i, n := range shown {
			d.Placements = append(d.Placements, engine.Placement{ID: []int32{101, math.MinInt32, 7}[i], Messages: candidates(n)})
		}
		r := newReusable(nil, []byte("class"), 0, &d, formOwn, weakTag{})
		if r == nil {
			t.Errorf("%v is not kept", shown)
			continue
		}
		want := appendPlacements(nil, formOwn, d.Placements)
		if got := r.append(nil); string(got) != string(want) || r.class() != "class" {
			t.Errorf("%v of class %q is written %s, want %s", shown, r.class(), got, want)
		}
	}
}
