package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestStreamPage runs the shell session of the page about streams: an abandoned-cart message that comes by time alone is announced by the
// live stream, as the transcript below it says.
func TestStreamPage(t *testing.T) {
	needShell(t)
	t.Parallel() // most of it is waiting
	session, transcript := streamSession(t)
	demo := launch(t, t.TempDir(), "demo", "--no-traffic", "--users", "100")
	defer demo.end(t, syscall.SIGTERM)
	session = strings.ReplaceAll(session, "127.0.0.1:8080", demo.ready.Listen)

	// On a machine too busy to open a stream within five seconds the message is there before it: another shopper tries.
	var got string
	for _, user := range []string{"gil", "gus", "gwen"} {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(session, "gil", user))
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("the session: %v\n%s", err, out)
		}
		got = varying(string(out))
		if got == varying(transcript) {
			return
		}
	}
	t.Errorf("the session prints\n%s\nthe page says\n%s", got, varying(transcript))
}

// needShell skips where the page's own tools are absent.
func needShell(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "grep"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("the page needs %s", tool)
		}
	}
}

// streamSession returns the commands of the page and what they are said to print.
func streamSession(t *testing.T) (session, transcript string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/concepts/streams.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile("(?s)<!-- run -->\n```sh\n(.*?)```.*?```text\n(.*?)```").FindSubmatch(page)
	if parts == nil {
		t.Fatal("the page has no session with its transcript")
	}
	return string(parts[1]), string(parts[2])
}

// varying takes out what is another one in each run: times of day, stamps and the stream's ids.
func varying(text string) string {
	for pattern, word := range map[string]string{
		`(?m)^\d\d:\d\d:\d\d`: "TIME", `(?m)[ \t]+$`: "",
		`\d{4}-\d\d-\d\dT[0-9:.]+Z`: "INSTANT", `\d{19}\.\d{10}`: "STAMP", `id: [0-9a-f]{16}`: "ID",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, word)
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), "\n")
}
