// Package fakefeed is a server for tests that speaks the PostgreSQL wire protocol and serves CREATE CHANGEFEED as CockroachDB does, from a recording or from the
// outbox of a PostgreSQL with package standin's triggers. It can do on purpose what feeds do by accident. It is no part of the product.
package fakefeed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"eligibility/internal/hlc"
)

// Message is a row of a feed's result. A resolved stamp has neither table nor key.
type Message struct {
	Table, Key, Value *string
}

// Source is where a feed's messages come from. Stream calls send for all after the cursor; an *Error, which it may return, is told to the client as the
// database's own. It ends when ctx does or send fails.
type Source interface {
	Stream(ctx context.Context, after hlc.Timestamp, send func(Message) error) error
}

// Error is an error of the database.
type Error struct {
	Code, Text string
	AtQuery    bool // refused before the statement begins, as a syntax error is
}

// Error is its text.
func (e *Error) Error() string { return e.Text }

func (e *Error) response() *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: e.Code, Message: e.Text}
}

// Collected is what the database answers to a cursor that its history does not reach back to.
func Collected(after, threshold hlc.Timestamp) *Error {
	return &Error{Code: "XXUUU", Text: fmt.Sprintf("batch timestamp %d.%09d,%d must be after replica GC threshold %d.%09d,%d",
		after.Wall/1e9, after.Wall%1e9, after.Logical, threshold.Wall/1e9, threshold.Wall%1e9, threshold.Logical)}
}

// Shutdown is how a server that stops ends its sessions.
func Shutdown() *Error { return &Error{Code: "57P01", Text: "server is shutting down"} }

// Recording is a recorded feed: its messages one after another, without the pauses between them, and its error. It does not look at cursors.
type Recording struct {
	Messages []Message
	Err      *Error
}

// line is one line of a recording.
type line struct {
	Table, Key, Value *string
	Error             *struct{ Where, Code, Message string }
}

// Load reads a recording: JSON Lines of table, key and value as received, at the end perhaps an error.
func Load(path string) (*Recording, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r := &Recording{}
	for dec := json.NewDecoder(bufio.NewReader(file)); ; {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return r, nil
		} else if err != nil {
			return nil, fmt.Errorf("recording %s: %w", path, err)
		}
		if l.Error != nil {
			r.Err = &Error{Code: l.Error.Code, Text: l.Error.Message, AtQuery: l.Error.Where == "query"}
			continue
		}
		r.Messages = append(r.Messages, Message{l.Table, l.Key, l.Value})
	}
}

// Stream plays the recording and then, unless it ends with an error, says no more.
func (r *Recording) Stream(ctx context.Context, _ hlc.Timestamp, send func(Message) error) error {
	for _, m := range r.Messages {
		if err := send(m); err != nil {
			return err
		}
	}
	if r.Err != nil {
		return r.Err
	}
	<-ctx.Done()
	return ctx.Err()
}

// Outbox reads what package standin's triggers wrote. Commits there happen in the order of their stamps, so whatever lies below a new stamp is visible.
type Outbox struct {
	URL string
	// Every is the time between two looks, each of which ends with a resolved stamp; zero for 10 ms.
	Every time.Duration
}

// Stream sends the changes in the order of commits. A cursor from before the outbox was trimmed gets the database's answer to that.
func (o Outbox) Stream(ctx context.Context, after hlc.Timestamp, send func(Message) error) error {
	conn, err := pgx.Connect(ctx, o.URL)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to do with it
	var trimmed hlc.Timestamp
	var logical int64
	if err := conn.QueryRow(ctx, "SELECT trimmed_wall, trimmed_logical FROM hlc_clock").Scan(&trimmed.Wall, &logical); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	trimmed.Logical = uint32(logical)
	if after.Before(trimmed) {
		return Collected(after, trimmed)
	}
	every := o.Every
	if every <= 0 {
		every = 10 * time.Millisecond
	}
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		if after, err = o.look(ctx, conn, after, send); err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look sends what was committed since after and a stamp that covers it.
func (o Outbox) look(ctx context.Context, conn *pgx.Conn, after hlc.Timestamp, send func(Message) error) (hlc.Timestamp, error) {
	var text string
	if err := conn.QueryRow(ctx, "SELECT hlc_tick()").Scan(&text); err != nil {
		return after, fmt.Errorf("outbox: %w", err)
	}
	upTo, err := hlc.Parse(text)
	if err != nil {
		return after, fmt.Errorf("outbox: %w", err)
	}
	rows, err := conn.Query(ctx, `SELECT wall, logical, table_name, key, coalesce(after, 'null') FROM hlc_outbox
		WHERE (wall, logical) > ($1, $2) AND (wall, logical) <= ($3, $4) ORDER BY wall, logical, id`, after.Wall, int64(after.Logical), upTo.Wall, int64(upTo.Logical))
	if err != nil {
		return after, fmt.Errorf("outbox: %w", err)
	}
	var wall, logical int64
	var table, key, image string
	if _, err = pgx.ForEachRow(rows, []any{&wall, &logical, &table, &key, &image}, func() error {
		return send(Row(table, key, image, hlc.Timestamp{Wall: wall, Logical: uint32(logical)}))
	}); err != nil {
		return after, err
	}
	return upTo, send(Resolved(upTo))
}

// Row is a message of a changed row: key and image as JSON, the image null for a delete.
func Row(table, key, image string, at hlc.Timestamp) Message {
	var value strings.Builder
	value.Grow(len(image) + 64)
	value.WriteString(`{"after": `)
	value.WriteString(image)
	value.WriteString(`, "updated": "`)
	value.WriteString(at.String())
	value.WriteString(`"}`)
	text := value.String()
	return Message{Table: &table, Key: &key, Value: &text}
}

// Resolved is the message of a resolved stamp.
func Resolved(at hlc.Timestamp) Message {
	text := `{"resolved":"` + at.String() + `"}`
	return Message{Value: &text}
}
