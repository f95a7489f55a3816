package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/problem"
	"eligibility/internal/server"
)

// entry is what a route table and the document both say about a call.
func entry(plane, method, path, access string, query []string) string {
	query = slices.Sorted(slices.Values(query))
	return fmt.Sprintf("%s %s, access %s, query %v", plane, shape(method, path), access, query)
}

// TestTheDocumentIsTheRouteTables: a call that is in one and not in the other, or open to others there, is a fault of either.
func TestTheDocumentIsTheRouteTables(t *testing.T) {
	d := loadDocument(t)
	served := make(map[string]bool)
	for _, e := range server.Endpoints() {
		ways := "serverKey[]"
		if slices.Contains(e.Kinds, access.Client) {
			ways = "clientKey[],clientKey[]+userToken[]," + ways
		}
		if len(e.Kinds) == 0 {
			ways = "streamToken[]"
		}
		served[entry("decision", e.Method, e.Path, ways, e.Query)] = true
	}
	for _, e := range admin.Endpoints() {
		ways := "rootKey[]"
		if e.Need != "" {
			ways = fmt.Sprintf("adminKey[%s],rootKey[]", e.Need)
		}
		served[entry("control", e.Method, e.Path, ways, e.Query)] = true
	}
	documented := make(map[string]bool)
	for _, op := range d.operations(t) {
		var ways, query []string
		for _, way := range op.security() {
			var schemes []string
			for scheme, roles := range way {
				schemes = append(schemes, fmt.Sprint(scheme, roles))
			}
			ways = append(ways, strings.Join(slices.Sorted(slices.Values(schemes)), "+"))
		}
		for _, p := range op.parameters {
			if p["in"] == "query" {
				query = append(query, p["name"].(string))
			}
		}
		documented[entry(op.plane, op.method, op.path, strings.Join(slices.Sorted(slices.Values(ways)), ","), query)] = true
	}
	for _, e := range slices.Sorted(maps.Keys(served)) {
		if !documented[e] {
			t.Errorf("served and not in the document: %s", e)
		}
	}
	for _, e := range slices.Sorted(maps.Keys(documented)) {
		if !served[e] {
			t.Errorf("in the document and not served: %s", e)
		}
	}
}

