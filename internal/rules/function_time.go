package rules

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// zonedSuffix ends the overload ids of the accessors that take a zone.
const zonedSuffix = "_in_zone"

// zonedAccessor is a part of a timestamp in a time zone. The library's own overload of this form loads the zone from disk on every call;
// ours take its place, with the same meaning. Its id is that of the library with "in_zone" for "with_tz".
type zonedAccessor struct {
	function, overload string
	part               func(t time.Time) int
}

var zonedAccessors = []zonedAccessor{
	{"getFullYear", "timestamp_to_year_in_zone", time.Time.Year},
	{"getMonth", "timestamp_to_month_in_zone", func(t time.Time) int { return int(t.Month()) - 1 }},
	{"getDayOfYear", "timestamp_to_day_of_year_in_zone", func(t time.Time) int { return t.YearDay() - 1 }},
	{"getDayOfMonth", "timestamp_to_day_of_month_in_zone", func(t time.Time) int { return t.Day() - 1 }},
	{"getDate", "timestamp_to_day_of_month_1_based_in_zone", time.Time.Day},
	{"getDayOfWeek", "timestamp_to_day_of_week_in_zone", func(t time.Time) int { return int(t.Weekday()) }},
	{"getHours", "timestamp_to_hours_in_zone", time.Time.Hour},
	{"getMinutes", "timestamp_to_minutes_in_zone", time.Time.Minute},
	{"getSeconds", "timestamp_to_seconds_in_zone", time.Time.Second},
	{"getMilliseconds", "timestamp_to_milliseconds_in_zone", func(t time.Time) int { return t.Nanosecond() / int(time.Millisecond) }},
}

func timeFunctions(zones *zones) []cel.EnvOption {
	options := make([]cel.EnvOption, len(zonedAccessors))
	for i, a := range zonedAccessors {
		part := a.part
		options[i] = cel.Function(a.function, cel.MemberOverload(a.overload,
			[]*types.Type{types.TimestampType, types.StringType}, types.IntType,
			cel.BinaryBinding(func(at, zone ref.Val) ref.Val {
				t, ok := at.(types.Timestamp)
				name, okZone := zone.(types.String)
				if !ok || !okZone {
					return types.WrapErr(errOpaque)
				}
				loc, ok := zones.location(string(name))
				if !ok {
					return types.WrapErr(&failure{code: ReasonInvalidArgument, detail: a.function})
				}
				return types.Int(part(t.In(loc)))
			})))
	}
	return options
}

// libraryZoneOverloads are the library's overloads that zonedAccessors stand in for, with their function.
var libraryZoneOverloads = map[string]string{
	overloads.TimestampToYearWithTz:                overloads.TimeGetFullYear,
	overloads.TimestampToMonthWithTz:               overloads.TimeGetMonth,
	overloads.TimestampToDayOfYearWithTz:           overloads.TimeGetDayOfYear,
	overloads.TimestampToDayOfMonthZeroBasedWithTz: overloads.TimeGetDayOfMonth,
	overloads.TimestampToDayOfMonthOneBasedWithTz:  overloads.TimeGetDate,
	overloads.TimestampToDayOfWeekWithTz:           overloads.TimeGetDayOfWeek,
	overloads.TimestampToHoursWithTz:               overloads.TimeGetHours,
	overloads.TimestampToMinutesWithTz:             overloads.TimeGetMinutes,
	overloads.TimestampToSecondsWithTz:             overloads.TimeGetSeconds,
	overloads.TimestampToMillisecondsWithTz:        overloads.TimeGetMilliseconds,
}
