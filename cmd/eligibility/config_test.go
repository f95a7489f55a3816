package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/app"
)

// parsed is the replica configuration that a command line, an environment and a file come to.
func parsed(t *testing.T, verb string, env map[string]string, file string, args ...string) app.Config {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
	if file != "" {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	var c cli
	values := &fileValues{}
	if _, err := newParser(&c, values, streams{os.Stdin, os.Stdout, os.Stderr}).Parse(append([]string{verb}, args...)); err != nil {
		t.Fatal(values.place(err))
	}
	if verb == "demo" {
		return c.Demo.config()
	}
	return c.Serve.config()
}

func TestWithoutAnythingSaidTheDefaultsHold(t *testing.T) {
	got, want := parsed(t, "serve", nil, ""), app.Defaults()
	dir, err := filepath.Abs(want.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	want.DataDir = dir // the flag is a path, so that a later change of directory cannot move it
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := parsed(t, "demo", nil, "").DataDir; got != "" {
		t.Errorf("the demo's data directory is %q, want none so that a temporary one is made", got)
	}
}

func TestPrecedence(t *testing.T) {
	env := map[string]string{"ELIGIBILITY_LISTEN": "127.0.0.1:2"}
	const file = "listen: 127.0.0.1:3\n"
	for _, c := range []struct {
		name string
		env  map[string]string
		file string
		args []string
		want string
	}{
		{"default", nil, "", nil, app.Defaults().Listen},
		{"file over default", nil, file, nil, "127.0.0.1:3"},
		{"environment over file", env, file, nil, "127.0.0.1:2"},
		{"flag over environment and file", env, file, []string{"--listen", "127.0.0.1:1"}, "127.0.0.1:1"},
		{"flag over file", nil, file, []string{"--listen", "127.0.0.1:1"}, "127.0.0.1:1"},
		{"environment over default", env, "", nil, "127.0.0.1:2"},
		{"flag that says the default over the file", nil, file, []string{"--listen", app.Defaults().Listen}, app.Defaults().Listen},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parsed(t, "serve", c.env, c.file, c.args...).Listen; got != c.want {
				t.Errorf("listen is %q, want %q", got, c.want)
			}
		})
	}
}

func TestFileTakesEveryKindOfValue(t *testing.T) {
	got := parsed(t, "serve", nil, `
# every kind of value, as people write them
listen: 127.0.0.1:0
insecure: true
pprof: yes
trusted-proxies: [10.0.0.0/8, "fd00::/8"]
client-rate: 12.5
retention: 168h
cache-bytes: 1GiB
drain-delay: 5s
ready-file: /run/eligibility/ready.json
log-level: warn
`)
	want := app.Defaults()
	want.Listen, want.Insecure, want.Pprof, want.ClientRate = "127.0.0.1:0", true, true, 12.5
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	want.Retention, want.CacheBytes, want.DrainDelay, want.ReadyFile = 168*time.Hour, 1<<30, 5*time.Second, "/run/eligibility/ready.json"
	got.DataDir = want.DataDir
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEmptyFileSaysNothing(t *testing.T) {
	for _, file := range []string{"# nothing\n", "---\n", "{}\n"} {
		if got := parsed(t, "serve", nil, file).Listen; got != app.Defaults().Listen {
			t.Errorf("%q sets listen to %q", file, got)
		}
	}
}

// Every flag of a replica can come from the environment, under the name that its own name predicts; none is a secret's value.
func TestEveryReplicaFlagHasAnEnvironmentVariable(t *testing.T) {
	var c cli
	model := newParser(&c, &fileValues{}, streams{os.Stdin, os.Stdout, os.Stderr}).Model
	for _, verb := range model.Children {
		if verb.Name != "serve" && verb.Name != "demo" {
			continue
		}
		for _, flag := range flagsOf(verb) {
			name := strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
			if flag.Name == "help" || flag.Group != nil && flag.Group.Key == "shop" {
				continue
			}
			if want := "ELIGIBILITY_" + name; !slices.Contains(flag.Tag.Envs, want) {
				t.Errorf("--%s of %s is not set by %s but by %v", flag.Name, verb.Name, want, flag.Tag.Envs)
			}
			if (strings.Contains(flag.Name, "key") || strings.Contains(flag.Name, "secret")) && flag.Tag.Type != "path" {
				t.Errorf("--%s takes a secret by value: everybody who can list processes would see it", flag.Name)
			}
			if flag.Help == "" {
				t.Errorf("--%s of %s is not explained", flag.Name, verb.Name)
			}
		}
	}
}

func TestEveryFieldOfTheConfigurationIsReachable(t *testing.T) {
	flags := -len([]string{"Config"})
	for _, field := range reflect.VisibleFields(reflect.TypeFor[replicaFlags]()) {
		if !field.Anonymous {
			flags++
		}
	}
	fields := reflect.TypeFor[app.Config]().NumField() - len([]string{"Demo", "ReadyProject", "ReadyKeys"}) // which the demo sets
	if flags != fields {
		t.Errorf("app.Config has %d fields to set, there are flags for %d", fields, flags)
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"1048576", 1 << 20, true},
		{"256MiB", 256 << 20, true},
		{"1 GiB", 1 << 30, true},
		{"64KiB", 64 << 10, true},
		{"12B", 12, true},
		{"-1", -1, true},
		{"", 0, false},
		{"MiB", 0, false},
		{"1.5GiB", 0, false},
		{"9223372036854775807GiB", 0, false},
		{"10MB", 0, false},
		{"1e6", 0, false},
	} {
		got, err := parseBytes(c.text)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("parseBytes(%q) = %d, %v; want %d, %v", c.text, got, err, c.want, c.ok)
		}
		if c.ok {
			if back, err := parseBytes(printedBytes(got)); err != nil || back != got {
				t.Errorf("%d is printed as %q, which reads as %d, %v", got, printedBytes(got), back, err)
			}
		}
	}
}

func TestDurationsArePrintedShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 720 * time.Hour: "720h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m",
	} {
		if got := printed(d); got != want {
			t.Errorf("printed(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"listen", "admin-listen", "data-dir", "cache-bytes"}
	for _, c := range []struct{ given, want string }{
		{"listem", "listen"},
		{"dataDir", "data-dir"},
		{"DATA_DIR", "data-dir"},
		{"cache-byte", "cache-bytes"},
		{"adminListen", "admin-listen"},
		{"zebra", ""},
	} {
		got := suggestion(c.given, known)
		if c.want == "" && got != "" || c.want != "" && got != `, did you mean "`+c.want+`"?` {
			t.Errorf("suggestion(%q) = %q, want %q", c.given, got, c.want)
		}
	}
}
