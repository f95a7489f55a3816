package bootstrap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestWhoMayNotIsToldWhoMay(t *testing.T) {
	s := newSite(t, "refused", "")
	s.apply(t)
	s.migrate(t)
	config, err := pgx.ParseConfig(s.server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("postgres://refused_app:%s@%s:%d/postgres", strings.ReplaceAll(password, " ", "%20"), config.Host, config.Port)
	cluster, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	_, err = cluster.Apply(t.Context(), s.doc, s.secrets, time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "superuser of PostgreSQL") || !strings.Contains(err.Error(), `"refused_app"`) {
		t.Errorf("refused with %v", err)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	s := newSite(t, "hush", "")
	var seen bytes.Buffer
	cluster := s.open(t)
	result, err := cluster.Apply(t.Context(), s.doc, s.secrets, time.Now, func(item *Item) { fmt.Fprintf(&seen, "%+v\n", item.Statement) })
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{result, s.plan(t), s.secrets} {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(encoded)
	}
	// A statement that the server refuses must not be repeated with its hash either.
	hash := s.secrets["hush_app"].text
	refused := cluster.execute(t.Context(), s.doc, &Item{run: "ALTER ROLE hush_app PASSWORD " + literal(hash) + literal(hash) + " SCRAM-SHA-256$x"})
	fmt.Fprintln(&seen, refused)
	for _, part := range strings.FieldsFunc(hash, func(r rune) bool { return r == '$' || r == ':' })[2:] {
		if strings.Contains(seen.String(), part) {
			t.Errorf("a part of the hash is shown:\n%s", &seen)
		}
	}
	if refused == nil || !strings.Contains(seen.String(), "PASSWORD '<app.scram>'") {
		t.Errorf("refused %v, shown:\n%s", refused, &seen)
	}
}

func TestConnecting(t *testing.T) {
	for name, url := range map[string]string{
		"nobody listens": "postgres://app:hunter2hunter2@127.0.0.1:1/x", "no URL": "postgres://app:hunter2hunter2@[", "no scheme": "hunter2hunter2",
	} {
		if cluster, err := Open(t.Context(), url); err == nil {
			cluster.Close()
			t.Errorf("%s: connected", name)
		} else if name != "no scheme" && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}
