package crdb

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxObserved bounds the names noted for one project: what callers send is theirs to choose.
	maxObserved = 2000
	// observedFor is how long what was noted is known without a look at the table, which other replicas write too.
	observedFor = time.Minute
)

const (
	listObserved = `SELECT what, name, kind FROM observed WHERE project_id = $1 LIMIT 4000`
	putObserved  = `INSERT INTO observed (project_id, what, name, kind) SELECT $1, r.w, r.n, r.k
			FROM unnest($2::TEXT[], $3::TEXT[], $4::TEXT[]) AS r(w, n, k)
		ON CONFLICT (project_id, what, name) DO UPDATE SET kind = excluded.kind`
)

// observations is the undeclared names that are known to be in the table, by project. The zero value is ready.
type observations struct {
	mu       sync.Mutex
	projects map[string]observedProject // guarded by mu; the maps in it are replaced, never changed
}

type observedProject struct {
	kinds map[observed]string // → inferred type
	read  time.Time
}

type observed struct{ what, name string }

// of returns what is known of the project, nil when it must be read again.
func (o *observations) of(project string) map[observed]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := o.projects[project]
	if time.Since(known.read) > observedFor {
		return nil
	}
	return known.kinds
}

func (o *observations) keep(project string, kinds map[observed]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.projects == nil {
		o.projects = make(map[string]observedProject)
	}
	o.projects[project] = observedProject{kinds: kinds, read: time.Now()}
}

// unite adds what was seen to known and returns what that changed, by its new type. Names beyond the bound are passed over.
func unite(known map[observed]string, seen []profile.Observed) map[observed]string {
	changed := make(map[observed]string)
	for _, item := range seen {
		key := observed{item.What, item.Name}
		old, ok := known[key]
		if later, again := changed[key]; again {
			old, ok = later, true
		}
		if !ok && len(known)+len(changed) >= maxObserved || len(item.Name) > 2*profile.MaxNameBytes+1 || !storableText(item.Name) {
			continue
		}
		if kind := uniteTypes(old, item.Type); !ok || kind != old {
			changed[key] = kind
		}
	}
	return changed
}

// uniteTypes is the type that fits two values: a null says nothing, an int is a double as well, anything else is mixed.
func uniteTypes(old, seen string) string {
	switch {
	case old == "" || old == seen:
		return seen
	case seen == "":
		return old
	case old == "int" && seen == "double" || old == "double" && seen == "int":
		return "double"
	}
	return "mixed"
}

// Observe notes undeclared names with their types, at most 2,000 for a project; later ones are passed over. What was noted within the
// last minute costs a look-up in memory. profile.ErrUnavailable, ctx.Err().
func (s *Store) Observe(ctx context.Context, project string, seen []profile.Observed) error {
	if known := s.observed.of(project); known != nil && len(unite(known, seen)) == 0 || len(seen) == 0 {
		return ctx.Err()
	}
	own, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	var kinds map[observed]string
	_, err := s.transaction(own, func(ctx context.Context, tx pgx.Tx) (err error) {
		if kinds, err = readObserved(tx.Query(ctx, listObserved, project)); err != nil {
			return err
		}
		changed := unite(kinds, seen)
		if len(changed) == 0 {
			return nil
		}
		columns := make([][]string, 3)
		for key, kind := range changed {
			kinds[key] = kind
			for i, text := range []string{key.what, key.name, kind} {
				columns[i] = append(columns[i], text)
			}
		}
		_, err = tx.Exec(ctx, putObserved, project, columns[0], columns[1], columns[2])
		return err
	})
	if err != nil {
		return outcome(ctx, "observe", err)
	}
	s.observed.keep(project, kinds)
	return nil
}

func readObserved(rows pgx.Rows, err error) (map[observed]string, error) {
	if err != nil {
		return nil, err
	}
	kinds := make(map[observed]string)
	var key observed
	var kind string
	_, err = pgx.ForEachRow(rows, []any{&key.what, &key.name, &kind}, func() error {
		kinds[key] = kind
		return nil
	})
	return kinds, err
}

// Observations lists what Observe noted, attributes before event types before properties, each by name. profile.ErrUnavailable, ctx.Err().
func (s *Store) Observations(ctx context.Context, project string) ([]profile.Observed, error) {
	var kinds map[observed]string
	err := s.read(ctx, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		kinds, err = readObserved(conn.Query(ctx, listObserved, project))
		return err
	})
	if err != nil {
		return nil, outcome(ctx, "list observations", err)
	}
	list := make([]profile.Observed, 0, len(kinds))
	for key, kind := range kinds {
		list = append(list, profile.Observed{What: key.what, Name: key.name, Type: kind})
	}
	slices.SortFunc(list, func(a, b profile.Observed) int { return strings.Compare(a.What+"\x00"+a.Name, b.What+"\x00"+b.Name) })
	return list, nil
}
