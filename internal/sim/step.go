package sim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// act is something that may happen next. It reports whether it could.
type act struct {
	weight int
	do     func() bool
}

// acts are those that the plan has, by weight.
func (h *history) acts() []act {
	p := &h.plan
	when := func(has bool, weight int) int {
		if has {
			return weight
		}
		return 0
	}
	return []act{
		{40, h.letGo},
		{25, h.deliver},
		{10, h.passTime},
		{10, h.commit},
		{18, h.read},
		{2, h.readMany},
		{2, h.publish},
		{4, h.reload},
		{4, h.hint},
		{when(p.losses, 3), h.lose},
		{when(p.losses, 2), h.loseLoudly},
		{when(p.disorder, 5), h.overtake},
		{when(p.disorder, 4), h.repeat},
		{when(p.breaks, 2), h.breakOff},
		{when(p.breaks, 2), h.recreate},
		{when(p.damage, 3), h.spoil},
		{when(p.kills, 3), h.killRelay},
		{when(p.kills, 1), h.stopRelay},
		{when(p.jumps, 2), h.jump},
		{when(p.forgets, 2), h.forget},
		{when(p.evictions, 2), h.evict},
	}
}

// act does one thing; what turns out to be impossible is replaced by another draw.
func (h *history) act(all []act) {
	total := 0
	for _, a := range all {
		total += a.weight
	}
	for range 20 {
		n := h.rng.IntN(total)
		for _, a := range all {
			if n -= a.weight; n < 0 {
				if a.do() {
					return
				}
				break
			}
		}
	}
}

func (h *history) letGo() bool {
	v := verdict{draw: h.rng.Uint64() | 1}
	v.fail = h.plan.failure > 0 && h.rng.IntN(h.plan.failure) == 0
	label := h.gates.release(h.rng.Uint64(), v)
	if label == "" {
		return false
	}
	if v.fail {
		label += ": fails"
	}
	h.notef("%s", label)
	return true
}

// attached is a replica whose handler is there, and nil when the drawn one has none.
func (h *history) attached() *replica {
	r := h.replicas[h.rng.IntN(len(h.replicas))]
	if r.handler == nil {
		return nil
	}
	return r
}

// take removes the waiting batch i of the replica.
func (h *history) take(r *replica, i int) (b *events.Batch) {
	h.w.with(func() {
		b = r.queue[i]
		r.queue = slices.Delete(r.queue, i, i+1)
	})
	return b
}

// waiting is an attached replica that has batches on the way, after a word about a loss that is due to it.
func (h *history) waiting() *replica {
	r := h.attached()
	if r == nil || len(r.queue) == 0 {
		return nil
	}
	return r
}

func (h *history) hand(r *replica, how string, b *events.Batch) bool {
	if r.signal {
		r.signal = false
		r.lose(events.LossRecreated)
		how += " after a loss"
	}
	r.deliver(b)
	h.notef("%s %s %s, watermark %s", r.name, how, (*batch)(b), short(r.follower.Watermark()))
	return true
}

func (h *history) deliver() bool {
	r := h.waiting()
	if r == nil {
		return false
	}
	return h.hand(r, "gets", h.take(r, 0))
}

func (h *history) overtake() bool {
	r := h.waiting()
	if r == nil {
		return false
	}
	return h.hand(r, "gets out of order", h.take(r, h.rng.IntN(len(r.queue))))
}

func (h *history) repeat() bool {
	r := h.waiting()
	if r == nil {
		return false
	}
	return h.hand(r, "gets, not for the last time,", r.queue[h.rng.IntN(len(r.queue))])
}

func (h *history) lose() bool {
	r := h.waiting()
	if r == nil {
		return false
	}
	h.notef("%s never gets %s", r.name, (*batch)(h.take(r, h.rng.IntN(len(r.queue)))))
	return true
}

func (h *history) loseLoudly() bool {
	r := h.waiting()
	if r == nil {
		return false
	}
	b := h.take(r, 0)
	why := []events.Loss{events.LossDiscarded, events.LossUndecodable}[h.rng.IntN(2)]
	r.lose(why)
	h.notef("%s does not get %s, and is told: %s", r.name, (*batch)(b), why)
	return true
}

func (h *history) breakOff() bool {
	r := h.attached()
	if r == nil {
		return false
	}
	r.broken <- errFault
	h.notef("%s loses its subscription", r.name)
	return true
}

// recreate throws away what is on the way to everybody. Some hear of it before the next batch, some by its number only.
func (h *history) recreate() bool {
	for _, r := range h.replicas {
		h.w.with(func() { r.queue = nil })
		r.signal = r.handler != nil && h.rng.IntN(2) == 0
	}
	h.notef("the stream is created anew")
	return true
}

// spoil delivers a batch with a stamp that cannot be, or to a partition that is none.
func (h *history) spoil() bool {
	r := h.waiting()
	if r == nil {
		return false
	}
	b := *h.take(r, 0)
	b.Changes = slices.Clone(b.Changes)
	far := func(at hlc.Timestamp) hlc.Timestamp { return hlc.Max(at, r.clock.Now()).Add(farAhead) }
	switch n := h.rng.IntN(5); {
	case n < 2 && len(b.Changes) > 0:
		last := &b.Changes[len(b.Changes)-1]
		last.At = far(last.At)
	case n == 2:
		b.High = far(b.High)
	case n == 3:
		b.Partition = 7
	default:
		b.Resolved = far(b.Resolved)
	}
	return h.hand(r, "gets spoilt", &b)
}

