package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The goals, in the order in which the page shows them.
const (
	goalReused = iota
	goalComputed
	goalAll
	goalGrowth
	goalOpaque
	goalUser
	goalMiss
	goalCold
	goalApplied
	goalReaders
	goalStart
	goalPeers
)

// goal is what was hoped for beside what this run measured.
type goal struct {
	rank                  int
	what, hoped, measured string
	met                   bool
}

// goal notes a figure of this run beside what was hoped for.
func (r *report) goal(rank int, what, hoped string, met bool, format string, measured ...any) {
	r.goals = append(r.goals, goal{rank, what, hoped, fmt.Sprintf(format, measured...), met})
}

// goalTable is the first table of the page. What a run did not measure is not in it.
func (r *report) goalTable() string {
	if len(r.goals) == 0 {
		return ""
	}
	slices.SortStableFunc(r.goals, func(a, b goal) int { return cmp.Compare(a.rank, b.rank) })
	var b strings.Builder
	b.WriteString("\n## Goals\n\nComputed from this run; medians.\n\n| what | goal | measured | met |\n|---|---|---|---|\n")
	for _, g := range r.goals {
		met := "**no**"
		if g.met {
			met = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", g.what, g.hoped, g.measured, met)
	}
	return b.String()
}
