package strictjson

import (
	"bytes"
	"errors"
	"io"

	"eligibility/internal/problem"

	"github.com/go-json-experiment/json/jsontext"
)

// Items cuts a JSON array of 1 to most items into them. Each is one valid JSON value and a part of data. It stops at the
// first item too many, so that what a list costs does not depend on how long it is. The error is always a
// *problem.Problem.
func Items(data []byte, most int) ([][]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, problem.New("empty_body", "send a JSON array")
	}
	if err := checkDepth(data); err != nil {
		return nil, err
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	if kind := dec.PeekKind(); kind != '[' && kind != 0 {
		return nil, problem.New("invalid_json_type", "want a JSON array, got %s", kindName(kind))
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, Explain(err)
	}
	var items [][]byte
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, Explain(err)
		}
		if len(items) == most {
			return nil, problem.New("too_many_items", "send at most %d items", most)
		}
		end := int(dec.InputOffset())
		items = append(items, data[end-len(value):end:end])
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, Explain(err)
	}
	switch _, err := dec.ReadToken(); {
	case err == nil:
		return nil, problem.New("invalid_json", "the body goes on behind the array")
	case !errors.Is(err, io.EOF):
		return nil, Explain(err)
	case len(items) == 0:
		return nil, problem.New("out_of_range", "send at least one item")
	}
	return items, nil
}
