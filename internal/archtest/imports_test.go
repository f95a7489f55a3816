package archtest

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms maps each room to the rooms that its code (tests aside) may import. What is not listed is forbidden, and a room that is not listed fails the test: a new
// room declares its place here.
var rooms = map[string][]string{
	"hlc":        {},
	"audit":      {},
	"problem":    {},
	"framing":    {},
	"strictjson": {"problem"},
	"profile":    {"hlc"},
	"events":     {"hlc"},
	"access":     {"audit", "hlc", "problem"},
	"rules":      {"audit", "hlc", "profile"},
	"engine":     {"profile", "rules"},
	"cache":      {"events", "hlc", "profile"},
	"reserve":    {"hlc", "profile"},
	"precheck":   {"access", "cache", "engine", "hlc", "problem", "profile", "reserve", "rules", "strictjson"},
	"audience":   {"engine", "hlc", "precheck", "profile", "rules"},

	// The plane of campaign senders, an adapter like the others.
	"bulk": {"access", "audience", "cache", "hlc", "precheck", "problem", "profile", "reserve", "rules", "strictjson"},

	// Tells waiting clients when to ask again.
	"stream": {"events", "hlc", "profile"},

	// Tells push senders whom to push.
	"pushhook": {"access", "events", "hlc", "profile", "stream"},

	// Watches the cache from outside.
	"auditor": {"cache", "events", "hlc", "profile", "rules"},

	// Promotions as files, and the control plane as those who keep them see it.
	"rulefile": {"profile", "rules"},
	"ruletest": {"engine", "hlc", "profile", "rulefile", "rules"},
	"remote":   {"profile", "rulefile", "rules"},

	// Adapters import the domain and never each other.
	"events/natsbus":  {"audience", "events", "hlc", "problem"},
	"store/embedded":  {"access", "audit", "events", "hlc", "profile", "reserve", "rules"},
	"store/pgtest":    {},
	"store/storetest": {"access", "audit", "events", "hlc", "profile", "reserve", "rules"},

	// The store on CockroachDB, its changefeed, and what sets a cluster up and looks it over.
	"store/crdb":            {"access", "audit", "events", "hlc", "profile", "reserve", "rules", "store/crdb/changefeed", "store/crdb/release"},
	"store/crdb/changefeed": {"events", "events/changejson", "hlc", "store/crdb/release"},
	"store/crdb/fakefeed":   {"hlc"},
	"store/crdb/release":    {},
	"store/crdb/scripted":   {},
	"store/crdb/standin":    {"events", "hlc"},
	"store/crdb/bootstrap":  {"store/crdb/release"},
	"store/crdb/doctor":     {"hlc", "store/crdb/release"},
	"events/changejson":     {"events", "hlc"},
	"events/webhook":        {"events", "hlc", "problem"},

	"server":     {"access", "cache", "engine", "events", "hlc", "precheck", "problem", "profile", "reserve", "rules", "server/ask", "stream", "strictjson"},
	"server/ask": {"problem", "strictjson"},
	"admin":      {"access", "audit", "cache", "engine", "events", "hlc", "problem", "profile", "pushhook", "rules", "strictjson"},
	"ops":        {"auditor", "bulk", "cache", "events", "pushhook", "rules", "stream"},

	"app": {
		"access", "admin", "audience", "audit", "auditor", "bulk", "cache", "engine", "events", "events/changejson", "events/natsbus", "events/webhook", "framing", "hlc", "ops", "precheck", "problem", "profile", "pushhook", "reserve", "rules", "server", "stream",
		"store/crdb", "store/crdb/changefeed", "store/embedded", "strictjson",
	},
	"archtest": {},
	"chaos":    {},                                                       // what tests that break real processes share
	"sim":      {"cache", "engine", "events", "hlc", "profile", "rules"}, // invented histories, for tests

	// The demo drives a running app from outside, through its listeners, and seeds it through the domain's interfaces.
	"demo":         {"access", "audit", "demo/shop", "hlc", "profile", "rules"},
	"demo/shop":    {"profile", "rules"},
	"demo/traffic": {"demo/shop"},
	"demo/view":    {"demo/shop", "demo/traffic"},
}

// libraries maps each core library to the rooms that may import it: one, except where the comment says why.
var libraries = map[string][]string{
	"github.com/valyala/fasthttp":    {"server", "bench"}, // bench: the floor that the server is measured against
	"github.com/nats-io/nats.go":     {"events/natsbus"},
	"github.com/nats-io/nats-server": {"events/natsbus"},
	"github.com/cockroachdb/pebble":  {"store/embedded"},
	"github.com/jackc/pgx":           {"store/crdb", "store/crdb/changefeed", "store/crdb/fakefeed", "store/crdb/bootstrap", "store/crdb/doctor", "store/crdb/scripted", "store/crdb/standin"}, // one family, one dialect
	"github.com/dgraph-io/ristretto": {"cache"},
	"cel.dev/cel-go":                 {"rules"},
	"github.com/golang-jwt/jwt":      {"access"},
	"github.com/prometheus":          {"ops"},
	"github.com/alecthomas/kong":     {"cmd/eligibility"},
	"github.com/brianvoe/gofakeit":   {"demo/shop"},
}

const (
	module   = "eligibility/"
	internal = module + "internal/"
)

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range listPackages(t) {
		room, ok := strings.CutPrefix(p.ImportPath, internal)
		if !ok {
			continue
		}
		allowed, known := rooms[room]
		if !known {
			t.Errorf("room %q is not in the table of rooms: declare what it may import", room)
			continue
		}
		for _, path := range p.Imports {
			if other, ok := strings.CutPrefix(path, internal); ok && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s, which its place in the house does not allow", room, other)
			}
		}
	}
}

func TestCoreLibrariesHaveOneHome(t *testing.T) {
	for _, p := range listPackages(t) {
		room := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, internal), module)
		for _, path := range p.Imports {
			for library, homes := range libraries {
				if (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(homes, room) {
					t.Errorf("%s imports %s, which belongs to %v", room, path, homes)
				}
			}
		}
	}
}

func TestEveryRoomSaysItsDuty(t *testing.T) {
	for _, p := range listPackages(t) {
		if strings.HasPrefix(p.ImportPath, module) && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

type listed struct {
	ImportPath, Doc string
	Imports         []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,Imports", "eligibility/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}
