package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"eligibility/internal/remote"
	"eligibility/internal/rules"
)

// diffCmd compares a folder with a server.
type diffCmd struct {
	folderArg
	remoteFlags
	Drafts   bool     `help:"Compare with drafts, where there are some, instead of what is in force."`
	Only     []string `help:"Look only at these promotions." placeholder:"ID"`
	ExitCode bool     `help:"End with exit code 1 when something differs."`
}

// Run is called by the parser.
func (c *diffCmd) Run(g *Globals, std streams) error {
	folder, err := c.load(g, std)
	if err != nil {
		return err
	}
	client, err := c.client(folder.Project.Project)
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	against := remote.Live
	if c.Drafts {
		against = remote.Newest
	}
	plan, err := client.Compare(ctx, folder, against, c.Only)
	if err != nil {
		return explained(err)
	}
	if g.json() {
		err = printJSON(std.out, plan)
	} else {
		_, err = std.out.WriteString(planText(plan))
	}
	if err == nil && c.ExitCode && !plan.Empty(true) {
		err = outcome{fmt.Errorf("the folder and project %s differ", plan.Project), exitFailure}
	}
	return err
}

// planText is a plan for people: a line for each promotion, and below it each place that differs.
func planText(plan *remote.Plan) string {
	var b strings.Builder
	for i := range plan.Declarations {
		d := &plan.Declarations[i]
		mark := "~"
		if d.New {
			mark = "+"
		}
		fmt.Fprintf(&b, "%s %s\n", mark, d)
	}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		switch c.Kind {
		case remote.Added:
			fmt.Fprintf(&b, "+ %s", c.Promotion)
		case remote.Changed:
			fmt.Fprintf(&b, "~ %s (revision %d)", c.Promotion, c.Revision)
		case remote.Retired:
			fmt.Fprintf(&b, "- %s (only on the server)", c.Promotion)
		}
		if c.Draft != 0 {
			fmt.Fprintf(&b, ", overwrites draft %d", c.Draft)
		}
		b.WriteByte('\n')
		for _, d := range c.Differences {
			differenceText(&b, d)
		}
	}
	fmt.Fprintf(&b, "%s in project %s\n", number(plan.Same, "promotion is the same", "promotions are the same"), plan.Project)
	return b.String()
}

func differenceText(b *strings.Builder, d rules.Difference) {
	fmt.Fprintf(b, "    %s\n", d.Path)
	for _, side := range []struct {
		mark  string
		value json.RawMessage
	}{{"-", d.Old}, {"+", d.New}} {
		if side.value == nil {
			continue
		}
		for line := range strings.Lines(valueText(side.value)) {
			fmt.Fprintf(b, "    %s %s\n", side.mark, strings.TrimSuffix(line, "\n"))
		}
	}
}

// valueText is a text as it is, and any other value as JSON.
func valueText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		return text
	}
	var indented bytes.Buffer
	if json.Indent(&indented, value, "", "  ") != nil {
		return string(value)
	}
	return indented.String()
}
