package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"eligibility/internal/remote"
	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// publishCmd makes a server as the folder says.
type publishCmd struct {
	folderArg
	remoteFlags
	Only    []string      `help:"Publish only these promotions." placeholder:"ID"`
	DryRun  bool          `help:"Say what would change, and stop."`
	Confirm bool          `help:"Publish also rules that are true for every user."`
	Retire  bool          `help:"Retire what only the server has."`
	Comment string        `help:"Why; it is kept with the change."`
	Wait    time.Duration `help:"How long to wait until every replica has applied it; 0 does not wait." default:"5s"`
}

// Help is the long help.
func (*publishCmd) Help() string {
	return `The folder is checked first, then compared with the server. What is missing is declared, the promotions that differ are written as
drafts, and only when the server finds nothing wrong with any of them are they published, one ruleset version each. What only
the server has stays unless --retire is given.

    export ELIGIBILITY_API_KEY=…
    eligibility promotions publish examples/shop --dry-run
    eligibility promotions publish examples/shop --comment 'summer prices'`
}

// Run is called by the parser.
func (c *publishCmd) Run(g *Globals, std streams) error {
	folder, faults, err := c.checked(g, std)
	if err != nil {
		return err
	}
	client, err := c.client(folder.Project.Project)
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	plan, err := client.Compare(ctx, folder, remote.Live, c.Only)
	if err != nil {
		return explained(err)
	}
	if !g.json() {
		if _, err := std.out.WriteString(planText(plan)); err != nil {
			return err
		}
	}
	if err := c.unconfirmed(plan, faults); err != nil {
		return err
	}
	if c.DryRun || plan.Empty(c.Retire) {
		if g.json() {
			return printJSON(std.out, plan)
		}
		return nil
	}
	intent := remote.Intent{Comment: c.Comment, Confirm: c.Confirm, Wait: c.Wait}
	result, err := client.Publish(ctx, plan, intent, c.Retire, progress(std))
	return finish(g, std, result, err)
}

// unconfirmed refuses before anything is done what the server would refuse half-way.
func (c *publishCmd) unconfirmed(plan *remote.Plan, faults []rulefile.Fault) error {
	if c.Confirm {
		return nil
	}
	for _, fault := range faults {
		concerned := func(change remote.Change) bool {
			return change.Promotion == fault.Promotion && change.Kind != remote.Retired
		}
		if fault.Code == "always_true" && slices.ContainsFunc(plan.Changes, concerned) {
			return fmt.Errorf("%s: %s\nrepeat with --confirm if that is what you mean", fault.Promotion, fault.Message)
		}
	}
	return nil
}

// progress tells on standard error what was done.
func progress(std streams) func(string) {
	return func(text string) { fmt.Fprintln(std.err, text) }
}

// finish prints what became of a plan.
func finish(g *Globals, std streams, result *remote.Result, err error) error {
	var refused *remote.Refused
	if errors.As(err, &refused) {
		if err := writeFaults(std.err, refused.Faults); err != nil {
			return err
		}
		return outcome{err, exitCheck}
	}
	if err != nil {
		return explained(err)
	}
	if g.json() {
		return printJSON(std.out, result)
	}
	if result.Applied != nil {
		_, err = fmt.Fprintln(std.out, appliedText(result.Applied))
	}
	return err
}

// appliedText says how far a change has come.
func appliedText(a *remote.Applied) string {
	switch r := a.Replicas; {
	case r == nil:
		return fmt.Sprintf("ruleset version %d is durable", a.Version)
	case r.Applied < r.Live:
		return fmt.Sprintf("ruleset version %d: live on %d of %d replicas after %d ms, the others follow", a.Version, r.Applied, r.Live, a.Millis)
	default:
		return fmt.Sprintf("ruleset version %d: live on %d of %d replicas, %d ms", a.Version, r.Applied, r.Live, a.Millis)
	}
}

// explained adds the server's issues and what to do next to a refusal.
func explained(err error) error {
	var p *remote.Problem
	if !errors.As(err, &p) {
		return err
	}
	next := map[string]string{
		"confirm_required":    "repeat with --confirm if that is what you mean",
		"precondition_failed": "somebody else changed it since it was compared; look at the difference again",
		"conflict":            "somebody else changed the project at the same moment; repeat",
		"invalid_credential":  "is " + keyVariable + " a key of this server?",
		"project_not_found":   "create the project first, or name another with --project",
	}[p.Code]
	for _, issue := range p.Issues {
		if issue.Severity == rules.SeverityError {
			err = fmt.Errorf("%w\n%s %d:%d: %s [%s]", err, issue.Field, issue.Line, issue.Column, issue.Message, issue.Code)
		}
	}
	if next != "" {
		err = fmt.Errorf("%w\n%s", err, next)
	}
	if p.Code == "rule_invalid" || p.Code == "promotion_invalid" {
		return outcome{err, exitCheck}
	}
	return err
}

// importCmd writes drafts.
type importCmd struct {
	folderArg
	remoteFlags
	Only []string `help:"Write only these promotions." placeholder:"ID"`
}

// Run is called by the parser.
func (c *importCmd) Run(g *Globals, std streams) error {
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
	plan, err := client.Compare(ctx, folder, remote.Newest, c.Only)
	if err != nil {
		return explained(err)
	}
	result, err := client.Import(ctx, plan, progress(std))
	if err := finish(g, std, result, err); err != nil || g.json() {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s written, %s\n", number(len(result.Drafts), "draft", "drafts"), number(plan.Same, "is the same", "are the same"))
	return err
}

// rollbackCmd puts an older revision into force.
type rollbackCmd struct {
	remoteFlags
	Promotion string        `arg:"" help:"Id of the promotion."`
	Revision  int           `help:"Revision to go back to; by default the one that was in force before."`
	Confirm   bool          `help:"Do so also when its rule is true for every user."`
	Comment   string        `help:"Why; it is kept with the change."`
	Wait      time.Duration `help:"How long to wait until every replica has applied it; 0 does not wait." default:"5s"`
}

// Run is called by the parser.
func (c *rollbackCmd) Run(g *Globals, std streams) error {
	client, err := c.client("")
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	applied, err := client.Rollback(ctx, c.Promotion, c.Revision, remote.Intent{Comment: c.Comment, Confirm: c.Confirm, Wait: c.Wait})
	if err != nil {
		return explained(err)
	}
	if g.json() {
		return printJSON(std.out, applied)
	}
	_, err = fmt.Fprintf(std.out, "%s is at revision %d again\n%s\n", c.Promotion, applied.Revision, appliedText(applied))
	return err
}
