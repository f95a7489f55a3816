package rules

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

const (
	fnVersion = "version"
	fnDays    = "days"
	fnHours   = "hours"
	fnBucket  = "@bucket"

	overloadVersion = "version_string"
	overloadDays    = "days_int"
	overloadHours   = "hours_int"
)

// plainFunctions are the functions that authors call by their own names, and the one behind the bucket macro.
func plainFunctions() []cel.EnvOption {
	options := []cel.EnvOption{
		cel.Function(fnVersion, cel.Overload(overloadVersion, []*types.Type{types.StringType}, versionType, cel.UnaryBinding(versionOf))),
		cel.Function(fnDays, cel.Overload(overloadDays, []*types.Type{types.IntType}, types.DurationType,
			cel.UnaryBinding(spanOf(24*time.Hour)))),
		cel.Function(fnHours, cel.Overload(overloadHours, []*types.Type{types.IntType}, types.DurationType, cel.UnaryBinding(spanOf(time.Hour)))),
		cel.Function(fnBucket, cel.Overload("bucket_string", []*types.Type{userType, types.StringType}, types.IntType,
			cel.BinaryBinding(bucketOf))),
	}
	// The library's comparison operators ask the left value to compare itself; they only have to admit the type.
	for operator, id := range map[string]string{
		operators.Less: "less_version", operators.LessEquals: "less_equals_version",
		operators.Greater: "greater_version", operators.GreaterEquals: "greater_equals_version",
	} {
		options = append(options, cel.Function(operator, cel.Overload(id, []*types.Type{versionType, versionType}, types.BoolType)))
	}
	return options
}

func versionOf(text ref.Val) ref.Val {
	s, ok := text.(types.String)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	v, ok := parseVersion(string(s))
	if !ok {
		return types.WrapErr(&failure{code: ReasonInvalidArgument, detail: fnVersion})
	}
	return &v
}

// spanOf makes a duration of a number of units.
func spanOf(unit time.Duration) func(ref.Val) ref.Val {
	limit := int64(1<<63-1) / int64(unit)
	return func(count ref.Val) ref.Val {
		n, ok := count.(types.Int)
		if !ok {
			return types.WrapErr(errOpaque)
		}
		if int64(n) > limit || int64(n) < -limit {
			return types.WrapErr(errOverflow)
		}
		return types.Duration{Duration: time.Duration(n) * unit}
	}
}

func bucketOf(subject, salt ref.Val) ref.Val {
	user, ok := subject.(*userObject)
	text, okSalt := salt.(types.String)
	if !ok || !okSalt {
		return types.WrapErr(errOpaque)
	}
	key := user.Snapshot.Key
	return types.Int(Bucket(key.Project, string(text), key.User))
}
