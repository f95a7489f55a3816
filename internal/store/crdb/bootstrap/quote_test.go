package bootstrap

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"eligibility/internal/store/pgtest"
)

// FuzzQuoting lets PostgreSQL read what was quoted: it must see one literal and one identifier, with just the given text.
func FuzzQuoting(f *testing.F) {
	for _, seed := range []string{"plain", "", "it's", `a"b`, `\`, `\'; DROP TABLE x --`, "''", `"";`, "$$x$$", "ü", "new\nline", "E'\\''", "/* */", strings.Repeat("'", 50)} {
		f.Add(seed)
	}
	cluster, err := Open(context.Background(), pgtest.Shared(f).URL("postgres"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(cluster.Close)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			t.Skip("no such text travels to a database")
		}
		var got string
		if err := cluster.conn.QueryRow(t.Context(), "SELECT "+literal(text)).Scan(&got); err != nil || got != text {
			t.Errorf("literal %q reads as %q, %v", text, got, err)
		}
		const longest = 63 // PostgreSQL cuts what is longer
		if text == "" || len(text) > longest {
			return
		}
		rows, err := cluster.conn.Query(t.Context(), "SELECT 1 AS "+ident(text))
		if err != nil {
			t.Fatalf("identifier %q: %v", text, err)
		}
		defer rows.Close()
		if name := rows.FieldDescriptions()[0].Name; name != text {
			t.Errorf("identifier %q reads as %q", text, name)
		}
	})
}
