package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"eligibility/internal/rules"
)

// indexCmd shows what the index makes of rules in force.
type indexCmd struct {
	remoteFlags
	Promotion string `arg:"" optional:"" help:"Id of a promotion in force; without it, a summary of all."`
}

// Help is the long help.
func (*indexCmd) Help() string {
	return `    eligibility promotions index --project demo
    eligibility promotions index --project demo abandoned-cart

A rule costs what it is evaluated for: its candidate rate is the share of users whom the index does not rule out. Far above the true rate
it says that the rule hides what makes it selective. docs/concepts/index.md says how to read the rest.`
}

// Run is called by the parser.
func (c *indexCmd) Run(g *Globals, std streams) error {
	client, err := c.client("")
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	answer, err := client.Index(ctx, c.Promotion)
	if err != nil {
		return explained(err)
	}
	if g.json() {
		_, err = std.out.Write(append(answer, '\n'))
		return err
	}
	if c.Promotion != "" {
		return printAnswer(std.out, answer, printIndexed)
	}
	return printAnswer(std.out, answer, printIndexSummary)
}

// printAnswer reads an answer and lays it out.
func printAnswer[T any](out io.Writer, answer json.RawMessage, print func(io.Writer, *T)) error {
	var view T
	if err := json.Unmarshal(answer, &view); err != nil {
		return fmt.Errorf("read the answer of the control plane: %w", err)
	}
	var text strings.Builder
	print(&text, &view)
	_, err := io.WriteString(out, text.String())
	return err
}

// Both printers write to memory, where nothing fails.

func printIndexed(out io.Writer, v *rules.IndexedPromotion) {
	fmt.Fprintf(out, "%s (revision %d), ruleset version %d\n\n%s\n\n", v.Promotion, v.Revision, v.Version, v.Rule)
	printTable(out, "LITERAL\tEVALUATED\tAXIS\tIN PROMOTIONS", v.Literals, func(l rules.IndexedLiteral) string {
		how := "typed"
		if l.Interpreted {
			how = "by cel-go"
		}
		if l.Timed {
			how += ", over time"
		}
		return fmt.Sprintf("%s\t%s\t%s\t%d", oneLine(l.Text), how, orDash(l.Axis), l.Promotions)
	})
	printTable(out, "FILED BY\tKIND\tCLASSES\tPASS", v.Screens, func(s rules.IndexedScreen) string {
		return fmt.Sprintf("%s\t%s\t%d of %d\t%s", s.Axis, s.Kind, s.Open, s.Classes, share(s.PassRate, v.Sample))
	})
	if len(v.Screens) == 0 {
		fmt.Fprint(out, "filed by nothing: it is evaluated for every user\n\n")
	}
	printTable(out, "PLACEMENT\tRANK\tBLOCK\tRULES IN IT", v.Placements, func(p rules.IndexedPlace) string {
		return fmt.Sprintf("%d\t%d\t%d of %d\t%d", p.Placement, p.Rank, p.Block, p.Blocks, p.BlockSize)
	})
	if len(v.Placements) > 0 && v.Placements[0].Section != "" {
		fmt.Fprintf(out, "found by the text %q: it has a section of its own, and nobody else looks at it\n\n", v.Placements[0].Section)
	}
	fmt.Fprintf(out, "candidate for %s of %s, true for %s\n", share(v.CandidateRate, v.Sample), number(v.Sample, "sampled user", "sampled users"),
		share(v.TrueRate, v.Sample))
}

func printIndexSummary(out io.Writer, v *rules.IndexSummary) {
	fmt.Fprintf(out, "ruleset version %d: %s, %s, of which %d are distinct, %d shared and %d interpreted\n", v.Version,
		number(v.Promotions, "promotion", "promotions"), number(v.Literals, "literal", "literals"), v.Distinct, v.Shared, v.Interpreted)
	fmt.Fprintf(out, "%s filed by nothing; %s asked\n\n", number(v.Unscreened, "promotion is", "promotions are"), number(v.Sample, "user was", "users were"))
	printTable(out, "PLACEMENT\tPROMOTIONS\tBLOCKS\tSECTIONS\tEVALUATED PER USER", v.Placements, func(t rules.IndexedTable) string {
		return fmt.Sprintf("%d\t%d\t%d\t%d\t%.1f", t.Placement, t.Candidates, t.Blocks, t.Sections, t.PerUser)
	})
	printTable(out, "AXIS\tKIND\tCLASSES\tPROMOTIONS", v.Axes, func(a rules.IndexedAxis) string {
		return fmt.Sprintf("%s\t%s\t%d\t%d", a.Axis, a.Kind, a.Classes, a.Promotions)
	})
	printTable(out, "INTERPRETED\tPROMOTIONS\tSUCH AS", v.Parts, func(p rules.InterpretedPart) string {
		return fmt.Sprintf("%s\t%d\t%s", oneLine(p.Text), p.Promotions, strings.Join(p.Examples, ", "))
	})
	printTable(out, "WIDEST\tCANDIDATE FOR", v.Widest, func(r rules.IndexedRate) string {
		return fmt.Sprintf("%s\t%s", r.Promotion, share(r.CandidateRate, v.Sample))
	})
}

// printTable prints a table and an empty line; nothing when there is no row.
func printTable[T any](out io.Writer, head string, rows []T, cells func(T) string) {
	if len(rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, r := range rows {
		fmt.Fprintln(t, cells(r))
	}
	_ = t.Flush()
	fmt.Fprintln(out)
}

// share is a rate in per cent, of a sample that has anybody.
func share(rate float64, sample int) string {
	if sample == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*rate)
}

// oneLine keeps a table a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
