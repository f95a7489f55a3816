package bootstrap

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestExampleIsADocument(t *testing.T) {
	file, err := os.Open("../../../../deploy/bootstrap.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := Read("bootstrap.yaml", file)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Roles) != len(Duties()) || len(doc.Users) != 4 || doc.Tables[0].GCTTL != Duration(25*time.Hour) || doc.Settings["kv.rangefeed.enabled"] != "true" {
		t.Errorf("the example reads as %+v", doc)
	}
}

func TestFaultyDocumentsAreRefused(t *testing.T) {
	const head = "version: 1\ndatabase: shop\n"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"bootstrap.yaml:1:1: the file is empty"}},
		{"no YAML", "version: [", []string{"this is not YAML"}},
		{"a list", "- version", []string{":1:1: keys and values are wanted"}},
		{"two documents", head + "---\nversion: 1\n", []string{"one document"}},
		{"another version", "version: 2\ndatabase: shop", []string{":1:10: version: 2 is not known"}},
		{"no version", "database: shop", []string{"version: 0 is not known"}},
		{"no database", "version: 1", []string{"database is missing"}},
		{"unknown key", head + "role: []", []string{`:3:1: there is no key "role" here; the keys are version, database, roles`}},
		{"wrong case", head + "Roles: []", []string{`there is no key "Roles"`}},
		{"a key twice", head + "database: other", []string{`:3:1: "database" stands here for the second time, after line 2`}},
		{"no value", head + "roles:", []string{`"roles" has no value`}},
		{"merge key", head + "users:\n  - &u {name: a}\n  - <<: *u", []string{":5:5: a key is a word"}},
		{"not a number", "version: one\ndatabase: shop", []string{`:1:10: "one" is no whole number`}},
		{"not a list", head + "roles: {name: r}", []string{"a list is wanted"}},
		{"list for a word", "version: 1\ndatabase: [shop]", []string{":2:11: one value is wanted"}},
		{"unknown duty", head + "roles: [{name: r, duty: king}]", []string{`"king": the duties are reader, writer, migrator, relay`}},
		{"neither duty nor grants", head + "roles: [{name: r}]", []string{"neither a duty nor grants"}},
		{"privilege", head + "roles: [{name: r, grants: [{on: t, privileges: [ALL]}]}]", []string{`"ALL" is not granted here`}},
		{"no privileges", head + "roles: [{name: r, grants: [{on: t}]}]", []string{"a grant names privileges"}},
		{"role twice", head + "roles: [{name: r, duty: reader}, {name: r, duty: relay}]", []string{`"r" is declared twice`}},
		{"user like a role", head + "roles: [{name: r, duty: reader}]\nusers: [{name: r}]", []string{"users and roles share their names"}},
		{"undeclared role", head + "users: [{name: u, roles: [king]}]", []string{`role "king" is not declared`}},
		{"reserved name", head + "users: [{name: root}]", []string{`"root" belongs to the database itself`}},
		{"name of the system", head + "users: [{name: pg_monitor}]", []string{"belongs to the database itself"}},
		{"upper case", head + "users: [{name: App}]", []string{`"App" is no name`}},
		{"injection", head + `users: [{name: 'a"; DROP'}]`, []string{"is no name"}},
		{"long name", head + "users: [{name: " + strings.Repeat("a", 64) + "}]", []string{"is no name"}},
		{"path for a file", head + "users: [{name: u, passwordFile: ../u}]", []string{"without a path"}},
		{"hidden file", head + "users: [{name: u, passwordFile: .u}]", []string{"without a path"}},
		{"setting", head + "settings: {'a b': 1}", []string{"no name of a cluster setting"}},
		{"setting of two lines", head + "settings: {a.b: \"x\\ny\"}", []string{"a value is one line"}},
		{"audit as a setting", head + "settings: {sql.log.user_audit: x}", []string{"declare audit.users instead"}},
		{"duration", head + "tables: [{name: t, gcTTL: 25}]", []string{`"25": no length of time; write it as 90m or 25h`}},
		{"short gcTTL", head + "tables: [{name: t, gcTTL: 5m}]", []string{"outside of 10m0s to 2160h0m0s"}},
		{"fraction", head + "tables: [{name: t, gcTTL: 3600500ms}]", []string{"no whole seconds"}},
		{"table twice", head + "tables: [{name: t}, {name: t}]", []string{`"t" is declared twice`}},
		{"storage parameter", head + "tables: [{name: t, options: {'x=1': 2}}]", []string{"no name of a storage parameter"}},
		{"audit twice", head + "audit: {users: [a, a]}", []string{`"a" stands here twice`}},
		{"all at once", "version: 3\ndatabase: S\nusers: [{name: root}]", []string{":1:10:", ":2:11:", ":3:16:"}},
		{"alias bomb", head + bomb(), []string{"the file says too much"}},
		{"long", head + "#" + strings.Repeat("x", maxDocumentBytes), []string{"longer than"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, err := Read("bootstrap.yaml", strings.NewReader(c.text))
			if err == nil {
				t.Fatalf("read as %+v, want a fault", doc)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("fault lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

// bomb says a list of lists of a thousand names each many times.
func bomb() string {
	return "ignore: &a [" + strings.Repeat("x,", 999) + "x]\nusers:\n" + strings.Repeat("  - {name: u, roles: *a}\n", 100)
}

func FuzzRead(f *testing.F) {
	f.Add("version: 1\ndatabase: shop\nroles: [{name: r, duty: reader}]\nsettings: {a.b: on}\n")
	f.Add("a: &a [*a]")
	f.Add("? {a: 1}\n: 2")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Read("f", strings.NewReader(text))
		if (doc == nil) == (err == nil) {
			t.Errorf("document %v and error %v", doc, err)
		}
	})
}
