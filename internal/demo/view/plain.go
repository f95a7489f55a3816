package view

import (
	"context"
	"fmt"
	"time"
)

// PlainEvery is how often Plain writes a line.
const PlainEvery = 5 * time.Second

// Plain writes a line of numbers every period, and the newest few feed lines since the last one, until ctx ends: for logs and pipes.
func Plain(ctx context.Context, write func(line string) error, every time.Duration, frame func() Frame) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var told uint64
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		f := frame()
		for _, line := range newest(f.Feed, f.Added-told) {
			if err := write(plainLine(line)); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		told = f.Added
		if err := write(plainNumbers(&f)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
}

// plainMost bounds the feed lines of one period: a log is not a firehose.
const plainMost = 5

// newest is the last of the added lines, at most plainMost.
func newest(lines []Line, added uint64) []Line {
	return lines[len(lines)-int(min(added, plainMost, uint64(len(lines)))):]
}

func plainLine(l Line) string {
	verb := "gained"
	if !l.Gained {
		verb = "lost"
	}
	return clip(fmt.Sprintf("%s %s %s %s (%s)", l.At.UTC().Format(time.RFC3339), l.User, verb, l.What, l.Why), 300)
}

func plainNumbers(f *Frame) string {
	n := &f.Numbers
	ratio := "-"
	if n.HitRatio >= 0 {
		ratio = fmt.Sprintf("%.1f%%", n.HitRatio*100)
	}
	return fmt.Sprintf("up %s: %.0f requests/s, p50 %s, p99 %s, hit ratio %s, freshness lag %s, ruleset v%d, %d changes seen, %d errors",
		f.Uptime.Truncate(time.Second), n.PerSecond, short(n.P50), short(n.P99), ratio, short(n.Lag), n.RulesVersion, n.Changes, n.Errors)
}
