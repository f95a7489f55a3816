package app

import (
	"slices"
	"strings"

	"eligibility/internal/access"
)

// refusal is a call that must be refused with a code.
type refusal struct {
	name, code string
	edit       func(req *request)
}

// checkRefusals makes the calls that are wrong in a way that the document tells: each must get a code that it lists, in its form. None changes
// anything.
func (d document) checkRefusals(w *world, op operation, way map[string]any) {
	w.t.Helper()
	cases := []refusal{
		{"no key", "missing_credential", func(req *request) { delete(req.keys, "Api-Key") }},
		{"an unknown key", "invalid_credential", func(req *request) { req.keys["Api-Key"] = "elg_server_nobody_aaaaaaaaaaaaaaaaaaaaaaaaaa" }},
		{"an unknown parameter", "invalid_parameter", func(req *request) { req.query.Set("verbose", "true") }},
	}
	if way["streamToken"] != nil {
		cases = []refusal{
			{"no token", "invalid_parameter", func(req *request) { req.query.Del("token") }},
			{"another token", "invalid_token", func(req *request) { req.query.Set("token", "a.b") }},
			{"an unknown parameter", "invalid_parameter", func(req *request) { req.query.Set("verbose", "true") }},
		}
	}
	for _, kind := range d.strangers(w, op) {
		cases = append(cases, refusal{"a key of kind or role " + kind, "forbidden", func(req *request) { req.keys["Api-Key"] = w.keys[kind] }})
	}
	if strings.Contains(op.path, "{project}") {
		cases = append(cases, refusal{"another project", "project_not_found", func(req *request) { req.path["project"] = "elsewhere" }})
	}
	for _, scheme := range op.security() {
		if scheme["userToken"] != nil {
			cases = append(cases,
				refusal{"no token", "missing_token", func(req *request) { req.keys["Api-Key"] = w.keys["client+jwt"] }},
				refusal{"a token of another user", "user_mismatch", func(req *request) {
					req.keys["Api-Key"], req.keys["Authorization"] = w.keys["client+jwt"], "Bearer "+w.token("eve")
				}},
				refusal{"a broken token", "invalid_token", func(req *request) {
					req.keys["Api-Key"], req.keys["Authorization"] = w.keys["client+jwt"], "Bearer a.b.c"
				}})
		}
	}
	if slices.ContainsFunc(op.parameters, func(p map[string]any) bool { return p["name"] == "If-Match" }) {
		cases = append(cases, refusal{"another generation", "precondition_failed", func(req *request) { req.keys["If-Match"] = `"999"` }})
	}
	if slices.Contains(op.codes("x-problem-codes"), "invalid_idempotency_key") {
		cases = append(cases, refusal{"a key with a blank", "invalid_idempotency_key", func(req *request) { req.keys["Idempotency-Key"] = "a b" }})
	}
	cases = append(cases, d.bodyRefusals(w, op)...)
	for _, c := range cases {
		req := w.as(w.request(op), way)
		c.edit(req)
		got := w.send(req)
		answer := got.json(w.t)
		if answer["code"] != c.code || !slices.Contains(op.codes("x-problem-codes"), c.code) {
			w.t.Errorf("%s: status %d, %s, want code %s, listed in %v", c.name, got.status, got.body, c.code, op.codes("x-problem-codes"))
		}
		for _, fault := range d.answerFaults(op.answers(d), got, w.t) {
			w.t.Errorf("%s: %s", c.name, fault)
		}
	}
}

// strangers are the kinds of key and roles that the call is not open to.
func (d document) strangers(w *world, op operation) []string {
	if op.security()[0]["streamToken"] != nil { // keys do not matter
		return nil
	}
	open := make(map[string]bool)
	var least access.Role
	for _, way := range op.security() {
		for scheme, roles := range way {
			open[strings.TrimSuffix(scheme, "Key")] = true
			if scheme == "adminKey" {
				least = access.Role(items(roles)[0].(string))
			}
		}
	}
	var all []string
	for _, kind := range []string{"client", "server"} {
		if !open[kind] {
			all = append(all, kind)
		}
	}
	for _, role := range []access.Role{access.Viewer, access.Editor, access.Publisher, access.Owner} {
		if least == "" || !role.Allows(least) {
			all = append(all, string(role))
		}
	}
	return all
}

// bodyRefusals breaks the example's body.
func (d document) bodyRefusals(w *world, op operation) []refusal {
	schema, example, required := op.body()
	if schema == nil {
		return nil
	}
	cases := []refusal{
		{"a body that is not JSON by its type", "unsupported_media_type", func(req *request) { req.contentType = "text/plain" }},
		{"a compressed body", "unsupported_encoding", func(req *request) { req.keys["Content-Encoding"] = "gzip" }},
		{"a body of the wrong kind", "invalid_json_type", func(req *request) { req.body = "text" }},
	}
	object, is := example.(map[string]any)
	if !is {
		return append(cases, refusal{"an empty list", "out_of_range", func(req *request) { req.body = []any{} }})
	}
	if required {
		cases = append(cases, refusal{"no body", "empty_body", func(req *request) { req.empty = true }})
	}
	for name := range object {
		cases = append(cases, refusal{"the name " + strings.ToUpper(name), "unknown_field", func(req *request) {
			broken := clone(w.t, object).(map[string]any)
			broken[strings.ToUpper(name)] = broken[name]
			delete(broken, name)
			req.body = broken
		}})
	}
	for name := range member(d.resolve(schema), "properties") { // also those that the example leaves out: a name that is not read would be unknown
		cases = append(cases, refusal{"a list of lists for " + name, "wrong_type", func(req *request) {
			broken := clone(w.t, object).(map[string]any)
			broken[name] = []any{[]any{}}
			req.body = broken
		}})
	}
	return append(cases, refusal{"an unknown name", "unknown_field", func(req *request) {
		broken := clone(w.t, object).(map[string]any)
		broken["surprise"] = true
		req.body = broken
	}})
}
