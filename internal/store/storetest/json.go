package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// canonical is a JSON value without white space, its names in order, its strings in one spelling and its numbers as exact fractions: a store may print 1e-3 as
// 0.001, but must not round it.
func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	value, err := exactNumbers(raw)
	if err == nil {
		err = value.Format(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false), jsontext.ReorderRawObjects(true),
			jsontext.PreserveRawStrings(false))
	}
	if err != nil {
		t.Fatalf("not JSON: %q: %v", raw, err)
	}
	return string(value)
}

// exactNumbers replaces every number by a text: the reduced fraction that it stands for.
func exactNumbers(raw []byte) (jsontext.Value, error) {
	var out bytes.Buffer
	in, to := jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(raw))), jsontext.NewEncoder(&out)
	for {
		token, err := in.ReadToken()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		if token.Kind() == '0' {
			number, ok := new(big.Rat).SetString(token.String())
			if !ok {
				return nil, errors.New("a number that is none")
			}
			token = jsontext.String("number " + number.RatString())
		}
		if err := to.WriteToken(token); err != nil {
			return nil, err
		}
	}
}

func canonicalOrNone(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if len(raw) == 0 || string(raw) == "{}" {
		return "none"
	}
	return canonical(t, raw)
}
