package app

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// cgroupLimit is where Linux says how much memory this container may use.
const cgroupLimit = "/sys/fs/cgroup/memory.max"

// memoryLimit is what the process may use: GOMEMLIMIT or the container's limit, whichever is lower; 0 when there is none.
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	if text, err := os.ReadFile(cgroupLimit); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limit = min(limit, n)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// crowded reports whether a cache of this size leaves too little of the limit for everything else.
func crowded(cacheBytes, limit int64) bool {
	const most = 0.8
	return limit > 0 && float64(cacheBytes) > most*float64(limit)
}
