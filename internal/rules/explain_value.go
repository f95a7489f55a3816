package rules

import (
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

const (
	maxShownValue    = 200 // bytes of one value
	maxShownElements = 10  // of a list or map
)

// shown is a value as the rule language writes it, cut to a length that a person reads.
func shown(value ref.Val) string {
	text := literalText(value)
	if len(text) > maxShownValue {
		text = strings.ToValidUTF8(text[:maxShownValue], "") + "…"
	}
	return text
}

func literalText(value ref.Val) string {
	switch v := value.(type) {
	case types.Bool:
		return strconv.FormatBool(bool(v))
	case types.Int:
		return strconv.FormatInt(int64(v), 10)
	case types.Double:
		text := strconv.FormatFloat(float64(v), 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0" // the rule language tells 100.0 from 100
		}
		return text
	case types.String:
		return quoted(string(v))
	case types.Timestamp:
		return "timestamp(" + quoted(v.UTC().Format(time.RFC3339Nano)) + ")"
	case types.Duration:
		return "duration(" + quoted(printed(v.Duration)) + ")"
	case *types.Optional:
		if !v.HasValue() {
			return "none"
		}
		return literalText(v.GetValue())
	case *eventList:
		return strconv.Itoa(len(v.values)) + " events"
	case traits.Mapper:
		return mapText(v)
	case traits.Lister:
		return listText(v)
	}
	return ""
}

func listText(list traits.Lister) string {
	size, _ := list.Size().(types.Int)
	var b strings.Builder
	b.WriteByte('[')
	for i := range min(size, maxShownElements) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(literalText(list.Get(i)))
	}
	if size > maxShownElements {
		b.WriteString(", …")
	}
	b.WriteByte(']')
	return b.String()
}

func mapText(m traits.Mapper) string {
	var entries []string
	for it := m.Iterator(); it.HasNext() == types.True && len(entries) <= maxShownElements; {
		key := it.Next()
		if len(entries) == maxShownElements {
			entries = append(entries, "…")
			break
		}
		entries = append(entries, literalText(key)+": "+literalText(m.Get(key)))
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

// quoted writes a string as a literal in single quotes, as authors do.
func quoted(s string) string {
	inner := strconv.Quote(s)
	inner = strings.ReplaceAll(inner[1:len(inner)-1], `\"`, `"`)
	return "'" + strings.ReplaceAll(inner, "'", `\'`) + "'"
}
