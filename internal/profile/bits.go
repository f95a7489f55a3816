package profile

import (
	"encoding/binary"
	"math/bits"
)

// A snapshot's data has fields of any number of bits, so that no value takes more than it needs. A field is read with one load, a shift and a mask. Numbers are
// little-endian: bit b of the data is bit b%8 of byte b/8.

// slack is how many bytes follow every field of bits: a load may read them.
const slack = 8

func load16(s string, at int) uint32 { return uint32(s[at]) | uint32(s[at+1])<<8 }

func load32(s string, at int) uint32 {
	s = s[at : at+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func load64(s string, at int) uint64 {
	s = s[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// maxShortBits is the width up to which a field lies within one load, wherever it begins.
const maxShortBits = 57

// shortField is the field of at most maxShortBits bits at bit pos.
func shortField(s string, pos, width uint) uint64 {
	return load64(s, int(pos/8)) >> (pos % 8) & (1<<(width%64) - 1)
}

// field is the field of at most 64 bits at bit pos.
func field(s string, pos, width uint) uint64 {
	if width <= maxShortBits {
		return shortField(s, pos, width)
	}
	low := load64(s, int(pos/8)) >> (pos % 8)
	return (low | uint64(s[pos/8+8])<<(64-pos%8)) & (1<<width - 1)
}

// signed is a field of the width as a number with a sign.
func signed(bits uint64, width uint) int64 { return int64(bits<<(64-width)) >> (64 - width) }

// putField writes v, which has no more bits than width, to bit pos of what is zero there. slack bytes follow the field, and keep what they have.
func putField(dst []byte, pos, width uint, v uint64) {
	at, shift := dst[pos/8:], pos%8
	binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)|v<<shift)
	if shift+width > 64 {
		at[8] |= byte(v >> (64 - shift))
	}
}

// unsignedBits and signedBits are the width that a number needs.
func unsignedBits(n uint64) uint { return uint(bits.Len64(n)) }
func signedBits(n int64) uint    { return 1 + uint(bits.Len64(uint64(n^n>>63))) }

// appendLong appends v in n bytes.
func appendLong(dst []byte, v uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// Texts, and counts of what follows, begin with their length: one byte, or longLength and four.
const longLength = 255

func appendLength(dst []byte, n int) []byte {
	if n < longLength {
		return append(dst, byte(n))
	}
	return appendLong(append(dst, longLength), uint64(n), 4)
}

// lengthBytes is what appendLength appends.
func lengthBytes(n int) int {
	if n < longLength {
		return 1
	}
	return 5
}

// length is the length that stands at a place, and where it ends.
func length(s string, at uint32) (n, end uint32) {
	if n = uint32(s[at]); n < longLength {
		return n, at + 1
	}
	return load32(s, int(at)+1), at + 5
}

// text is the text whose length stands at the place.
func text(s string, at uint32) string {
	n, from := length(s, at)
	return s[from : from+n]
}
