package app

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/chaos"
)

// write counts users up, one after the other, and tells the readers which it is.
func (s *storm) write(client int, current *atomic.Pointer[string], newest *atomic.Pointer[stamped]) {
	for round := 0; !s.halt.Load(); round++ {
		user := fmt.Sprintf("w%d-%d", client, round)
		newest.Store(nil)
		current.Store(&user)
		followed := false // the write before is known to have happened
		for n := 1; n <= chaosValues && !s.halt.Load(); n++ {
			call := s.history.Now()
			stamp := s.put(client+round+n, user, n)
			s.history.Wrote(client, user, n, call, stamp != "")
			if stamp != "" {
				w := &stamped{overwrite{user, n, s.history.Now()}, stamp}
				newest.Store(w)
				s.written.Add(1)
				if followed {
					s.mu.Lock()
					s.old = w.overwrite
					s.mu.Unlock()
				}
			}
			followed = stamp != ""
			<-time.After(chaosTick)
		}
	}
}

// put writes the user's counter through the client's link and returns the stamp, empty when nobody knows whether it happened.
func (s *storm) put(turn int, user string, n int) string {
	server := turn % len(s.client)
	status, answer := s.ask(s.client[server].Addr(), "PUT", "/v1/users/"+user, s.keys["server"], fmt.Sprintf(`{"attributes":{"counter":%d}}`, n))
	s.note(user, "%v %s writes %d: %d, asOf %v", time.Duration(s.history.Now()), s.servers[server].name, n, status, answer["asOf"])
	stamp, _ := answer["asOf"].(string)
	if stamp == "" {
		s.seen(fmt.Sprintf("write %d", status))
	}
	return stamp
}

// read asks for the user whom the writer counts up; demanding says to ask with the stamp of the last write.
func (s *storm) read(client int, demanding bool, current *atomic.Pointer[string], newest *atomic.Pointer[stamped]) {
	for turn := client; !s.halt.Load(); turn++ {
		<-time.After(chaosTick)
		user := current.Load()
		if user == nil {
			continue
		}
		floor, minAsOf := int64(0), ""
		if w := newest.Load(); demanding && w != nil && w.user == *user {
			floor, minAsOf = w.at, w.stamp
		}
		call := s.history.Now()
		server := turn % len(s.client)
		value, what, fresh := s.value(server, *user, minAsOf)
		s.line.Read(server, outcome(what, fresh))
		if !fresh {
			s.seen(what)
			continue
		}
		s.history.Read(client, *user, value, call, floor, clusterBound+chaosClock)
	}
}

// note keeps what an answer said, to be shown when it turns out to be wrong.
func (s *storm) note(user, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[user] = append(s.answers[user], text[:min(len(text), 200)])
}

// outcome is how the time line shows what value returned.
func outcome(what string, fresh bool) chaos.Outcome {
	switch {
	case fresh:
		return chaos.Fresh
	case strings.HasPrefix(what, "read 200"):
		return chaos.Degraded
	case strings.HasPrefix(what, "read 5"), strings.HasPrefix(what, "read 4"):
		return chaos.Refused
	}
	return chaos.Unanswered
}

// value asks a replica for the user's counter. fresh is false when there was no answer or one that does not claim to be within the bound; what says which.
func (s *storm) value(server int, user, minAsOf string) (value int, what string, fresh bool) {
	body := map[string]any{"userId": user, "context": map[string]any{"atLeast": 1 << 30}}
	if minAsOf != "" {
		body["minAsOf"] = minAsOf
	}
	status, answer := s.ask(s.client[server].Addr(), "POST", "/v1/eligibility", s.keys["server"], body)
	s.note(user, "%v %s, minAsOf %q: %d, asOf %v, degraded %v, %v", time.Duration(s.history.Now()), s.servers[server].name, minAsOf, status,
		answer["asOf"], answer["degraded"], answer["placements"])
	if degraded, _ := answer["degraded"].(bool); status != 200 || degraded {
		code, _ := answer["code"].(string)
		return 0, strings.TrimSpace(fmt.Sprintf("read %d %s", status, code)), false
	}
	placements, ok := answer["placements"].([]any)
	if !ok {
		return 0, "read cut short", false
	}
	for _, p := range placements {
		messages, _ := p.(map[string]any)["messages"].([]any)
		for _, m := range messages {
			id, _ := m.(map[string]any)["promotion"].(string)
			value, err := strconv.Atoi(strings.TrimPrefix(id, "p"))
			if err != nil {
				s.t.Errorf("promotion %q among the messages", id)
			}
			return value, "", true
		}
	}
	return 0, "", true
}

// wired is the configuration of a member whose bus and database lie behind wire.
func wired(t *testing.T, cfg Config, member, database string, wire func(member, target string) string) Config {
	t.Helper()
	for _, at := range []struct {
		to  *string
		url string
	}{{&cfg.Nats, cfg.Nats}, {&cfg.CRDBURL, database}} {
		u, err := url.Parse(at.url)
		if err != nil {
			t.Fatal(err)
		}
		u.Host = wire(member, u.Host)
		*at.to = u.String()
	}
	return cfg
}
