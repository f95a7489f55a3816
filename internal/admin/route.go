package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/problem"
)

// route is one call of the surface.
type route struct {
	method, path string
	need         access.Role // least role of an admin key; "" is for the root key alone
	query        []string    // parameters that it knows; one that ends in . is a prefix
	repeat       repeat      // what an idempotency key does
	handle       func(s *Server, c *call, body []byte) (answer, error)
	verbs        map[string]*route // of the last path segment, behind its colon
}

const base = "/v1/projects/{project}"

// table is every call. A path with {target} ends in "<id>:<verb>", which the router cannot split.
func table() []route {
	paged := []string{"limit", "cursor"}
	return []route{
		{method: "GET", path: "/v1/projects", handle: (*Server).listProjects},
		{method: "POST", path: "/v1/projects", repeat: refused, handle: (*Server).createProject},
		{method: "GET", path: base, need: access.Viewer, handle: (*Server).getProject},
		{method: "PUT", path: base, need: access.Owner, repeat: once, handle: (*Server).putProject},

		{method: "GET", path: base + "/attributes", need: access.Viewer, handle: (*Server).listAttributes},
		{method: "POST", path: base + "/attributes", need: access.Editor, repeat: once, handle: (*Server).declareAttribute},
		{method: "GET", path: base + "/event-types", need: access.Viewer, handle: (*Server).listEventTypes},
		{method: "POST", path: base + "/event-types", need: access.Editor, repeat: once, handle: (*Server).declareEventType},
		{method: "GET", path: base + "/context", need: access.Viewer, handle: (*Server).listContext},
		{method: "POST", path: base + "/context", need: access.Editor, repeat: once, handle: (*Server).declareContext},
		{method: "GET", path: base + "/placements", need: access.Viewer, handle: (*Server).listPlacements},
		{method: "POST", path: base + "/placements", need: access.Editor, repeat: once, handle: (*Server).declarePlacement},
		{method: "PUT", path: base + "/placements/{placement}", need: access.Editor, repeat: once, handle: (*Server).putPlacement},
		{method: "GET", path: base + "/observed", need: access.Viewer, handle: (*Server).listObserved},

		{method: "GET", path: base + "/keys", need: access.Owner, handle: (*Server).listKeys},
		{method: "POST", path: base + "/keys", need: access.Owner, repeat: refused, handle: (*Server).createKey},
		{method: "POST", path: base + "/keys/{target}", verbs: map[string]*route{
			"revoke": {need: access.Owner, repeat: refused, handle: (*Server).revokeKey},
			"rotate": {need: access.Owner, repeat: refused, handle: (*Server).rotateKey},

			"suspend": {need: access.Owner, repeat: refused, handle: (*Server).suspendKey},
			"resume":  {need: access.Owner, repeat: refused, handle: (*Server).resumeKey},
		}},

		{method: "GET", path: base + "/push-hook", need: access.Viewer, handle: (*Server).getPushHook},
		{method: "PUT", path: base + "/push-hook", need: access.Owner, repeat: refused, handle: (*Server).putPushHook},
		{method: "DELETE", path: base + "/push-hook", need: access.Owner, repeat: refused, handle: (*Server).deletePushHook},
		{method: "GET", path: base + "/push-hook/dead-letters", need: access.Viewer, handle: (*Server).listDeadLetters},

		{method: "GET", path: base + "/test-users", need: access.Viewer, handle: (*Server).getTestUsers},
		{method: "PUT", path: base + "/test-users", need: access.Publisher, repeat: once, handle: (*Server).putTestUsers},

		{method: "GET", path: base + "/promotions", need: access.Viewer, query: append(paged, "retired"), handle: (*Server).listPromotions},
		{method: "GET", path: base + "/promotions/{promotion}", need: access.Viewer, query: []string{"revision"}, handle: (*Server).getPromotion},
		{method: "PUT", path: base + "/promotions/{promotion}", need: access.Editor, repeat: once, handle: (*Server).putPromotion},
		{method: "DELETE", path: base + "/promotions/{promotion}", need: access.Publisher, repeat: once, handle: (*Server).retirePromotion},
		{method: "POST", path: base + "/promotions/{target}", verbs: map[string]*route{
			"check":    {need: access.Viewer, handle: (*Server).checkPromotion},
			"preview":  {need: access.Viewer, handle: (*Server).preview},
			"publish":  {need: access.Publisher, query: []string{"wait"}, repeat: once, handle: (*Server).publish},
			"pause":    {need: access.Publisher, query: []string{"wait"}, repeat: once, handle: (*Server).pause},
			"resume":   {need: access.Publisher, query: []string{"wait"}, repeat: once, handle: (*Server).resume},
			"rollback": {need: access.Publisher, query: []string{"wait"}, repeat: once, handle: (*Server).rollback},
			"proof":    {need: access.Editor, query: []string{"wait"}, repeat: once, handle: (*Server).proof},
		}},
		{method: "GET", path: base + "/promotions/{promotion}/revisions", need: access.Viewer, handle: (*Server).listRevisions},
		{method: "GET", path: base + "/promotions/{promotion}/diff", need: access.Viewer, query: []string{"from", "to"}, handle: (*Server).diff},
		{method: "GET", path: base + "/promotions/{promotion}/index", need: access.Viewer, handle: (*Server).promotionIndex},
		{method: "GET", path: base + "/index", need: access.Viewer, handle: (*Server).indexSummary},

		{method: "POST", path: base + "/rules:check", need: access.Viewer, handle: (*Server).checkRule},
		{method: "POST", path: base + "/rules:estimate", need: access.Viewer, handle: (*Server).estimate},
		{method: "POST", path: base + "/rules:complete", need: access.Viewer, handle: (*Server).complete},
		{
			method: "GET", path: base + "/explain", need: access.Viewer, query: []string{"userId", "promotion", "channel", "context."},
			handle: (*Server).explain,
		},
		{method: "GET", path: base + "/audit", need: access.Viewer, query: paged, handle: (*Server).listAudit},
		{method: "GET", path: base + "/status", need: access.Viewer, handle: (*Server).status},
	}
}

