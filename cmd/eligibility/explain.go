package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"eligibility/internal/rules"

	"golang.org/x/term"
)

// explainCmd says why a user does or does not qualify.
type explainCmd struct {
	remoteFlags
	User      string            `required:"" help:"Id of the user."`
	Promotion string            `required:"" help:"Id of a promotion that is in force."`
	Channel   string            `help:"Channel to ask about; by default the promotion's own."`
	Context   map[string]string `help:"What the request would carry, such as --context platform=ios." placeholder:"NAME=VALUE"`
}

// Help is the long help.
func (*explainCmd) Help() string {
	return `    eligibility explain --project demo --user ada --promotion abandoned-cart

Every part of the rule is shown with what it came to and the facts that it read.`
}

// Run is called by the parser.
func (c *explainCmd) Run(g *Globals, std streams) error {
	client, err := c.client("")
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	answer, err := client.Explain(ctx, c.User, c.Promotion, c.Channel, c.Context)
	if err != nil {
		return explained(err)
	}
	if g.json() {
		_, err = std.out.Write(append(answer, '\n'))
		return err
	}
	var view explanation
	if err := json.Unmarshal(answer, &view); err != nil {
		return fmt.Errorf("read the answer of the control plane: %w", err)
	}
	printer := explainPrinter{color: os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(std.out.Fd()))}
	printer.print(&view)
	_, err = std.out.WriteString(printer.String())
	return err
}

// explanation is the control plane's answer.
type explanation struct {
	UserID     string             `json:"userId"`
	Promotion  string             `json:"promotion"`
	Revision   int                `json:"revision"`
	Channel    string             `json:"channel"`
	Eligible   bool               `json:"eligible"`
	Reason     rules.Reason       `json:"reason"`
	Detail     string             `json:"detail"`
	Rule       *rules.Explanation `json:"rule"`
	Placements []struct {
		Placement int32        `json:"placement"`
		Shown     bool         `json:"shown"`
		Reason    rules.Reason `json:"reason"`
		Detail    string       `json:"detail"`
	} `json:"placements"`
	Changes    []told     `json:"changes"`   // together they would turn the verdict
	OtherWays  [][]told   `json:"otherWays"` // as each of these would
	Turns      *told      `json:"turns"`     // by time alone
	Version    uint64     `json:"rulesVersion"`
	AsOf       string     `json:"asOf"`
	ValidUntil *time.Time `json:"validUntil"`
	Degraded   bool       `json:"degraded"`
}

// told is something that the control plane says in words too.
type told struct {
	Text string `json:"text"`
}

// explainPrinter lays an explanation out for a terminal.
type explainPrinter struct {
	strings.Builder
	color bool
}

func (p *explainPrinter) print(v *explanation) {
	verdict := p.paint(rules.OutcomeFalse, "does not qualify")
	if v.Eligible {
		verdict = p.paint(rules.OutcomeTrue, "qualifies")
	}
	fmt.Fprintf(p, "%s %s for %s (revision %d) on %s", v.UserID, verdict, v.Promotion, v.Revision, v.Channel)
	if !v.Eligible {
		fmt.Fprintf(p, ": %s", v.Reason)
		if v.Detail != "" {
			fmt.Fprintf(p, ", %s", v.Detail)
		}
	}
	p.WriteString("\n\n")
	if v.Rule != nil && v.Rule.Root != nil {
		p.part(v.Rule.Root, "")
	}
	p.WriteByte('\n')
	p.outlook(v)
	for _, place := range v.Placements {
		standing := "shown"
		if !place.Shown {
			standing = "not shown: " + string(place.Reason)
			if place.Detail != "" && place.Detail != v.Detail {
				standing += ", " + place.Detail
			}
		}
		fmt.Fprintf(p, "placement %d: %s\n", place.Placement, standing)
	}
	until := "facts change"
	if v.ValidUntil != nil {
		until = v.ValidUntil.Format(time.RFC3339Nano)
	}
	fmt.Fprintf(p, "ruleset version %d, as of %s, valid until %s", v.Version, v.AsOf, until)
	if v.Degraded {
		p.WriteString(", degraded")
	}
	p.WriteByte('\n')
}

// outlook says what would turn the verdict.
func (p *explainPrinter) outlook(v *explanation) {
	title := "to qualify:"
	if v.Eligible {
		title = "would end it:"
	}
	for i, way := range append([][]told{v.Changes}, v.OtherWays...) {
		if len(way) == 0 {
			continue
		}
		if i > 0 {
			title = "or:"
		}
		p.WriteString(title + "\n")
		for _, need := range way {
			fmt.Fprintf(p, "  - %s\n", need.Text)
		}
	}
	if v.Turns != nil {
		fmt.Fprintf(p, "by time alone it turns %s\n", v.Turns.Text)
	}
}

// marks are what a part came to, in one width.
var marks = map[rules.Outcome]string{
	rules.OutcomeTrue: "yes", rules.OutcomeFalse: "no ", rules.OutcomeError: "err", rules.OutcomeValue: " = ", rules.OutcomeNotEvaluated: " - ",
}

// joints are how an operator reads above its parts.
var joints = map[rules.Operator]string{rules.OperatorAnd: "all of", rules.OperatorOr: "any of", rules.OperatorNot: "not", rules.OperatorIf: "if, then, else"}

func (p *explainPrinter) part(part *rules.ExplanationPart, indent string) {
	text := part.Text
	if joint, ok := joints[part.Operator]; ok && len(part.Parts) > 0 {
		text = joint
	}
	fmt.Fprintf(p, "%s%s  %s", indent, p.paint(part.Outcome, marks[part.Outcome]), text)
	if part.Code != "" && len(part.Parts) == 0 {
		fmt.Fprintf(p, "  [%s]", strings.TrimSpace(string(part.Code)+" "+part.Detail))
	}
	p.WriteByte('\n')
	for _, inner := range part.Parts {
		p.part(inner, indent+"  ")
	}
	for _, read := range part.Reads {
		fmt.Fprintf(p, "%s       %s is %s\n", indent, read.Text, readText(read))
	}
}

// readText is what was read, or why nothing was.
func readText(read *rules.ExplanationPart) string {
	switch {
	case read.Value != "":
		return read.Value
	case read.Code == rules.ReasonMissingAttribute:
		return "missing"
	case read.Code != "":
		return strings.TrimSpace(string(read.Code) + " " + read.Detail)
	}
	return string(read.Outcome)
}

// paint colours a text as an outcome.
func (p *explainPrinter) paint(outcome rules.Outcome, text string) string {
	code := map[rules.Outcome]string{rules.OutcomeTrue: "32", rules.OutcomeFalse: "31", rules.OutcomeError: "33"}[outcome]
	if !p.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
