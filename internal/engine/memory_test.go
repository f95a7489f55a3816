package engine

import (
	"runtime"
	"testing"

	"eligibility/bench/workload"
)

// TestMemoryOfRulesAndUsers holds what a compiled rule and a cached user take: bounds with room, so that only a tree kept by mistake breaks them.
func TestMemoryOfRulesAndUsers(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	small, before := load(t, workload.Config{Rules: 10, Users: 1}, 15), heap()
	large := load(t, workload.Config{Rules: 3_000, Users: 1}, 15)
	perRule := (heap() - before) / 2_990
	users, before := []*loaded{}, heap()
	users = append(users, load(t, workload.Config{Rules: 10, Users: 2_000}, 15))
	perUser := (heap() - before) / 2_000
	t.Logf("%d bytes for a promotion with its rule, %d for a user with 40 attributes and 50 events of three properties", perRule, perUser)
	if perRule > 24<<10 {
		t.Errorf("a promotion takes %d bytes, want at most 24 KiB", perRule)
	}
	if perUser > 1500 {
		t.Errorf("a user takes %d bytes, want at most 1,500", perUser)
	}
	runtime.KeepAlive(small)
	runtime.KeepAlive(large)
	runtime.KeepAlive(users)
}
