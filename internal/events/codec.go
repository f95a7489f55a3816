package events

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"eligibility/internal/hlc"
)

// The wire format of the bus, version 1. Integers are unsigned varints; a stamp is wall, logical; a text is its length and its bytes.
//
//	batch  = 'B' 1 partition epoch seq base high resolved changes crc
//	hint   = 'H' 1 changes crc
//	changes = count { table [project] key stamp }
//
// The top bit of the table's byte says that the project is that of the change before it and is left out. The last four bytes are the
// CRC-32C of everything before them, big endian: a flipped bit must never name another row.
const (
	kindBatch   = 'B'
	kindHint    = 'H'
	wireVersion = 1
	sameProject = 0x80
	crcBytes    = 4
	// minChangeBytes is the least a change takes: table, key length, wall and logical.
	minChangeBytes = 4
)

// Limits of what the bus carries.
const (
	MaxKeyBytes     = 600
	MaxProjectBytes = 64
	// MaxMessageBytes is the most that a batch or a hint takes, about 350 kB: table, both lengths, project, key and stamp of every change, and
	// a generous head.
	MaxMessageBytes = 256 + MaxBatchChanges*(1+1+MaxProjectBytes+2+MaxKeyBytes+9+5)
)

// ErrMalformed is wrapped by every error of decoding: the payload is no message of this format, or a damaged one.
var ErrMalformed = errors.New("malformed bus message")

// ErrUnsendable says that a batch or hint is beyond the limits of the wire format.
var ErrUnsendable = errors.New("beyond the limits of a bus message")

// carryable reports whether the wire format can hold c.
func carryable(c *Change) bool {
	return c.Table > 0 && c.Table < sameProject && len(c.Project) <= MaxProjectBytes && len(c.Key) <= MaxKeyBytes &&
		c.At.Wall >= 0 && c.At.Logical <= hlc.MaxLogical
}

// AppendBatch appends b's wire form to dst. ErrUnsendable when b holds too many changes or one that the format cannot hold; dst is then
// returned unchanged.
func AppendBatch(dst []byte, b *Batch) ([]byte, error) {
	start := len(dst)
	out := append(dst, kindBatch, wireVersion)
	out = binary.AppendUvarint(out, uint64(b.Partition))
	out = binary.AppendUvarint(out, b.Epoch)
	out = binary.AppendUvarint(out, b.Seq)
	out = appendStamp(out, b.Base)
	out = appendStamp(out, b.High)
	out = appendStamp(out, b.Resolved)
	return appendChanges(dst, out, start, b.Changes)
}

// AppendHint appends h's wire form to dst; errors as AppendBatch.
func AppendHint(dst []byte, h *Hint) ([]byte, error) {
	return appendChanges(dst, append(dst, kindHint, wireVersion), len(dst), h.Changes)
}

// appendChanges ends a message that began at out[start:]; dst is what the caller gets back on an error.
func appendChanges(dst, out []byte, start int, changes []Change) ([]byte, error) {
	if len(changes) > MaxBatchChanges {
		return dst, fmt.Errorf("%w: %d changes, at most %d", ErrUnsendable, len(changes), MaxBatchChanges)
	}
	out = binary.AppendUvarint(out, uint64(len(changes)))
	project := ""
	for i := range changes {
		c := &changes[i]
		if !carryable(c) {
			return dst, fmt.Errorf("%w: change %d of table %d with %d bytes of project and %d of key", ErrUnsendable, i, c.Table,
				len(c.Project), len(c.Key))
		}
		if i > 0 && c.Project == project {
			out = append(out, byte(c.Table)|sameProject)
		} else {
			out = append(out, byte(c.Table))
			out = appendText(out, c.Project)
		}
		project = c.Project
		out = appendText(out, c.Key)
		out = appendStamp(out, c.At)
	}
	return binary.BigEndian.AppendUint32(out, checksum(out[start:])), nil
}

