package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"eligibility/internal/remote"
)

// audienceCmd finds out who of all users qualifies.
type audienceCmd struct {
	Start    audienceStartCmd    `cmd:"" help:"Evaluate a promotion for every user of the project."`
	List     audienceListCmd     `cmd:"" help:"List the project's jobs on this replica."`
	Show     audienceShowCmd     `cmd:"" help:"Show how far a job is and what it came to."`
	Pause    audiencePauseCmd    `cmd:"" help:"Have a job wait."`
	Resume   audienceResumeCmd   `cmd:"" help:"Have a job that was paused go on."`
	Cancel   audienceCancelCmd   `cmd:"" help:"End a job; what it found stays."`
	Remove   audienceRemoveCmd   `cmd:"" help:"Delete a job that ended, with its results."`
	Download audienceDownloadCmd `cmd:"" help:"Write a job's results to standard output."`
}

// bulkFlags say which bulk plane to speak to.
type bulkFlags struct {
	URL     string `name:"url" help:"Address of the bulk plane." default:"http://127.0.0.1:8084" env:"ELIGIBILITY_BULK_URL"`
	Project string `required:"" help:"Project on the server." env:"ELIGIBILITY_PROJECT"`
	KeyFile string `help:"File with a server key of the project, instead of the one in ELIGIBILITY_API_KEY." placeholder:"FILE" type:"path" env:"ELIGIBILITY_API_KEY_FILE"`
}

// ask runs a verb with a client of the bulk plane until a signal comes.
func (f *bulkFlags) ask(g *Globals, std streams, do func(context.Context, *remote.Client) error) error {
	client, err := (&remoteFlags{URL: f.URL, Project: f.Project, KeyFile: f.KeyFile}).client("")
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	if err := do(ctx, client); err != nil {
		return explained(err)
	}
	return nil
}

type audienceStartCmd struct {
	bulkFlags
	Promotion  string        `required:"" help:"Id of a published promotion."`
	Channel    string        `enum:"embedded,push,whatsapp,email,sms" default:"embedded" help:"Channel that it would be sent on."`
	At         time.Time     `help:"Instant for which rules and windows are evaluated; the present when there is none." placeholder:"2026-11-27T09:00:00Z"`
	CountBy    string        `help:"Attribute by whose values users are counted too." placeholder:"ATTRIBUTE"`
	All        bool          `help:"Write a line for every user, not only for those who are eligible."`
	Publish    bool          `help:"Publish the results on the bus as well."`
	SpreadOver time.Duration `help:"Begin at a random instant within it, so that what is scheduled on the hour does not begin at once." placeholder:"15m"`
	Detach     bool          `help:"Do not wait for the end."`
}

// Help is the long help.
func (*audienceStartCmd) Help() string {
	return `    eligibility audience start --project shop --promotion fathers-day --channel push --count-by country
    eligibility audience download --project shop ID > eligible.ndjson

The job runs on the server. Waiting for it can be interrupted; it goes on.`
}

// Run is called by the parser.
func (c *audienceStartCmd) Run(g *Globals, std streams) error {
	in := remote.AudienceAsk{Promotion: c.Promotion, Channel: c.Channel, CountBy: c.CountBy, Publish: c.Publish}
	if c.All {
		in.Lines = "all"
	}
	if !c.At.IsZero() {
		in.At = &c.At
	}
	if c.SpreadOver > 0 {
		in.SpreadOver = c.SpreadOver.String()
	}
	return c.ask(g, std, func(ctx context.Context, client *remote.Client) error {
		job, err := client.StartAudience(ctx, in)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.err, "job %s\n", job.ID)
		if !c.Detach {
			if job, err = follow(ctx, client, job, std); err != nil {
				return err
			}
		}
		return printAudience(g, std.out, &job)
	})
}

// lookEvery is between two looks at a job.
const lookEvery = 250 * time.Millisecond

// follow shows how far a job is until it rests.
func follow(ctx context.Context, client *remote.Client, job remote.Audience, std streams) (remote.Audience, error) {
	bar := newMeter(std.err, job.Expected)
	defer bar.end()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for id := job.ID; !job.Rests(); {
		select {
		case <-ctx.Done():
			return job, fmt.Errorf("interrupted: the job goes on; eligibility audience show %s", id)
		case <-tick.C:
		}
		now, err := client.Audience(ctx, id)
		if err != nil {
			if ctx.Err() != nil {
				continue
			}
			return job, err
		}
		job, bar.size = now, now.Expected
		bar.show(remote.PrecheckProgress{Users: job.Users, Eligible: job.Eligible, Read: job.Users})
	}
	return job, nil
}

