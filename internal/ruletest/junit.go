package ruletest

import (
	"encoding/xml"
	"fmt"
	"io"

	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// The form that test runners of continuous integration read. Every fault and every case is a test case; a suite is a file.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes what was checked and tested as JUnit XML: a case for each promotion of the folder, failed by its errors, and one for each expectation. report may
// be nil, for a check alone.
func WriteJUnit(out io.Writer, folder *rulefile.Folder, checked []rulefile.Fault, report *Report) error {
	all := junitSuites{Name: "eligibility"}
	index := make(map[string]int)
	add := func(file string, c junitCase) {
		i, ok := index[file]
		if !ok {
			i, index[file] = len(all.Suites), len(all.Suites)
			all.Suites = append(all.Suites, junitSuite{Name: file})
		}
		c.File = file
		all.Suites[i].Tests++
		all.Tests++
		if c.Failure != nil {
			all.Suites[i].Failures++
			all.Failures++
		}
		all.Suites[i].Cases = append(all.Suites[i].Cases, c)
	}
	faulty := make(map[string]bool)
	failing := func(faults []rulefile.Fault) {
		for i := range faults {
			f := &faults[i]
			if f.Severity != rules.SeverityError {
				continue
			}
			faulty[f.Promotion] = true
			add(f.File, junitCase{Class: "check", Name: nameOf(f), Line: f.Line, Failure: &junitFailure{Type: f.Code, Message: f.Message, Text: f.String()}})
		}
	}
	failing(checked)
	if folder != nil {
		for i := range folder.Promotions {
			if p := &folder.Promotions[i]; !faulty[p.ID] {
				line, _ := p.Place()
				add(p.File.Path, junitCase{Class: "check", Name: p.ID, Line: line})
			}
		}
	}
	if report != nil {
		failing(report.Faults)
		for i := range report.Cases {
			c := &report.Cases[i]
			out := junitCase{Class: c.Test, Name: c.Name, Line: c.Line}
			if c.Failed {
				out.Failure = &junitFailure{Type: "expectation", Message: fmt.Sprintf("got %s, want %s", c.Got, c.Want), Text: c.String()}
			}
			add(c.File, out)
		}
	}
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(out)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func nameOf(f *rulefile.Fault) string {
	if f.Promotion != "" {
		return f.Promotion + " " + f.Place()
	}
	return f.Place()
}

// String is a case for people: where, what, and what came instead.
func (c *Case) String() string {
	if !c.Failed {
		return fmt.Sprintf("%s:%d:%d: %s: %s: %s", c.File, c.Line, c.Column, c.Test, c.Name, c.Got)
	}
	text := fmt.Sprintf("%s:%d:%d: %s: %s: got %s, want %s", c.File, c.Line, c.Column, c.Test, c.Name, c.Got, c.Want)
	if c.Detail != "" {
		text += "\n    " + c.Detail
	}
	return text
}
