// Command sender-go is a worked example: a worker that sends a campaign to a list of users, and asks the engine at the last moment who of
// them still qualifies. It prints what it would send. docs/sending.md explains it; standard library only.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run sends to the users of in, one id a line, and writes a line of JSON for whatever becomes of one.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) error {
	flags := flag.NewFlagSet("sender-go", flag.ContinueOnError)
	flags.SetOutput(errs)
	promotion := flags.String("promotion", "", "the promotion to send")
	campaign := flags.String("run", "", "a name for this run of the campaign: started again under it, nobody is sent to twice")
	channel := flags.String("channel", "", "whatsapp, push, email or sms")
	wait := flags.Duration("wait", time.Hour, "who qualifies later than this is left out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *promotion == "" || *channel == "" || *campaign == "" {
		return errors.New("name the -promotion, the -channel and the -run")
	}
	results := bufio.NewWriter(out)
	defer results.Flush()
	worker := Worker{
		Engine: Engine{
			URL: cmp.Or(os.Getenv("ELIGIBILITY_URL"), "http://127.0.0.1:8080"), Key: cmp.Or(os.Getenv("ELIGIBILITY_SERVER_KEY"), "demo-server-key"),
			HTTP: &http.Client{Timeout: 30 * time.Second},
		},
		Promotion: *promotion, Channel: *channel, SendID: *campaign + "/" + *channel, Until: time.Now().Add(*wait),
		// Here a real worker calls its WhatsApp or push provider, with the key by which that knows a repetition.
		Deliver: func(_ context.Context, userID, key string) error { return nil },
		Report: func(o Outcome) error {
			if err := json.NewEncoder(results).Encode(o); err != nil {
				return err
			}
			return results.Flush()
		},
	}
	tally, err := worker.Run(ctx, bufio.NewScanner(in))
	fmt.Fprintf(errs, "sent %d, left out %d, failed %d; looked again %d times\n", tally[Sent], tally[LeftOut], tally[Failed], tally[Waiting])
	return err
}
