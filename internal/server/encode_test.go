package server

import (
	"encoding/json"
	"testing"
)

func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "plain", `"quoted" \ back`, "a\nb\x00\x1f", "Žofie 🙂", "<script>&\u2028"} {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != s {
			t.Errorf("%q is written as %s and read as %q, %v", s, appendString(nil, s), back, err)
		}
	}
}
