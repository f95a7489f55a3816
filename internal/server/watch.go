package server

import (
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/server/ask"
)

// watch notes that an app asked for the user of the snapshot, for a project that has its apps pushed. What the app is pushed about is the
// answer for all placements, since an app that is pushed fetches them all. Users who are not stored are passed over: a key in an app must
// not fill the watch with invented ones.
func (s *Server) watch(st *state, snap *profile.Snapshot) {
	w := s.deps.Watcher
	if w == nil || st.caller.entry.Kind != access.Client || !snap.Found || !w.Wants(snap.Key.Project) {
		return
	}
	if st.watched = appendQuestion(st.watched[:0], st.asked.Context); len(st.watched) <= maxQuestionBytes {
		w.Seen(snap.Key, st.watched)
	}
}

// watchDevice notes that a device of the user registered, as if its app had asked: it will in a moment, with the same context if it says
// nothing else about itself than its platform.
func (s *Server) watchDevice(st *state, rs *rules.Ruleset, user, platform string) {
	w := s.deps.Watcher
	if w == nil || !w.Wants(st.caller.project()) {
		return
	}
	var context []ask.Item
	_, typ, declared := rs.ContextSlot("platform")
	if name := devicePlatform(platform); name != "" && declared && typ.Kind == profile.String {
		context = append(context, ask.Item{Name: "platform", Kind: '"', Text: name})
	}
	w.Seen(profile.Key{Project: st.caller.project(), User: strings.Clone(user)}, appendQuestion(nil, context))
}

// devicePlatform is the platform of a push service, as rules know it; "" of one that is not known.
func devicePlatform(service string) string {
	switch service {
	case "APNS", "APNS_SANDBOX":
		return "ios"
	case "GCM", "FCM":
		return "android"
	}
	return ""
}

// appendQuestion writes an eligibility request that holds the context and nothing else. The context has been typed by the ruleset, so that
// every value is a string, a number or a truth value.
func appendQuestion(dst []byte, context []ask.Item) []byte {
	if len(context) == 0 {
		return append(dst, "{}"...)
	}
	dst = append(dst, `{"context":{`...)
	for i := range context {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, context[i].Name), ':')
		switch item := &context[i]; item.Kind {
		case '"':
			dst = appendString(dst, item.Text)
		case 't':
			dst = append(dst, "true"...)
		case 'f':
			dst = append(dst, "false"...)
		default:
			dst = append(dst, item.Text...)
		}
	}
	return append(dst, "}}"...)
}
