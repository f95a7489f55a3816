package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"eligibility/internal/remote"

	"golang.org/x/term"
)

// precheckCmd is the last look before a campaign goes out.
type precheckCmd struct {
	URL       string `name:"url" help:"Address of the bulk plane." default:"http://127.0.0.1:8084" env:"ELIGIBILITY_BULK_URL"`
	KeyFile   string `help:"File with a server key of the project, instead of the one in ELIGIBILITY_API_KEY." placeholder:"FILE" type:"path" env:"ELIGIBILITY_API_KEY_FILE"`
	Promotion string `required:"" help:"Id of the promotion."`
	Channel   string `required:"" enum:"embedded,push,whatsapp,email,sms" help:"Channel that it would be sent on."`
	File      string `arg:"" optional:"" type:"existingfile" help:"File of lines such as {\"userId\":\"ada\"}; standard input when none is named."`
}

// Help is the long help.
func (*precheckCmd) Help() string {
	return `    eligibility precheck --promotion fathers-day --channel push users.ndjson > answers.ndjson

Every user is answered by a line on standard output, in the order of the input; how far it is, and what it came to, stands on standard error. A stream that is cut is
taken up again where it was cut.`
}

// Run is called by the parser.
func (c *precheckCmd) Run(g *Globals, std streams) error {
	key, err := (&remoteFlags{KeyFile: c.KeyFile}).key()
	if err != nil {
		return usage{err}
	}
	in, size, err := c.input(std)
	if err != nil {
		return err
	}
	defer in.Close()
	ctx, stop := interrupted(g, std)
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = in.Close() })()
	bar := newMeter(std.err, size)
	question := remote.Precheck{URL: c.URL, Key: key, Promotion: c.Promotion, Channel: c.Channel}
	result, err := question.Stream(ctx, in, std.out, bar.show)
	bar.end()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted: what was answered stands on standard output")
		}
		return explained(err)
	}
	if g.json() {
		return json.NewEncoder(std.err).Encode(map[string]any{"summary": result})
	}
	printResult(std.err, result, bar.took())
	return nil
}

func (c *precheckCmd) input(std streams) (in io.ReadCloser, size int64, err error) {
	file := std.in
	if c.File != "" {
		if file, err = os.Open(c.File); err != nil {
			return nil, 0, err
		}
	} else if term.IsTerminal(int(file.Fd())) {
		fmt.Fprintln(std.err, "reading users from the terminal: one {\"userId\":\"…\"} a line, Ctrl-D at the end")
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return file, size, nil
}

func printResult(to io.Writer, r *remote.PrecheckResult, took time.Duration) {
	fmt.Fprintf(to, "%d users in %v, rules version %d\n", r.Total, took.Round(time.Millisecond), r.RulesVersion)
	if r.Resumed > 0 {
		fmt.Fprintf(to, "the stream was cut and taken up again: %d times\n", r.Resumed)
	}
	rows := []row{{"eligible", r.Eligible}}
	for reason, n := range r.Reasons {
		rows = append(rows, row{reason, n})
	}
	if r.Failed > 0 {
		rows = append(rows, row{"lines at fault", r.Failed})
	}
	printShares(to, rows, r.Total)
}
