package pushhook

import "container/heap"

// lane is what one project has.
type lane struct {
	project  string
	ready    []*item
	waiting  int // its items that are later, ready or flying
	flying   int
	runnable bool
	failing  bool // the last request failed
	dead     ring
}

// lane finds a project's lane or makes it. s.mu is held.
func (s *Sender) lane(project string) *lane {
	l := s.lanes[project]
	if l == nil {
		l = &lane{project: project}
		s.lanes[project] = l
	}
	return l
}

// wait puts an item where it waits until it is due. s.mu is held.
func (s *Sender) wait(it *item) {
	it.state = stateLater
	heap.Push(&s.later, it)
	s.rouse()
}

// ready puts an item that is due into its lane. s.mu is held.
func (s *Sender) ready(it *item) {
	l := s.lanes[it.key.Project]
	it.state = stateReady
	l.ready = append(l.ready, it)
	s.offer(l)
}

// offer has a lane served that has something ready and room. s.mu is held.
func (s *Sender) offer(l *lane) {
	if !l.runnable && len(l.ready) > 0 && l.flying < s.cfg.ProjectLimit {
		l.runnable = true
		s.runnable = append(s.runnable, l)
	}
}

// leave notes that an item waits no longer. s.mu is held.
func (s *Sender) leave(it *item) {
	s.waiting--
	l := s.lanes[it.key.Project]
	if l.waiting--; l.waiting == 0 && len(l.dead.letters) == 0 {
		delete(s.lanes, l.project)
	}
	s.noteEmpty()
}

// noteEmpty tells Stop that nothing waits any more. s.mu is held.
func (s *Sender) noteEmpty() {
	if s.stopping && s.waiting == 0 {
		select {
		case <-s.empty:
		default:
			close(s.empty)
		}
	}
}

// rouse has the schedule look again. s.mu need not be held.
func (s *Sender) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
