package server

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
)

// An instant in an SDK's body is a number of seconds or of milliseconds since 1970: which, its size tells. Milliseconds of 1973 are
// seconds of the year 5138.
const millisFrom = 1e11

// epoch reads an instant; zero for one that is absent, null or nonsense.
func epoch(raw json.RawMessage) time.Time {
	f, err := strconv.ParseFloat(string(raw), 64)
	const latest = 1e14
	if err != nil || math.IsNaN(f) || f <= 0 || f > latest {
		return time.Time{}
	}
	if f < millisFrom {
		f *= 1000
	}
	return time.UnixMilli(int64(f)).UTC()
}

// happened is when something happened that an app reports, possibly much later: zero, which stands for now, when the app's clock cannot
// be right. A phone with a wrong clock must not be told to send again for ever.
func (s *Server) happened(raw json.RawMessage) time.Time {
	at := epoch(raw)
	if at.IsZero() || at.Before(profile.MinTime) || at.After(s.wall()) {
		return time.Time{}
	}
	return at
}

// createdAt is when an event happened that a backend or an app tracks. A backend must know its clock.
func (s *Server) createdAt(raw json.RawMessage) (time.Time, *problem.Problem) {
	if len(raw) == 0 || string(raw) == "null" {
		return time.Time{}, nil
	}
	at := epoch(raw)
	if at.IsZero() {
		return at, problem.New("invalid_value", "want seconds since 1970").At("createdAt")
	}
	return at, s.checkTime(at, "createdAt")
}
