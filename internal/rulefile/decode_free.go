package rulefile

import (
	"encoding/json"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"
)

// json is a value of any form as JSON. A time without quotes is the text that it is written as.
func (d *decoder) json(node *yaml.Node) (json.RawMessage, bool) {
	before := len(d.faults)
	value := d.free(node)
	if len(d.faults) > before {
		return nil, false
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		d.wrong(node, "a value that JSON can hold")
		return nil, false
	}
	return encoded, true
}

func (d *decoder) free(node *yaml.Node) any {
	if node = d.resolve(node); node == nil {
		return nil
	}
	switch node.Kind {
	case yaml.SequenceNode:
		out := make([]any, len(node.Content))
		for i, item := range node.Content {
			out[i] = d.free(item)
		}
		return out
	case yaml.MappingNode:
		out := make(map[string]any, len(node.Content)/2)
		d.members(node, func(key, value *yaml.Node) { out[key.Value] = d.free(value) })
		return out
	}
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return json.Number(node.Value) // as many digits as were written
		}
		var number float64
		if err := node.Decode(&number); err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
			d.wrong(node, "a number that JSON can hold")
		}
		return number
	}
	return node.Value
}
