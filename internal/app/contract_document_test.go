package app

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const documentFile = "../../api/openapi.yaml"

// document is the API's description as JSON values: maps, lists, strings, float64 and truth values.
type document map[string]any

// operation is one call of the document.
type operation struct {
	id, method, path string
	plane            string
	parameters       []map[string]any
	node             map[string]any
}

func loadDocument(t testing.TB) document { return readDocument(t, documentFile) }

func readDocument(t testing.TB, file string) document {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	encoded, err := json.Marshal(tree)
	if err != nil {
		t.Fatalf("%s is not JSON in YAML (a status is a quoted string): %v", file, err)
	}
	var d document
	if err := json.Unmarshal(encoded, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// resolve follows a reference within the document, nil when it leads nowhere.
func (d document) resolve(node any) map[string]any {
	for {
		object, _ := node.(map[string]any)
		ref, is := object["$ref"].(string)
		if !is {
			return object
		}
		node = map[string]any(d)
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			parent, _ := node.(map[string]any)
			node = parent[part]
		}
	}
}

// operations lists every call, by path and method.
func (d document) operations(t testing.TB) []operation {
	t.Helper()
	var all []operation
	for path, item := range member(d, "paths") {
		shared, _ := item.(map[string]any)
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
			node := member(shared, strings.ToLower(method))
			if node == nil {
				continue
			}
			op := operation{method: method, path: path, node: node, plane: "decision"}
			op.id, _ = node["operationId"].(string)
			for _, list := range []any{shared["parameters"], node["parameters"]} {
				for _, p := range items(list) {
					op.parameters = append(op.parameters, d.resolve(p))
				}
			}
			if servers := items(shared["servers"]); len(servers) > 0 {
				op.plane = "control"
			}
			if op.id == "" || slices.ContainsFunc(all, func(o operation) bool { return o.id == op.id }) {
				t.Errorf("%s %s: operationId %q, want one of its own", method, path, op.id)
			}
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// security lists the ways to be let in: scheme names to roles.
func (op *operation) security() []map[string]any {
	var all []map[string]any
	for _, way := range items(op.node["security"]) {
		all = append(all, way.(map[string]any))
	}
	return all
}

// codes are the problem codes that the call can give.
func (op *operation) codes(list string) []string {
	var all []string
	for _, code := range items(op.node[list]) {
		all = append(all, code.(string))
	}
	return all
}

// body is the JSON request body's schema and example, and whether it is required; a nil schema stands for no body.
func (op *operation) body() (schema, example any, required bool) {
	node := member(op.node, "requestBody")
	media := member(member(node, "content"), "application/json")
	required, _ = node["required"].(bool)
	return media["schema"], media["example"], required
}

// answers lists the documented answers by status.
func (op *operation) answers(d document) map[int]map[string]any {
	all := make(map[int]map[string]any)
	for text, node := range member(op.node, "responses") {
		status, _ := strconv.Atoi(text)
		all[status] = d.resolve(node)
	}
	return all
}

// media is an answer's type and what is said of it, "" for an answer without a body.
func media(answer map[string]any) (string, map[string]any) {
	for name, node := range member(answer, "content") {
		return name, node.(map[string]any)
	}
	return "", nil
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// shape is method and path without the names of what varies.
func shape(method, path string) string {
	return method + " " + placeholder.ReplaceAllString(path, "{}")
}

// member is an object's member that is an object, else nil.
func member(object map[string]any, name string) map[string]any {
	inner, _ := object[name].(map[string]any)
	return inner
}

func items(v any) []any {
	list, _ := v.([]any)
	return list
}

// values decodes one JSON value, or one for each line.
func values(t testing.TB, contentType string, body []byte) []any {
	t.Helper()
	if contentType == "text/event-stream" {
		return []any{string(body)}
	}
	var all []any
	parts := [][]byte{body}
	if contentType == "application/x-ndjson" {
		parts = nil
		for line := range strings.Lines(string(body)) {
			parts = append(parts, []byte(line))
		}
	}
	for _, part := range parts {
		var v any
		if err := json.Unmarshal(part, &v); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		all = append(all, v)
	}
	return all
}
