package changefeed

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"eligibility/internal/events/changejson"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/release"

	"github.com/jackc/pgx/v5"
)

// statement is the feed after the cursor. A cursor alone means no scan of what is there; saying so as well is refused by some releases.
func statement(r release.Release, tables []changejson.Table, resolved time.Duration, after hlc.Timestamp) string {
	create := "CREATE CHANGEFEED"
	if r.Dialect == release.CockroachDB && !r.Has(release.CreateChangefeed) {
		create = "EXPERIMENTAL CHANGEFEED"
	}
	return create + " FOR TABLE " + list(tables) + " WITH " + common(resolved) + ", cursor=" + literal(after.String())
}

// common is the options of every feed of ours. A column that is added must not send the whole table again; resolved stamps come as often as asked only if
// checkpoints do.
func common(resolved time.Duration) string {
	every := literal(resolved.String())
	return "updated, resolved=" + every + ", min_checkpoint_frequency=" + every + ", schema_change_policy='nobackfill'"
}

func list(tables []changejson.Table) string {
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = pgx.Identifier{tables[i].Name}.Sanitize()
	}
	return strings.Join(names, ", ")
}

// literal is text as SQL writes it.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Webhook describes a changefeed job that sends its changes to us.
type Webhook struct {
	Release release.Release
	URL     string // https://host:port, where the webhook listens
	Feed    string // id of the job, the last element of the path
	Token   string // the whole Authorization header; empty prints a placeholder
	CA      []byte // PEM of the authority behind the listener's certificate; nil: one that the database trusts anyway
	// Resolved is as in Config.
	Resolved time.Duration
}

// tokenPlace stands where the operator puts the secret.
const tokenPlace = "Bearer REPLACE-WITH-THE-TOKEN"

// Rows of one request, and how long the database collects them. A request must be answered within 3 s, bus included.
const (
	webhookMessages = 500
	webhookLinger   = "10ms"
)

// WebhookSQL is the statement that creates the job, ready for a SQL shell. The error says what of w is at fault.
func WebhookSQL(w Webhook) (string, error) {
	at, err := url.Parse(w.URL)
	if err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil || at.RawQuery != "" {
		return "", errors.New("the webhook's URL must be https://host:port: the database sends to nothing else")
	}
	if w.Feed == "" || strings.ContainsAny(w.Feed, "/?#%' ") {
		return "", fmt.Errorf("%.80q is no id of a feed", w.Feed)
	}
	if w.Resolved <= 0 {
		w.Resolved = DefaultResolved
	}
	at.Scheme = "webhook-https"
	at = at.JoinPath("v1", "changes", w.Feed)
	if len(w.CA) > 0 {
		at.RawQuery = url.Values{"ca_cert": {base64.StdEncoding.EncodeToString(w.CA)}}.Encode()
	}
	token := w.Token
	if token == "" {
		token = tokenPlace
	}
	flush, err := json.Marshal(map[string]any{"Flush": map[string]any{"Messages": webhookMessages, "Frequency": webhookLinger}})
	if err != nil {
		return "", err
	}
	// What is there already is read when it is asked for: the job begins with the present.
	scan := "initial_scan='no'"
	if w.Release.Dialect == release.CockroachDB && !w.Release.AtLeast(22, 2) {
		scan = "no_initial_scan"
	}
	return fmt.Sprintf(`CREATE CHANGEFEED FOR TABLE %s
  INTO %s
  WITH %s, %s,
       on_error='pause', webhook_sink_config=%s,
       webhook_auth_header=%s;
`, list(changejson.Tables()), literal(at.String()), common(w.Resolved), scan, literal(string(flush)), literal(token)), nil
}
