package rules

import (
	"cmp"
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// version is an app version: up to four numbers and an optional pre-release. 5.2 equals 5.2.0, and 5.2.0-beta.2 comes before 5.2.0. What
// follows a + does not count. Two versions are equal exactly when they compare as equal.
type version struct {
	numbers [4]uint32
	pre     string // "" sorts after every pre-release
}

// parseVersion reads a version. A leading v is allowed.
func parseVersion(text string) (version, bool) {
	var v version
	text = strings.TrimPrefix(text, "v")
	text, _, _ = strings.Cut(text, "+")
	text, pre, hasPre := strings.Cut(text, "-")
	if hasPre && !validPreRelease(pre) {
		return v, false
	}
	v.pre = pre
	for i := 0; ; i++ {
		part, rest, more := strings.Cut(text, ".")
		n, ok := parseNumber(part)
		if !ok || i == len(v.numbers) {
			return v, false
		}
		v.numbers[i] = n
		if !more {
			return v, true
		}
		text = rest
	}
}

// parseNumber reads 1 to 9 digits.
func parseNumber(text string) (uint32, bool) {
	if len(text) == 0 || len(text) > 9 {
		return 0, false
	}
	var n uint32
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		n = n*10 + uint32(digit)
	}
	return n, true
}

func validPreRelease(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			c := part[i]
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

// compare orders as Semantic Versioning 2.0.0 does, section 11.
func (v version) compare(w version) int {
	for i := range v.numbers {
		if c := cmp.Compare(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	a, b := v.pre, w.pre
	for {
		partA, restA, moreA := strings.Cut(a, ".")
		partB, restB, moreB := strings.Cut(b, ".")
		if c := comparePreRelease(partA, partB); c != 0 {
			return c
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
		}
		a, b = restA, restB
	}
}

// comparePreRelease orders numbers by value and before words.
func comparePreRelease(a, b string) int {
	numericA, numericB := digits(a), digits(b)
	switch {
	case numericA && numericB:
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case numericA:
		return -1
	case numericB:
		return 1
	}
	return cmp.Compare(a, b)
}

func digits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// versionType is the type of the language for versions. At run time versionRuntimeType stands in for it, because an opaque type of the
// library cannot say that its values have an order.
var versionType = types.NewOpaqueType(versionTypeName)

const versionTypeName = "version"

type versionRuntimeType struct{}

func (versionRuntimeType) HasTrait(trait int) bool { return trait&traits.ComparerType == trait }
func (versionRuntimeType) TypeName() string        { return versionTypeName }

var (
	_ ref.Val         = (*version)(nil)
	_ traits.Comparer = (*version)(nil)
)

// Compare orders two versions for the interpreter.
func (v *version) Compare(other ref.Val) ref.Val {
	w, ok := other.(*version)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	return types.Int(v.compare(*w))
}

// Equal reports whether the versions compare as equal.
func (v *version) Equal(other ref.Val) ref.Val {
	w, ok := other.(*version)
	return types.Bool(ok && v.compare(*w) == 0)
}

// ConvertToNative is not needed by anything a rule can do.
func (*version) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }

// ConvertToType is not needed by anything a rule can do.
func (*version) ConvertToType(ref.Type) ref.Val { return types.WrapErr(errOpaque) }

// Type is the run-time type.
func (*version) Type() ref.Type { return versionRuntimeType{} }

// Value is the version itself.
func (v *version) Value() any { return v }
