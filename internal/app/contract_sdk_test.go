package app

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/server"
)

// TestAReplicaSpeaksTheSDKDocument holds api/openapi-sdk.yaml against the table of calls and against what a replica answers: every call with its
// example, in each way to be let in, and what it must refuse.
func TestAReplicaSpeaksTheSDKDocument(t *testing.T) {
	d := readDocument(t, "../../api/openapi-sdk.yaml")
	operations := d.operations(t)
	documented, served := make(map[string]bool), make(map[string]bool)
	for _, op := range operations {
		client := slices.ContainsFunc(op.security(), func(way map[string]any) bool { return way["clientKey"] != nil })
		documented[entry("sdk", op.method, op.path, map[bool]string{true: "client"}[client], nil)] = true
	}
	for _, e := range server.SDKEndpoints() {
		client := slices.Contains(e.Kinds, access.Client)
		served[entry("sdk", e.Method, e.Path, map[bool]string{true: "client"}[client], nil)] = true
	}
	if !maps.Equal(documented, served) {
		t.Errorf("documented %v\nserved %v", slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(served)))
	}
	w := start(t).world("contract-sdk", "")
	for _, op := range operations {
		t.Run(op.id, func(t *testing.T) {
			own := *w.replica
			own.t = t
			here := *w
			here.replica = &own
			d.speak(&here, op)
		})
	}
}

func (d document) speak(w *world, op operation) {
	answers := op.answers(d)
	contentType, node := media(answers[200])
	if contentType != "application/json" {
		w.t.Errorf("its success is %q", contentType)
	}
	report(w.t, d.faults(node["schema"], node["example"], "example"))
	schema, example, _ := op.body()
	if schema != nil {
		report(w.t, d.faults(schema, example, "request"))
	}
	tokens := false
	for _, way := range op.security() {
		w.must(200, "decision", "PUT", "/v1/users/ada", w.keys["server"], `{"email":"ada@example.com","attributes":{"country":"US"}}`)
		got := w.send(w.as(w.request(op), way))
		tokens = tokens || way["userToken"] != nil
		if unknown := op.id == "sdkMerge" && way["serverKey"] != nil; got.status != 200 && !unknown { // told to backends: there is no such source
			w.t.Errorf("%v: the example is refused: %d %s", slices.Sorted(maps.Keys(way)), got.status, got.body)
		}
		report(w.t, d.answerFaults(answers, got, w.t))
	}
	refuse := func(name, code string, edit func(*request)) {
		req := w.as(w.request(op), map[string]any{"serverKey": []any{}})
		edit(req)
		got := w.send(req)
		if got.json(w.t)["code"] != code {
			w.t.Errorf("%s: %d %s, want %s", name, got.status, got.body, code)
		}
		report(w.t, d.answerFaults(answers, got, w.t))
	}
	refuse("no key", "BadApiKey", func(req *request) { delete(req.keys, "Api-Key") })
	refuse("an unknown key", "BadApiKey", func(req *request) { req.keys["Api-Key"] = "nobody" })
	refuse("an admin key", "Forbidden", func(req *request) { req.keys["Api-Key"] = w.keys["owner"] })
	if tokens {
		refuse("no token", "BadAuthorizationHeader", func(req *request) { req.keys["Api-Key"] = w.keys["client+jwt"] })
		refuse("a broken token", "InvalidJwtPayload", func(req *request) {
			req.keys["Api-Key"], req.keys["Authorization"] = w.keys["client+jwt"], "Bearer a.b.c"
		})
		if op.id != "sdkMerge" {
			refuse("another's token", "JwtUserIdentifiersMismatched", func(req *request) {
				req.keys["Api-Key"], req.keys["Authorization"] = w.keys["client+jwt"], "Bearer "+w.token("eve")
			})
		}
	}
	if !slices.ContainsFunc(op.security(), func(way map[string]any) bool { return way["clientKey"] != nil }) {
		refuse("an app's key", "Forbidden", func(req *request) { req.keys["Api-Key"] = w.keys["client"] })
	}
	if schema != nil && !strings.HasSuffix(schema.(map[string]any)["$ref"].(string), "/Anything") {
		refuse("a body of the wrong kind", "BadJsonBody", func(req *request) { req.body = "text" })
	}
}
