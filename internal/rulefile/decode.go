package rulefile

import (
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"go.yaml.in/yaml/v3"
)

// maxVisits bounds what one file can make the decoder do: aliases repeat what they name.
const maxVisits = 200_000

// decoder fills Go values from YAML by their JSON names, as strictly as the API reads JSON: every name known, in its exact case and once,
// every value of its type. It goes on after a fault, so that an author sees all of them.
type decoder struct {
	file   *File
	faults []Fault
	visits int
}

// decode fills into, a pointer, from the node.
func (f *File) decode(node *yaml.Node, into any) []Fault {
	d := &decoder{file: f}
	d.value(node, reflect.ValueOf(into).Elem())
	return d.faults
}

func (d *decoder) fault(node *yaml.Node, code, format string, args ...any) {
	d.faults = append(d.faults, d.file.fault(node, code, format, args...))
}

func (d *decoder) wrong(node *yaml.Node, want string) {
	d.fault(node, codeType, "want %s, got %s", want, kindOf(node))
}

var (
	rawType      = reflect.TypeFor[json.RawMessage]()
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[rules.Duration]()
	typeType     = reflect.TypeFor[profile.Type]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (d *decoder) value(node *yaml.Node, v reflect.Value) {
	if node = d.resolve(node); node == nil {
		return
	}
	switch t := v.Type(); {
	case t == rawType:
		if raw, ok := d.json(node); ok {
			v.SetBytes(raw)
		}
	case t == timeType:
		at, err := time.Parse(time.RFC3339Nano, node.Value)
		if node.Kind != yaml.ScalarNode || err != nil {
			d.wrong(node, "a time such as 2026-06-15T12:00:00Z")
			return
		}
		v.Set(reflect.ValueOf(at))
	case reflect.PointerTo(t).Implements(textType):
		d.text(node, v)
	case v.Kind() == reflect.Pointer:
		if !null(node) {
			v.Set(reflect.New(t.Elem()))
			d.value(node, v.Elem())
		}
	case v.Kind() == reflect.Struct:
		d.object(node, v)
	case v.Kind() == reflect.Slice:
		d.list(node, v)
	case v.Kind() == reflect.Map:
		d.dict(node, v)
	default:
		d.scalar(node, v)
	}
}

// resolve follows an alias; nil when the file has used up what it may ask for.
func (d *decoder) resolve(node *yaml.Node) *yaml.Node {
	if d.visits++; d.visits > maxVisits {
		if d.visits == maxVisits+1 {
			d.fault(node, codeTooLarge, "the file says too much: at most %d values, those behind aliases included", maxVisits)
		}
		return nil
	}
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func (d *decoder) text(node *yaml.Node, v reflect.Value) {
	into, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	if !ok || node.Kind != yaml.ScalarNode || null(node) {
		d.wrong(node, wordFor(v.Type()))
		return
	}
	if err := into.UnmarshalText([]byte(node.Value)); err != nil {
		if v.Type() == typeType {
			d.fault(node, codeType, "%v", err)
			return
		}
		d.wrong(node, wordFor(v.Type()))
	}
}

func wordFor(t reflect.Type) string {
	switch t {
	case durationType:
		return "a duration such as 168h or 1h30m"
	case typeType:
		return "a type such as string or list<string>"
	}
	return "a value"
}

// fields are the members of a struct by their JSON names, in order.
func fields(t reflect.Type) (names []string, index map[string][]int) {
	index = make(map[string][]int)
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || !field.IsExported() || name == "" || name == "-" {
			continue
		}
		names = append(names, name)
		index[name] = field.Index
	}
	return names, index
}

func (d *decoder) object(node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		d.wrong(node, "keys and values")
		return
	}
	names, index := fields(v.Type())
	d.members(node, func(key, value *yaml.Node) {
		at, known := index[key.Value]
		if !known {
			d.faults = append(d.faults, d.file.unknownKey(key, names))
			return
		}
		if !null(value) {
			d.value(value, v.FieldByIndex(at))
		}
	})
}

func (f *File) unknownKey(key *yaml.Node, names []string) Fault {
	fault := f.fault(key, codeKey, "there is no key %q here", clip(key.Value))
	if name, ok := rules.Nearest(key.Value, names); ok {
		fault.Suggestion = "did you mean " + name + "?"
	} else {
		fault.Suggestion = "the keys are " + strings.Join(names, ", ")
	}
	return fault
}

// members calls each with the keys and values of a mapping, repeated keys left out.
func (d *decoder) members(node *yaml.Node, each func(key, value *yaml.Node)) {
	seen := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			d.fault(key, codeType, "a key is a word; << and the like are not used here")
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.fault(key, codeDuplicate, "%q stands here for the second time, after line %d", clip(key.Value), line)
			continue
		}
		seen[key.Value] = key.Line
		each(key, value)
	}
}

func (d *decoder) list(node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.wrong(node, "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		d.value(item, out.Index(i))
	}
	v.Set(out)
}

// dict fills a map by strings or whole numbers.
func (d *decoder) dict(node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		d.wrong(node, "keys and values")
		return
	}
	t := v.Type()
	out := reflect.MakeMap(t)
	d.members(node, func(key, value *yaml.Node) {
		k, item := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		d.scalar(key, k)
		if !null(value) || item.Type() == rawType { // nothing is a value of JSON, and elsewhere the absence of one
			d.value(value, item)
		}
		out.SetMapIndex(k, item)
	})
	v.Set(out)
}

func (d *decoder) scalar(node *yaml.Node, v reflect.Value) {
	tag := node.ShortTag()
	if node.Kind != yaml.ScalarNode {
		tag = ""
	}
	switch v.Kind() {
	case reflect.String:
		// A rule may be just the word true, and a version may look like a number: text is what was written.
		if !slices.Contains([]string{"!!str", "!!bool", "!!int", "!!float", "!!timestamp"}, tag) {
			d.wrong(node, "text")
			return
		}
		v.SetString(node.Value)
	case reflect.Bool:
		if tag != "!!bool" {
			d.wrong(node, "true or false")
			return
		}
		v.SetBool(strings.EqualFold(node.Value, "true"))
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(node.Value, 10, 64)
		if tag != "!!int" || err != nil || v.OverflowInt(n) {
			d.wrong(node, "a whole number")
			return
		}
		v.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(node.Value, 64)
		if tag != "!!int" && tag != "!!float" || err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			d.wrong(node, "a number")
			return
		}
		v.SetFloat(x)
	default:
		panic("rulefile: a type that no file has: " + v.Type().String())
	}
}

func null(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	if null(node) {
		return "nothing"
	}
	return strconv.Quote(clip(node.Value))
}

// clip keeps what is echoed short.
func clip(s string) string {
	const most = 40
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
