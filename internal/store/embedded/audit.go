package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/rules"

	"github.com/cockroachdb/pebble/v2"
)

// record adds the audit entry to the commit, with the commit's time.
func (c *commit) record(entry audit.Entry) {
	c.seal = func(at hlc.Timestamp) error {
		entry.At = at.Time()
		return c.setJSON(auditKey(entry.Project, at.Wall), entry)
	}
}

// Audit lists the project's entries, newest first, and the cursor of the next page. The cursor is the stamp of the last entry listed.
// Entries above projects are those of the project "".
func (s *Store) Audit(ctx context.Context, project, cursor string, limit int) (entries []audit.Entry, next string, err error) {
	prefix := projectPrefix(tableAudit, project)
	upper := following(prefix)
	if cursor != "" {
		before, err := hlc.Parse(cursor)
		if err != nil {
			return nil, "", fmt.Errorf("audit page %.40q: %w", cursor, rules.ErrNotFound)
		}
		upper = auditKey(project, before.Wall)
	}
	if limit <= 0 {
		return nil, cursor, nil
	}
	err = s.reading(ctx, "read audit", func(v view) (err error) {
		it, err := v.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
		if err != nil {
			return err
		}
		defer closing(it, &err)
		var last int64
		for ok := it.Last(); ok; ok = it.Prev() {
			if len(entries) == limit {
				next = hlc.Timestamp{Wall: last}.String()
				break
			}
			rest := it.Key()[len(prefix):]
			if len(rest) != 8 {
				return errKey
			}
			last = int64(binary.BigEndian.Uint64(rest))
			var entry audit.Entry
			if err := json.Unmarshal(it.Value(), &entry); err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		return it.Error()
	})
	return entries, next, err
}
