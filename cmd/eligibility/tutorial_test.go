package main

import (
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTutorial runs every command of the tutorial against a demo without traffic, and holds the answers against the page's own expectations: comments of
// the form "expect TEXT", "refuse TEXT" about the last answer, and "wait TEXT", which repeats the last command until its answer has the text.
func TestTutorial(t *testing.T) {
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	c := launch(t, t.TempDir(), "demo", "--no-traffic", "--users", "100")
	defer c.end(t, syscall.SIGTERM)
	ports := strings.NewReplacer("127.0.0.1:8080", c.ready.Listen, "127.0.0.1:8081", c.ready.AdminListen)

	var last []string
	answer, commands, claims := "", 0, 0
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "curl ") {
			last = shellWords(t, ports.Replace(line))
			answer = curl(t, last)
			commands++
		}
		claim, isClaim := strings.CutPrefix(line, "<!-- ")
		if !isClaim {
			continue
		}
		claims++
		verb, text, _ := strings.Cut(strings.TrimSuffix(claim, " -->"), " ")
		switch verb {
		case "expect":
			if !strings.Contains(answer, text) {
				t.Errorf("%v\nanswers %s\nwithout %q", last, answer, text)
			}
		case "refuse":
			if strings.Contains(answer, text) {
				t.Errorf("%v\nanswers %s\nwith %q", last, answer, text)
			}
		case "wait":
			for deadline := time.Now().Add(patience); !strings.Contains(curl(t, last), text); {
				if time.Now().After(deadline) {
					t.Fatalf("%v never answered %q", last, text)
				}
				<-time.After(200 * time.Millisecond)
			}
		default:
			t.Errorf("unknown claim %q", line)
		}
	}
	if commands < 10 || claims < 8 {
		t.Errorf("the page has only %d commands and %d claims: was it read?", commands, claims)
	}
}

// curl does what the command line says, as far as the pages use it.
func curl(t *testing.T, words []string) string {
	t.Helper()
	method, url, body := http.MethodGet, "", ""
	header := http.Header{}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-s":
		case "-X":
			i++
			method = words[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			body = words[i]
			if method == http.MethodGet {
				method = http.MethodPost
			}
		default:
			url = words[i]
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shellWords splits at blanks outside of single quotes.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoted {
		t.Fatalf("a quote is open in %s", line)
	}
	return append(words, word.String())
}
