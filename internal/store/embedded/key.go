package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// The key space. Every key begins with its table; in every table of project data the project comes next, then the rest from coarse to fine.
// Texts are escaped and terminated, so that keys sort as the tuples they stand for and no two tuples share a key.
//
//	meta        name                                    what the store knows about itself
//	change      stamp                                   what a commit changed, for the feed
//	project     project, part                           version, settings, schema, context, placements
//	head        project, promotion                      JSON of rules.Head
//	revision    project, promotion, ^number             JSON of rules.Revision, newest first
//	audit       project, stamp                          JSON of audit.Entry
//	credential  project, id                             JSON of access.Credential
//	observed    project, what, name                     an inferred type
//	receipt     project, key                            JSON of rules.Receipt
//	sends       project, user                           JSON of reserve.Ledger
//	email       project, address                        a user id
//	sendlimit   project, promotion                      JSON of reserve.Limit
//	user        project, user, row                      the profile
//	user        project, user, event, type, ^time, id   a user event's properties, newest first within its type
//	user        project, user, id, id                   where the event of this id lies: time and type
//
// A user's profile and events are neighbours: one short scan loads both.
const (
	tableMeta       = 0x01
	tableChange     = 0x02
	tableProject    = 0x10
	tableHead       = 0x11
	tableRevision   = 0x12
	tableAudit      = 0x13
	tableCredential = 0x14
	tableObserved   = 0x15
	tableReceipt    = 0x16
	tableSends      = 0x17
	tableEmail      = 0x18
	tableSendLimit  = 0x19
	tableUser       = 0x20
)

// The kinds of row of one user.
const (
	userRow   = 0x01
	userEvent = 0x02
	userID    = 0x03
)

// The parts of a project.
const (
	partVersion    = 'v'
	partSettings   = 's'
	partSchema     = 'k'
	partContext    = 'c'
	partPlacements = 'p'
)

// The names in the meta table.
const (
	metaFormat  = 'f' // version of this layout
	metaBound   = 'b' // no stamp above it was given out
	metaTrimmed = 't' // change records up to this stamp are gone
	metaLease   = 'l'
)

var errKey = errors.New("malformed key")

// appendText appends s so that order is kept and the end is known: a zero byte becomes 00 FF, the end is 00 01.
func appendText[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for i := range len(s) {
		if s[i] == 0 {
			dst = append(append(dst, s[from:i]...), 0x00, 0xff)
			from = i + 1
		}
	}
	return append(append(dst, s[from:]...), 0x00, 0x01)
}

// cutText splits what appendText wrote off the front of key. The text shares key's memory unless it holds zero bytes.
func cutText(key []byte) (text, rest []byte, err error) {
	i := bytes.IndexByte(key, 0x00)
	if i < 0 || i+1 >= len(key) {
		return nil, nil, errKey
	}
	if key[i+1] == 0x01 {
		return key[:i], key[i+2:], nil
	}
	for i := 0; i+1 < len(key); i++ {
		if key[i] != 0x00 {
			text = append(text, key[i])
			continue
		}
		i++
		switch key[i] {
		case 0xff:
			text = append(text, 0x00)
		case 0x01:
			return text, key[i+1:], nil
		default:
			return nil, nil, errKey
		}
	}
	return nil, nil, errKey
}

// following is the first key that is greater than every key with this prefix. The prefix ends in a table, a kind or a terminator, never in
// 0xFF.
func following(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	next[len(next)-1]++
	return next
}

func metaKey(name byte) []byte { return []byte{tableMeta, name} }

func changeKey(dst []byte, wall int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, tableChange), uint64(wall))
}

// projectPrefix begins every key of the project in the table.
func projectPrefix(table byte, project string) []byte {
	return appendText(append(make([]byte, 0, 96), table), project)
}

func projectKey(project string, part byte) []byte {
	return append(projectPrefix(tableProject, project), part)
}

// namedKey is the key of a row that is known by one name in its project.
func namedKey(table byte, project, name string) []byte {
	return appendText(projectPrefix(table, project), name)
}

func revisionKey(project, promotion string, number int) []byte {
	return binary.BigEndian.AppendUint32(namedKey(tableRevision, project, promotion), ^uint32(number))
}

func auditKey(project string, wall int64) []byte {
	return binary.BigEndian.AppendUint64(projectPrefix(tableAudit, project), uint64(wall))
}

func observedKey(project, what, name string) []byte {
	return appendText(namedKey(tableObserved, project, what), name)
}

// appendUser appends the prefix of all rows of the user.
func appendUser(dst []byte, project, user string) []byte {
	return appendText(appendText(append(dst, tableUser), project), user)
}

// appendType appends, after a user's prefix, the prefix of all events of the type.
func appendType[T string | []byte](dst []byte, eventType T) []byte {
	return appendText(append(dst, userEvent), eventType)
}

// appendEvent appends, after a type's prefix, time and id. Times are inverted: newest first.
func appendEvent[T string | []byte](dst []byte, at int64, id T) []byte {
	return appendText(appendTime(dst, at), id)
}

func appendTime(dst []byte, at int64) []byte {
	return binary.BigEndian.AppendUint64(dst, descending(at))
}

// appendID appends, after a user's prefix, the place of an event's id.
func appendID(dst []byte, id string) []byte { return appendText(append(dst, userID), id) }

// descending maps times to numbers that sort the other way round.
func descending(at int64) uint64 { return ^(uint64(at) ^ 1<<63) }

func ascending(n uint64) int64 { return int64(^n ^ 1<<63) }

// cutEvent splits the part of an event's key after the type: time and id.
func cutEvent(rest []byte) (at int64, id []byte, err error) {
	if len(rest) < 8 {
		return 0, nil, errKey
	}
	id, tail, err := cutText(rest[8:])
	if err != nil || len(tail) != 0 {
		return 0, nil, errKey
	}
	return ascending(binary.BigEndian.Uint64(rest)), id, nil
}

// eventTime is the time in the part of an event's key after the type.
func eventTime(rest []byte) (int64, bool) {
	if len(rest) < 8 {
		return 0, false
	}
	return ascending(binary.BigEndian.Uint64(rest)), true
}
