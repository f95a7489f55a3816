package precheck

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"eligibility/internal/rules"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendLine appends a line as every surface answers it.
func AppendLine(dst []byte, line *Line) []byte {
	dst = append(dst, `{"userId":`...)
	dst = appendText(dst, line.UserID)
	if line.Fault != "" {
		dst = append(dst, `,"error":{"code":`...)
		dst = appendText(dst, line.Fault)
		if line.Number > 0 {
			dst = append(dst, `,"line":`...)
			dst = strconv.AppendInt(dst, line.Number, 10)
		}
		return append(dst, "}}\n"...)
	}
	dst = append(dst, `,"eligible":`...)
	dst = strconv.AppendBool(dst, line.Eligible)
	dst = append(dst, `,"reason":`...)
	dst = appendText(dst, string(line.Reason))
	if line.Expires != 0 {
		dst = append(dst, `,"reservation":{"sendId":`...)
		dst = appendText(dst, line.Reserve.SendID)
		dst = append(dst, `,"expiresAt":"`...)
		dst = time.Unix(0, line.Expires).UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, `"}`...)
	}
	if line.Warning != "" {
		dst = append(dst, `,"warnings":[`...)
		dst = appendText(dst, string(line.Warning))
		dst = append(dst, ']')
	}
	if line.RetryAt != rules.Forever {
		dst = append(dst, `,"retryAt":"`...)
		dst = time.Unix(0, line.RetryAt).UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	return append(dst, "}\n"...)
}

// AppendSummary appends the last line, without which an answer was cut.
func AppendSummary(dst []byte, sum *Summary) []byte {
	dst = append(dst, `{"summary":{"total":`...)
	dst = strconv.AppendInt(dst, int64(sum.Total), 10)
	dst = append(dst, `,"eligible":`...)
	dst = strconv.AppendInt(dst, int64(sum.Eligible), 10)
	dst = append(dst, `,"failed":`...)
	dst = strconv.AppendInt(dst, int64(sum.Failed), 10)
	dst = append(dst, `,"reasons":{`...)
	for i, reason := range slices.Sorted(maps.Keys(sum.Reasons)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, string(reason))
		dst = append(dst, ':')
		dst = strconv.AppendInt(dst, int64(sum.Reasons[reason]), 10)
	}
	dst = append(dst, `},"rulesVersion":`...)
	dst = strconv.AppendUint(dst, sum.RulesVersion, 10)
	dst = append(dst, `,"oldestAsOf":`...)
	if sum.OldestAsOf.IsZero() {
		return append(dst, "null}}\n"...)
	}
	dst = append(dst, '"')
	dst = sum.OldestAsOf.AppendText(dst)
	return append(dst, "\"}}\n"...)
}

// appendText appends a JSON string. Bytes that are no UTF-8 become the replacement character, as an id that cannot be one may have them.
func appendText(dst []byte, s string) []byte {
	if asItIs(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	dst, _ = jsontext.AppendQuote(dst, s) // the error is of such bytes
	return dst
}

// asItIs reports whether a text stands in JSON as it is, as nearly all do.
func asItIs[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}
