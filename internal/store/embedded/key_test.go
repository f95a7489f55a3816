package embedded

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// texts draws short texts over a small alphabet that holds the bytes the encoding treats in a special way.
func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0x00, 0x01, 0x02, 'a', 'b', 0xfe, 0xff}), 0, 4).Draw(t, "bytes"))
	})
}

func tuples() *rapid.Generator[[]string] { return rapid.SliceOfN(texts(), 3, 3) }

func encodeTuple(tuple []string) []byte {
	key := []byte{tableUser}
	for _, text := range tuple {
		key = appendText(key, text)
	}
	return key
}

func TestKeysSortAsTheTuplesTheyStandFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := tuples().Draw(t, "a"), tuples().Draw(t, "b")
		if got, want := bytes.Compare(encodeTuple(a), encodeTuple(b)), slices.Compare(a, b); got != want {
			t.Fatalf("keys of %q and %q compare as %d, the tuples as %d", a, b, got, want)
		}
	})
}

func TestKeysReadBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tuple := tuples().Draw(t, "tuple")
		rest := encodeTuple(tuple)[1:]
		for i, want := range tuple {
			text, tail, err := cutText(rest)
			if err != nil || string(text) != want {
				t.Fatalf("part %d of %q reads as %q, %v", i, tuple, text, err)
			}
			rest = tail
		}
		if len(rest) != 0 {
			t.Fatalf("%q leaves %x", tuple, rest)
		}
	})
}

func TestFollowingBoundsExactlyThePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := appendText([]byte{tableHead}, texts().Draw(t, "project"))
		other := appendText(appendText([]byte{tableHead}, texts().Draw(t, "other project")), texts().Draw(t, "name"))
		within := bytes.Compare(prefix, other) <= 0 && bytes.Compare(other, following(prefix)) < 0
		if within != bytes.HasPrefix(other, prefix) {
			t.Fatalf("%x in [%x, %x) is %t", other, prefix, following(prefix), within)
		}
	})
}

func TestEventsSortNewestFirst(t *testing.T) {
	prefix := appendType(appendUser(nil, "p", "u"), "purchase")
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		id := texts().Draw(t, "id")
		x, y := appendEvent(bytes.Clone(prefix), a, id), appendEvent(bytes.Clone(prefix), b, id)
		if got, want := bytes.Compare(x, y), cmp.Compare(b, a); got != want {
			t.Fatalf("events at %d and %d compare as %d, want %d", a, b, got, want)
		}
		at, gotID, err := cutEvent(x[len(prefix):])
		if err != nil || at != a || string(gotID) != id {
			t.Fatalf("event at %d of id %q reads as %d, %q, %v", a, id, at, gotID, err)
		}
		user, typed, tail, err := cutUser(x)
		if err != nil || !bytes.Equal(typed, prefix) || !bytes.Equal(tail, x[len(prefix):]) || !bytes.HasPrefix(typed, user) {
			t.Fatalf("key %x splits into %x, %x, %x, %v", x, user, typed, tail, err)
		}
	})
}

func TestMalformedKeysAreRefused(t *testing.T) {
	for _, c := range []struct{ name, key string }{
		{"empty", ""},
		{"no terminator", "abc"},
		{"ends in a zero", "a\x00"},
		{"unknown escape", "a\x00\x02"},
		{"unknown escape after a known one", "a\x00\xffb\x00\x07"},
		{"escape and no end", "a\x00\xffb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if text, rest, err := cutText([]byte(c.key)); err == nil {
				t.Errorf("cutText(%q) = %q, %q", c.key, text, rest)
			}
		})
	}
}