func appendStamp(dst []byte, t hlc.Timestamp) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(t.Wall)), uint64(t.Logical))
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// DecodeBatch reads what AppendBatch wrote into b and reuses the memory of b.Changes. Its strings are copies, data stays the caller's.
// Any other payload gives an error that wraps ErrMalformed, and b's contents are then undefined. A table number that is not known here is
// no error: a newer relay may send it.
func DecodeBatch(data []byte, b *Batch) error {
	r, err := open(data, kindBatch)
	if err != nil {
		return err
	}
	partition := r.uvarint(math.MaxUint16)
	b.Partition = uint16(partition)
	b.Epoch, b.Seq = r.uvarint(math.MaxUint64), r.uvarint(math.MaxUint64)
	b.Base, b.High, b.Resolved = r.stamp(), r.stamp(), r.stamp()
	b.Changes = r.changes(b.Changes[:0])
	return r.close()
}

// DecodeHint reads what AppendHint wrote into h; memory and errors as DecodeBatch.
func DecodeHint(data []byte, h *Hint) error {
	r, err := open(data, kindHint)
	if err != nil {
		return err
	}
	h.Changes = r.changes(h.Changes[:0])
	return r.close()
}

// reader takes a message apart. After the first fault every read gives zeros and close tells the fault.
type reader struct {
	data  []byte
	pos   int
	fault string
}

func open(data []byte, kind byte) (reader, error) {
	if len(data) < 2+crcBytes {
		return reader{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(data))
	}
	body, sum := data[:len(data)-crcBytes], binary.BigEndian.Uint32(data[len(data)-crcBytes:])
	if body[0] != kind || body[1] != wireVersion {
		return reader{}, fmt.Errorf("%w: kind %d version %d", ErrMalformed, body[0], body[1])
	}
	if checksum(body) != sum {
		return reader{}, fmt.Errorf("%w: checksum", ErrMalformed)
	}
	return reader{data: body, pos: 2}, nil
}

func (r *reader) close() error {
	if r.fault == "" && r.pos != len(r.data) {
		r.fault = "trailing bytes"
	}
	if r.fault != "" {
		return fmt.Errorf("%w: %s at byte %d", ErrMalformed, r.fault, r.pos)
	}
	return nil
}

func (r *reader) fail(fault string) {
	if r.fault == "" {
		r.fault = fault
	}
}

// uvarint reads a number of at most limit in its shortest form; a longer form of the same number is refused, so that equal messages have
// equal bytes.
func (r *reader) uvarint(limit uint64) uint64 {
	if r.fault != "" {
		return 0
	}
	n, size := binary.Uvarint(r.data[r.pos:])
	if size <= 0 || n > limit || size > 1 && r.data[r.pos+size-1] == 0 {
		r.fail("number")
		return 0
	}
	r.pos += size
	return n
}

func (r *reader) stamp() hlc.Timestamp {
	wall := r.uvarint(math.MaxInt64)
	return hlc.Timestamp{Wall: int64(wall), Logical: uint32(r.uvarint(hlc.MaxLogical))}
}

// changes appends the message's changes to dst. All their strings share one copy of the message, one allocation whatever their number.
func (r *reader) changes(dst []Change) []Change {
	count := r.uvarint(MaxBatchChanges)
	if count == 0 || r.fault != "" {
		return dst
	}
	if remaining := len(r.data) - r.pos; uint64(remaining) < count*minChangeBytes {
		r.fail("count")
		return dst
	}
	text := string(r.data)
	project := ""
	for i := range count {
		table := r.octet()
		if table&sameProject == 0 {
			previous := project
			if project = r.text(text, MaxProjectBytes); i > 0 && project == previous {
				r.fail("repeated project")
			}
		} else if i == 0 {
			r.fail("no project")
		}
		c := Change{Table: Table(table &^ sameProject), Project: project, Key: r.text(text, MaxKeyBytes), At: r.stamp()}
		if c.Table == 0 {
			r.fail("table")
		}
		if r.fault != "" {
			return dst
		}
		dst = append(dst, c)
	}
	return dst
}

func (r *reader) octet() byte {
	if r.fault != "" || r.pos >= len(r.data) {
		r.fail("end")
		return 0
	}
	r.pos++
	return r.data[r.pos-1]
}

// text reads a text of at most limit bytes as a part of whole, which is r.data as a string.
func (r *reader) text(whole string, limit uint64) string {
	size := int(r.uvarint(limit))
	if r.fault != "" || size > len(whole)-r.pos {
		r.fail("text")
		return ""
	}
	r.pos += size
	return whole[r.pos-size : r.pos]
}