func printAudience(g *Globals, to io.Writer, a *remote.Audience) error {
	if g.json() {
		return json.NewEncoder(to).Encode(a)
	}
	fmt.Fprintf(to, "%s: %s on %s, %s", a.ID, a.Promotion, a.Channel, a.State)
	if a.Why != "" {
		fmt.Fprintf(to, " (%s)", a.Why)
	}
	fmt.Fprintf(to, "\n%d of %d users are eligible, %.0f/s, rules version %d\n", a.Eligible, a.Users, a.PerSecond, a.RulesVersions)
	if a.Published != nil {
		fmt.Fprintf(to, "%d bytes published in %d messages on %s\n", a.Published.Bytes, a.Published.Messages, a.Published.Subject)
	}
	rows := []row{{"eligible", a.Eligible}}
	for reason, n := range a.Reasons {
		rows = append(rows, row{reason, n})
	}
	printShares(to, rows, a.Users)
	if a.CountBy == nil {
		return nil
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\tUSERS\tELIGIBLE\n", a.CountBy.Attribute)
	for _, v := range a.CountBy.Values {
		fmt.Fprintf(table, "%q\t%d\t%d\n", v.Value, v.Users, v.Eligible)
	}
	for _, rest := range []struct {
		name string
		remote.AudienceCount
	}{{"others", a.CountBy.Others}, {"without", a.CountBy.Without}} {
		if rest.Users > 0 {
			fmt.Fprintf(table, "%s\t%d\t%d\n", rest.name, rest.Users, rest.Eligible)
		}
	}
	return table.Flush()
}

type audienceListCmd struct{ bulkFlags }

// Run is called by the parser.
func (c *audienceListCmd) Run(g *Globals, std streams) error {
	return c.ask(g, std, func(ctx context.Context, client *remote.Client) error {
		list, err := client.Audiences(ctx)
		if err != nil {
			return err
		}
		if g.json() {
			return json.NewEncoder(std.out).Encode(map[string]any{"audiences": list})
		}
		table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tPROMOTION\tCHANNEL\tSTATE\tUSERS\tELIGIBLE\tMADE")
		for i := range list {
			a := &list[i]
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", a.ID, a.Promotion, a.Channel, a.State, a.Users, a.Eligible, a.Created.Format(time.DateTime))
		}
		return table.Flush()
	})
}

// audienceOf names a job.
type audienceOf struct {
	bulkFlags
	ID string `arg:"" help:"Id of the job, as the list shows it."`
}

type audienceShowCmd struct {
	audienceOf
	Wait bool `help:"Wait until the job rests."`
}

// Run is called by the parser.
func (c *audienceShowCmd) Run(g *Globals, std streams) error {
	return c.ask(g, std, func(ctx context.Context, client *remote.Client) error {
		job, err := client.Audience(ctx, c.ID)
		if err == nil && c.Wait {
			job, err = follow(ctx, client, job, std)
		}
		if err != nil {
			return err
		}
		return printAudience(g, std.out, &job)
	})
}

// steer has the job do a verb.
func (c *audienceOf) steer(g *Globals, std streams, verb string) error {
	return c.ask(g, std, func(ctx context.Context, client *remote.Client) error {
		job, err := client.SteerAudience(ctx, c.ID, verb)
		if err != nil {
			return err
		}
		return printAudience(g, std.out, &job)
	})
}

type (
	audiencePauseCmd  struct{ audienceOf }
	audienceResumeCmd struct{ audienceOf }
	audienceCancelCmd struct{ audienceOf }
	audienceRemoveCmd struct{ audienceOf }
)

// Run is called by the parser.
func (c *audiencePauseCmd) Run(g *Globals, std streams) error { return c.steer(g, std, "pause") }

// Run is called by the parser.
func (c *audienceResumeCmd) Run(g *Globals, std streams) error { return c.steer(g, std, "resume") }

// Run is called by the parser.
func (c *audienceCancelCmd) Run(g *Globals, std streams) error { return c.steer(g, std, "cancel") }

// Run is called by the parser.
func (c *audienceRemoveCmd) Run(g *Globals, std streams) error {
	return c.ask(g, std, func(ctx context.Context, client *remote.Client) error { return client.RemoveAudience(ctx, c.ID) })
}

type audienceDownloadCmd struct {
	audienceOf
	Format string `enum:"ndjson,csv" default:"ndjson" help:"ndjson, a line as of a pre-check for each user; or csv, a table."`
	File   string `help:"Write to a new file instead of standard output." placeholder:"FILE" type:"path"`
}

// Run is called by the parser.
func (c *audienceDownloadCmd) Run(g *Globals, std streams) error {
	return c.ask(g, std, func(ctx context.Context, client *remote.Client) (err error) {
		out := std.out
		if c.File != "" {
			file, failure := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // it names users
			if failure != nil {
				return usage{failure}
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			out = file
		}
		return client.DownloadAudience(ctx, c.ID, c.Format, out, nil)
	})
}
