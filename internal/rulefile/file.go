package rulefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"eligibility/internal/rules"

	"go.yaml.in/yaml/v3"
)

// Limits of one file.
const (
	maxFileBytes = 1 << 20
	maxDocuments = 10_000
)

// File is one YAML file with its text, which the places of faults are found in.
type File struct {
	Path      string
	lines     []string
	documents []*yaml.Node // what stands in each document; empty ones are left out
}

// readFile parses a file. The error is one of input and output; what is wrong with the text is a fault.
func readFile(path, shown string) (*File, []Fault, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer opened.Close()
	data, err := io.ReadAll(io.LimitReader(opened, maxFileBytes+1))
	if err != nil {
		return nil, nil, err
	}
	file := &File{Path: shown}
	if len(data) > maxFileBytes {
		return file, []Fault{file.faultAt(1, 1, codeTooLarge, "a file has at most %d bytes", maxFileBytes)}, nil
	}
	return file, file.parse(data), nil
}

// parse splits the text into lines and documents.
func (f *File) parse(data []byte) []Fault {
	f.lines = strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if !utf8.Valid(data) {
		return []Fault{f.faultAt(1, 1, codeSyntax, "the file is not valid UTF-8")}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return []Fault{f.syntax(err)}
		}
		if len(f.documents) == maxDocuments {
			return []Fault{f.faultAt(1, 1, codeTooLarge, "a file has at most %d documents", maxDocuments)}
		}
		if root := document.Content[0]; root.Kind != yaml.ScalarNode || root.ShortTag() != "!!null" {
			f.documents = append(f.documents, root)
		}
	}
}

// syntax finds the line in what the library says, which it gives in no other form.
func (f *File) syntax(err error) Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, found := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil && found {
			line, text = min(max(n, 1), len(f.lines)), message
		}
	}
	column := len(f.line(line)) - len(strings.TrimLeft(f.line(line), " ")) + 1
	return f.faultAt(line, column, codeSyntax, "this is not YAML: %s", text)
}

func (f *File) line(number int) string {
	if number < 1 || number > len(f.lines) {
		return ""
	}
	return f.lines[number-1]
}

func (f *File) faultAt(line, column int, code, format string, args ...any) Fault {
	return Fault{
		File: f.Path, Line: line, Column: column, Severity: rules.SeverityError, Code: code, Message: fmt.Sprintf(format, args...), text: f.line(line),
	}
}

// fault is an error at what node says.
func (f *File) fault(node *yaml.Node, code, format string, args ...any) Fault {
	fault := f.faultAt(node.Line, node.Column, code, format, args...)
	if node.Kind == yaml.ScalarNode && !strings.Contains(node.Value, "\n") && node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		fault.Length = utf8.RuneCountInString(node.Value)
		if node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			fault.Length += 2
		}
	}
	return fault
}

// Fault is an error at the value that the steps lead to from a document's root, or at the last one that is there.
func (f *File) Fault(root *yaml.Node, steps []string, code, format string, args ...any) Fault {
	return f.fault(find(root, steps), code, format, args...)
}

// find goes from node by keys and indexes as far as there is something.
func find(node *yaml.Node, steps []string) *yaml.Node {
	for _, step := range steps {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		next := (*yaml.Node)(nil)
		switch node.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(node.Content); i += 2 {
				if node.Content[i].Value == step {
					next = node.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
				next = node.Content[i]
			}
		}
		if next == nil {
			return node
		}
		node = next
	}
	return node
}

// stepsOf splits "placements[0].priority" into its names and indexes.
func stepsOf(field string) []string {
	return strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
