//go:build !linux

package bulk

func niceHere() (nice int, known bool) { return 0, false }
