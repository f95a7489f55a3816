package admin

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// snapshot reads the user as a decision would. A user of whom nothing is stored is not found: an author asks about somebody, and a slip of
// the pen should not look like an answer.
func (s *Server) snapshot(c *call, rs *rules.Ruleset, user string) (cache.Read, error) {
	if !profile.ValidUserID(user) {
		return cache.Read{}, problem.New("invalid_user_id", "%v", profile.ErrUserID).At("userId")
	}
	d := cache.Demand{ReadsSchema: rs.ReadsSchema}
	if rs.Settings.OnStoreDown == rules.ServeStale {
		d.MaxStale = time.Duration(rs.Settings.MaxStale)
	}
	read, err := s.deps.Users.Get(c.Context(), profile.Key{Project: c.project, User: user}, &d)
	if err != nil {
		return read, err
	}
	if !known(rs.Schema, read.Snapshot) {
		return read, problem.New("user_not_found", "nothing is stored about this user").At("userId")
	}
	return read, nil
}

// known reports whether anything is stored about the user: a profile, or an event of a declared type.
func known(schema *profile.Schema, snap *profile.Snapshot) bool {
	if snap.Found {
		return true
	}
	for i := range schema.EventTypes {
		if snap.Events(schema.EventTypes[i].Slot).Len() > 0 {
			return true
		}
	}
	return false
}

// instant is when to decide for: not before what the snapshot knows.
func (s *Server) instant(snap *profile.Snapshot) int64 {
	return max(s.deps.Clock.Now().Wall, snap.AsOf.Wall)
}

// contextValues types a request's context, given as JSON by name.
func contextValues(rs *rules.Ruleset, given map[string]json.RawMessage) ([]rules.ContextValue, error) {
	values := make([]rules.ContextValue, len(rs.Context))
	for name, text := range given {
		slot, typ, declared := rs.ContextSlot(name)
		if !declared {
			return nil, problem.New("undeclared_context", "declare it first").At("context." + clip(name))
		}
		value, fits := contextValue(typ.Kind, text)
		if !fits {
			return nil, problem.New("wrong_type", "want %s", typ).At("context." + clip(name))
		}
		values[slot] = value
	}
	return values, nil
}

// contextValue reads one JSON value as the kind. It takes what the decision plane takes, so that an author is answered as an app would be.
func contextValue(kind profile.Kind, text json.RawMessage) (v rules.ContextValue, fits bool) {
	if string(text) == "null" {
		return v, false
	}
	v.Set = true
	switch kind {
	case profile.Bool:
		var b bool
		if json.Unmarshal(text, &b) != nil {
			return v, false
		}
		if b {
			v.Bits = 1
		}
	case profile.Int:
		n, whole := wholeNumber(string(text))
		if !whole {
			return v, false
		}
		v.Bits = uint64(n)
	case profile.Double:
		var f float64
		if json.Unmarshal(text, &f) != nil || math.IsInf(f, 0) {
			return v, false
		}
		v.Bits = math.Float64bits(f + 0) // -0 becomes 0
	case profile.String:
		if json.Unmarshal(text, &v.Text) != nil {
			return v, false
		}
	case profile.Timestamp:
		var t time.Time
		if json.Unmarshal(text, &t) != nil || t.Before(profile.MinTime) || !t.Before(profile.MaxTime) {
			return v, false
		}
		v.Bits = uint64(t.UnixNano())
	default:
		return v, false
	}
	return v, true
}

// wholeNumber reads 5, and 5.0 or 5e2 as far as a double holds them exactly.
func wholeNumber(number string) (int64, bool) {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n, true
	}
	var f float64
	const exact = 1 << 53
	if json.Unmarshal([]byte(number), &f) != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int64(f), true
}

// stamps is what every decision says about itself.
type stamps struct {
	Version    uint64        `json:"rulesVersion"`
	AsOf       hlc.Timestamp `json:"asOf"`
	ValidUntil *time.Time    `json:"validUntil"` // null: passing time alone never changes it
	Degraded   bool          `json:"degraded"`
}

func (s *Server) stamp(rs *rules.Ruleset, read *cache.Read, validUntil int64) stamps {
	out := stamps{Version: rs.Version, AsOf: read.TrueAt, Degraded: read.Degraded || len(rs.Quarantined) > 0 || !s.deps.Live.Fresh(rs.Project)}
	if validUntil != rules.Forever {
		out.ValidUntil = new(time.Unix(0, validUntil).UTC())
	}
	return out
}
