//go:build race

package sim

// race: the race detector makes everything ten times slower.
const race = true
