package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// maxConfigBytes bounds a configuration file.
const maxConfigBytes = 1 << 20

// fileValues gives flags the values of the file that --config names, unless the command line or the environment has set them. A key that is
// no flag of the verb is an error: a typing slip must not leave a default in force.
type fileValues struct {
	loaded bool
	path   string
	values map[string]fileValue
	err    error
	handed []string // keys whose values the parser was given, and whose faults it reports
}

type fileValue struct {
	text string
	line int
}

// configError is a fault of the file itself.
type configError struct{ error }

// Unwrap lets errors.Is see the cause.
func (e configError) Unwrap() error { return e.error }

// Validate is called by the parser; everything is checked when the file is read.
func (f *fileValues) Validate(*kong.Application) error { return nil }

// Resolve is called by the parser for each flag that the command line does not set.
func (f *fileValues) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	selected := ctx.Selected()
	if selected == nil {
		return nil, nil
	}
	if !f.loaded {
		f.loaded = true
		f.err = f.load(ctx, selected)
	}
	if f.err != nil {
		return nil, configError{f.err}
	}
	value, ok := f.values[flag.Name]
	if !ok || slices.ContainsFunc(flag.Tag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set }) {
		return nil, nil
	}
	f.handed = append(f.handed, flag.Name)
	return value.text, nil
}

// load reads the file if the verb takes one and one is named.
func (f *fileValues) load(ctx *kong.Context, selected *kong.Node) error {
	known := make([]string, 0, 32)
	for _, group := range selected.AllFlags(false) {
		for _, flag := range group {
			if flag.Name == "config" {
				f.path, _ = ctx.FlagValue(flag).(string)
			} else if flag.Name != "help" {
				known = append(known, flag.Name)
			}
		}
	}
	if f.path == "" {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxConfigBytes {
		return fmt.Errorf("%s: a configuration file has at most %d bytes", f.path, maxConfigBytes)
	}
	f.values, err = parseConfig(f.path, data, known)
	return err
}

// parseConfig reads a flat YAML mapping from flag names to scalars or lists of scalars. It reports all faults, joined.
func parseConfig(path string, data []byte, known []string) (map[string]fileValue, error) {
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil // empty, or comments alone
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want keys and values, like \"listen: 127.0.0.1:8080\"", path, root.Line)
	}
	values := make(map[string]fileValue)
	var faults []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("%s:%d: "+format, append([]any{path, key.Line}, args...)...))
		}
		if !slices.Contains(known, key.Value) {
			fault("unknown key %q%s", key.Value, suggestion(key.Value, known))
			continue
		}
		if first, twice := values[key.Value]; twice {
			fault("%q stands here for the second time, after line %d", key.Value, first.line)
			continue
		}
		text, ok := scalarText(value)
		if !ok {
			fault("%q takes one value, or a list of them", key.Value)
			continue
		}
		values[key.Value] = fileValue{text: text, line: key.Line}
	}
	return values, errors.Join(faults...)
}

// scalarText is a scalar as written, or the elements of a list with commas between them, as a flag takes it.
func scalarText(n *yaml.Node) (string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, n.Tag != "!!null"
	case yaml.SequenceNode:
		items := make([]string, len(n.Content))
		for i, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", false
			}
			items[i] = item.Value
		}
		return strings.Join(items, ","), true
	}
	return "", false
}

// place puts the file and line before an error that a value of the file has caused, and takes the parser's words off one of the file
// itself.
func (f *fileValues) place(err error) error {
	var own configError
	if errors.As(err, &own) {
		return own.error
	}
	for _, key := range f.handed {
		text := err.Error()
		if strings.HasPrefix(text, "--"+key+":") || strings.HasPrefix(text, "--"+key+" ") || strings.HasPrefix(text, "--"+key+"=") {
			return fmt.Errorf("%s:%d: %w", f.path, f.values[key].line, err)
		}
	}
	return err
}
