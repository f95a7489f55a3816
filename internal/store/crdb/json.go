package crdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// What a JSON value may hold to be stored. What is beyond it the database would refuse with the whole batch, or keep and give back in a
// form that nobody can use.
const (
	maxDepth    = 500  // of nested objects and arrays
	maxDigits   = 1000 // of one number
	maxExponent = 1000 // of one number, either way
)

var (
	errDepth  = errors.New("it is nested too deeply")
	errNumber = errors.New("a number in it is out of range")
	errText   = errors.New("a text in it holds a zero character or is not valid Unicode")
	errJSON   = errors.New("it is not valid JSON")
)

// storable reports why a JSON value cannot be stored.
func storable(raw []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	for n := 0; ; n++ {
		token, err := decoder.ReadToken()
		if err != nil {
			return errJSON
		}
		switch token.Kind() {
		case '{', '[':
			if decoder.StackDepth() > maxDepth {
				return errDepth
			}
		case '"':
			if strings.IndexByte(token.String(), 0) >= 0 {
				return errText
			}
		case '0':
			if !numberFits(token.String()) {
				return errNumber
			}
		}
		if decoder.StackDepth() == 0 { // the value is complete: nothing may follow
			if _, err := decoder.ReadToken(); err == nil || len(bytes.TrimSpace(raw[decoder.InputOffset():])) > 0 {
				return errJSON
			}
			return nil
		}
	}
}

// numberFits reports whether the database's decimal takes the number without growing it to an absurd length.
func numberFits(text string) bool {
	if len(text) > maxDigits {
		return false
	}
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return true
	}
	exponent, err := strconv.Atoi(strings.TrimPrefix(text[i+1:], "+"))
	return err == nil && exponent <= maxExponent && exponent >= -maxExponent
}

// storableText reports whether a text can be kept in a column: the database knows no zero character.
func storableText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// decodeConsent reads consent by channel, as far as it can be read: what another writer put there that is not true or false counts as not
// given.
func decodeConsent(raw []byte) map[string]bool {
	if len(raw) <= len("{}") {
		return nil
	}
	var given map[string]bool
	if err := json.Unmarshal(raw, &given); err != nil {
		for channel, is := range given {
			if !is {
				delete(given, channel) // perhaps only what could not be read
			}
		}
	}
	return given
}

// decodeAttributes reads attributes by top-level name; what is no object counts as an empty one.
func decodeAttributes(raw []byte) map[string]json.RawMessage {
	object := make(map[string]json.RawMessage)
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return make(map[string]json.RawMessage)
	}
	return object
}
