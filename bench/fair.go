package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// typical is the engine's answer of median length to the requests: a floor that answered a shorter one would look faster than it is, and the engine slower.
func typical(engine *child, requests [][]byte) (*fixed, error) {
	var all []fixed
	for i, request := range requests {
		status, header, body, err := once(engine.hello.Listen, request)
		if err != nil || status != 200 {
			return nil, errors.Join(fmt.Errorf("request %d: %d %s", i, status, body), err)
		}
		all = append(all, fixed{Header: header, Body: body})
	}
	slices.SortFunc(all, func(a, b fixed) int { return cmp.Compare(len(a.Body), len(b.Body)) })
	return &all[len(all)/2], nil
}

// equals holds a floor's answer to the request against the bytes that it should be: the same body, and the same fields of the same lengths, that of Date included.
func (f *fixed) equals(floor *child, request []byte) error {
	status, header, body, err := once(floor.hello.Listen, request)
	if err != nil || status != 200 {
		return errors.Join(fmt.Errorf("the floor answers %d %s", status, body), err)
	}
	if !bytes.Equal(body, f.Body) || len(header) != len(f.Header) || shape(header) != shape(f.Header) {
		return fmt.Errorf("a floor answers other bytes than the engine:\n%s%s\n%s%s", header, body, f.Header, f.Body)
	}
	return nil
}

// shape is the fields of a header with their lengths, in order of name.
func shape(header []byte) string {
	var lines []string
	for line := range strings.Lines(string(header)) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		lines = append(lines, fmt.Sprintf("%s %d", strings.ToLower(name), len(strings.TrimSpace(value))))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// floorFor starts a floor of the role that answers the same bytes, and sees that it does.
func floorFor(role string, answer *fixed, request []byte) (*child, error) {
	floor, err := spawn(role, answer)
	if err != nil {
		return nil, err
	}
	if err := answer.equals(floor, request); err != nil {
		floor.end()
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return floor, nil
}
