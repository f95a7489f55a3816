package changejson

import (
	"encoding/json"
	"errors"
	"fmt"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// Errors of a row.
var (
	// ErrUntold: what changed cannot be told, but when: the change that comes with it has a stamp and no table.
	ErrUntold = errors.New("a change cannot be told")
	// ErrUndated: not even when. Whoever cannot give it a stamp at or after its commit has to assume that everything changed.
	ErrUndated = errors.New("a change has no readable stamp")
	// ErrMessage: a message that is neither a row nor a resolved stamp.
	ErrMessage = errors.New("a message of the changefeed cannot be read")
)

// Decoder reads the rows of some tables. It is safe for concurrent use.
type Decoder struct {
	tables map[string]Table
}

// New makes a decoder for the tables; the feed's own are Tables().
func New(tables []Table) *Decoder {
	d := &Decoder{tables: make(map[string]Table, len(tables))}
	for _, table := range tables {
		d.tables[table.Name] = table
	}
	return d
}

// Row is the change that one row of a changefeed tells: its table, its key as a JSON array and its value, of which only the end is read. Nothing of
// the arguments is kept. ErrUntold, with a change that has only a stamp; ErrUndated, with one that has none.
func (d *Decoder) Row(table string, key, value []byte) (events.Change, error) {
	at, err := updated(value)
	if err != nil {
		return events.Change{}, fmt.Errorf("%w: table %.80q: %w", ErrUndated, table, err)
	}
	change, err := d.identify(table, key)
	change.At = at
	return change, err
}

// errKey: the key is not the array that the table's primary key makes.
var errKey = errors.New("its key does not fit the table")

// identify finds out whose row it is by the key alone, which a delete has too.
func (d *Decoder) identify(name string, key []byte) (events.Change, error) {
	table, known := d.tables[bare(name)]
	if !known {
		return events.Change{}, fmt.Errorf("%w: table %.80q is not expected on the feed", ErrUntold, name)
	}
	var columns []any
	err := json.Unmarshal(key, &columns)
	if err == nil && len(columns) == table.Columns+1 {
		// In front stands the shard of a hash-sharded key, or the region of a table that is regional by row.
		columns = columns[1:]
	}
	if err != nil || len(columns) != table.Columns {
		return events.Change{}, fmt.Errorf("%w: table %.80q: %w", ErrUntold, name, errKey)
	}
	change := events.Change{Table: table.Kind}
	var ok bool
	if change.Project, ok = columns[0].(string); ok && table.Columns > 1 {
		change.Key, ok = columns[1].(string)
	}
	if !ok {
		return events.Change{}, fmt.Errorf("%w: table %.80q: %w", ErrUntold, name, errKey)
	}
	return change, nil
}

// stamps is where the envelopes keep them: at the top, or under a name that no column has.
type stamps struct {
	Resolved *string `json:"resolved"`
	Nested   struct {
		Resolved *string `json:"resolved"`
	} `json:"__crdb__"`
}

// Resolved reads a message that belongs to no table. ErrMessage.
func Resolved(value []byte) (hlc.Timestamp, error) {
	var said stamps
	if err := json.Unmarshal(value, &said); err != nil {
		return hlc.Timestamp{}, ErrMessage
	}
	text := said.Resolved
	if text == nil {
		text = said.Nested.Resolved
	}
	if text == nil {
		return hlc.Timestamp{}, ErrMessage
	}
	at, err := hlc.Parse(*text)
	if err != nil {
		return hlc.Timestamp{}, fmt.Errorf("%w: resolved: %w", ErrMessage, err)
	}
	return at, nil
}
