package chaos

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// at notes calls with times of the test's choosing.
func (h *History) at(o op) { h.ops = append(h.ops, o) }

func TestJudge(t *testing.T) {
	const s = int64(time.Second)
	write := func(value int, call, ret int64) op {
		return op{key: "ada", write: true, value: value, call: call, ret: ret}
	}
	read := func(value int, call int64, bound time.Duration, floor int64) op {
		return op{client: 1, key: "ada", value: value, call: call, ret: call + 1, bound: bound, floor: floor}
	}
	reached := func(n int, is bool, call int64, bound time.Duration) op {
		return op{client: 1, key: "ada", value: n, reach: true, reached: is, call: call, ret: call + 1, bound: bound}
	}
	for _, tt := range []struct {
		name  string
		ops   []op
		legal bool
	}{
		{"reached what was written", []op{write(5, 0, 1), reached(5, true, s, 0), reached(6, false, s, 0)}, true},
		{"not reached what was written", []op{write(5, 0, 1), reached(5, false, s, 0)}, false},
		{"not reached what was written within the bound", []op{write(5, s, s+1), reached(5, false, 2*s, 2*time.Second)}, true},
		{"reached what nobody wrote", []op{write(5, 0, 1), reached(6, true, s, time.Hour)}, false},
		{"nothing", nil, true},
		{"a read of what was written", []op{write(1, 0, 1), read(1, s, 0, 0)}, true},
		{"a read of what nobody wrote", []op{write(1, 0, 1), read(2, s, time.Hour, 0)}, false},
		{"an old value within the bound", []op{write(1, 0, 1), write(2, s, s+1), read(1, 2*s, time.Second+1, 0)}, true},
		{"an old value beyond the bound", []op{write(1, 0, 1), write(2, s, s+1), read(1, 2*s, time.Second-10, 0)}, false},
		{"an old value within the bound, below a demanded stamp", []op{write(1, 0, 1), write(2, s, s+1), read(1, 2*s, time.Hour, s+1)}, false},
		{"the newer, then the older, both within the bound", []op{write(1, 0, 1), write(2, s, s+1), read(2, 2*s, 5*time.Second, 0), read(1, 3*s, 5*time.Second, 0)}, true},
		{"a write of unknown fate that happened", []op{write(1, 0, 1), write(2, s, forever), read(2, 9*s, 0, 0)}, true},
		{"a write of unknown fate that did not", []op{write(1, 0, 1), write(2, s, forever), read(1, 9*s, 0, 0)}, true},
		{"a write of unknown fate that happened late", []op{write(1, 0, 1), write(2, s, forever), read(1, 8*s, 0, 0), read(2, 9*s, 0, 0)}, true},
		{"a write of unknown fate that was undone", []op{write(1, 0, 1), write(2, s, forever), read(2, 8*s, 0, 0), read(1, 9*s, 0, 0)}, false},
		{"an acknowledged write that was lost", []op{write(1, 0, 1), write(2, s, s+1), read(1, 60*s, time.Second, 0)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHistory()
			for _, o := range tt.ops {
				h.at(o)
			}
			v := h.Judge(10 * time.Second)
			if !v.Decided || v.Legal != tt.legal {
				t.Errorf("decided %v, legal %v, want %v", v.Decided, v.Legal, tt.legal)
			}
			var page strings.Builder
			if err := v.Draw(&page); err != nil || !strings.Contains(page.String(), "<html") {
				t.Errorf("no drawing: %v", err)
			}
		})
	}
}

// TestZonesAgreeWithTheSearch compares the two ways to decide on small random histories, legal and not.
func TestZonesAgreeWithTheSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	legal := 0
	const histories = 20_000
	for range histories {
		h := NewHistory()
		values := 1 + random.IntN(4)
		for v := range values {
			o := op{client: v, key: "ada", write: true, value: v + 1, call: int64(random.IntN(20))}
			if o.ret = o.call + int64(random.IntN(8)); random.IntN(6) == 0 {
				o.ret = forever
			}
			h.at(o)
		}
		for range random.IntN(6) {
			o := op{client: 9, key: "ada", value: random.IntN(values + 1), call: int64(random.IntN(25))}
			o.ret, o.bound = o.call+int64(random.IntN(6)), time.Duration(random.IntN(6))
			h.at(o)
		}
		_, got, decided := h.decide()
		result, _ := porcupine.CheckOperationsVerbose(register, h.operations(), 10*time.Second)
		if want := result == porcupine.Ok; !decided || got != want {
			t.Fatalf("zones say %v (decided %v), the search says %v: %+v", got, decided, result, h.ops)
		}
		if got {
			legal++
		}
	}
	if legal < histories/20 || legal > histories*19/20 {
		t.Errorf("%d of %d are legal: the comparison shows little", legal, histories)
	}
}

// TestJudgeFindsOneStaleReadAmongMany makes histories of a store that is right, which must be legal, and makes one read of each too old.
func TestJudgeFindsOneStaleReadAmongMany(t *testing.T) {
	const bound = time.Second
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		h := NewHistory()
		var writes []op // of the one key; values 1, 2, 3 …
		now := int64(0)
		for range 300 {
			now += int64(random.IntN(int(200 * time.Millisecond)))
			if len(writes) == 0 || random.IntN(3) == 0 {
				writes = append(writes, op{key: "ada", write: true, value: len(writes) + 1, call: now, ret: now + int64(random.IntN(1e6))})
				h.at(writes[len(writes)-1])
				continue
			}
			seen := 0
			for _, w := range writes {
				if w.ret <= now-int64(random.IntN(int(bound))) {
					seen = w.value
				}
			}
			h.at(op{client: 1, key: "ada", value: seen, call: now, ret: now + 1, bound: bound})
		}
		if v := h.Judge(20 * time.Second); !v.Legal || !v.Decided {
			t.Fatalf("seed %d: a right history is refused", seed)
		}
		last := writes[len(writes)-1]
		h.at(op{client: 1, key: "ada", value: last.value - 1, call: last.ret + int64(bound) + 1, ret: last.ret + int64(bound) + 2, bound: bound})
		if v := h.Judge(20 * time.Second); v.Legal || !v.Decided {
			t.Fatalf("seed %d: a read that is a nanosecond too old is not found", seed)
		}
	}
}
