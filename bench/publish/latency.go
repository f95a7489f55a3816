package main

import (
	"fmt"
	"slices"
	"time"
)

// latencies are those of one side.
type latencies []time.Duration

// at is a quantile; 0 of nothing.
func (l latencies) at(quantile float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(int(quantile*float64(len(sorted))), len(sorted)-1)]
}

func (l latencies) summary() string {
	return fmt.Sprintf("n=%d p50=%v p90=%v p99=%v max=%v", len(l), l.at(0.5).Round(time.Microsecond), l.at(0.9).Round(time.Microsecond),
		l.at(0.99).Round(time.Microsecond), l.at(1).Round(time.Microsecond))
}
