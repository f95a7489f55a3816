package rulefile

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

//go:generate go test -run TestSchemasAreCurrent -update-schemas .

var updateSchemas = flag.Bool("update-schemas", false, "rewrite the JSON Schemas in api/")

// TestSchemasAreCurrent makes the JSON Schemas from the types that files are decoded into, with the comments of their fields, and holds them against api/.
func TestSchemasAreCurrent(t *testing.T) {
	g := &schemaGenerator{comments: fieldComments(t, ".", "../rules"), definitions: map[string]any{}}
	for _, c := range []struct {
		file, title string
		of          any
		list        bool
	}{
		{"promotion.schema.json", "A promotion, or a list of them", rules.Promotion{}, true},
		{"promotion-test.schema.json", "Tests of promotions", Suite{}, false},
		{"project.schema.json", "What a project declares", Project{}, false},
	} {
		g.definitions = map[string]any{}
		root := g.schema(reflect.TypeOf(c.of))
		if c.list {
			root = map[string]any{"oneOf": []any{root, map[string]any{"type": "array", "items": root}}}
		}
		document := ordered(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": c.title, "$defs": g.definitions}, root)
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(document); err != nil {
			t.Fatal(err)
		}
		path := "../../api/" + c.file
		if *updateSchemas {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("api/%s is out of date: run `make generate`", c.file)
		}
	}
}

func ordered(document map[string]any, root any) map[string]any {
	for name, value := range root.(map[string]any) {
		document[name] = value
	}
	return document
}

// schemaGenerator turns types into schemas; structs become definitions.
type schemaGenerator struct {
	comments    map[string]string // by type and field
	definitions map[string]any
}

// lenient are the structs that a file may give in part, though the API answers them whole.
var lenient = map[string]bool{"Settings": true, "Placement.limit": true}

func (g *schemaGenerator) schema(t reflect.Type) any {
	switch t {
	case rawType:
		return map[string]any{}
	case timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case durationType:
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`}
	case typeType:
		scalar := "bool|int|double|string|timestamp"
		return map[string]any{"type": "string", "pattern": "^(" + scalar + `|list<(` + scalar + `)>|map<string, ?(` + scalar + ")>)$"}
	case reflect.TypeFor[rules.NewFields]():
		return map[string]any{"enum": []string{string(rules.ObserveNewFields), string(rules.DeclareNewFields)}}
	case reflect.TypeFor[rules.OnStoreDown]():
		return map[string]any{"enum": []string{string(rules.FailClosed), string(rules.ServeStale)}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.schema(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.schema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.schema(t.Elem())}
	case reflect.Struct:
		return g.reference(t)
	case reflect.String:
		return map[string]any{"type": []string{"string", "boolean", "number"}} // text is what is written, quoted or not
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "integer"}
}

func (g *schemaGenerator) reference(t reflect.Type) any {
	if _, made := g.definitions[t.Name()]; !made {
		properties, required := map[string]any{}, []string{}
		g.definitions[t.Name()] = nil // ends the recursion
		for _, field := range reflect.VisibleFields(t) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || name == "-" || !field.IsExported() || field.Type == reflect.TypeFor[*rules.Proving]() {
				continue
			}
			member := ordered(map[string]any{}, g.schema(field.Type))
			if t == reflect.TypeFor[rules.Promotion]() && name == "channels" || name == "channel" {
				channels := map[string]any{"enum": profile.Channels}
				if member["type"] == "array" {
					member["items"] = channels
				} else {
					member = channels
				}
			}
			if comment := g.comments[t.Name()+"."+field.Name]; comment != "" {
				member["description"] = comment
			}
			properties[name] = member
			if !strings.Contains(options, "omit") && !lenient[t.Name()] && !lenient[t.Name()+"."+name] {
				required = append(required, name)
			}
		}
		definition := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
		if len(required) > 0 {
			definition["required"] = required
		}
		if comment := g.comments[t.Name()]; comment != "" {
			definition["description"] = comment
		}
		g.definitions[t.Name()] = definition
	}
	return map[string]any{"$ref": "#/$defs/" + t.Name()}
}

// fieldComments are the comments of types and their fields, by name.
func fieldComments(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), dir+"/"+entry.Name(), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range parsed.Decls {
				general, ok := decl.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range general.Specs {
					if named, ok := spec.(*ast.TypeSpec); ok {
						comment(out, named, general.Doc)
					}
				}
			}
		}
	}
	return out
}

func comment(out map[string]string, named *ast.TypeSpec, doc *ast.CommentGroup) {
	fields, ok := named.Type.(*ast.StructType)
	if !ok {
		return
	}
	name := named.Name.Name
	if text := oneLine(doc); out[name] == "" {
		out[name] = strings.TrimPrefix(text, name+" is ")
	}
	for _, field := range fields.Fields.List {
		for _, ident := range field.Names {
			text := strings.TrimSpace(oneLine(field.Doc) + " " + oneLine(field.Comment))
			if out[name+"."+ident.Name] == "" {
				out[name+"."+ident.Name] = sentence(strings.TrimPrefix(text, ident.Name+" "))
			}
		}
	}
}

func oneLine(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	return strings.Join(strings.Fields(group.Text()), " ")
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
