package traffic

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var base = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func parse(t *testing.T, text string) *answer {
	t.Helper()
	a := new(answer)
	if err := json.Unmarshal([]byte(text), a); err != nil {
		t.Fatal(err)
	}
	return a
}

const twoShown = `{"placements":[{"placement":101,"messages":[{"messageId":"m1","promotion":"a"}]},
	{"placement":102,"messages":[{"promotion":"b"}]}],"validUntil":null}`

func TestCompareTellsWhatChanged(t *testing.T) {
	w := &watched{index: -1}
	if gained, lost := w.compare(parse(t, twoShown), base); gained != nil || lost != nil {
		t.Errorf("the first answer changed %v and %v: there was nothing before it", gained, lost)
	}
	if w.first != "m1" || !w.due.IsZero() {
		t.Errorf("the first message is %q, due %v", w.first, w.due)
	}
	gained, lost := w.compare(parse(t, `{"placements":[{"placement":101,"messages":[{"promotion":"b"}]},
		{"placement":102,"messages":[{"promotion":"b"}]}]}`), base)
	if !slices.Equal(gained, []shown{{101, "b"}}) || !slices.Equal(lost, []shown{{101, "a"}}) {
		t.Errorf("gained %v, lost %v: want b for a in 101, and nothing about 102", gained, lost)
	}
	if gained, lost := w.compare(parse(t, `{"placements":[]}`), base); len(gained) != 0 || len(lost) != 2 || w.first != "" {
		t.Errorf("an empty answer: gained %v, lost %v, first %q", gained, lost, w.first)
	}
}

func TestWhenToAskAgain(t *testing.T) {
	for _, c := range []struct {
		name       string
		validUntil string
		want       time.Time
	}{
		{"no edge", `null`, time.Time{}},
		{"in a minute", `"2026-11-22T12:01:00Z"`, base.Add(time.Minute + margin)},
		{"now: depends on time without an edge", `"2026-11-22T12:00:00Z"`, base.Add(patience)},
		{"in the past", `"2026-11-22T11:00:00Z"`, base.Add(patience)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &watched{index: -1, due: base}
			w.compare(parse(t, `{"placements":[],"validUntil":`+c.validUntil+`}`), base)
			if !w.due.Equal(c.want) {
				t.Errorf("asks again at %v, want %v", w.due, c.want)
			}
		})
	}
}

func TestAgendaIsInOrderWhateverIsSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := make([]*watched, 8)
		for i := range members {
			members[i] = &watched{index: -1}
		}
		var a agenda
		t.Repeat(map[string]func(*rapid.T){
			"settle": func(t *rapid.T) {
				w := members[rapid.IntRange(0, len(members)-1).Draw(t, "member")]
				w.due = time.Time{}
				if after := rapid.IntRange(-1, 100).Draw(t, "after"); after >= 0 {
					w.due = base.Add(time.Duration(after) * time.Second)
				}
				a.settle(w)
			},
			"": func(t *rapid.T) {
				waiting := 0
				for _, w := range members {
					if w.due.IsZero() != (w.index < 0) {
						t.Fatalf("a member due %v has index %d", w.due, w.index)
					}
					if !w.due.IsZero() {
						waiting++
						if a.next().due.After(w.due) {
							t.Fatalf("next is %v, but another is due at %v", a.next().due, w.due)
						}
					}
				}
				if waiting != len(a) || (a.next() == nil) != (waiting == 0) {
					t.Fatalf("%d members wait, the agenda has %d", waiting, len(a))
				}
			},
		})
	})
}
