package server

import (
	"math"
	"slices"
	"strconv"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/server/ask"
)

// Limits of one eligibility request.
const (
	maxLimit        = 100
	maxContextBytes = 1024 // of one string in the context
)

// channelEmbedded is what `channel` is in the rules of an in-app request.
const channelEmbedded = "embedded"

// question turns the body into what the cache and the engine are asked, under the ruleset: st.demand and st.request, all but the time.
func (st *state) question(rs *rules.Ruleset) *problem.Problem {
	asked, req := &st.asked, &st.request
	switch {
	case asked.HasUser && !profile.ValidUserID(asked.UserID):
		return badUserID()
	case asked.Explain && st.caller.entry.Kind == access.Client:
		return problem.New("explain_not_allowed", "ask with a server key")
	case asked.HasLimit && (asked.Limit < 1 || asked.Limit > maxLimit):
		return problem.New("out_of_range", "limit is 1 to %d", maxLimit).At("limit")
	case asked.HasPlacements && len(asked.Placements) == 0:
		return problem.New("out_of_range", "name at least one placement, or leave the list out for all").At("placements")
	case len(asked.Placements) > ask.MaxPlacements:
		return problem.New("too_many", "at most %d placements", ask.MaxPlacements).At("placements")
	case asked.MinRulesVersion > rs.Version:
		p := problem.New("version_not_reached", "version %d is in force here", rs.Version)
		p.RetryAfter = 1
		return p
	}
	st.demand.ReadsSchema = rs.ReadsSchema
	if rs.Settings.OnStoreDown == rules.ServeStale {
		st.demand.MaxStale = time.Duration(rs.Settings.MaxStale)
	}
	if asked.HasMinAsOf {
		stamp, err := hlc.Parse(asked.MinAsOf)
		if err != nil {
			return problem.New("invalid_as_of", "send an asOf that this engine answered").At("minAsOf")
		}
		st.demand.MinAsOf, st.demand.MaxStale = stamp, 0
	}
	req.Channel, req.Limit, req.Explain = channelEmbedded, int(asked.Limit), asked.Explain
	if asked.HasPlacements {
		asked.Placements = distinct(asked.Placements)
		req.Placements = asked.Placements
	}
	return st.fillContext(rs)
}

func badUserID() *problem.Problem {
	const detail = "a user id is 1 to %d bytes of UTF-8 without control characters"
	return problem.New("invalid_user_id", detail, profile.MaxUserIDBytes).At("userId")
}

// distinct drops repeated placements in place and keeps the order of the first ones.
func distinct(ids []int32) []int32 {
	kept := ids[:0]
	for _, id := range ids {
		if !slices.Contains(kept, id) {
			kept = append(kept, id)
		}
	}
	return kept
}

// fillContext types the context by the ruleset's declarations.
func (st *state) fillContext(rs *rules.Ruleset) *problem.Problem {
	items := st.asked.Context
	if len(items) == 0 {
		return nil
	}
	if len(items) > ask.MaxContext {
		return problem.New("too_many", "at most %d context attributes", ask.MaxContext).At("context")
	}
	n := len(rs.Context)
	st.context = slices.Grow(st.context[:0], n)[:n]
	clear(st.context)
	for i := range items {
		slot, typ, ok := rs.ContextSlot(items[i].Name)
		if !ok {
			return problem.New("undeclared_context", "declare it, or leave it out").At("context." + short(items[i].Name))
		}
		value, fault := contextValue(typ.Kind, &items[i])
		if fault != "" {
			return problem.New(fault, "want %s", typ).At("context." + short(items[i].Name))
		}
		st.context[slot] = value
	}
	st.request.Context = st.context
	return nil
}

// contextValue decodes one value as the kind. The fault is the code of what is wrong with it, or "".
func contextValue(kind profile.Kind, item *ask.Item) (v rules.ContextValue, fault string) {
	const wrong = "wrong_type"
	v.Set = true
	switch kind {
	case profile.Bool:
		if item.Kind != 't' && item.Kind != 'f' {
			return v, wrong
		}
		if item.Kind == 't' {
			v.Bits = 1
		}
	case profile.Int:
		n, ok := wholeNumber(item)
		if !ok {
			return v, wrong
		}
		v.Bits = uint64(n)
	case profile.Double:
		if item.Kind != '0' {
			return v, wrong
		}
		f, err := strconv.ParseFloat(item.Text, 64)
		if err != nil {
			return v, "out_of_range" // the text is a JSON number, so only its size can be at fault
		}
		v.Bits = math.Float64bits(f + 0) // -0 becomes 0
	case profile.String:
		if item.Kind != '"' {
			return v, wrong
		}
		if len(item.Text) > maxContextBytes {
			return v, "out_of_range"
		}
		v.Text = item.Text
	case profile.Timestamp:
		if item.Kind != '"' {
			return v, wrong
		}
		at, err := time.Parse(time.RFC3339Nano, item.Text)
		if err != nil {
			return v, wrong
		}
		if at.Before(profile.MinTime) || !at.Before(profile.MaxTime) {
			return v, "out_of_range"
		}
		v.Bits = uint64(at.UnixNano())
	default:
		return v, wrong
	}
	return v, ""
}

// wholeNumber accepts what a snapshot accepts as an int: 5, and 5.0 or 5e2 as far as a double holds them exactly.
func wholeNumber(item *ask.Item) (int64, bool) {
	if item.Kind != '0' {
		return 0, false
	}
	if n, err := strconv.ParseInt(item.Text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(item.Text, 64)
	const exact = 1 << 53
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int64(f), true
}

// short keeps what is repeated of the caller's input below 64 bytes.
func short(s string) string {
	const most = 48
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
