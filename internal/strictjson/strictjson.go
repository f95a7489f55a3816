// Package strictjson decodes what callers send: JSON with every name known, in its exact case and once, valid UTF-8, bounded depth, and
// nothing behind the value. What it refuses, it refuses with a stable code and the place.
package strictjson

import (
	"bytes"
	"encoding"
	"errors"
	"io"
	"reflect"
	"strings"

	"eligibility/internal/problem"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deeply a body may be nested.
const MaxDepth = 16

// Unmarshal decodes data into v, a pointer. The error is always a *problem.Problem.
func Unmarshal(data []byte, v any) error { return unmarshal(data, v, true) }

// UnmarshalKnown is Unmarshal for callers that may send more than v asks for, as apps do whose makers cannot be asked to change them:
// names that v does not have are passed over. All else is as strict.
func UnmarshalKnown(data []byte, v any) error { return unmarshal(data, v, false) }

func unmarshal(data []byte, v any, all bool) error {
	switch string(bytes.TrimSpace(data)) {
	case "":
		return problem.New("empty_body", "send a JSON body")
	case "null": // the library would leave v as it is, which is what {} does
		return problem.New("invalid_json_type", "want a JSON %s, got null", want(reflect.TypeOf(v)))
	}
	if err := checkDepth(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(all)); err != nil {
		return Explain(err)
	}
	return nil
}

// checkDepth refuses deep nesting by counting brackets before any parser sees the body: a parser would spend memory on each level.
func checkDepth(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return problem.New("too_deep", "nest at most %d levels", MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Explain turns an error of the JSON library into a problem with a stable code and the path of the offending field. The library's own
// text never reaches the caller.
func Explain(err error) *problem.Problem {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		field := Path(semantic.JSONPointer)
		switch {
		case errors.Is(semantic.Err, json.ErrUnknownName):
			return problem.New("unknown_field", "there is no field %q here", clip(last(field))).At(field)
		case field == "":
			return problem.New("invalid_json_type", "want a JSON %s, got %s", want(semantic.GoType), kindName(semantic.JSONKind))
		case semantic.Err != nil && !errors.Is(semantic.Err, json.ErrUnknownName) && semantic.JSONKind == '"' && semantic.GoType != nil &&
			semantic.GoType.Kind() != reflect.String:
			return problem.New("invalid_value", "the value is not a valid %s", want(semantic.GoType)).At(field)
		default:
			return problem.New("wrong_type", "want %s, got %s", want(semantic.GoType), kindName(semantic.JSONKind)).At(field)
		}
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		if errors.Is(syntactic.Err, jsontext.ErrDuplicateName) {
			field := Path(syntactic.JSONPointer)
			return problem.New("duplicate_key", "the name %q stands twice", clip(last(field))).At(field)
		}
		if strings.Contains(syntactic.Err.Error(), "UTF-8") {
			return problem.New("invalid_utf8", "the body is not valid UTF-8 at byte %d", syntactic.ByteOffset)
		}
		return problem.New("invalid_json", "the body is not JSON at byte %d", syntactic.ByteOffset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problem.New("invalid_json", "the body ends too early")
	}
	return problem.New("invalid_json", "the body is not valid JSON")
}

// Path prints a JSON pointer as people write paths: "attributes.age", "placements[0].placement".
func Path(pointer jsontext.Pointer) string {
	var b strings.Builder
	for token := range pointer.Tokens() {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(clip(token))
	}
	return b.String()
}

func last(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[i+1:]
	}
	return path
}

// clip keeps what is echoed to a caller short.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func want(t reflect.Type) string {
	if t == nil {
		return "value"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) && t.Name() != "Time" {
		return strings.ToLower(t.Name()) // written as text, whatever it is made of
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		if t.Name() == "Time" {
			return "RFC 3339 time"
		}
		return "object"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if t.Name() == "Duration" {
			return "duration"
		}
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "value"
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "another kind"
}
