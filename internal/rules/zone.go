package rules

import (
	"strings"
	"sync"
	"time"
)

// Limits of the zone cache. There are about 600 IANA zones; what the users' profiles claim to be zones is anything.
const (
	maxZoneBytes    = 64
	maxKnownZones   = 4096 // with all fixed offsets; a further one is loaded each time
	maxUnknownZones = 1024
)

// zones resolves time zone names and keeps what it found: loading one reads a file, using one takes nanoseconds and no lock. Safe for
// concurrent use.
type zones struct {
	known table[*time.Location]

	mu      sync.Mutex
	unknown map[string]struct{} // guarded by mu; emptied when it reaches maxUnknownZones
}

func newZones() *zones {
	return &zones{known: table[*time.Location]{most: maxKnownZones}, unknown: make(map[string]struct{})}
}

// location returns the zone of an IANA name, "UTC", or a fixed offset such as "+05:30".
func (z *zones) location(name string) (*time.Location, bool) {
	if loc, ok := z.known.get(name); ok {
		return loc, true
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if _, bad := z.unknown[name]; bad {
		return nil, false
	}
	if loc, ok := loadZone(name); ok {
		z.known.put(name, loc)
		return loc, true
	}
	if len(z.unknown) >= maxUnknownZones {
		clear(z.unknown)
	}
	if len(name) <= maxZoneBytes {
		z.unknown[strings.Clone(name)] = struct{}{} // the name may be part of a whole snapshot's text
	}
	return nil, false
}

func loadZone(name string) (*time.Location, bool) {
	if name == "" || len(name) > maxZoneBytes {
		return nil, false
	}
	if name[0] == '+' || name[0] == '-' {
		return fixedZone(name)
	}
	// "Local" is this server's zone, which no rule may depend on. A name of another form would be a path.
	if name == "Local" || name[0] == '.' || name[0] == '/' {
		return nil, false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/_+-", rune(c)) {
			return nil, false
		}
	}
	loc, err := time.LoadLocation(name)
	return loc, err == nil
}

// fixedZone reads +HH:MM or -HH:MM.
func fixedZone(name string) (*time.Location, bool) {
	hours, minutes, ok := strings.Cut(name[1:], ":")
	h, okHours := parseNumber(hours)
	m, okMinutes := parseNumber(minutes)
	if !ok || !okHours || !okMinutes || len(hours) != 2 || len(minutes) != 2 || h > 14 || m > 59 {
		return nil, false
	}
	seconds := int(h*3600 + m*60)
	if name[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(strings.Clone(name), seconds), true
}
