package server

import (
	"crypto/rand"
	"errors"
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
)

// who is a user as an SDK names one: by id or by address. null counts as absent.
type who struct {
	Email  string `json:"email"`
	UserID string `json:"userId"`
}

// check refuses what can name nobody and writes the address as it is stored.
func (w *who) check() *problem.Problem {
	if w.UserID != "" && !profile.ValidUserID(w.UserID) {
		return badUserID()
	}
	if w.Email == "" {
		return nil
	}
	if w.Email = lowerEmail(w.Email); !validEmail(w.Email) {
		return badEmail()
	}
	return nil
}

func badEmail() *problem.Problem {
	return problem.New("invalid_email", "this is not an e-mail address").At("email")
}

// addressee is the user whom a write is about.
type addressee struct {
	user  string  // "" when nobody has the address
	email *string // to be set with it, nil to leave it as it is
}

// addressee finds whom a call is about, and refuses what the token is not for.
func (s *Server) addressee(st *state, w who) (addressee, *problem.Problem) {
	if p := w.check(); p != nil {
		return addressee{}, p
	}
	subject := st.caller.subject
	project := st.caller.project()
	switch {
	case subject.UserID != "":
		return s.tokenAddressee(project, subject.UserID, w)
	case subject.Email != "":
		address := lowerEmail(subject.Email)
		if w.UserID == "" && w.Email != "" && w.Email != address {
			return addressee{}, mismatch()
		}
		owner, p := s.userByEmail(project, address)
		if p != nil {
			return addressee{}, p
		}
		if w.UserID != "" && w.UserID != owner {
			return addressee{}, mismatch()
		}
		return found(owner, address), nil
	case w.UserID != "":
		t := addressee{user: w.UserID}
		if w.Email != "" && st.caller.entry.Kind == access.Server { // whose address it is, only a backend can know
			t.email = &w.Email
		}
		return t, nil
	case w.Email != "":
		owner, p := s.userByEmail(project, w.Email)
		return found(owner, w.Email), p
	}
	return addressee{}, problem.New("missing_field", "name the user by email or userId")
}

// found is the owner of an address, or who will be given it.
func found(owner, address string) addressee {
	if owner != "" {
		return addressee{user: owner}
	}
	return addressee{email: &address}
}

// tokenAddressee is the user whom a token names by id; a call may name him otherwise, but no other.
func (s *Server) tokenAddressee(project, user string, w who) (addressee, *problem.Problem) {
	if !profile.ValidUserID(user) {
		return addressee{}, problem.New("invalid_token", "the token's userId is malformed")
	}
	if w.UserID != "" && w.UserID != user {
		return addressee{}, mismatch()
	}
	if w.UserID == "" && w.Email != "" {
		owner, p := s.userByEmail(project, w.Email)
		if p != nil {
			return addressee{}, p
		}
		if owner != user {
			return addressee{}, mismatch()
		}
	}
	return addressee{user: user}, nil
}

// emailUserPrefix begins the ids of users who were first known by their address.
const emailUserPrefix = "email-"

func newEmailUser() string { return emailUserPrefix + strings.ToLower(rand.Text()) }

// errEmailRace: two calls made a user of one address at once, and the other was first.
var errEmailRace = errors.New("the address was given to another user meanwhile")

// ensure stores what is to be changed about the addressee and returns his id, which is a new one when nobody has the address. The
// address is taken care of; the update's user is not looked at.
func (s *Server) ensure(st *state, t addressee, update profile.Update, check *checker) (string, *problem.Problem) {
	project := st.caller.project()
	for range 2 {
		update.UserID, update.Email = t.user, t.email
		if t.user == "" {
			update.UserID = newEmailUser()
		}
		_, refused, p := s.storeUsers(project, []profile.Update{update}, check)
		switch {
		case p != nil:
			return "", p
		case len(refused) == 0:
			return update.UserID, nil
		case refused[0].Code != "email_taken" || t.user != "":
			return "", problem.New(refused[0].Code, refused[0].Detail)
		}
		if t.user, p = s.userByEmail(project, *t.email); p != nil {
			return "", p
		}
	}
	return "", s.explain(errEmailRace)
}

// identified returns the addressee's id, and makes a user of an address that is nobody's.
func (s *Server) identified(st *state, t addressee) (string, *problem.Problem) {
	if t.user != "" {
		return t.user, nil
	}
	return s.ensure(st, t, profile.Update{}, &checker{})
}
