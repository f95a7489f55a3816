package main

import (
	"fmt"
	"regexp"
	"strings"

	"eligibility/internal/rulefile"
	"eligibility/internal/ruletest"
)

// checkCmd checks a folder.
type checkCmd struct {
	folderArg
}

// Run is called by the parser.
func (c *checkCmd) Run(g *Globals, std streams) error {
	folder, err := c.load(g, std)
	if err != nil {
		return err
	}
	faults := folder.Check()
	if err := printFaults(g, std, folder, faults); err != nil {
		return err
	}
	if rulefile.Failed(faults) {
		return unchecked(faults)
	}
	return nil
}

// checkView is the result of a check as JSON.
type checkView struct {
	OK         bool             `json:"ok"`
	Promotions int              `json:"promotions"`
	Faults     []rulefile.Fault `json:"faults"`
}

// printFaults prints the result of a check in the form that is wanted.
func printFaults(g *Globals, std streams, folder *rulefile.Folder, faults []rulefile.Fault) error {
	switch {
	case g.json():
		if faults == nil {
			faults = []rulefile.Fault{}
		}
		return printJSON(std.out, checkView{!rulefile.Failed(faults), len(folder.Promotions), faults})
	case g.junit():
		return ruletest.WriteJUnit(std.out, folder, faults, nil)
	}
	if err := writeFaults(std.out, faults); err != nil {
		return err
	}
	if rulefile.Failed(faults) {
		return nil
	}
	_, err := fmt.Fprintf(std.out, "%s fine\n", number(len(folder.Promotions), "promotion is", "promotions are"))
	return err
}

// testCmd runs the tests of a folder.
type testCmd struct {
	folderArg
	Only    string `name:"run" help:"Run only tests whose names match." placeholder:"REGEXP"`
	Verbose bool   `short:"v" help:"List what is as expected too."`
}

// Help is the long help.
func (*testCmd) Help() string {
	return `A test names users, an instant and what is expected then:

    now: 2026-06-18T12:00:00Z
    users:
      dan:
        attributes: {country: US, lifetimeValue: 150.5}
        events: [{name: purchase, ago: 216h}]
    tests:
      - name: a good customer
        expect:
          fathers-day: {dan: eligible}
        shown:
          dan: {101: [fathers-day]}`
}

// Run is called by the parser.
func (c *testCmd) Run(g *Globals, std streams) error {
	var only *regexp.Regexp
	if c.Only != "" {
		var err error
		if only, err = regexp.Compile(c.Only); err != nil {
			return usage{fmt.Errorf("--run: %q is not a regular expression", c.Only)}
		}
	}
	folder, faults, err := c.checked(g, std)
	if err != nil {
		return err
	}
	report, err := ruletest.Run(folder, only)
	if err != nil {
		return err
	}
	if err := c.print(g, std, folder, faults, report); err != nil {
		return err
	}
	switch {
	case rulefile.Failed(report.Faults):
		return outcome{fmt.Errorf("%s in tests cannot be understood", number(len(report.Faults), "place", "places")), exitUsage}
	case report.Failed > 0:
		return outcome{fmt.Errorf("%s not met", number(report.Failed, "expectation was", "expectations were")), exitTest}
	}
	return nil
}

func (c *testCmd) print(g *Globals, std streams, folder *rulefile.Folder, faults []rulefile.Fault, report *ruletest.Report) error {
	switch {
	case g.json():
		return printJSON(std.out, struct {
			OK bool `json:"ok"`
			*ruletest.Report
		}{report.OK(), report})
	case g.junit():
		return ruletest.WriteJUnit(std.out, folder, faults, report)
	}
	if err := writeFaults(std.out, report.Faults); err != nil {
		return err
	}
	for i := range report.Cases {
		if kase := &report.Cases[i]; kase.Failed || c.Verbose {
			if _, err := fmt.Fprintln(std.out, kase.String()); err != nil {
				return err
			}
		}
	}
	if len(folder.Suites) == 0 {
		fmt.Fprintln(std.err, "there are no tests: write some in a file that ends in _test.yaml")
	} else if c.Only == "" && len(report.Untested) > 0 {
		fmt.Fprintf(std.err, "no test expects anything of %s\n", strings.Join(report.Untested, ", "))
	}
	met := len(report.Cases) - report.Failed
	_, err := fmt.Fprintf(std.out, "%d of %s met, over %s\n", met, number(len(report.Cases), "expectation", "expectations"),
		number(len(folder.Promotions), "promotion", "promotions"))
	return err
}
