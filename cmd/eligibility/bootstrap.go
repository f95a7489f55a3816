package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"
	"unicode"

	"eligibility/internal/store/crdb/bootstrap"
)

// bootstrapCmd makes a cluster as a document declares it.
type bootstrapCmd struct {
	Plan  bootstrapPlanCmd  `cmd:"" help:"Show what differs between the document and the cluster. Changes nothing."`
	Apply bootstrapApplyCmd `cmd:"" help:"Make the cluster as the document declares it."`
	Hash  bootstrapHashCmd  `cmd:"" help:"Read a password on standard input and write its SCRAM hash."`
}

// Help is the long help.
func (*bootstrapCmd) Help() string {
	return `A document declares the database, roles, users, grants, cluster settings, garbage collection and audit; docs/bootstrap.md is
its reference and deploy/bootstrap.yaml an example. The user that the URL names must be an admin of the cluster.

    export ELIGIBILITY_CRDB_URL='postgres://root@localhost:26257/defaultdb?sslmode=verify-full'
    eligibility bootstrap hash < password > secrets/app.scram
    eligibility bootstrap plan -f bootstrap.yaml --secrets-dir secrets
    eligibility bootstrap apply -f bootstrap.yaml --secrets-dir secrets

What the document does not name is reported and never taken away. The exit code is 0 when the cluster is as declared, 2 when it
differs, 1 after a failure: a document that cannot be understood, no connection, a refused statement. After apply, what nobody
declared is reported but is no difference.`
}

// exitDrift says that the cluster is not as declared. It is the number that plan tools give their differences; a faulty document is a
// failure, so that the two are not confused.
const exitDrift = 2

// errNoCluster says how to name one.
var errNoCluster = errors.New("no database: set ELIGIBILITY_CRDB_URL, or name a file with the address by --crdb-url-file")

// maxURLBytes bounds a file with an address: a longer one is the wrong file.
const maxURLBytes = 4096

// address is the URL. Its errors never repeat it.
func (f *databaseFlags) address() (string, error) {
	address := f.CRDBURL
	if f.CRDBURLFile != "" {
		file, err := os.Open(f.CRDBURLFile)
		if err != nil {
			return "", fmt.Errorf("read the database URL: %w", err)
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxURLBytes+1))
		if err != nil {
			return "", fmt.Errorf("read the database URL: %w", err)
		}
		if len(text) > maxURLBytes {
			return "", errors.New("--crdb-url-file: this is no file with an address")
		}
		address = strings.TrimSpace(string(text))
	}
	if address == "" {
		return "", errNoCluster
	}
	return address, nil
}

// documentFlags name what is declared.
type documentFlags struct {
	databaseFlags
	File       string `short:"f" help:"The document." placeholder:"FILE" required:""`
	SecretsDir string `help:"Directory with the files that hold password hashes." placeholder:"DIR" type:"path" env:"ELIGIBILITY_SECRETS_DIR"`
}

// load reads the document and the hashes that it names.
func (f *documentFlags) load() (*bootstrap.Document, bootstrap.Secrets, error) {
	file, err := os.Open(f.File)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	doc, err := bootstrap.Read(f.File, file)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := bootstrap.ReadSecrets(doc, f.SecretsDir)
	return doc, secrets, err
}

// bootstrapPlanCmd compares.
type bootstrapPlanCmd struct{ documentFlags }

// Run is called by the parser.
func (c *bootstrapPlanCmd) Run(g *Globals, std streams) error {
	doc, secrets, err := c.load()
	if err != nil {
		return err
	}
	address, err := c.address()
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	cluster, err := bootstrap.Open(ctx, address)
	if err != nil {
		return err
	}
	defer cluster.Close()
	state, err := cluster.State(ctx, doc)
	if err != nil {
		return err
	}
	plan := bootstrap.Compare(doc, secrets, state)
	if err := printPlan(g, std, plan); err != nil {
		return err
	}
	if plan.Drift() {
		return outcome{fmt.Errorf("the cluster is not as %s declares it", c.File), exitDrift}
	}
	return nil
}

// bootstrapApplyCmd applies.
type bootstrapApplyCmd struct {
	documentFlags
	AuditFile string `help:"File that a line of JSON about this run is added to; it goes to the log in any case." placeholder:"FILE" type:"path" env:"ELIGIBILITY_BOOTSTRAP_AUDIT_FILE"`
}

