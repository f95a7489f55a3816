package access

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// DefaultVerdicts is how many good tokens a Verifier remembers unless told otherwise.
const DefaultVerdicts = 1 << 16

// ways is how many places a token may be remembered at.
const ways = 4

// Verifier checks user tokens and remembers the good ones, so that a token is verified in full once and then costs one
// hash. What it remembers counts only for the Entry it was checked with: it dies with its key, with any change of the
// key's secrets, and at exp. It is safe for concurrent use, takes no lock, and its memory is bounded.
type Verifier struct {
	sets []set
}

type set [ways]atomic.Pointer[verdict]

// NewVerifier makes a verifier that remembers about as many tokens.
func NewVerifier(verdicts int) *Verifier {
	n := 1
	for n*ways < verdicts {
		n *= 2
	}
	return &Verifier{sets: make([]set, n)}
}

// Verify returns whom the token speaks for at now. Every error wraps ErrToken. A token that is remembered allocates
// nothing; the caller need not keep token.
func (v *Verifier) Verify(e *Entry, token []byte, now time.Time) (Subject, error) {
	if len(token) == 0 || len(token) > MaxTokenBytes {
		return Subject{}, ErrTokenFormat
	}
	hash := sha256.Sum256(token)
	set := &v.sets[binary.LittleEndian.Uint64(hash[:])&uint64(len(v.sets)-1)]
	for i := range set {
		if known := set[i].Load(); known != nil && known.entry == e && known.hash == hash {
			if err := known.at(now.Unix()); err != nil {
				return Subject{}, err
			}
			return known.subject, nil
		}
	}
	fresh, err := check(e, token)
	if err != nil {
		return Subject{}, err // only tokens that we signed for are remembered: nobody else can fill the memory
	}
	if err := fresh.at(now.Unix()); err != nil {
		return Subject{}, err
	}
	fresh.hash = hash
	set.keep(fresh, now.Unix())
	return fresh.subject, nil
}

// keep puts a verdict into a free or spent place, else into that of the verdict which ends first.
func (s *set) keep(fresh *verdict, now int64) {
	place, ends := 0, int64(-1)
	for i := range s {
		old := s[i].Load()
		if old == nil || old.to <= now {
			place = i
			break
		}
		if ends < 0 || old.to < ends {
			place, ends = i, old.to
		}
	}
	s[place].Store(fresh)
}