// register hands the table to the router.
func (s *Server) register() {
	routes := table()
	for i := range routes {
		r := &routes[i]
		pattern := r.method + " " + r.path
		s.routes[pattern] = r
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, request *http.Request) {
			c, ok := request.Context().Value(callKey{}).(*call)
			if !ok {
				panic("admin: a route was reached past the edge")
			}
			c.Request = request
			s.run(w, c, r)
		})
	}
}

// run lets the caller in and answers the call.
func (s *Server) run(w http.ResponseWriter, c *call, r *route) {
	a, err := s.work(w, c, r)
	if err != nil {
		s.refuse(w, c, s.problem(c, err))
		return
	}
	s.send(w, c, a)
}

func (s *Server) work(w http.ResponseWriter, c *call, r *route) (answer, error) {
	if err := s.authenticate(c); err != nil {
		return answer{}, err
	}
	if r.verbs != nil {
		id, verb, _ := cutLast(c.PathValue("target"), ':')
		inner, ok := r.verbs[verb]
		if !ok {
			return answer{}, problem.New("not_found", "")
		}
		c.SetPathValue("id", id)
		r = inner
	}
	limit := s.cfg.HandleTimeout
	if slices.Contains(r.query, "wait") {
		limit += s.cfg.MaxWait
	}
	ctx, cancel := context.WithTimeout(c.Context(), limit)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	if err := s.authorize(c, r.need); err != nil {
		return answer{}, err
	}
	if err := c.checkQuery(r.query); err != nil {
		return answer{}, err
	}
	var body []byte
	if c.Method == http.MethodPost || c.Method == http.MethodPut {
		var err error
		if body, err = s.read(w, c); err != nil {
			return answer{}, err
		}
	}
	if err := c.repeatable(r.repeat, body); err != nil {
		return answer{}, err
	}
	return r.handle(s, c, body)
}

// checkQuery refuses parameters that the call does not know, and repeated ones.
func (c *call) checkQuery(known []string) error {
	given, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil { // Query would drop what it cannot read
		return problem.New("invalid_parameter", "the query is not encoded as URLs want")
	}
	for name, values := range given {
		fits := slices.ContainsFunc(known, func(k string) bool { return k == name || strings.HasSuffix(k, ".") && strings.HasPrefix(name, k) })
		if !fits || len(values) != 1 {
			return problem.New("invalid_parameter", "this call does not know such a parameter, or only once").At(clip(name))
		}
	}
	return nil
}

// cutLast splits s at the last sep.
func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// clip keeps what is echoed short.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
