package storetest

import (
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// canonical is a JSON value without white space, its names in order and its strings in one spelling. Numbers keep their digits.
func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	value := jsontext.Value(append([]byte(nil), raw...))
	err := value.Format(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false), jsontext.ReorderRawObjects(true),
		jsontext.PreserveRawStrings(false))
	if err != nil {
		t.Fatalf("not JSON: %q: %v", raw, err)
	}
	return string(value)
}

func canonicalOrNone(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if len(raw) == 0 || string(raw) == "{}" {
		return "none"
	}
	return canonical(t, raw)
}
