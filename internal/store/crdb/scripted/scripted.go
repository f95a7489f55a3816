// Package scripted is a server of the PostgreSQL wire protocol for tests: it answers statements from a script. It stands where a
// CockroachDB would, for what PostgreSQL has no statement for. All columns are text.
package scripted

import (
	"net"
	"regexp"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Answer is what the server says to a statement. An error comes after the rows.
type Answer struct {
	Rows [][]string      // all of one length; a cell of Null is NULL
	Code string          // SQLSTATE of an error; "": none
	Text string          // its message
	Hold <-chan struct{} // the rows go out at once, the end when it is closed; nil: at once
}

// Null is a cell without a value.
const Null = "\x00"

// Rows is an answer of rows.
func Rows(rows ...[]string) Answer { return Answer{Rows: rows} }

// One is an answer of one cell.
func One(cell string) Answer { return Rows([]string{cell}) }

// Rule answers the statements that match a regular expression.
type Rule struct {
	Match  string
	Answer func(statement string) Answer
}

// Always answers a matching statement always the same.
func Always(match string, answer Answer) Rule {
	return Rule{match, func(string) Answer { return answer }}
}

// Server answers by the first rule that matches; a statement that none matches gets an error. It is safe for concurrent use.
type Server struct {
	URL string

	rules []rule
	ended chan struct{} // closed when the test ends
	mu    sync.Mutex
	asked []string // guarded by mu
}

type rule struct {
	match  *regexp.Regexp
	answer func(string) Answer
}

// Start listens on loopback until the test ends.
func Start(t testing.TB, rules ...Rule) *Server {
	t.Helper()
	s := &Server{ended: make(chan struct{})}
	for _, r := range rules {
		s.rules = append(s.rules, rule{regexp.MustCompile(`(?is)` + r.Match), r.Answer})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "postgres://tester@" + listener.Addr().String() + "/defaultdb?sslmode=disable"
	var serving sync.WaitGroup
	var open sync.Map
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed below
			}
			open.Store(conn, true)
			serving.Go(func() {
				defer open.Delete(conn)
				defer conn.Close()
				s.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		close(s.ended)
		listener.Close()
		open.Range(func(key, _ any) bool {
			if conn, ok := key.(net.Conn); ok {
				conn.Close()
			}
			return true
		})
		serving.Wait()
	})
	return s
}

// Asked are the statements so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *Server) answer(statement string) Answer {
	s.mu.Lock()
	s.asked = append(s.asked, statement)
	s.mu.Unlock()
	for _, r := range s.rules {
		if r.match.MatchString(statement) {
			return r.answer(statement)
		}
	}
	return Answer{Code: "XXUUU", Text: "the script has no answer to: " + statement}
}

// serve speaks with one client. Errors end the connection: the client's test sees them.
func (s *Server) serve(conn net.Conn) {
	backend := pgproto3.NewBackend(conn, conn)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	backend.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	backend.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	var statement string
	var answer Answer
	failed := false // until Sync, as the protocol says
	for backend.Flush() == nil {
		message, err := backend.Receive()
		if err != nil {
			return
		}
		if _, sync := message.(*pgproto3.Sync); failed && !sync {
			continue
		}
		switch m := message.(type) {
		case *pgproto3.Parse:
			statement = m.Query
			backend.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			answer = s.answer(statement)
			backend.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			describe(backend, answer)
		case *pgproto3.Execute:
			failed = s.execute(backend, answer)
		case *pgproto3.Query:
			answer = s.answer(m.String)
			describe(backend, answer)
			s.execute(backend, answer)
			backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Sync:
			failed = false
			backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Terminate:
			return
		}
	}
}

func describe(backend *pgproto3.Backend, answer Answer) {
	if len(answer.Rows) == 0 {
		backend.Send(&pgproto3.NoData{})
		return
	}
	const textOID = 25
	description := &pgproto3.RowDescription{}
	for range answer.Rows[0] {
		description.Fields = append(description.Fields, pgproto3.FieldDescription{Name: []byte("c"), DataTypeOID: textOID, DataTypeSize: -1, TypeModifier: -1})
	}
	backend.Send(description)
}

// execute sends rows and end, and reports whether the end is an error.
func (s *Server) execute(backend *pgproto3.Backend, answer Answer) (failed bool) {
	for _, row := range answer.Rows {
		cells := make([][]byte, len(row))
		for i, cell := range row {
			if cell != Null {
				cells[i] = []byte(cell)
			}
		}
		backend.Send(&pgproto3.DataRow{Values: cells})
	}
	if answer.Hold != nil && backend.Flush() == nil {
		select {
		case <-answer.Hold:
		case <-s.ended:
		}
	}
	if answer.Code != "" {
		backend.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: answer.Code, Message: answer.Text})
		return true
	}
	backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")})
	return false
}
