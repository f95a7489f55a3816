package engine

import (
	"time"

	"eligibility/internal/rules"
)

const secondsPerDay = 24 * 60 * 60

// maxZonePeriods bounds how many changes of the clock are looked past for the end of quiet hours: a day holds one. Beyond it the answer is early, never late.
const maxZonePeriods = 8

// quietAt says whether the clock of the zone shows a quiet time at now, and the first instant after now at which it does not, or does. The clock that people read
// decides: an hour that is skipped has no quiet part, one that comes twice is quiet twice.
func quietAt(zone *time.Location, hours *rules.Quiet, now int64) (quiet bool, until int64) {
	at := time.Unix(0, now).In(zone)
	quiet = during(hours, at)
	for range maxZonePeriods {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		second := mod(at.Unix()+int64(offset), secondsPerDay)
		edge := hours.To
		if !quiet {
			edge = hours.From
		}
		next := time.Unix(at.Unix()+mod(edge-second-1, secondsPerDay)+1, 0)
		if end.IsZero() || next.Before(end) {
			return quiet, next.UnixNano()
		}
		at = end.In(zone)
		if during(hours, at) != quiet {
			return quiet, at.UnixNano()
		}
	}
	return quiet, at.UnixNano()
}

// during reports whether the clock shows a quiet time.
func during(hours *rules.Quiet, at time.Time) bool {
	_, offset := at.Zone()
	second := mod(at.Unix()+int64(offset), secondsPerDay)
	if hours.From < hours.To {
		return hours.From <= second && second < hours.To
	}
	return hours.From <= second || second < hours.To
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }
