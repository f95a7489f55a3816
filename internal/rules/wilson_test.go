package rules

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWilson(t *testing.T) {
	for _, tt := range []struct {
		name        string
		k, n, total int
		low, high   float64
	}{
		{"none of twenty", 0, 20, 0, 0, 0.1611},
		{"half of twenty", 10, 20, 0, 0.2993, 0.7007},
		{"all of twenty", 20, 20, 0, 0.8389, 1},
		{"83 % of a thousand", 830, 1000, 0, 0.8055, 0.8520},
		{"of a million, as of endlessly many", 830, 1000, 1_000_000, 0.8055, 0.8520},
		{"half of all", 500, 1000, 2000, 0.4781, 0.5219},
		{"of all there are", 7, 10, 10, 0.7, 0.7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			low, high := wilson(tt.k, tt.n, tt.total)
			if math.Abs(low-tt.low) > 1e-4 || math.Abs(high-tt.high) > 1e-4 {
				t.Errorf("got %.4f to %.4f, want %.4f to %.4f", low, high, tt.low, tt.high)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		total := rapid.SampledFrom([]int{0, n, n + 1, 2 * n, 1000 * n}).Draw(t, "total")
		low, high := wilson(k, n, total)
		if share := float64(k) / float64(n); !(low >= 0 && low <= share+1e-12 && share <= high+1e-12 && high <= 1) {
			t.Errorf("%d of %d of %d: %v to %v", k, n, total, low, high)
		}
	})
}
