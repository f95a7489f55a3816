package server

import (
	"context"
	"strings"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
)

// A client key that demands tokens speaks for one user: the one whom the token names by id or by e-mail address. A body may then leave the
// user out; if it names one, it must be the same.

func mismatch() *problem.Problem {
	return problem.New("user_mismatch", "the token is for another user")
}

// whom decides about which user an eligibility request asks. For a token with an e-mail address and a body with an id, speaksFor
// finishes the check, since the snapshot that is read anyway holds the address.
func (s *Server) whom(st *state) (string, *problem.Problem) {
	subject := &st.caller.subject
	switch {
	case subject.UserID == "" && subject.Email == "":
		if !st.asked.HasUser {
			return "", problem.New("missing_field", "name the user").At("userId")
		}
		return st.asked.UserID, nil
	case !st.asked.HasUser:
		return s.tokenUser(st)
	case subject.UserID != "" && subject.UserID != st.asked.UserID:
		return "", mismatch()
	}
	return st.asked.UserID, nil
}

// speaksFor reports whether a token with an e-mail address is for the user of the snapshot. Addresses are unique in a project.
func (st *state) speaksFor(snap *profile.Snapshot) bool {
	email := st.caller.subject.Email
	if email == "" || !st.asked.HasUser {
		return true
	}
	return snap.State(profile.SlotEmail) == profile.Present && equalFold(snap.String(profile.SlotEmail), email)
}

// equalFold compares a stored address, which is in lower case, with a claimed one.
func equalFold(stored, claimed string) bool {
	return stored == claimed || stored == lowerEmail(claimed)
}

// lowerEmail is the form in which addresses are stored and compared.
func lowerEmail(address string) string { return strings.ToLower(address) }

// tokenUser is the id of the user whom the token names.
func (s *Server) tokenUser(st *state) (string, *problem.Problem) {
	subject := &st.caller.subject
	if subject.UserID != "" {
		if !profile.ValidUserID(subject.UserID) {
			return "", problem.New("invalid_token", "the token's userId is malformed")
		}
		return subject.UserID, nil
	}
	ctx, cancel := context.WithTimeout(s.base, s.cfg.StoreTimeout)
	defer cancel()
	id, err := s.deps.Profiles.UserByEmail(ctx, st.caller.project(), lowerEmail(subject.Email))
	st.waited()
	switch {
	case err != nil:
		return "", s.explain(err)
	case id == "":
		return "", problem.New("user_mismatch", "no user has the token's e-mail address")
	}
	return id, nil
}
