package rulefile

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is a position in a file, both counted from 1.
type place struct{ line, column int }

// places says for every code point of a scalar's value where in the file it stands. YAML quotes, escapes, indents and folds; the value is
// read again from the text in step with what the parser made of it. ok is false when the two disagree, which a form of YAML that is not
// foreseen here would give: then only where the scalar begins is known.
func (f *File) places(node *yaml.Node) (at []place, ok bool) {
	w := &walker{file: f, line: node.Line, column: node.Column, rest: []rune(node.Value), block: node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0}
	w.load()
	w.skipProperties()
	switch {
	case w.block:
		ok = w.readBlock(node.Style&yaml.FoldedStyle != 0)
	case node.Style&yaml.SingleQuotedStyle != 0:
		w.column++
		ok = w.readFlow(single)
	case node.Style&yaml.DoubleQuotedStyle != 0:
		w.column++
		ok = w.readFlow(double)
	default:
		ok = w.readFlow(plain)
	}
	return w.at, ok
}

// quoting is how a scalar in flow style is written.
type quoting int

const (
	plain quoting = iota
	single
	double
)

// walker goes through the text in step with the value.
type walker struct {
	file         *File
	line, column int    // of the next character
	text         []rune // of the line
	rest         []rune // of the value
	at           []place
	block        bool
}

func (w *walker) load() { w.text = []rune(w.file.line(w.line)) }

// next is the character at the place, 0 at the end of the line.
func (w *walker) next() rune {
	if w.column-1 < len(w.text) {
		return w.text[w.column-1]
	}
	return 0
}

// take notes that the next code point of the value stands at the place, length characters long.
func (w *walker) take(want rune, length int) bool {
	if len(w.rest) == 0 || w.rest[0] != want {
		return false
	}
	w.at, w.rest = append(w.at, place{w.line, w.column}), w.rest[1:]
	w.column += length
	return true
}

// skipProperties passes an anchor and a tag before the scalar.
func (w *walker) skipProperties() {
	for w.next() == '&' || w.next() == '!' {
		for w.next() != 0 && w.next() != ' ' {
			w.column++
		}
		for w.next() == ' ' {
			w.column++
		}
	}
}

// blank reports whether nothing but blanks follows on the line.
func (w *walker) blank() bool {
	return w.column-1 >= len(w.text) || strings.TrimSpace(string(w.text[w.column-1:])) == ""
}

func (w *walker) readFlow(q quoting) bool {
	for len(w.rest) > 0 {
		if w.blank() {
			if !w.fold() {
				return false
			}
			continue
		}
		c, length := w.next(), 1
		switch {
		case q == single && c == '\'':
			length = 2
		case q == double && c == '\\':
			if w.column == len(w.text) { // a line that goes on
				if w.down(); w.line > len(w.file.lines) {
					return false
				}
				continue
			}
			if c, length = w.escape(); length == 0 {
				return false
			}
		}
		if !w.take(c, length) {
			return false
		}
	}
	return true
}

// down goes to the first character of the next line that has one and says how many lines that is.
func (w *walker) down() (lines int) {
	for w.line <= len(w.file.lines) {
		w.line, w.column = w.line+1, 1
		lines++
		w.load()
		if !w.blank() {
			break
		}
	}
	for w.next() == ' ' || w.next() == '\t' {
		w.column++
	}
	return lines
}

// fold is a line break in a flow scalar: one is a blank, each further one a line break.
func (w *walker) fold() bool {
	if w.line > len(w.file.lines) {
		return false // the value says more than the file
	}
	end := place{w.line, w.column}
	breaks := w.down() - 1
	if breaks == 0 {
		return w.stand(end, ' ')
	}
	for range breaks {
		if !w.stand(end, '\n') {
			return false
		}
	}
	return true
}

// stand notes a code point that has no character of its own in the text.
func (w *walker) stand(at place, want rune) bool {
	if len(w.rest) == 0 || w.rest[0] != want {
		return false
	}
	w.at, w.rest = append(w.at, at), w.rest[1:]
	return true
}

// escapes are YAML's one-letter escapes.
const escapes = "0\x00a\ab\bt\tn\nv\vf\fr\re\x1b \x20\"\"//\\\\N\u0085_\u00a0L\u2028P\u2029"

// escape reads an escape of a double-quoted scalar: what it stands for and how long it is, 0 when it is none.
func (w *walker) escape() (c rune, length int) {
	letter := w.text[w.column]
	if digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[letter]; digits > 0 && w.column+1+digits <= len(w.text) {
		n, err := strconv.ParseUint(string(w.text[w.column+1:w.column+1+digits]), 16, 32)
		if err != nil {
			return 0, 0
		}
		return rune(n), 2 + digits
	}
	pairs := []rune(escapes)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == letter {
			return pairs[i+1], 2
		}
	}
	return 0, 0
}

// readBlock reads the lines below a | or > header. They are indented as the first of them that has text; a header with a number allows the
// first one to be indented further, which the value itself then tells.
func (w *walker) readBlock(folded bool) bool {
	header := string(w.text[min(w.column-1, len(w.text)):])
	for w.line++; w.line <= len(w.file.lines); w.line++ {
		if w.load(); strings.TrimSpace(string(w.text)) != "" {
			break
		}
		if !w.stand(place{w.line, 1}, '\n') {
			return len(w.rest) == 0
		}
	}
	indent := len(w.text) - len([]rune(strings.TrimLeft(string(w.text), " ")))
	if strings.ContainsAny(header, "123456789") {
		kept := len(w.rest) - len([]rune(strings.TrimLeft(string(w.rest), " ")))
		indent -= min(kept, indent)
	}
	for len(w.rest) > 0 {
		for w.column = indent + 1; w.column-1 < len(w.text); {
			if !w.take(w.next(), 1) {
				return false
			}
		}
		if !w.endOfLine(folded) {
			return false
		}
	}
	return true
}

// endOfLine goes to the next line of a block. In a folded one a single break between lines of text is a blank, and of several the first is
// left out; around lines that are indented further all stay.
func (w *walker) endOfLine(folded bool) bool {
	end, breaks := place{w.line, len(w.text) + 1}, 0
	for w.line <= len(w.file.lines) {
		w.line++
		breaks++
		if w.load(); strings.TrimSpace(string(w.text)) != "" {
			break
		}
	}
	if len(w.rest) == 0 {
		return true
	}
	if folded && breaks == 1 && w.rest[0] == ' ' {
		return w.stand(end, ' ')
	}
	for range breaks {
		if len(w.rest) == 0 || w.rest[0] != '\n' {
			break
		}
		w.stand(end, '\n')
	}
	return len(w.rest) == 0 || w.line <= len(w.file.lines)
}
