package profile

import (
	"encoding/binary"
	"hash/maphash"
)

// words is a builder's texts, each with its length before it as in a snapshot's data. A text is kept once, as far as known has room: a text for which there is no place is
// kept again.
type words struct {
	data  []byte
	seed  maphash.Seed
	known [1 << knownBits]uint32 // 1 + the place of a text; 0 is free
}

const (
	knownBits = 8
	knownTry  = 4 // places where a text may stand
)

func (w *words) reset() {
	if w.seed == (maphash.Seed{}) {
		w.seed = maphash.MakeSeed()
	}
	if len(w.data) > 0 {
		clear(w.known[:])
		w.data = w.data[:0]
	}
}

// keep returns the place of the text: properties of events say the same things again and again.
func (w *words) keep(s []byte) uint64 {
	h := maphash.Bytes(w.seed, s)
	var free *uint32
	for i := range uint64(knownTry) {
		at := &w.known[(h+i)%uint64(len(w.known))]
		if *at == 0 {
			free = at
			break
		}
		if place := int(*at - 1); w.is(place, s) {
			return uint64(place)
		}
	}
	place := len(w.data)
	w.data = append(appendLength(w.data, len(s)), s...)
	if free != nil {
		*free = uint32(place + 1)
	}
	return uint64(place)
}

// is reports whether the text at the place is s.
func (w *words) is(place int, s []byte) bool {
	from := place + lengthBytes(len(s))
	return len(w.data) >= from+len(s) && string(w.data[from:from+len(s)]) == string(s) && w.lengthAt(place) == len(s)
}

// lengthAt is the length of the text at the place.
func (w *words) lengthAt(place int) int {
	if n := int(w.data[place]); n < longLength {
		return n
	}
	return int(binary.LittleEndian.Uint32(w.data[place+1:]))
}
