package cache

import "time"

// limit is how many loads may run at once: fewer while the store fails or is slow, one more for each round of loads that came back well.
// Asking a store that cannot keep up for less is what lets it keep up; who waits meanwhile is told to come back. Not safe for concurrent
// use.
type limit struct {
	most  int
	slow  time.Duration // a load that takes longer was one too many
	now   float64       // 1 to most
	cutAt time.Time     // of the last decrease
}

// afterTrouble is what remains of the limit, as failsafe and TCP have it.
const afterTrouble = 0.7

func newLimit(most int, slow time.Duration) limit {
	return limit{most: most, slow: slow, now: float64(most)}
}

// allows reports whether one more load may begin beside those that run.
func (l *limit) allows(running int) bool { return running < int(l.now) }

// ended takes in how a load went. Loads that ran together and failed together count once.
func (l *limit) ended(began, now time.Time, failed bool) {
	switch {
	case !failed && now.Sub(began) <= l.slow:
		l.now = min(l.now+1/l.now, float64(l.most))
	case began.After(l.cutAt):
		l.now = max(l.now*afterTrouble, 1)
		l.cutAt = now
	}
}