// TestTheDocumentIsWhole: every part is used, every call has examples that fit, and the statuses of refusals are those of their codes.
func TestTheDocumentIsWhole(t *testing.T) {
	d := loadDocument(t)
	used := make(map[string]bool)
	var walk func(node any)
	walk = func(node any) {
		switch v := node.(type) {
		case map[string]any:
			if ref, is := v["$ref"].(string); is {
				used[ref] = true
				if d.resolve(v) == nil {
					t.Errorf("%s refers to nothing", ref)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(map[string]any(d))
	for name, schema := range member(member(d, "components"), "schemas") {
		report(t, schemaFaults(schema, name))
	}
	for kind, parts := range member(d, "components") {
		for name := range parts.(map[string]any) {
			if kind != "securitySchemes" && !used["#/components/"+kind+"/"+name] {
				t.Errorf("nothing refers to %s/%s", kind, name)
			}
		}
	}
	var codes []string
	for _, code := range items(member(member(member(d, "components"), "schemas"), "ProblemCode")["enum"]) {
		codes = append(codes, code.(string))
	}
	if want := slices.Sorted(maps.Keys(problem.Catalogue)); !slices.Equal(codes, want) {
		t.Errorf("the document's problem codes are %v, want %v", codes, want)
	}
	for _, op := range d.operations(t) {
		t.Run(op.id, func(t *testing.T) { d.checkExamples(t, &op) })
	}
}

func (d document) checkExamples(t *testing.T, op *operation) {
	for _, p := range op.parameters {
		required, _ := p["required"].(bool)
		if example := p["example"]; example != nil || required {
			report(t, d.faults(p["schema"], example, "parameter "+p["name"].(string)))
		}
	}
	if schema, example, _ := op.body(); schema != nil {
		if example == nil {
			t.Error("the request has no example")
		}
		report(t, d.faults(schema, example, "request"))
	}
	refusals := make(map[int]bool)
	for _, code := range op.codes("x-problem-codes") {
		refusals[problem.Catalogue[code].Status] = true
	}
	for _, code := range op.codes("x-item-codes") {
		if _, known := problem.Catalogue[code]; !known {
			t.Errorf("there is no code %q", code)
		}
	}
	for status, answer := range op.answers(d) {
		contentType, node := media(answer)
		switch {
		case status >= 400 && !refusals[status]:
			t.Errorf("no code of the call has status %d", status)
		case status >= 400:
			delete(refusals, status)
		case contentType == "":
		case node["example"] == nil:
			t.Errorf("answer %d has no example", status)
		case contentType == "application/x-ndjson":
			for i, line := range values(t, contentType, []byte(node["example"].(string))) {
				report(t, d.faults(node["schema"], line, fmt.Sprintf("example line %d", i+1)))
			}
		default:
			report(t, d.faults(node["schema"], node["example"], "example"))
		}
	}
	for status := range refusals {
		t.Errorf("codes of the call have status %d, which is not among its answers", status)
	}
}

// TestAReplicaAnswersAsTheDocumentSays makes every call of the document, in each way to be let in, and those that it must refuse.
func TestAReplicaAnswersAsTheDocumentSays(t *testing.T) {
	d := loadDocument(t)
	r := start(t)
	n := 0
	for _, op := range d.operations(t) {
		for i, way := range op.security() {
			t.Run(op.id+"/"+strings.Join(slices.Sorted(maps.Keys(way)), "+"), func(t *testing.T) {
				n++
				own := *r
				own.t = t
				w := own.world(fmt.Sprintf("contract-%d", n), op.id)
				if i == 0 {
					d.checkRefusals(w, op, way)
				}
				d.checkSuccess(w, op, way)
			})
		}
	}
}

func (d document) checkSuccess(w *world, op operation, way map[string]any) {
	answers := op.answers(d)
	req := w.as(w.request(op), way)
	codes := op.codes("x-problem-codes")
	once := slices.Contains(codes, "idempotency_mismatch")
	switch {
	case once:
		req.keys["Idempotency-Key"] = "first"
	case !slices.Contains(codes, "invalid_idempotency_key"): // passed over, so it may be anything
		req.keys["Idempotency-Key"] = "not a key"
	}
	got := w.send(req)
	if got.status > 299 {
		w.t.Fatalf("the example is refused: %d %s", got.status, got.body)
	}
	report(w.t, d.answerFaults(answers, got, w.t))
	if answers[200] != nil && answers[201] != nil { // both are promised: the first time, and when it is repeated
		again := w.send(w.as(w.request(op), way)) // as a request of its own
		if got.status != 201 || again.status != 200 {
			w.t.Errorf("status %d at first and %d again, want 201 and 200", got.status, again.status)
		}
		report(w.t, d.answerFaults(answers, again, w.t))
	}
	if once {
		replayed := w.send(req)
		if replayed.status != got.status || replayed.header.Get("Idempotent-Replayed") != "true" {
			w.t.Errorf("its repetition: status %d, header %v, want %d and Idempotent-Replayed", replayed.status, replayed.header, got.status)
		}
		report(w.t, d.answerFaults(answers, replayed, w.t))
		req.keys["If-Match"] = "*"
		if other := w.send(req); other.status != 409 || other.json(w.t)["code"] != "idempotency_mismatch" {
			w.t.Errorf("another request under its key: %d %s", other.status, other.body)
		}
	}
}

// answerFaults holds an answer against those that the call has.
func (d document) answerFaults(answers map[int]map[string]any, got reply, t testing.TB) []string {
	answer := answers[got.status]
	if answer == nil {
		return []string{fmt.Sprintf("status %d is not in the document: %s", got.status, got.body)}
	}
	var found []string
	for name, node := range member(answer, "headers") {
		header := d.resolve(node)
		value := got.header.Get(name)
		if header["required"] == true || value != "" && header["schema"].(map[string]any)["type"] == "string" {
			found = append(found, d.faults(header["schema"], value, "header "+name)...)
		}
	}
	if got.header.Get("X-Request-Id") == "" {
		found = append(found, "no X-Request-Id")
	}
	contentType, node := media(answer)
	if is := got.header.Get("Content-Type"); is != contentType {
		return append(found, fmt.Sprintf("content type %q, want %q", is, contentType))
	}
	if contentType == "" {
		if len(got.body) > 0 {
			found = append(found, fmt.Sprintf("a body where none is documented: %s", got.body))
		}
		return found
	}
	for _, value := range values(t, contentType, got.body) {
		found = append(found, d.faults(node["schema"], value, "answer")...)
	}
	return found
}

func report(t testing.TB, found []string) {
	t.Helper()
	for _, fault := range found {
		t.Error(fault)
	}
}

// clone copies a JSON value, so that a case can break it.
func clone(t testing.TB, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
