package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"eligibility/internal/events/natsbus"
	"eligibility/internal/store/crdb"
	"eligibility/internal/store/crdb/doctor"
)

// doctorCmd looks over what a replica stands on.
type doctorCmd struct {
	databaseFlags
	busFlags
	DataDir        string        `help:"Data directory of the embedded store to look at." placeholder:"DIR" env:"ELIGIBILITY_DATA_DIR"`
	KeyFiles       []string      `name:"key-file" help:"Files with keys; by default those of the data directory." placeholder:"FILE"`
	StalenessBound time.Duration `help:"The replicas' bound." default:"${doctor_bound}" env:"ELIGIBILITY_STALENESS_BOUND"`
	RelayOutage    time.Duration `help:"How long the relay may be away without every replica forgetting its users." default:"${doctor_outage}"`
	ConnLifetime   time.Duration `help:"How long a pooled connection lives at most." default:"${doctor_lifetime}"`
	DrainTimeout   time.Duration `help:"How long the replicas give requests in flight." default:"${drain_timeout}" env:"ELIGIBILITY_DRAIN_TIMEOUT"`
	Watch          time.Duration `help:"How long to watch a changefeed; 0 for not at all." default:"${doctor_watch}"`
	Verbose        bool          `short:"v" help:"Say of every check why it matters."`
}

// Help is the long help.
func (*doctorCmd) Help() string {
	return `Each check says what was seen, why it matters and what to run. Nothing is changed; a changefeed is followed for a few seconds,
and in a data directory a small file measures the disk.

    ELIGIBILITY_CRDB_URL='postgres://eligibility_serve@db:26257/eligibility' eligibility doctor
    eligibility doctor --data-dir /var/lib/eligibility

The exit code is 0 when no check failed, 1 when one did, 2 when there is nothing to look at or arguments cannot be understood.`
}

// doctorDefaults are the variables of the default tags above.
func doctorDefaults() map[string]string {
	d := doctor.Defaults()
	return map[string]string{
		"doctor_bound": printed(d.Bound), "doctor_outage": printed(d.Outage), "doctor_lifetime": printed(d.ConnLifetime), "doctor_watch": printed(d.Watch),
	}
}

// Run is called by the parser.
func (c *doctorCmd) Run(g *Globals, std streams) error {
	address, err := c.address()
	switch {
	case errors.Is(err, errNoCluster) && c.DataDir == "" && len(c.KeyFiles) == 0 && !c.shared():
		return usage{errors.New("nothing to look at: name a database (ELIGIBILITY_CRDB_URL), a bus (--nats) or a data directory (--data-dir)")}
	case err != nil && !errors.Is(err, errNoCluster):
		return usage{err}
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	report := &doctor.Report{Checks: []doctor.Check{}}
	if address != "" {
		report.Checks = append(report.Checks, c.database(ctx, address)...)
	}
	if c.shared() {
		report.Checks = append(report.Checks, c.bus(ctx)...)
	}
	if c.DataDir != "" {
		report.Checks = append(report.Checks, doctor.ExamineDirectory(c.DataDir).Judge()...)
	}
	report.Checks = append(report.Checks, doctor.ExamineKeys(c.keys()).Judge()...)
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted before all was looked at")
	}
	if g.json() {
		err = printJSON(std.out, report)
	} else {
		_, err = std.out.WriteString(reportText(report, c.Verbose))
	}
	if err == nil && !report.OK() {
		err = outcome{fmt.Errorf("%s failed", number(report.Count(doctor.Fail), "check", "checks")), exitFailure}
	}
	return err
}

func (c *doctorCmd) database(ctx context.Context, address string) []doctor.Check {
	needs := doctor.Defaults()
	needs.Bound, needs.Outage, needs.ConnLifetime = c.StalenessBound, c.RelayOutage, c.ConnLifetime
	needs.DrainTimeout, needs.Watch = c.DrainTimeout, c.Watch
	facts := doctor.Examine(ctx, address, &needs)
	checks := facts.Judge(&needs)
	if facts.Unreachable != nil {
		return checks
	}
	steps, err := crdb.MigrationStatus(ctx, address)
	schema := doctor.SchemaFacts{Known: len(steps), Err: err}
	for i := range steps {
		if steps[i].AppliedAt != nil {
			schema.Applied = max(schema.Applied, steps[i].Version)
		}
	}
	return append(checks, schema.Judge()...)
}

// shared reports whether there is a bus outside of the replicas.
func (c *doctorCmd) shared() bool { return c.Nats != "embedded" }

func (c *doctorCmd) bus(ctx context.Context) []doctor.Check {
	cfg := natsbus.DefaultCluster(c.Nats)
	cfg.Name, cfg.CredentialsFile, cfg.CAFile, cfg.CertFile, cfg.KeyFile = "eligibility doctor", c.NatsCredentials, c.NatsCA, c.NatsCert, c.NatsKey
	seen, err := natsbus.Inspect(ctx, &cfg)
	if err != nil {
		return (&doctor.BusFacts{Err: err}).Judge()
	}
	return (&doctor.BusFacts{
		Server: seen.Server, JetStream: seen.JetStream, MaxPayload: seen.MaxPayload, NeedPayload: seen.NeedPayload,
		Stream: seen.Stream, Missing: seen.Missing, Differences: seen.Differences,
	}).Judge()
}

// keys are the files with keys to look at.
func (c *doctorCmd) keys() []string {
	if len(c.KeyFiles) == 0 && c.DataDir != "" {
		return []string{filepath.Join(c.DataDir, "root.key"), filepath.Join(c.DataDir, "secret.key")}
	}
	return c.KeyFiles
}

// reportText is a report for people: areas, a line for each check, and below those that are not well why that matters and what to run.
func reportText(report *doctor.Report, verbose bool) string {
	const indent = "                "
	wide := 0
	for i := range report.Checks {
		wide = max(wide, len([]rune(report.Checks[i].Title)))
	}
	var b strings.Builder
	area := ""
	for i := range report.Checks {
		c := &report.Checks[i]
		if c.Area != area {
			if area != "" {
				b.WriteByte('\n')
			}
			area = c.Area
			fmt.Fprintf(&b, "%s\n", strings.ToUpper(area[:1])+area[1:])
		}
		fmt.Fprintf(&b, "  %-7s  %-*s  %s\n", c.Status, wide, c.Title, printable(c.Seen))
		if c.Status == doctor.Warn || c.Status == doctor.Fail || verbose {
			fmt.Fprintf(&b, "%swhy: %s\n", indent, c.Why)
		}
		if c.Run != "" {
			fmt.Fprintf(&b, "%srun: %s\n", indent, printable(c.Run))
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d to look at, %d failed, %d skipped\n", report.Count(doctor.OK), report.Count(doctor.Warn), report.Count(doctor.Fail),
		report.Count(doctor.Skipped))
	return b.String()
}
