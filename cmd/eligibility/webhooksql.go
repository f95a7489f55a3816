package main

import (
	"fmt"
	"os"
	"strings"

	"eligibility/internal/app"
)

// webhookSQLCmd prints the SQL of a changefeed job.
type webhookSQLCmd struct {
	URL              string `help:"Where the database reaches the relays, https://host:port." required:"" placeholder:"URL"`
	FeedID           string `help:"Id of the job, one of --webhook-feeds of the relays." default:"main"`
	WebhookTokenFile string `help:"File with the Authorization header; without it a placeholder is printed." env:"ELIGIBILITY_WEBHOOK_TOKEN_FILE" placeholder:"FILE" type:"path"`
	CAFile           string `name:"ca-file" help:"PEM file with the certificates that vouch for the URL; without it the database has to trust it anyway." placeholder:"FILE" type:"path"`
}

// Help is the long help.
func (*webhookSQLCmd) Help() string {
	return `The statement goes to standard output, for a SQL shell. Create the job once, while relays with --feed webhook run:

    eligibility relay webhook-sql --url https://relay.internal:8083 --webhook-token-file token | cockroach sql`
}

// Run is called by the parser.
func (c *webhookSQLCmd) Run(std streams) error {
	var token, ca []byte
	var err error
	if c.WebhookTokenFile != "" {
		if token, err = os.ReadFile(c.WebhookTokenFile); err != nil {
			return usage{err}
		}
	}
	if c.CAFile != "" {
		if ca, err = os.ReadFile(c.CAFile); err != nil {
			return usage{err}
		}
	}
	text, err := app.WebhookSQL(c.URL, c.FeedID, strings.TrimSpace(string(token)), ca)
	if err != nil {
		return usage{err}
	}
	_, err = fmt.Fprint(std.out, text)
	return err
}