func (h *history) passTime() bool {
	spans := []int{1, 5, 20, 20, 100, 100, 300, 300, 1100, 2500}
	d := time.Duration(spans[h.rng.IntN(len(spans))]) * time.Millisecond
	if h.rng.IntN(30) == 0 {
		d = 25 * time.Second
	}
	h.pass(d)
	h.notef("%v pass", d)
	return true
}

// commit writes a user, some at a replica that knows at once and whispers it to the others.
func (h *history) commit() bool {
	ahead := time.Duration(0)
	if h.plan.skewed && h.rng.IntN(3) == 0 {
		ahead = time.Duration(h.rng.Int64N(int64(skew)))
	}
	c := h.w.commit(h.users[h.rng.IntN(len(h.users))].User, ahead)
	if h.rng.IntN(2) == 0 {
		h.notef("commit %s", name(c))
		return true
	}
	own := h.replicas[h.rng.IntN(len(h.replicas))]
	own.cache.RaiseOwn([]events.Change{c})
	own.toldOf([]events.Change{c}, c.At)
	for _, r := range h.replicas {
		if r != own && r.handler != nil && len(r.whisper) < 8 {
			r.whisper = append(r.whisper, &events.Hint{Changes: []events.Change{c}})
		}
	}
	h.notef("commit %s by way of %s", name(c), own.name)
	return true
}

func (h *history) hint() bool {
	r := h.attached()
	if r == nil || len(r.whisper) == 0 {
		return false
	}
	hint := r.whisper[0]
	r.whisper = r.whisper[1:]
	if h.rng.IntN(3) == 0 {
		h.notef("%s misses a hint", r.name)
		return true
	}
	r.hear(hint)
	h.notef("%s hears of %s", r.name, name(hint.Changes[0]))
	return true
}

func (h *history) publish() bool {
	if h.w.newest() == publishable {
		return false
	}
	c := h.w.commit("", 0)
	h.notef("publish version %d at %s", h.w.newest()+1, short(c.At))
	return true
}

// reload has a replica read the ruleset again, when it knows of a change and, now and then, all the same. The read may be an old one.
func (h *history) reload() bool {
	r := h.replicas[h.rng.IntN(len(h.replicas))]
	version := h.w.newest()
	if !r.ledger.due || h.rng.IntN(4) == 0 {
		version = h.rng.IntN(version + 1)
	} else {
		r.ledger.due = false
	}
	before := r.live.Load(project).Version
	r.renew(version)
	after := r.live.Load(project).Version
	if after < before {
		h.fault("%s went from ruleset %d back to %d", r.name, before, after)
	}
	h.notef("%s reads version %d and has %d", r.name, version+1, after)
	return true
}

func (h *history) killRelay() bool {
	return h.leave("is killed", (*relayer).kill)
}

func (h *history) stopRelay() bool {
	return h.leave("is stopped", (*relayer).stop)
}

// leave takes a relay away and puts another in its place.
func (h *history) leave(how string, do func(*relayer)) bool {
	r := h.relayers[len(h.relayers)-1-h.rng.IntN(2)]
	if r.over != nil {
		return false
	}
	do(r)
	fresh, err := h.newRelayer()
	if err != nil {
		h.fault("a relay does not start: %v", err)
		return false
	}
	h.notef("%s %s, %s comes", r.name, how, fresh.name)
	return true
}

func (h *history) jump() bool {
	by := []time.Duration{400 * time.Millisecond, 9 * time.Second, 12 * time.Second, time.Minute}[h.rng.IntN(4)]
	h.w.with(func() { h.w.jumped = append(h.w.jumped, jump{h.w.elapsed(), by}) })
	h.notef("the database's clock leaps by %v", by)
	return true
}

// forget has the feed throw away what it resolved, or all it has.
func (h *history) forget() bool {
	h.w.with(func() { h.w.horizon = h.w.now().Add(-time.Duration(h.rng.IntN(3)) * time.Second) })
	h.notef("the feed forgets what is before %s", short(h.w.horizon))
	return true
}

func (h *history) evict() bool {
	r := h.replicas[h.rng.IntN(len(h.replicas))]
	r.hints.evict()
	h.notef("%s evicts all", r.name)
	return true
}

func (h *history) demand() cache.Demand {
	var d cache.Demand
	if h.rng.IntN(4) == 0 {
		d.MaxStale = time.Duration(1+h.rng.IntN(30)) * time.Second
	}
	if h.rng.IntN(6) == 0 {
		d.MinAsOf = h.w.nowIs().Add(time.Duration(h.rng.IntN(500)-400) * time.Millisecond)
	}
	d.NoStore = h.rng.IntN(8) == 0
	return d
}

// What follows is only made into text when a history is told.
type (
	short hlc.Timestamp // as the time since the world's dawn
	name  events.Change
	batch events.Batch
)

func (s short) String() string {
	at := hlc.Timestamp(s)
	if at.IsZero() {
		return "never"
	}
	text := time.Duration(at.Wall - dawn).String()
	if at.Logical > 0 {
		text += "." + strconv.Itoa(int(at.Logical))
	}
	return text
}

func (c name) String() string {
	if c.Table == events.TableRuleset {
		return "ruleset@" + short(c.At).String()
	}
	return c.Key + "@" + short(c.At).String()
}

func (b *batch) String() string {
	text := fmt.Sprintf("%d/%d.%d base %s high %s", b.Epoch, b.Partition, b.Seq, short(b.Base), short(b.High))
	for _, c := range b.Changes {
		text += " " + name(c).String()
	}
	if !b.Resolved.IsZero() {
		text += " resolved " + short(b.Resolved).String()
	}
	return text
}
