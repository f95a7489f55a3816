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

// machineMemory is where Linux says how much memory there is at all.
const machineMemory = "/proc/meminfo"

// memoryLimit is what the process may use: GOMEMLIMIT, the container's limit or the machine's memory, whichever is lowest; 0 when none is known.
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	if text, err := os.ReadFile(cgroupLimit); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limit = min(limit, n)
		}
	}
	if text, err := os.ReadFile(machineMemory); err == nil {
		if n := totalMemory(string(text)); n > 0 {
			limit = min(limit, n)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// totalMemory reads the line "MemTotal:       24683520 kB" of /proc/meminfo; 0 when there is none.
func totalMemory(meminfo string) int64 {
	_, rest, _ := strings.Cut(meminfo, "MemTotal:")
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
	if err != nil || kib > math.MaxInt64>>10 {
		return 0
	}
	return kib << 10
}

// crowded reports whether a cache of this size leaves too little of the limit for everything else.
func crowded(cacheBytes, limit int64) bool {
	const most = 0.8
	return limit > 0 && float64(cacheBytes) > most*float64(limit)
}
