package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"time"

	"eligibility/internal/demo/shop"
)

// genCmd writes the made-up shop's users or events.
type genCmd struct {
	Users int       `help:"How many users there are." default:"1000"`
	Seed  uint64    `help:"The same seed gives the same users." default:"1"`
	What  string    `help:"What to write: ${enum}." enum:"users,events" default:"users"`
	Now   time.Time `help:"When the thirty days of events end (RFC 3339); by default the beginning of this minute. Give it to get the same bytes again." placeholder:"TIME"`
}

// Help is the long help.
func (*genCmd) Help() string {
	return `One JSON object a line, in the form of the items that POST /v1/users:bulk and POST /v1/events take. Users hang together: the
country gives the time zone, the language and the currency; few are very active; some of what is looked at goes into the
cart, and some of that is bought.

    eligibility gen --users 1000 --what users > users.ndjson
    eligibility gen --users 1000 --what events --now 2026-11-22T12:00:00Z | head -n 1000 | jq -s . > events.json
    curl localhost:8080/v1/events -H 'Api-Key: demo-server-key' -H 'Content-Type: application/json' -d @events.json`
}

// Run is called by the parser.
func (c *genCmd) Run(std streams) error {
	now := c.Now
	if now.IsZero() {
		now = time.Now().Truncate(time.Minute)
	}
	generator, err := shop.New(shop.Config{Seed: c.Seed, Users: c.Users, Now: now})
	if err != nil {
		return usage{err}
	}
	out := bufio.NewWriterSize(std.out, 1<<16)
	lines := json.NewEncoder(out)
	for i := range c.Users {
		shopper, err := generator.Shopper(i)
		if err != nil {
			return err
		}
		if c.What == "users" {
			err = lines.Encode(&shopper.Profile)
		}
		for j := 0; c.What == "events" && err == nil && j < len(shopper.Events); j++ {
			err = lines.Encode(&shopper.Events[j])
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
