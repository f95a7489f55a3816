package server

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fastjson"
)

// maxObserved bounds how many undeclared names one request can make known.
const maxObserved = 200

// checker holds what is written against the project's schema and collects what the schema does not know. It serves one request.
type checker struct {
	schema   *profile.Schema
	parser   fastjson.Parser
	observed []profile.Observed
	seen     map[profile.Observed]struct{}
}

// attribute checks one top-level attribute.
func (c *checker) attribute(name string, raw []byte) *problem.Problem {
	field := "attributes." + short(name)
	switch root, _, dotted := strings.Cut(name, "."); {
	case !validName(name):
		return problem.New("invalid_value", "a name is 1 to %d bytes without control characters", profile.MaxNameBytes).At(field)
	case dotted:
		return problem.New("invalid_value", "write a nested attribute as an object: {%q: {…}}", short(root)).At(field)
	case name == "email" || name == "timeZone" || name == "consent" || name == "id":
		return problem.New("invalid_value", "this name is built in: it stands beside attributes, not among them").At(field)
	}
	v, err := c.parser.ParseBytes(raw)
	if err != nil {
		return problem.New("invalid_json", "the value is not JSON").At(field)
	}
	return c.value(name, v)
}

// value checks the value of the attribute at a dotted path, and those below it.
func (c *checker) value(path string, v *fastjson.Value) *problem.Problem {
	field := "attributes." + short(path)
	if attr, ok := c.schema.Attribute(path); ok && !attr.Builtin {
		if err := attr.Type.CheckJSON(v); err != nil {
			return problem.New("wrong_type", "want %s", attr.Type).At(field)
		}
		return checkNumbers(field, v)
	}
	object := v.Type() == fastjson.TypeObject
	if len(c.schema.Nested(path)) > 0 && !object && v.Type() != fastjson.TypeNull {
		return problem.New("wrong_type", "want an object").At(field)
	}
	if !object {
		if kind := profile.InferType(v); kind != "" {
			c.observe("attribute", path, kind)
		}
		return checkNumbers(field, v)
	}
	var fault *problem.Problem
	v.GetObject().Visit(func(name []byte, item *fastjson.Value) {
		switch {
		case fault != nil:
		case bytes.IndexByte(name, '.') >= 0: // declared names lead through objects, so that none is this one
			fault = checkNumbers(field, item)
		default:
			fault = c.value(path+"."+string(name), item)
		}
	})
	return fault
}

// properties checks the properties of an event.
func (c *checker) properties(event string, raw []byte) *problem.Problem {
	typ, declared := c.schema.EventType(event)
	if !declared {
		c.observe("eventType", event, "object")
	}
	if len(raw) == 0 {
		return nil
	}
	v, err := c.parser.ParseBytes(raw)
	if err != nil || v.Type() != fastjson.TypeObject {
		return problem.New("wrong_type", "want an object").At("properties")
	}
	var fault *problem.Problem
	v.GetObject().Visit(func(name []byte, item *fastjson.Value) {
		if fault != nil {
			return
		}
		field := "properties." + short(string(name))
		if !validName(name) {
			fault = problem.New("invalid_value", "a name is 1 to %d bytes without control characters", profile.MaxNameBytes).At(field)
			return
		}
		var property *profile.Property
		if declared {
			property, _ = typ.Property(string(name))
		}
		switch {
		case property == nil:
			if kind := profile.InferType(item); kind != "" {
				c.observe("property", event+"."+string(name), kind)
			}
		case property.Type.CheckJSON(item) != nil:
			fault = problem.New("wrong_type", "want %s", property.Type).At(field)
			return
		}
		fault = checkNumbers(field, item)
	})
	return fault
}

func (c *checker) observe(what, name, kind string) {
	o := profile.Observed{What: what, Name: name, Type: kind}
	if _, ok := c.seen[o]; ok || len(c.observed) >= maxObserved || len(name) > 2*profile.MaxNameBytes {
		return
	}
	if c.seen == nil {
		c.seen = make(map[profile.Observed]struct{})
	}
	c.seen[o] = struct{}{}
	c.observed = append(c.observed, o)
}

// checkNumbers refuses numbers that no 64 bits hold: stored, they would come back as others.
func checkNumbers(field string, v *fastjson.Value) *problem.Problem {
	var fault *problem.Problem
	switch v.Type() {
	case fastjson.TypeNumber:
		if !holdable(string(v.MarshalTo(nil))) {
			return problem.New("out_of_range", "the number is beyond 64 bits").At(field)
		}
	case fastjson.TypeArray:
		for _, item := range v.GetArray() {
			if fault = checkNumbers(field, item); fault != nil {
				return fault
			}
		}
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, item *fastjson.Value) {
			if fault == nil {
				fault = checkNumbers(field, item)
			}
		})
	}
	return fault
}

// holdable reports whether a number that is written as a whole one fits int64, and any other a double.
func holdable(number string) bool {
	if strings.ContainsAny(number, ".eE") {
		_, err := strconv.ParseFloat(number, 64)
		return err == nil
	}
	_, err := strconv.ParseInt(number, 10, 64)
	return err == nil
}

// validName reports whether s may name an attribute, event type or property that nobody declared.
func validName[T string | []byte](name T) bool {
	s := string(name)
	if len(s) == 0 || len(s) > profile.MaxNameBytes || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return false
		}
	}
	return true
}

// validEmail checks the form of an address as far as it can be without sending mail: one @ with something on both sides, and nothing that
// could be taken for a header, a list or a display name. The address is in lower case already.
func validEmail(address string) bool {
	const longest, longestLocal = 254, 64
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at > longestLocal || at == len(address)-1 || len(address) > longest || !utf8.ValidString(address) {
		return false
	}
	for _, r := range address {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune(`<>()[],;:"\`, r) {
			return false
		}
	}
	local, domain := address[:at], address[at+1:]
	return !strings.Contains(local, "@") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".") &&
		!strings.Contains(domain, "..")
}
