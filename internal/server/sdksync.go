package server

import (
	"strings"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/server/ask"

	"github.com/valyala/fasthttp"
)

// sdkSync answers GET /api/embedded-messaging/messages.
func (s *Server) sdkSync(ctx *fasthttp.RequestCtx, st *state, query []byte) *problem.Problem {
	st.known = ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)
	if p := s.messages(st, query); p != nil {
		return p
	}
	st.sendTag(ctx, false)
	if st.unchanged {
		return nil
	}
	ctx.SetContentType(contentJSON)
	st.send(ctx)
	return nil
}

// messages fills st.out. It is everything between authentication and the network, and for a cached user it allocates nothing.
func (s *Server) messages(st *state, query []byte) *problem.Problem {
	rs, fresh := s.deps.Rulesets.LoadAt(st.caller.project(), st.came)
	if rs == nil {
		return noRuleset()
	}
	if p := st.sync.Parse(query); p != nil {
		return p
	}
	if p := st.syncing(rs); p != nil {
		return p
	}
	read, p := s.synced(st)
	if p != nil {
		return p
	}
	degraded := s.date(st, rs, &read, fresh)
	st.out = append(st.out[:0], `{"placements":[`...)
	if proofs := rs.ProofsFor(read.Snapshot.Key.User, st.request.Now); len(proofs) > 0 {
		st.out = s.placeProofs(st, rs, &read, st.out, proofs, degraded)
	} else {
		st.out = s.place(st, rs, &read, st.out, formSDK, degraded)
	}
	st.out = append(st.out, "]}\n"...)
	s.watch(st, read.Snapshot)
	return nil
}

// syncing turns the query into what the cache and the engine are asked, all but the user and the time.
func (st *state) syncing(rs *rules.Ruleset) *problem.Problem {
	q := &st.sync
	st.demand.ReadsSchema = rs.ReadsSchema
	if rs.Settings.OnStoreDown == rules.ServeStale {
		st.demand.MaxStale = time.Duration(rs.Settings.MaxStale)
	}
	st.request.Channel = channelEmbedded
	if len(q.Placements) > 0 {
		q.Placements = distinct(q.Placements)
		st.request.Placements = q.Placements
	}
	// The platform is all that an SDK says about the app. Rules see it as other apps write it, if the project still declares it.
	_, typ, declared := rs.ContextSlot("platform")
	if q.Platform == "" || !declared || typ.Kind != profile.String || len(q.Platform) > maxContextBytes {
		return nil
	}
	name := q.Platform
	switch name {
	case "Web":
		name = "web"
	case "iOS":
		name = "ios"
	case "Android":
		name = "android"
	}
	st.asked.Context = append(st.asked.Context, ask.Item{Name: "platform", Kind: '"', Text: name})
	return st.fillContext(rs)
}

// nobody is the user whom an address stands for that no user has: one whose id nobody can have. Such an address is answered as a user
// without any attributes is.
const nobody = "\x01"

// synced reads the user whom the query and the token name.
func (s *Server) synced(st *state) (cache.Read, *problem.Problem) {
	named := who{UserID: st.sync.UserID, Email: st.sync.Email}
	if named.UserID != "" && !profile.ValidUserID(named.UserID) {
		return cache.Read{}, badUserID()
	}
	named.Email = lowerEmail(named.Email)
	subject := &st.caller.subject
	user, email := named.UserID, "" // the address that the user must turn out to have
	switch {
	case subject.UserID != "":
		if user != "" && user != subject.UserID {
			return cache.Read{}, mismatch()
		}
		if user == "" {
			email = named.Email
		}
		if user = subject.UserID; !profile.ValidUserID(user) {
			return cache.Read{}, problem.New("invalid_token", "the token's userId is malformed")
		}
	case subject.Email != "" && user != "":
		email = lowerEmail(subject.Email)
	case subject.Email != "":
		if address := lowerEmail(subject.Email); named.Email != "" && named.Email != address {
			return cache.Read{}, mismatch()
		}
		return s.readByEmail(st, lowerEmail(subject.Email))
	case user == "" && named.Email != "":
		return s.readByEmail(st, named.Email)
	case user == "":
		return cache.Read{}, problem.New("missing_field", "name the user by email or userId")
	}
	read, p := s.readUser(st, user)
	if p == nil && email != "" && !holds(read.Snapshot, email) {
		return cache.Read{}, mismatch()
	}
	return read, p
}

func holds(snap *profile.Snapshot, email string) bool {
	return snap.State(profile.SlotEmail) == profile.Present && snap.String(profile.SlotEmail) == email
}

// readUser reads a user of the caller's project.
func (s *Server) readUser(st *state, user string) (cache.Read, *problem.Problem) {
	return s.read(st, profile.Key{Project: st.caller.project(), User: user})
}

// readByEmail reads the user who has the address. Whose it was when last asked is only a hint: addresses are unique in a project, so
// that a valid snapshot which holds the address proves it, and anything else is asked of the store.
func (s *Server) readByEmail(st *state, email string) (cache.Read, *problem.Problem) {
	project := st.caller.project()
	if user, ok := s.emails.get(project, email); ok {
		read, p := s.readUser(st, user)
		if p != nil || holds(read.Snapshot, email) {
			return read, p
		}
	} else if !validEmail(email) {
		return cache.Read{}, badEmail()
	}
	user, p := s.userByEmail(project, email)
	st.waited()
	if p != nil {
		return cache.Read{}, p
	}
	if user == "" {
		return s.readUser(st, nobody)
	}
	s.emails.put(project, strings.Clone(email), user)
	return s.readUser(st, user)
}

// userByEmail asks the store whose the address is; "" when nobody's.
func (s *Server) userByEmail(project, email string) (string, *problem.Problem) {
	ctx, cancel := s.bounded()
	defer cancel()
	user, err := s.deps.Profiles.UserByEmail(ctx, project, strings.Clone(email))
	if err != nil {
		return "", s.explain(err)
	}
	return user, nil
}
