package hlc

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	cases := []struct {
		name, text string
		want       Timestamp
		bad        bool
	}{
		{name: "as CockroachDB prints it", text: "1795376411571640292.0000000000", want: Timestamp{Wall: 1795376411571640292}},
		{name: "with a logical part", text: "1700000000000000000.0000000001", want: Timestamp{Wall: 1700000000000000000, Logical: 1}},
		{name: "greatest logical", text: "1.2147483647", want: Timestamp{Wall: 1, Logical: math.MaxInt32}},
		{name: "without a logical part", text: "1700000000000000000", want: Timestamp{Wall: 1700000000000000000}},
		{name: "greatest wall", text: "9223372036854775807.0000000000", want: Timestamp{Wall: math.MaxInt64}},
		{name: "wall beyond int64", text: "9223372036854775808.0000000000", bad: true},
		{name: "thirty digits", text: "170000000000000000017000000000.0000000000", bad: true},
		{name: "logical beyond int32", text: "1.2147483648", bad: true},
		{name: "short fraction", text: "1.5", bad: true},
		{name: "long fraction", text: "1.00000000000", bad: true},
		{name: "empty", text: "", bad: true},
		{name: "sign", text: "-1.0000000000", bad: true},
		{name: "plus", text: "+1", bad: true},
		{name: "blank", text: " 1", bad: true},
		{name: "exponent", text: "1e9", bad: true},
		{name: "no wall", text: ".0000000001", bad: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.text)
			if c.bad {
				if !errors.Is(err, ErrSyntax) {
					t.Fatalf("Parse(%q) = %v, %v; want ErrSyntax", c.text, got, err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("Parse(%q) = %v, %v; want %v", c.text, got, err, c.want)
			}
		})
	}
}

func stamps() *rapid.Generator[Timestamp] {
	return rapid.Custom(func(t *rapid.T) Timestamp {
		return Timestamp{
			Wall:    rapid.Int64Range(0, math.MaxInt64-1).Draw(t, "wall"),
			Logical: rapid.Uint32Range(0, MaxLogical).Draw(t, "logical"),
		}
	})
}

func TestTextRoundTripKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := stamps().Draw(t, "a"), stamps().Draw(t, "b")
		back, err := Parse(a.String())
		if err != nil || back != a {
			t.Fatalf("Parse(%q) = %v, %v; want %v", a.String(), back, err, a)
		}
		if a.Compare(b) != -b.Compare(a) || Max(a, b).Before(Min(a, b)) {
			t.Fatalf("order of %v and %v is not antisymmetric", a, b)
		}
		if !a.Before(a.Next()) || a.CeilWall() < a.Wall || a.Logical > 0 && a.CeilWall() == a.Wall {
			t.Fatalf("Next %v or CeilWall %d of %v does not bound it", a.Next(), a.CeilWall(), a)
		}
	})
}

func TestEstimateIsAnUpperBoundWhateverTheRequestTook(t *testing.T) {
	var e Estimate
	if e.Known() || !e.Now().IsZero() {
		t.Fatal("a new estimate claims to know the time")
	}
	// The database's clock runs ten minutes ahead of ours; one request is slow, one quick.
	skew := 10 * time.Minute
	start := time.Now()
	database := func(at time.Time) Timestamp { return FromTime(at.Add(skew)) }
	e.Observe(database(start), start.Add(-300*time.Millisecond))
	if now, truth := e.Now(), database(time.Now()); now.Before(truth.Add(-time.Millisecond)) {
		t.Fatalf("after a slow request the estimate %v is below the database's clock %v", now, truth)
	}
	e.Observe(database(start), start)
	if off := e.Now().Sub(database(time.Now())); off < -time.Millisecond || off > 50*time.Millisecond {
		t.Fatalf("after a quick request the estimate is off by %v; the tighter bound was not taken", off)
	}
	e.Observe(database(start), start.Add(-time.Second))
	if off := e.Now().Sub(database(time.Now())); off > 50*time.Millisecond {
		t.Fatalf("a slower request loosened the bound to %v", off)
	}
	for _, ago := range []time.Duration{0, time.Millisecond, time.Second} {
		at := time.Now().Add(-ago)
		if off := e.At(at).Sub(database(at)); off < -time.Millisecond || off > 50*time.Millisecond {
			t.Fatalf("%v ago the estimate was off by %v", ago, off)
		}
	}
	ahead := database(start).Add(time.Hour)
	e.Observe(ahead, start)
	if e.Now().Before(ahead) {
		t.Fatalf("the estimate %v stays below the stamp %v that was seen", e.Now(), ahead)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1795376411571640292.0000000000")
	f.Add("1.")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(got.String())
		if err != nil || again != got {
			t.Fatalf("Parse(%q) = %v, which prints as %q and parses as %v, %v", text, got, got.String(), again, err)
		}
	})
}
