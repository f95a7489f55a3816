package fakefeed

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// connection is one client's.
type connection struct {
	server *Server
	conn   net.Conn
	behind net.Conn // nil without a database behind
	ctx    context.Context
	cancel context.CancelFunc

	client   *pgproto3.Backend
	database *pgproto3.Frontend

	statement string // that was parsed last
	formats   []int16
	failed    bool // until the next Sync
}

// end cuts the connection. It may be called from anywhere, more than once.
func (c *connection) end() {
	c.cancel()
	_ = c.conn.Close()
}

// serve answers until either side is gone.
func (c *connection) serve() {
	c.client = pgproto3.NewBackend(c.conn, c.conn)
	startup, err := c.greet()
	if err != nil {
		return
	}
	if c.server.opts.Behind != "" {
		if c.dial(startup) != nil {
			return
		}
		defer c.behind.Close() //nolint:errcheck // it is over
		c.server.running.Go(func() {
			_, _ = io.Copy(c.conn, c.behind) // while no feed runs the answers are the database's
			c.end()
		})
	} else {
		c.client.Send(&pgproto3.AuthenticationOk{})
		c.client.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "13.0.0"})
		c.client.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
		c.client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
		c.ready()
		if c.client.Flush() != nil {
			return
		}
	}
	for {
		m, err := c.client.Receive()
		if err != nil || c.take(m) != nil {
			return
		}
	}
}

// greet refuses encryption and returns how the client introduces itself.
func (c *connection) greet() (*pgproto3.StartupMessage, error) {
	for {
		m, err := c.client.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *pgproto3.StartupMessage:
			return m, nil
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := c.conn.Write([]byte{'N'}); err != nil {
				return nil, err
			}
		default:
			return nil, errors.New("fakefeed: a request to cancel, which needs no answer")
		}
	}
}

// dial connects to the database behind, as the client would.
func (c *connection) dial(startup *pgproto3.StartupMessage) error {
	at, err := url.Parse(c.server.opts.Behind)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	if c.behind, err = dialer.DialContext(c.ctx, "tcp", at.Host); err != nil {
		return err
	}
	context.AfterFunc(c.ctx, func() { _ = c.behind.Close() })
	c.database = pgproto3.NewFrontend(c.behind, c.behind)
	c.database.Send(startup)
	return c.database.Flush()
}

// feedStatement recognises what is served here.
var feedStatement = regexp.MustCompile(`(?is)^\s*(?:CREATE|EXPERIMENTAL) CHANGEFEED FOR\b.*\bcursor='([0-9.]*)'`)

// take answers one message: a feed's here, everything else by the database behind.
func (c *connection) take(m pgproto3.FrontendMessage) error {
	switch m := m.(type) {
	case *pgproto3.Parse:
		c.statement = m.Query
	case *pgproto3.Query:
		c.statement = m.String
	case *pgproto3.Terminate:
		return io.EOF
	}
	if c.database != nil && !feedStatement.MatchString(c.statement) {
		c.database.Send(m)
		return c.database.Flush()
	}
	if c.failed {
		if _, sync := m.(*pgproto3.Sync); !sync {
			return nil
		}
	}
	switch m := m.(type) {
	case *pgproto3.Parse:
		c.client.Send(&pgproto3.ParseComplete{})
		if end := c.refusal(); end != nil {
			c.fail(end)
		}
	case *pgproto3.Describe:
		if m.ObjectType == 'S' {
			c.client.Send(&pgproto3.ParameterDescription{})
		}
		c.client.Send(c.columns())
	case *pgproto3.Bind:
		c.formats = append([]int16(nil), m.ResultFormatCodes...)
		c.client.Send(&pgproto3.BindComplete{})
	case *pgproto3.Execute:
		return c.execute()
	case *pgproto3.Query:
		return c.simply()
	case *pgproto3.Sync:
		c.failed = false
		c.ready()
		return c.client.Flush()
	case *pgproto3.Flush:
		return c.client.Flush()
	case *pgproto3.Close:
		c.client.Send(&pgproto3.CloseComplete{})
	default:
		c.fail(&Error{Code: "0A000", Text: "fakefeed: a message that nobody here understands"})
	}
	return nil
}

// simply answers a statement of the simple protocol, which a client uses when it has no arguments and expects no rows. Feeds are not followed so.
func (c *connection) simply() error {
	if end := c.refusal(); end != nil {
		c.fail(end)
	} else if feedStatement.MatchString(c.statement) {
		c.fail(&Error{Code: "0A000", Text: "fakefeed: feeds are followed by the extended protocol"})
	} else if err := c.execute(); err != nil {
		return err
	}
	c.failed = false
	c.ready()
	return c.client.Flush()
}

// refusal is the error that a statement gets before it begins.
func (c *connection) refusal() *Error {
	if r, ok := c.server.opts.Source.(*Recording); ok && feedStatement.MatchString(c.statement) && r.Err != nil && r.Err.AtQuery {
		return r.Err
	}
	if c.server.opts.Missing && strings.HasPrefix(c.statement, "SELECT 1 FROM") {
		return &Error{Code: "42P01", Text: `relation "profiles" does not exist`}
	}
	return nil
}

func (c *connection) ready() { c.client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'}) }

// fail sends an error; what follows is ignored until the next Sync.
func (c *connection) fail(e *Error) {
	c.client.Send(e.response())
	c.failed = true
}

// Types of the columns, as PostgreSQL numbers them.
const (
	text  = 25
	bytea = 17
)

func (c *connection) columns() *pgproto3.RowDescription {
	field := func(i int, name string, oid uint32) pgproto3.FieldDescription {
		return pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: oid, DataTypeSize: -1, TypeModifier: -1, Format: c.format(i)}
	}
	if !feedStatement.MatchString(c.statement) {
		return &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{field(0, "version", text)}}
	}
	return &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{field(0, "table", text), field(1, "key", bytea), field(2, "value", bytea)}}
}

func (c *connection) format(i int) int16 {
	switch {
	case len(c.formats) == 1:
		return c.formats[0]
	case i < len(c.formats):
		return c.formats[i]
	}
	return 0
}

// execute answers a statement.
func (c *connection) execute() error {
	found := feedStatement.FindStringSubmatch(c.statement)
	switch {
	case found != nil:
		return c.feed(found[1])
	case strings.Contains(c.statement, "version()"):
		c.client.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(c.server.opts.Version)}})
		c.client.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	case strings.HasPrefix(c.statement, "SELECT 1 FROM"):
		c.client.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")})
	default:
		c.fail(&Error{Code: "0A000", Text: "fakefeed: nothing behind answers this"})
	}
	return nil
}