// Run is called by the parser.
func (c *bootstrapApplyCmd) Run(g *Globals, std streams) error {
	doc, secrets, err := c.load()
	if err != nil {
		return err
	}
	address, err := c.address()
	if err != nil {
		return err
	}
	ctx, stop := interrupted(g, std)
	defer stop()
	cluster, err := bootstrap.Open(ctx, address)
	if err != nil {
		return err
	}
	defer cluster.Close()
	result, err := cluster.Apply(ctx, doc, secrets, time.Now, func(item *bootstrap.Item) {
		fmt.Fprintf(std.err, "%s\n", printable(item.Statement))
	})
	if noted := c.note(g, std, result, err); noted != nil {
		err = errors.Join(err, noted)
	}
	if err != nil {
		return err
	}
	if g.json() {
		err = printJSON(std.out, result)
	} else {
		err = printPlan(g, std, result.Left)
	}
	if err == nil && result.Left.Count(bootstrap.Blocked) > 0 {
		err = outcome{fmt.Errorf("%s waiting", number(result.Left.Count(bootstrap.Blocked), "declaration is", "declarations are")), exitDrift}
	}
	return err
}

// auditLine is who did what, without secrets.
type auditLine struct {
	At         time.Time `json:"at"`
	Host       string    `json:"host"`
	OSUser     string    `json:"osUser"`
	User       string    `json:"user"` // of the database
	Database   string    `json:"database"`
	Server     string    `json:"server"`
	Document   string    `json:"document"`
	Statements []string  `json:"statements"`
	Outcome    string    `json:"outcome"` // "applied" or what went wrong
}

// note writes the line about a run, one that failed too: its statements stay executed.
func (c *bootstrapApplyCmd) note(g *Globals, std streams, result *bootstrap.Result, failed error) error {
	line := auditLine{
		At: result.Began.UTC(), User: result.Who, Server: result.Server, Document: c.File, Statements: result.Executed, Outcome: "applied",
	}
	if result.Left != nil {
		line.Database = result.Left.Database
	}
	if failed != nil {
		line.Outcome = failed.Error()
	}
	line.Host, _ = os.Hostname() // empty when the system does not say
	if me, err := user.Current(); err == nil {
		line.OSUser = me.Username
	}
	g.logger(std.err).Info("bootstrap ran", "user", line.User, "os_user", line.OSUser, "host", line.Host,
		"statements", len(line.Statements), "outcome", line.Outcome)
	if c.AuditFile == "" {
		return nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("write the audit line: %w", err)
	}
	file, err := os.OpenFile(c.AuditFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the audit line: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write the audit line: %w", err)
	}
	return nil
}

// bootstrapHashCmd makes a verifier of a password.
type bootstrapHashCmd struct{}

// Run is called by the parser.
func (*bootstrapHashCmd) Run(std streams) error {
	const most = 1024
	text, err := io.ReadAll(io.LimitReader(std.in, most+1))
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	if len(text) > most {
		return fmt.Errorf("a password has at most %d bytes", most)
	}
	hash, err := bootstrap.MakeHash(strings.TrimRight(string(text), "\r\n"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, hash)
	return err
}

// printPlan prints a plan in the form that is wanted.
func printPlan(g *Globals, std streams, plan *bootstrap.Plan) error {
	if g.json() {
		return printJSON(std.out, plan)
	}
	_, err := std.out.WriteString(bootstrapText(plan))
	return err
}

// bootstrapText is a plan for people: a line for each difference, and below it what is to be done.
func bootstrapText(plan *bootstrap.Plan) string {
	marks := map[bootstrap.Action]string{bootstrap.Create: "+", bootstrap.Change: "~", bootstrap.Blocked: "!", bootstrap.Undeclared: "?"}
	var b strings.Builder
	fmt.Fprintf(&b, "Database %s on %s\n", plan.Database, plan.Server)
	for i := range plan.Items {
		item := &plan.Items[i]
		fmt.Fprintf(&b, "%s %s: ", marks[item.Action], printable(item.Object))
		switch {
		case item.Action == bootstrap.Undeclared:
			fmt.Fprintf(&b, "%s, which is not declared\n", printable(item.Actual))
		case item.Actual != "":
			fmt.Fprintf(&b, "%s → %s\n", printable(item.Actual), printable(item.Declared))
		default:
			fmt.Fprintf(&b, "%s\n", printable(item.Declared))
		}
		for _, line := range []string{item.Statement, item.Note} {
			if line != "" {
				fmt.Fprintf(&b, "    %s\n", printable(line))
			}
		}
	}
	if !plan.Drift() {
		fmt.Fprintf(&b, "%s\n", number(plan.Same, "declaration, and it is as declared", "declarations, all as declared"))
		return b.String()
	}
	fmt.Fprintf(&b, "%d to create, %d to change, %d blocked, %d not declared, %d as declared\n", plan.Count(bootstrap.Create),
		plan.Count(bootstrap.Change), plan.Count(bootstrap.Blocked), plan.Count(bootstrap.Undeclared), plan.Same)
	return b.String()
}

// printable is text from a database for a terminal, which control characters would command.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
