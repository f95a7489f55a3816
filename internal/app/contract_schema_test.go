package app

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// faults says where a JSON value departs from a schema. It knows the keywords that the document uses and takes any other for a fault, so that
// nothing in the document goes unchecked. It is stricter than JSON Schema in one point: a member that a schema with properties does not list is
// a fault also where additionalProperties is absent, because what a replica answers shall be described.
func (d document) faults(schema, value any, at string) []string {
	s := d.resolve(schema)
	if s == nil {
		return []string{at + ": the schema refers to nothing"}
	}
	found := unknown(s, at)
	fault := func(format string, args ...any) { found = append(found, at+": "+fmt.Sprintf(format, args...)) }
	if !hasType(s["type"], value) {
		fault("%s is not of type %v", short(value), s["type"])
		return found
	}
	for keyword, want := range s {
		if check := keywords[keyword]; check != nil && !check(want, value) {
			fault("%s is against %s: %v", short(value), keyword, want)
		}
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if s["items"] != nil {
				found = append(found, d.faults(s["items"], item, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	case map[string]any:
		found = append(found, d.memberFaults(s, v, at)...)
	}
	if choices := items(s["oneOf"]); choices != nil {
		var tried []string
		fits := 0
		for _, choice := range choices {
			misfit := d.faults(choice, value, at)
			if tried = append(tried, misfit...); len(misfit) == 0 {
				fits++
			}
		}
		if fits != 1 {
			fault("%d choices fit, want one: %s", fits, strings.Join(tried, "; "))
		}
	}
	return found
}

func (d document) memberFaults(s, value map[string]any, at string) []string {
	var found []string
	for name, item := range value {
		path := at + "." + name
		if s["propertyNames"] != nil {
			found = append(found, d.faults(s["propertyNames"], name, path)...)
		}
		property, listed := member(s, "properties")[name]
		switch rest := s["additionalProperties"].(type) {
		case map[string]any:
			if !listed {
				property, listed = rest, true
			}
		case bool:
			if rest && !listed {
				continue
			}
		default:
			if s["properties"] == nil {
				continue
			}
		}
		if !listed {
			found = append(found, path+": not in the document")
			continue
		}
		found = append(found, d.faults(property, item, path)...)
	}
	return found
}

// keywords are the checks that need no other part of the document. Each takes the keyword's value and passes values of types that it is not
// about.
var keywords = map[string]func(want, value any) bool{
	"enum": func(want, value any) bool { return slices.Contains(items(want), value) },
	"required": func(want, value any) bool {
		object, is := value.(map[string]any)
		return !is || !slices.ContainsFunc(items(want), func(name any) bool { _, has := object[name.(string)]; return !has })
	},
	"minimum":   func(want, value any) bool { n, is := value.(float64); return !is || n >= want.(float64) },
	"maximum":   func(want, value any) bool { n, is := value.(float64); return !is || n <= want.(float64) },
	"minLength": func(want, value any) bool { return length(value) < 0 || length(value) >= want.(float64) },
	"maxLength": func(want, value any) bool { return length(value) <= want.(float64) },
	"minItems": func(want, value any) bool {
		list, is := value.([]any)
		return !is || float64(len(list)) >= want.(float64)
	},
	"maxItems":      func(want, value any) bool { return float64(len(items(value))) <= want.(float64) },
	"maxProperties": func(want, value any) bool { m, _ := value.(map[string]any); return float64(len(m)) <= want.(float64) },
	"pattern": func(want, value any) bool {
		text, is := value.(string)
		return !is || regexp.MustCompile(want.(string)).MatchString(text)
	},
	"format": hasFormat,
}

// others are the keywords that faults looks at itself, and those that only explain.
var others = []string{"type", "properties", "additionalProperties", "propertyNames", "items", "oneOf", "$ref", "description", "default"}

// unknown names the keywords of a schema that nothing here checks.
func unknown(s map[string]any, at string) []string {
	var found []string
	for keyword := range s {
		if keywords[keyword] == nil && !slices.Contains(others, keyword) {
			found = append(found, fmt.Sprintf("%s: the test does not know the keyword %q", at, keyword))
		}
	}
	return found
}

// schemaFaults looks at a schema and those within it without a value.
func schemaFaults(schema any, at string) []string {
	s, is := schema.(map[string]any)
	if !is {
		return nil // true, false or absent
	}
	found := unknown(s, at)
	for name, property := range member(s, "properties") {
		found = append(found, schemaFaults(property, at+"."+name)...)
	}
	for _, inner := range []any{s["items"], s["additionalProperties"], s["propertyNames"]} {
		found = append(found, schemaFaults(inner, at+"[]")...)
	}
	for _, choice := range items(s["oneOf"]) {
		found = append(found, schemaFaults(choice, at)...)
	}
	return found
}

func length(value any) float64 {
	if text, is := value.(string); is {
		return float64(utf8.RuneCountInString(text))
	}
	return -1
}

func hasFormat(format, value any) bool {
	switch format {
	case "date-time":
		text, is := value.(string)
		if !is {
			return true
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && !at.IsZero()
	case "int32":
		n, is := value.(float64)
		return !is || math.Abs(n) <= math.MaxInt32
	case "int64":
		return true
	}
	return false
}

// hasType reports whether the value is of the type, or of one of a list of types; no type takes any value.
func hasType(typ, value any) bool {
	if typ == nil {
		return true
	}
	if list, is := typ.([]any); is {
		return slices.ContainsFunc(list, func(one any) bool { return hasType(one, value) })
	}
	switch v := value.(type) {
	case nil:
		return typ == "null"
	case bool:
		return typ == "boolean"
	case string:
		return typ == "string"
	case float64:
		return typ == "number" || typ == "integer" && v == math.Trunc(v)
	case []any:
		return typ == "array"
	}
	return typ == "object"
}

func short(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.120s", text)
}

// TestTheValidatorFindsFaults: a validator that lets everything pass would make a contract of any document.
func TestTheValidatorFindsFaults(t *testing.T) {
	object := `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/components/schemas/Small"},"b":{"type":["string","null"]}}}`
	for _, tt := range []struct {
		name, schema, value string
		want                int
	}{
		{"a fitting object", object, `{"a":3,"b":null}`, 0},
		{"a missing member", object, `{"b":"x"}`, 1},
		{"a wrong type", object, `{"a":"3"}`, 1},
		{"null where it is not allowed", object, `{"a":null}`, 1},
		{"a fraction for an integer", object, `{"a":1.5}`, 1},
		{"above the maximum", object, `{"a":10}`, 1},
		{"two faults", object, `{"a":-1,"b":4}`, 2},
		{"an undocumented member", object, `{"a":1,"c":1}`, 1},
		{"an open object", `{"type":"object","additionalProperties":true}`, `{"x":1}`, 0},
		{"a closed object", `{"type":"object","additionalProperties":false}`, `{"x":1}`, 1},
		{"values of a map", `{"type":"object","additionalProperties":{"type":"string"}}`, `{"x":1,"y":"z"}`, 1},
		{"names of a map", `{"type":"object","propertyNames":{"enum":["x"]},"additionalProperties":true}`, `{"x":1,"y":1}`, 1},
		{"items", `{"type":"array","maxItems":2,"items":{"type":"boolean"}}`, `[true,1,false]`, 2},
		{"an enumeration", `{"enum":["a","b"]}`, `"c"`, 1},
		{"a pattern", `{"type":"string","pattern":"^a+$"}`, `"ab"`, 1},
		{"a length", `{"type":"string","minLength":1,"maxLength":2}`, `"äöü"`, 1},
		{"a time", `{"type":"string","format":"date-time"}`, `"yesterday"`, 1},
		{"the zero time, which means a forgotten one", `{"type":"string","format":"date-time"}`, `"0001-01-01T00:00:00Z"`, 1},
		{"one of two", `{"oneOf":[{"type":"string"},{"type":"integer"}]}`, `1`, 0},
		{"both of two", `{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1`, 1},
		{"an unknown keyword", `{"multipleOf":2}`, `2`, 1},
		{"an unknown format", `{"format":"phone"}`, `"1"`, 1},
		{"a reference to nothing", `{"$ref":"#/components/schemas/Gone"}`, `1`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d document
			var schema, value any
			for text, into := range map[string]any{
				`{"components":{"schemas":{"Small":{"type":"integer","minimum":0,"maximum":9}}}}`: &d, tt.schema: &schema, tt.value: &value,
			} {
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			if got := d.faults(schema, value, "it"); len(got) != tt.want {
				t.Errorf("%d faults, want %d: %q", len(got), tt.want, got)
			}
		})
	}
}
