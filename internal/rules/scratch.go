package rules

// Scratch is the memory of a decision. The zero value is ready; keep and reuse it. It is for one goroutine at a time.
type Scratch struct {
	coding  *coding
	classes []uint16     // the input's, as in an encoding, with what the request decides
	members []uint8      // as in an encoding
	spans   []windowSpan // as in an encoding, or none
	user    encoding     // of a user who is met for the first time
	// question numbers what was asked: what is remembered below counts only for its own. 0 is none.
	question uint64
	windows  []windowMemo // by place in the coding
	walks    []walkIndex  // memory of a Walk
	literals []literalMemo
	// Looked counts the blocks and candidates that walks have looked at since the caller last set it to 0: the work that an answer took, whatever the machine.
	Looked int
}

// literalMemos: there is one place for each hash, and what falls into the same place drives the other out and is found out again, which costs time and changes
// nothing.
const literalMemos = 256

// windowMemo is how many events of a type a window holds.
type windowMemo struct {
	question uint64
	until    int64
	count    uint8 // at most mostCounted
	cut      bool  // the store cut the events inside the window: there are at least count
}

// literalMemo is what a literal came to. It keeps the atom in memory until another takes its place, at most literalMemos of them.
type literalMemo struct {
	question uint64
	atom     *atom
	until    int64
	value    outcome
}

// begin begins a question: one input that does not change until the next.
func (s *Scratch) begin(c *coding) {
	s.question++
	s.coding = c
	if c != nil && len(s.windows) < len(c.windows) {
		s.windows = append(s.windows, make([]windowMemo, len(c.windows)-len(s.windows))...)
	}
}

// noList is the class on an axis of elements of what is not a list.
const noList = 0

// list is the classes of the user's elements on an axis of elements.
func (s *Scratch) list(axis int) []uint8 {
	at := int(s.classes[axis])
	return s.members[at+1 : at+1+int(s.members[at])]
}

// has reports whether the list that begins at the place has an element of the class.
func (s *Scratch) has(at uint16, class uint8) bool {
	for _, other := range s.members[int(at)+1 : int(at)+1+int(s.members[at])] {
		if other == class {
			return true
		}
	}
	return false
}

// window is what the window at a place of the coding holds.
func (s *Scratch) window(at int, in *Input) *windowMemo {
	m := &s.windows[at]
	if m.question != s.question {
		w := &s.coding.windows[at]
		events := in.Snapshot.Events(w.slot)
		from, to := 0, unkept
		if at < len(s.spans) {
			from, to = int(s.spans[at].from), int(s.spans[at].to)
		}
		if to == unkept {
			from, to = events.Window(in.Now, w.window)
		}
		since := events.Since()
		*m = windowMemo{
			question: s.question, count: uint8(min(to-from, mostCounted)), cut: since > 0 && in.Now-w.window+1 < since,
			until: windowUntil(events, in.Now, w.window, from, to),
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
