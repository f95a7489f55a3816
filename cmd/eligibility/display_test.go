package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestTailKeepsTheLastLinesUntilTheyAreReleased(t *testing.T) {
	tail := newTail(2)
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		if n, err := tail.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	var out bytes.Buffer
	tail.release(&out)
	tail.release(&out)
	if _, err := tail.Write([]byte("four\n")); err != nil {
		t.Fatal(err)
	}
	if out.String() != "two\nthree\nfour\n" {
		t.Errorf("released %q", out.String())
	}
}

func TestNoScreenWhereNobodyLooks(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d := newDisplay(&Globals{Output: "text"}, streams{out: file, err: file})
	if d.screen || d.logs() != file {
		t.Errorf("a file is shown a screen: %+v", d)
	}
	if width, height := d.size(); width != 80 || height != 24 {
		t.Errorf("its size is %d × %d", width, height)
	}
	if err := d.plain("hello"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file.Name()); err != nil || string(text) != "hello\n" {
		t.Errorf("the plain line is %q (%v)", text, err)
	}
}

func TestNoColorIsHonoured(t *testing.T) {
	for value, want := range map[string]bool{"": true, "1": false} {
		t.Setenv("NO_COLOR", value)
		if got := newDisplay(&Globals{}, streams{out: os.Stdin, err: os.Stdin}).style.Color; got != want {
			t.Errorf("with NO_COLOR=%q colour is %v", value, got)
		}
	}
}

func TestReport(t *testing.T) {
	const hint = "Run \"eligibility serve --help\" to see what it takes.\n"
	for _, c := range []struct {
		name string
		err  error
		code int
		want string
	}{
		{"nothing wrong", nil, exitOK, ""},
		{"failure", errors.New("disk full"), exitFailure, "eligibility: disk full\n"},
		{"usage", usage{errors.New("no such flag")}, exitUsage, "eligibility: no such flag\n" + hint},
		{"several faults", errors.Join(errors.New("one"), errors.New("two")), exitFailure, "eligibility: one\n             two\n"},
		{"usage inside", errors.Join(usage{errors.New("locked")}, nil), exitUsage, "eligibility: locked\n" + hint},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := report(&out, c.err, "serve"); code != c.code || out.String() != c.want {
				t.Errorf("code %d, text %q; want %d, %q", code, out.String(), c.code, c.want)
			}
		})
	}
}

func TestCompletionKnowsEveryVerbAndFlag(t *testing.T) {
	var c cli
	model := newParser(&c, &fileValues{}, streams{os.Stdin, os.Stdout, os.Stderr}).Model
	for shell, write := range map[string]func(*strings.Builder, *kong.Application){"bash": bash, "zsh": zsh, "fish": fish} {
		t.Run(shell, func(t *testing.T) {
			var b strings.Builder
			write(&b, model)
			script := b.String()
			for _, verb := range model.Children {
				if !strings.Contains(script, verb.Name) {
					t.Errorf("the verb %s is missing", verb.Name)
				}
				for _, flag := range flagsOf(verb) {
					if !strings.Contains(script, flag.Name) {
						t.Errorf("the flag --%s of %s is missing", flag.Name, verb.Name)
					}
				}
			}
			if strings.Count(strings.ReplaceAll(script, `'\''`, ""), "'")%2 != 0 {
				t.Error("a quote is left open")
			}
		})
	}
}
