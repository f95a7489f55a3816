package events

import (
	"testing"

	"pgregory.net/rapid"
)

// The partition of a row is part of the wire format. These values were taken from an independent implementation of the 64-bit xxHash and
// must never change.
func TestPartitionIsFrozen(t *testing.T) {
	cases := []struct {
		project, key string
		of8, of7     uint16
	}{
		{project: "", key: "", of8: 0, of7: 5},
		{project: "acme", key: "u1", of8: 3, of7: 4},
		{project: "acme", key: "", of8: 5, of7: 2},
		{project: "demo", key: "ana@example.com", of8: 7, of7: 2},
		{project: "acme", key: "a user id that is longer than one stripe of the hash", of8: 0, of7: 6},
	}
	for _, c := range cases {
		if got8, got7 := Partition(c.project, c.key, 8), Partition(c.project, c.key, 7); got8 != c.of8 || got7 != c.of7 {
			t.Errorf("Partition(%q, %q) = %d of 8, %d of 7; want %d, %d", c.project, c.key, got8, got7, c.of8, c.of7)
		}
	}
}

func TestPartitionsAreEvenAndInRange(t *testing.T) {
	const partitions, keys = 8, 8000
	var count [partitions]int
	for i := range keys {
		count[Partition("acme", string(rune('a'+i%26))+string(rune(i)), partitions)]++
	}
	for p, n := range count {
		if n < keys/partitions*8/10 || n > keys/partitions*12/10 {
			t.Errorf("partition %d holds %d of %d keys", p, n, keys)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, MaxPartitions).Draw(t, "partitions")
		if p := Partition(rapid.String().Draw(t, "project"), rapid.String().Draw(t, "key"), n); int(p) >= n {
			t.Fatalf("partition %d of %d", p, n)
		}
	})
}

func TestPartitionDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Partition("acme", "u1", 8) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
