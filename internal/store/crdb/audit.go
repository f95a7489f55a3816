package crdb

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/rules"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const listAudit = `SELECT wall, logical, id, doc FROM audit_log WHERE project_id = $1 AND (wall, logical, id) < ($2, $3, $4)
	ORDER BY wall DESC, logical DESC, id DESC LIMIT $5`

// Audit lists the project's entries, newest first, and the cursor of the next page, which names the last entry listed. Entries above
// projects are those of the project "". rules.ErrNotFound for a cursor that is none, profile.ErrUnavailable, ctx.Err().
func (s *Store) Audit(ctx context.Context, project, cursor string, limit int) (entries []audit.Entry, next string, err error) {
	before, id := hlc.Timestamp{Wall: math.MaxInt64}, ""
	if cursor != "" {
		text, rest, _ := strings.Cut(cursor, "/")
		if before, err = hlc.Parse(text); err != nil || !storableText(rest) {
			return nil, "", fmt.Errorf("audit page %.40q: %w", cursor, rules.ErrNotFound)
		}
		id = rest
	}
	if limit <= 0 {
		return nil, cursor, nil
	}
	err = s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		entries, next = nil, ""
		rows, err := conn.Query(ctx, listAudit, project, before.Wall, int64(before.Logical), id, limit+1)
		if err != nil {
			return err
		}
		var wall, logical int64
		var name, doc, last string
		_, err = pgx.ForEachRow(rows, []any{&wall, &logical, &name, &doc}, func() error {
			if len(entries) == limit { // one more than asked for: there is another page
				next = last
				return nil
			}
			last = hlc.Timestamp{Wall: wall, Logical: uint32(logical)}.String() + "/" + name
			var entry audit.Entry
			if err := json.Unmarshal([]byte(doc), &entry); err != nil {
				return err
			}
			entries = append(entries, entry)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, "", outcome(ctx, "read audit", err)
	}
	return entries, next, nil
}
