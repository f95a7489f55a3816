package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// promotionsCmd is everything about promotions that are kept in files.
type promotionsCmd struct {
	Check    checkCmd    `cmd:"" help:"Say what is wrong with the promotions of a folder. Needs no server."`
	Test     testCmd     `cmd:"" help:"Run the tests of a folder, *_test.yaml. Needs no server."`
	Diff     diffCmd     `cmd:"" help:"Compare a folder with what is in force on a server."`
	Publish  publishCmd  `cmd:"" help:"Make a server as the folder says."`
	Import   importCmd   `cmd:"" help:"Write a folder to a server as drafts, without publishing."`
	Export   exportCmd   `cmd:"" help:"Write what a server has into a folder."`
	Rollback rollbackCmd `cmd:"" help:"Put an older revision of a promotion into force again."`
	Index    indexCmd    `cmd:"" help:"Show how the index files promotions in force, and what they cost."`
}

// Help is the long help.
func (*promotionsCmd) Help() string {
	return `A folder holds project.yaml, which declares the words that rules may use, promotions in any other .yaml files, and tests in
files that end in _test.yaml. docs/rules-as-code.md walks through it.

    eligibility promotions check examples/shop
    eligibility promotions test examples/shop
    eligibility promotions publish examples/shop --dry-run

The exit code is 0 when all is well, 1 after a failure, 2 when arguments or files cannot be understood, 3 when a promotion does
not check, 4 when a test failed.`
}

// Exit codes of promotions in files, beside those of every verb.
const (
	exitCheck = 3 // a promotion does not check
	exitTest  = 4 // a test failed
)

// outcome is an error with an exit code of its own. What is to be known stands on standard output already.
type outcome struct {
	error
	code int
}

// Unwrap lets errors.Is see through.
func (o outcome) Unwrap() error { return o.error }

// folderArg is the folder that a verb works on.
type folderArg struct {
	Dir string `arg:"" optional:"" default:"." help:"Folder with project.yaml."`
}

// load reads the folder. Files that cannot be understood are listed, and are an error of usage.
func (f *folderArg) load(g *Globals, std streams) (*rulefile.Folder, error) {
	folder, faults, err := rulefile.Load(f.Dir)
	if errors.Is(err, rulefile.ErrNoProject) || errors.Is(err, fs.ErrNotExist) {
		return nil, usage{fmt.Errorf("%w: name the folder of a project", err)}
	}
	if err != nil {
		return nil, err
	}
	if rulefile.Failed(faults) {
		if err := printFaults(g, std, folder, faults); err != nil {
			return nil, err
		}
		return nil, outcome{fmt.Errorf("%s cannot be understood", number(failing(faults), "place", "places")), exitUsage}
	}
	return folder, nil
}

// checked is load and a check of every promotion; warnings go to standard error.
func (f *folderArg) checked(g *Globals, std streams) (*rulefile.Folder, []rulefile.Fault, error) {
	folder, err := f.load(g, std)
	if err != nil {
		return nil, nil, err
	}
	faults := folder.Check()
	if rulefile.Failed(faults) {
		if err := printFaults(g, std, folder, faults); err != nil {
			return nil, nil, err
		}
		return nil, nil, unchecked(faults)
	}
	return folder, faults, nil
}

func unchecked(faults []rulefile.Fault) error {
	return outcome{fmt.Errorf("%s, so nothing can be published", number(failing(faults), "error", "errors")), exitCheck}
}

// failing counts the errors.
func failing(faults []rulefile.Fault) int {
	n := 0
	for _, f := range faults {
		if f.Severity == rules.SeverityError {
			n++
		}
	}
	return n
}

// writeFaults prints faults for people.
func writeFaults(out io.Writer, faults []rulefile.Fault) error {
	for i := range faults {
		if _, err := fmt.Fprintln(out, faults[i].String()); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
	}
	return nil
}

// number is "1 error", "2 errors".
func number(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
