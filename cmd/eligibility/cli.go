package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"eligibility/internal/ops"
)

// The exit codes. Scripts branch on them.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // bad arguments or configuration: the same call will fail again
)

// streams are what a verb reads and writes: results go to out, progress and logs to err.
type streams struct {
	in, out, err *os.File
}

// cli is the grammar of the command line.
type cli struct {
	Globals

	Serve      serveCmd      `cmd:"" help:"Run a replica: the decision plane, the control plane and the ops plane." set:"data_dir=${own_dir}"`
	Demo       demoCmd       `cmd:"" help:"Run a replica with a made-up shop, simulated shoppers and a live view." set:"data_dir="`
	Relay      relayCmd      `cmd:"" help:"Carry changes from a database to the bus, beside the replicas."`
	Migrate    migrateCmd    `cmd:"" help:"Make or renew the tables of a database."`
	Promotions promotionsCmd `cmd:"" help:"Keep promotions in files: check, test, compare and publish them."`
	Explain    explainCmd    `cmd:"" help:"Say why a user does or does not qualify for a promotion."`
	Precheck   precheckCmd   `cmd:"" help:"Ask which of a campaign's users may be sent a promotion, now."`
	Audience   audienceCmd   `cmd:"" help:"Find out who of all users qualifies for a promotion."`
	Keys       keysCmd       `cmd:"" help:"List, make, rotate and revoke the API keys of a project."`
	Gen        genCmd        `cmd:"" help:"Write made-up users or user events as NDJSON."`
	Bootstrap  bootstrapCmd  `cmd:"" help:"Make a CockroachDB cluster as a document declares it."`
	Doctor     doctorCmd     `cmd:"" help:"Look over the database, the data directory and its files, and say what to mend."`
	Version    versionCmd    `cmd:"" help:"Say which build this is."`
	Completion completionCmd `cmd:"" help:"Write a completion script for a shell."`
}

// Globals are the flags that every verb takes.
type Globals struct {
	Output    string `help:"Form of results on standard output: ${enum}; junit of checks and tests only." enum:"text,json,junit" default:"text" env:"ELIGIBILITY_OUTPUT"`
	LogFormat string `help:"Form of log lines on standard error: ${enum}." enum:"text,json" default:"text" env:"ELIGIBILITY_LOG_FORMAT"`
	LogLevel  string `help:"Least level of log lines: ${enum}." enum:"debug,info,warn,error" default:"info" env:"ELIGIBILITY_LOG_LEVEL"`
}

const description = "A real-time eligibility engine for embedded messages: which promotions does this user qualify for, now, and why."

// run is the whole program but for the exit.
func run(args []string, std streams) int {
	var c cli
	file := &fileValues{}
	parser := newParser(&c, file, std)
	ctx, err := parser.Parse(args)
	if err != nil {
		return report(std.err, usage{file.place(err)}, verbOf(args, parser.Model))
	}
	if c.junit() && !reportsCases(ctx.Command()) {
		return report(std.err, usage{errors.New("--output junit: there are no test cases to report")}, verbs(ctx.Command()))
	}
	ctx.Bind(&c.Globals, std, parser.Model)
	return report(std.err, ctx.Run(), verbs(ctx.Command()))
}

// newParser makes the parser of the grammar; file is where it looks for what neither the command line nor the environment sets.
func newParser(c *cli, file *fileValues, std streams) *kong.Kong {
	parser, err := kong.New(c, kong.Name("eligibility"), kong.Description(description), kong.Writers(std.out, std.err), kong.Resolvers(file),
		kong.Vars(flagDefaults()), kong.Vars(doctorDefaults()),
		kong.ConfigureHelp(kong.HelpOptions{FlagsLast: true, WrapUpperBound: 100, NoExpandSubcommands: true}),
		kong.ExplicitGroups(groups()), kong.NamedMapper("bytes", byteSizeMapper{}))
	if err != nil {
		panic(err) // the grammar above is wrong
	}
	return parser
}

// usage marks an error as one of arguments or configuration.
type usage struct{ error }

// Unwrap lets errors.Is see through.
func (u usage) Unwrap() error { return u.error }

// verbs is a command without its arguments: "promotions check <dir>" is promotions check.
func verbs(command string) string {
	words, _, _ := strings.Cut(command, " <")
	return words
}

// reportsCases reports whether the command has test cases as its result.
func reportsCases(command string) bool {
	return verbs(command) == "promotions check" || verbs(command) == "promotions test"
}

// report prints what went wrong and picks the exit code.
func report(out io.Writer, err error, command string) int {
	if err == nil {
		return exitOK
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			fmt.Fprintf(out, "eligibility: %s\n", line)
			continue
		}
		fmt.Fprintf(out, "             %s\n", line)
	}
	var own outcome
	if errors.As(err, &own) {
		return own.code
	}
	if !errors.As(err, new(usage)) {
		return exitFailure
	}
	fmt.Fprintf(out, "Run \"%s --help\" to see what it takes.\n", strings.TrimSpace("eligibility "+command))
	return exitUsage
}

// verbOf is the first argument that is a verb, for the hint to its help.
func verbOf(args []string, model *kong.Application) string {
	for _, arg := range args {
		for _, verb := range model.Children {
			if verb.Name == arg {
				return arg
			}
		}
	}
	return ""
}

// logger writes to out as the global flags say.
func (g *Globals) logger(out io.Writer) *slog.Logger {
	logger, err := ops.NewLogger(out, g.LogFormat, g.LogLevel)
	if err != nil {
		panic(err) // the grammar allows no other formats and levels
	}
	return logger
}

// json reports whether results are wanted as JSON.
func (g *Globals) json() bool { return g.Output == "json" }

// junit reports whether results are wanted as JUnit XML.
func (g *Globals) junit() bool { return g.Output == "junit" }
