package rules

// Scratch is the memory of a decision. The zero value is ready; keep and reuse it. It is for one goroutine at a time.
type Scratch struct {
	classes []uint32
	// question numbers what was asked: what is remembered below counts only for its own. 0 is none.
	question uint64
	windows  []windowMemo
	literals []literalMemo
	// Looked counts the words and candidates that walks have looked at since the caller last set it to 0: the work that an answer took, whatever the machine.
	Looked int
}

// Both memories have one place for each hash: what falls into the same place drives the other out and is found out again, which costs time and changes
// nothing.
const (
	windowMemos  = 128
	literalMemos = 256
)

// windowMemo is how many events of a type a window holds.
type windowMemo struct {
	question uint64
	window   int64
	count    int64
	until    int64
	slot     int32
	cut      bool // the store cut the events inside the window: there are at least count
}

// literalMemo is what a literal came to. It keeps the atom in memory until another takes its place, at most literalMemos of them.
type literalMemo struct {
	question uint64
	atom     *atom
	until    int64
	value    outcome
}

// begin begins a question: one input that does not change until the next.
func (s *Scratch) begin() { s.question++ }

func (s *Scratch) window(slot int32, window int64, in *Input) *windowMemo {
	if s.windows == nil {
		s.windows = make([]windowMemo, windowMemos)
	}
	// Windows are multiples of seconds, mostly of hours: the high half of a product with an odd number spreads them.
	hash := (uint64(window)/1_000_000_000*0x9e3779b97f4a7c15)>>32 + uint64(slot)*0x9e3779b1
	m := &s.windows[hash%windowMemos]
	if m.question != s.question || m.window != window || m.slot != slot {
		events := in.Snapshot.Events(int(slot))
		from, to := events.Window(in.Now, window)
		since := events.Since()
		*m = windowMemo{
			question: s.question, slot: slot, window: window, count: int64(to - from), cut: since > 0 && in.Now-window+1 < since,
			until: windowUntil(events, in.Now, window, from, to),
		}
	}
	return m
}

// ask is a literal's value and horizon. Literals of one atom have the same of both.
func (s *Scratch) ask(l *literal, in *Input) (outcome, int64) {
	if l.typed != nil {
		return l.outcome(in), l.until(in)
	}
	if s.literals == nil {
		s.literals = make([]literalMemo, literalMemos)
	}
	m := &s.literals[l.atom.hash%literalMemos]
	if m.question != s.question || m.atom != l.atom {
		*m = literalMemo{question: s.question, atom: l.atom, value: l.outcome(in), until: l.until(in)}
	}
	return m.value, m.until
}
