package events

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"eligibility/internal/hlc"
)

func stamps() *rapid.Generator[hlc.Timestamp] {
	return rapid.Custom(func(t *rapid.T) hlc.Timestamp {
		return hlc.Timestamp{
			Wall:    rapid.Int64Range(0, math.MaxInt64).Draw(t, "wall"),
			Logical: rapid.Uint32Range(0, hlc.MaxLogical).Draw(t, "logical"),
		}
	})
}

func changes() *rapid.Generator[[]Change] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Change {
		return Change{
			Table:   Table(rapid.Uint8Range(1, sameProject-1).Draw(t, "table")),
			Project: rapid.SampledFrom([]string{"", "acme", "demo", strings.Repeat("p", MaxProjectBytes)}).Draw(t, "project"),
			Key:     rapid.OneOf(rapid.StringN(0, 20, 80), rapid.Just(strings.Repeat("k", MaxKeyBytes))).Draw(t, "key"),
			At:      stamps().Draw(t, "at"),
		}
	}), 0, 30)
}

func TestBatchRoundTrip(t *testing.T) {
	var reused Batch
	rapid.Check(t, func(t *rapid.T) {
		want := Batch{
			Partition: rapid.Uint16().Draw(t, "partition"), Epoch: rapid.Uint64().Draw(t, "epoch"), Seq: rapid.Uint64().Draw(t, "seq"),
			Base: stamps().Draw(t, "base"), High: stamps().Draw(t, "high"), Resolved: stamps().Draw(t, "resolved"),
			Changes: changes().Draw(t, "changes"),
		}
		prefix := []byte("before")
		data, err := AppendBatch(prefix, &want)
		if err != nil {
			t.Fatalf("AppendBatch: %v", err)
		}
		if !bytes.HasPrefix(data, prefix) {
			t.Fatal("AppendBatch touched what was there before")
		}
		if err := DecodeBatch(data[len(prefix):], &reused); err != nil {
			t.Fatalf("DecodeBatch: %v", err)
		}
		clear(data) // the strings must not lie in it
		if diff := cmp.Diff(want, reused, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("after the round trip (-want +got):\n%s", diff)
		}
	})
}

func TestHintRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Hint{Changes: changes().Draw(t, "changes")}
		data, err := AppendHint(nil, &want)
		if err != nil {
			t.Fatalf("AppendHint: %v", err)
		}
		var got Hint
		if err := DecodeHint(data, &got); err != nil {
			t.Fatalf("DecodeHint: %v", err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("after the round trip (-want +got):\n%s", diff)
		}
		if err := DecodeBatch(data, new(Batch)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a hint as a batch: %v; want ErrMalformed", err)
		}
	})
}

func TestEncoderRefusesWhatTheFormatCannotHold(t *testing.T) {
	good := profileAt("u1", at(1))
	with := func(change func(*Change)) []Change {
		c := good
		change(&c)
		return []Change{c}
	}
	cases := []struct {
		name    string
		changes []Change
	}{
		{name: "too many changes", changes: slices.Repeat([]Change{good}, MaxBatchChanges+1)},
		{name: "long project", changes: with(func(c *Change) { c.Project = strings.Repeat("p", MaxProjectBytes+1) })},
		{name: "long key", changes: with(func(c *Change) { c.Key = strings.Repeat("k", MaxKeyBytes+1) })},
		{name: "no table", changes: with(func(c *Change) { c.Table = 0 })},
		{name: "table beyond seven bits", changes: with(func(c *Change) { c.Table = sameProject })},
		{name: "stamp before 1970", changes: with(func(c *Change) { c.At.Wall = -1 })},
		{name: "logical beyond its range", changes: with(func(c *Change) { c.At.Logical = math.MaxUint32 })},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data, err := AppendBatch([]byte("x"), &Batch{Changes: c.changes})
			if !errors.Is(err, ErrUnsendable) || string(data) != "x" {
				t.Errorf("AppendBatch = %q, %v; want the bytes before it and ErrUnsendable", data, err)
			}
			if _, err := AppendHint(nil, &Hint{Changes: c.changes}); !errors.Is(err, ErrUnsendable) {
				t.Errorf("AppendHint = %v; want ErrUnsendable", err)
			}
		})
	}
}

func TestTheLargestBatchIsWithinItsBound(t *testing.T) {
	most := hlc.Timestamp{Wall: math.MaxInt64, Logical: hlc.MaxLogical}
	b := Batch{Partition: math.MaxUint16, Epoch: math.MaxUint64, Seq: math.MaxUint64, Base: most, High: most, Resolved: most}
	for i := range MaxBatchChanges {
		b.Changes = append(b.Changes, Change{
			Table: 1, Project: strings.Repeat(string(rune('a'+i%2)), MaxProjectBytes),
			Key: strings.Repeat("k", MaxKeyBytes), At: most,
		})
	}
	data, err := AppendBatch(nil, &b)
	if err != nil || len(data) > MaxMessageBytes || len(data) < MaxMessageBytes-256 {
		t.Errorf("%d bytes, %v; want just below %d", len(data), err, MaxMessageBytes)
	}
}

