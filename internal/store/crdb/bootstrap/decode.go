package bootstrap

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of a document.
const (
	maxDocumentBytes = 1 << 20
	maxNodes         = 50_000 // visited, those behind aliases included
)

// Fault is something wrong with a document, at a place in it.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Error is the fault with its place, as editors and terminals understand it.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// decoder fills a document from YAML: every key known, in its exact case and once, every value of its kind. It goes on after a fault, so
// that all are seen.
type decoder struct {
	file   string
	faults []error
	visits int
	places map[string]*yaml.Node // by path
}

func (d *decoder) fault(node *yaml.Node, format string, args ...any) {
	d.faults = append(d.faults, &Fault{d.file, max(node.Line, 1), max(node.Column, 1), fmt.Sprintf(format, args...)})
}

// at is a fault at what stands at path, or at the last thing on the way that is there.
func (d *decoder) at(path, format string, args ...any) {
	for {
		if node, ok := d.places[path]; ok {
			d.fault(node, format, args...)
			return
		}
		if path == "" {
			d.fault(&yaml.Node{}, format, args...)
			return
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// Read decodes and checks a document; name is what faults call it. The error joins every *Fault.
func Read(name string, in io.Reader) (*Document, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxDocumentBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxDocumentBytes)
	}
	d := &decoder{file: name, places: make(map[string]*yaml.Node)}
	doc := new(Document)
	var root yaml.Node
	parser := yaml.NewDecoder(bytes.NewReader(data))
	switch err := parser.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, &Fault{name, 1, 1, "the file is empty; begin with version: 1"}
	case err != nil:
		return nil, fmt.Errorf("%s: this is not YAML: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	d.value("", root.Content[0], reflect.ValueOf(doc).Elem())
	if err := parser.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.fault(&root, "the file holds one document, without --- between parts")
	}
	if len(d.faults) == 0 {
		d.check(doc)
	}
	if len(d.faults) > 0 {
		return nil, errors.Join(d.faults...)
	}
	return doc, nil
}

func (d *decoder) value(path string, node *yaml.Node, v reflect.Value) {
	if d.visits++; d.visits > maxNodes {
		if d.visits == maxNodes+1 {
			d.fault(node, "the file says too much: at most %d values", maxNodes)
		}
		return
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.places[path] = node
	switch {
	case v.CanAddr() && v.Addr().Type().Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		d.text(node, v)
	case v.Kind() == reflect.Struct:
		d.object(path, node, v)
	case v.Kind() == reflect.Slice:
		d.list(path, node, v)
	case v.Kind() == reflect.Map:
		d.dict(path, node, v)
	default:
		d.scalar(node, v)
	}
}

func (d *decoder) text(node *yaml.Node, v reflect.Value) {
	into, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	if !ok || node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		d.fault(node, "one value is wanted here")
		return
	}
	if err := into.UnmarshalText([]byte(node.Value)); err != nil {
		d.fault(node, "%.60q: %v", node.Value, err)
	}
}

func (d *decoder) object(path string, node *yaml.Node, v reflect.Value) {
	var names []string
	index := make(map[string]int)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("json"); name != "" {
			names, index[name] = append(names, name), i
		}
	}
	d.members(node, func(key, value *yaml.Node) {
		at, known := index[key.Value]
		switch {
		case !known:
			d.fault(key, "there is no key %.60q here; the keys are %s", key.Value, strings.Join(names, ", "))
		case value.ShortTag() == "!!null":
			d.fault(value, "%q has no value: leave the line out, or give one", key.Value)
		default:
			d.value(join(path, key.Value), value, v.Field(at))
		}
	})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// members calls each with the keys and values of a mapping, repeated keys left out.
func (d *decoder) members(node *yaml.Node, each func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.fault(node, "keys and values are wanted here")
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			d.fault(key, "a key is a word; << and the like are not used here")
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.fault(key, "%.60q stands here for the second time, after line %d", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		each(key, value)
	}
}

func (d *decoder) list(path string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.fault(node, "a list is wanted here")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		d.value(path+"["+strconv.Itoa(i)+"]", item, out.Index(i))
	}
	v.Set(out)
}

func (d *decoder) dict(path string, node *yaml.Node, v reflect.Value) {
	out := reflect.MakeMap(v.Type())
	d.members(node, func(key, value *yaml.Node) {
		into := reflect.New(v.Type().Elem()).Elem()
		d.value(join(path, key.Value), value, into)
		out.SetMapIndex(reflect.ValueOf(key.Value), into)
	})
	v.Set(out)
}

func (d *decoder) scalar(node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		d.fault(node, "one value is wanted here")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(node.Value)
	case reflect.Int:
		n, err := strconv.ParseInt(node.Value, 10, 32)
		if err != nil {
			d.fault(node, "%.60q is no whole number", node.Value)
			return
		}
		v.SetInt(n)
	default:
		panic("no such kind in a document: " + v.Kind().String())
	}
}
