package rules

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// messageIDVersion leads every message id, so that its form can change while apps still hold old ones.
const messageIDVersion = "1:"

// MessageID is the opaque id of a promotion in a placement. It does not name the revision: the id stays the same while the user stays
// eligible, whatever a marketer edits.
func MessageID(promotion string, placement int32) string {
	return base64.RawURLEncoding.EncodeToString([]byte(messageIDVersion + strconv.Itoa(int(placement)) + ":" + promotion))
}

// ParseMessageID is the inverse of MessageID; ok is false for a text that MessageID never made.
func ParseMessageID(id string) (promotion string, placement int32, ok bool) {
	const longest = 256
	if len(id) > longest {
		return "", 0, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return "", 0, false
	}
	rest, ok := strings.CutPrefix(string(raw), messageIDVersion)
	if !ok {
		return "", 0, false
	}
	number, promotion, ok := strings.Cut(rest, ":")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || promotion == "" {
		return "", 0, false
	}
	return promotion, int32(n), true
}