func TestEveryDamageIsSeen(t *testing.T) {
	sent := Batch{
		Partition: 3, Epoch: 7, Seq: 9, Base: at(1), High: at(2), Resolved: at(2),
		Changes: []Change{profileAt("u1", at(2)), profileAt("u2", at(2)), {Table: TableRuleset, Project: "demo", At: at(1)}},
	}
	data, err := AppendBatch(nil, &sent)
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	for i := range data {
		for bit := range 8 {
			damaged := slices.Clone(data)
			damaged[i] ^= 1 << bit
			if err := DecodeBatch(damaged, &b); !errors.Is(err, ErrMalformed) {
				t.Fatalf("bit %d of byte %d flipped: %v; want ErrMalformed", bit, i, err)
			}
		}
		if err := DecodeBatch(data[:i], &b); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d bytes: %v; want ErrMalformed", i, err)
		}
	}
	if err := DecodeBatch(append(data, 0), &b); !errors.Is(err, ErrMalformed) {
		t.Fatalf("with a byte more: %v; want ErrMalformed", err)
	}
}

// sealed is a body with the checksum it needs to be looked at.
func sealed(body ...byte) []byte {
	sum := checksum(body)
	return append(slices.Clone(body), byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

func TestDecoderRefusesWhatNoEncoderWrites(t *testing.T) {
	cases := []struct {
		name string
		data []byte
	}{
		{name: "empty", data: nil},
		{name: "another version", data: sealed('H', 2, 0)},
		{name: "another kind", data: sealed('X', 1, 0)},
		{name: "no count", data: sealed('H', 1)},
		{name: "count without changes", data: sealed('H', 1, 5)},
		{name: "count beyond the limit", data: sealed('H', 1, 0x81, 0x04)},
		{name: "number in a longer form", data: sealed('H', 1, 0x80, 0x00)},
		{name: "number without an end", data: sealed('H', 1, 0x80)},
		{name: "number beyond 64 bits", data: sealed('H', 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)},
		{name: "table 0", data: sealed('H', 1, 1, 0, 0, 0, 0, 0)},
		{name: "same project as none", data: sealed('H', 1, 1, 0x81, 0, 0, 0, 0)},
		{name: "project spelled out again", data: sealed('H', 1, 2, 1, 1, 'p', 0, 0, 0, 1, 1, 'p', 0, 0, 0)},
		{name: "key beyond the end", data: sealed('H', 1, 1, 1, 0, 9, 'k', 0, 0)},
		{name: "project beyond its limit", data: sealed(append([]byte{'H', 1, 1, 1, 65}, make([]byte, 80)...)...)},
		{name: "no stamp", data: sealed('H', 1, 1, 1, 0, 1, 'k')},
		{name: "trailing bytes", data: sealed('H', 1, 0, 0)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := DecodeHint(c.data, new(Hint)); !errors.Is(err, ErrMalformed) {
				t.Errorf("DecodeHint(%v) = %v; want ErrMalformed", c.data, err)
			}
		})
	}
}

func FuzzDecodeBatch(f *testing.F) {
	data, err := AppendBatch(nil, &Batch{Partition: 1, Epoch: 2, Seq: 3, Changes: []Change{profileAt("u1", at(1)), profileAt("u2", at(2))}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:len(data)-crcBytes])
	f.Add([]byte{'B', 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		message := sealed(body...)
		var b Batch
		if err := DecodeBatch(message, &b); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v does not wrap ErrMalformed", err)
			}
			return
		}
		again, err := AppendBatch(nil, &b)
		if err != nil || !bytes.Equal(again, message) {
			t.Fatalf("%x decodes and encodes as %x, %v; want the same bytes", message, again, err)
		}
	})
}

func TestCodecAllocations(t *testing.T) {
	full := Batch{Epoch: 1, Seq: 1, Changes: slices.Repeat([]Change{profileAt("u1", at(1))}, MaxBatchChanges)}
	cases := []struct {
		name  string
		batch Batch
		most  float64
	}{
		{name: "resolved only", batch: Batch{Epoch: 1, Seq: 1, Resolved: at(1)}, most: 0},
		{name: "full", batch: full, most: 1}, // the copy that all strings lie in
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data, err := AppendBatch(nil, &c.batch)
			if err != nil {
				t.Fatal(err)
			}
			into := Batch{Changes: make([]Change, 0, MaxBatchChanges)}
			got := testing.AllocsPerRun(100, func() {
				if data, err = AppendBatch(data[:0], &c.batch); err != nil {
					t.Fatal(err)
				}
				if err = DecodeBatch(data, &into); err != nil {
					t.Fatal(err)
				}
			})
			if got > c.most {
				t.Errorf("%v allocations for a round trip, want at most %v", got, c.most)
			}
		})
	}
}

func BenchmarkCodec(b *testing.B) {
	batch := Batch{Epoch: 1, Seq: 1, High: at(1_790_000_000)}
	for range 64 {
		batch.Changes = append(batch.Changes, profileAt("user-0123456789", at(1_790_000_000)))
	}
	var data []byte
	var err error
	var into Batch
	b.ReportAllocs()
	for b.Loop() {
		if data, err = AppendBatch(data[:0], &batch); err != nil {
			b.Fatal(err)
		}
		if err = DecodeBatch(data, &into); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(data))/64, "B/change")
}
