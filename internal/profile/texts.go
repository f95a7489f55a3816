package profile

import (
	"hash/maphash"
	"math"
)

// texts finds a text among those that a builder has kept already. It has room for many and promises nothing: a text for which there is no place is kept again.
type texts struct {
	seed  maphash.Seed
	spans [1 << textsBits]uint64 // 1 + span; 0 is free
	used  bool
	none  uint64 // the place of what has none
}

const (
	textsBits = 8
	textsTry  = 4 // places where a text may stand
)

func (t *texts) reset() {
	if t.seed == (maphash.Seed{}) {
		t.seed = maphash.MakeSeed()
	}
	if t.used {
		clear(t.spans[:])
		t.used = false
	}
}

// find returns the place of the text s: 0 is in it when s is new, and the caller keeps it and notes where. in is what is kept so far.
func (t *texts) find(s, in []byte) *uint64 {
	t.used = true
	h := maphash.Bytes(t.seed, s)
	for i := range uint64(textsTry) {
		at := &t.spans[(h+i)%uint64(len(t.spans))]
		if *at == 0 {
			return at
		}
		from, n := (*at-1)>>32, (*at-1)&math.MaxUint32
		if string(in[from:from+n]) == string(s) {
			return at
		}
	}
	t.none = 0
	return &t.none
}
