package server

import (
	"sync"
	"time"
)

// maxZones bounds what is remembered; the time zone database has about 600 names.
const maxZones = 1024

// zones remembers which time zone names exist, because asking costs a file read. The zero value is ready; safe for concurrent use.
type zones struct {
	mu    sync.RWMutex
	known map[string]struct{} // guarded by mu
}

// valid reports whether name is an IANA time zone, such as "Europe/Berlin" or "UTC".
func (z *zones) valid(name string) bool {
	if !zoneName(name) {
		return false
	}
	z.mu.RLock()
	_, ok := z.known[name]
	z.mu.RUnlock()
	if ok {
		return true
	}
	if _, err := time.LoadLocation(name); err != nil {
		return false
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.known == nil {
		z.known = make(map[string]struct{})
	}
	if len(z.known) < maxZones {
		z.known[name] = struct{}{}
	}
	return true
}

// zoneName lets through what a zone may be called, so that no other name reaches the file system: letters, digits, "_",
// "+", "-" and "/" between parts that begin with a letter. "Local" means this machine's zone and is no name for a user's.
func zoneName(name string) bool {
	const longest = 64
	if name == "" || len(name) > longest || name == "Local" {
		return false
	}
	begins := true
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			begins = false
		case begins:
			return false
		case c == '/':
			begins = true
		case c >= '0' && c <= '9', c == '_', c == '+', c == '-':
		default:
			return false
		}
	}
	return !begins
}
