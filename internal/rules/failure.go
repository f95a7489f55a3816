package rules

import (
	"errors"
	"strings"
)

// failure is why an evaluation failed, with the stable code for it. Those that belong to a field are made once, with the field.
type failure struct {
	code   Reason
	detail string // what is missing or wrong, as the author writes it: "user.country"
}

func (f *failure) Error() string {
	if f.detail == "" {
		return string(f.code)
	}
	return string(f.code) + ": " + f.detail
}

// Failures without a detail of their own.
var (
	errOverflow = &failure{code: ReasonOverflow}
)

func missing(path string) *failure { return &failure{code: ReasonMissingAttribute, detail: path} }
func invalid(path string) *failure { return &failure{code: ReasonAttributeInvalid, detail: path} }

// interpreterFailures are the texts of errors that the interpreter itself gives, which exports neither their values nor codes. A test
// evaluates a rule for each, so that a new version of the library cannot change them unseen.
var interpreterFailures = []struct {
	prefix string
	code   Reason
}{
	{"no such key", ReasonMissingKey},
	{"index out of bounds", ReasonMissingKey},
	{"optional.none() dereference", ReasonMissingKey},
	{"division by zero", ReasonDivisionByZero},
	{"modulus by zero", ReasonDivisionByZero},
	{"integer overflow", ReasonOverflow},
	{"unsigned integer overflow", ReasonOverflow},
	{"duration overflow", ReasonOverflow},
	{"timestamp overflow", ReasonOverflow},
	{"range error", ReasonOverflow},
	{"type conversion error", ReasonInvalidArgument},
	{"invalid", ReasonInvalidArgument},
	{"strconv.", ReasonInvalidArgument},
	{"time: ", ReasonInvalidArgument},
	{"parsing time", ReasonInvalidArgument},
}

// classify turns what an evaluation returned as an error into its stable code and, when there is one, the attribute or key at fault.
func classify(err error) (code Reason, detail string) {
	var own *failure
	if errors.As(err, &own) {
		return own.code, own.detail
	}
	text := err.Error()
	for _, known := range interpreterFailures {
		if strings.HasPrefix(text, known.prefix) {
			if key, ok := strings.CutPrefix(text, "no such key: "); ok {
				return known.code, key
			}
			return known.code, ""
		}
	}
	return ReasonRuleError, ""
}
