package crdb

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// fault says what an error of the database means for the call that got it.
type fault uint8

const (
	faultNone      fault = iota
	faultFinal           // asking again would not help
	faultContended       // another transaction was first: nothing happened, try again
	faultBusy            // the server has no room for this session or statement: try again, later
	faultLost            // the connection or the server went away: nothing is known about what was under way; try again on another
	faultAmbiguous       // the commit may or may not have happened, and may still happen
	faultReplan          // a prepared statement does not fit the tables any more: the library prepares it anew
)

// classify reads the SQLSTATE, or what takes its place when there was no answer.
func classify(err error) fault {
	if err == nil {
		return faultNone
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyState(answer.Code, answer.Message)
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// Whose context it was the caller knows: within its own deadline a cancelled statement is one whose connection was cut.
		return faultLost
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), pgconn.SafeToRetry(err), isNet(err),
		strings.Contains(err.Error(), "conn closed"), strings.Contains(err.Error(), "conn busy"):
		return faultLost
	}
	return faultFinal
}

func isNet(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}

func classifyState(code, message string) fault {
	switch code {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
		return faultContended
	case "40003": // statement completion unknown
		return faultAmbiguous
	case "57P01", "57P02", "57P03", "57P05": // shutting down, crashed, starting up or draining, idle too long
		return faultLost
	case "57014": // cancelled: by an operator or the session's statement timeout
		return faultLost
	}
	switch {
	case strings.HasPrefix(code, "08"): // connection exceptions
		return faultLost
	case strings.HasPrefix(code, "53"): // too many connections, out of memory or disk
		return faultBusy
	// The tables were altered, or a pooler swapped the session.
	case code == "0A000" && strings.Contains(message, "cached plan"), code == "26000":
		return faultReplan
	case code == "XXUUU" && strings.Contains(message, "result is ambiguous"): // older releases spell 40003 so
		return faultAmbiguous
	case code == "XXUUU" && (strings.Contains(message, "draining") || strings.Contains(message, "shutting down")):
		return faultLost
	}
	return faultFinal
}

// violates reports whether err says that a unique key is taken.
func violates(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.Code == "23505"
}
