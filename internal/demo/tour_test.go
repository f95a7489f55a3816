package demo

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCommandsFitATerminalAndCanBePasted(t *testing.T) {
	lines := Commands("http://127.0.0.1:65535", "http://127.0.0.1:65534")
	open := false
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("a line of %d columns breaks when it is copied: %s", n, line)
		}
		if !open && !strings.HasPrefix(line, "curl ") {
			t.Errorf("a command begins with %q", line)
		}
		if strings.Count(line, "'")%2 != 0 {
			t.Errorf("a quote is left open in %s", line)
		}
		open = strings.HasSuffix(line, ` \`)
	}
	if open {
		t.Error("the last command goes on")
	}
}

func TestKeysAreTheOnesThatAreStored(t *testing.T) {
	keys := Keys()
	if len(keys) != len(credentials(config(1).Now)) {
		t.Errorf("%d keys are told, %d stored", len(keys), len(credentials(config(1).Now)))
	}
	for _, c := range credentials(config(1).Now) {
		if keys[string(c.Kind)] == "" {
			t.Errorf("the %s key is not told", c.Kind)
		}
	}
}
