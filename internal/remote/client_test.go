package remote

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/profile"
	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

func TestConfigReportsAllFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"fine", Config{URL: "https://control.example:8081", Project: "shop", Key: "k"}, nil},
		{"nothing", Config{}, []string{"url:", "project:", "key:"}},
		{"no scheme", Config{URL: "localhost:8081", Project: "shop", Key: "k"}, []string{"url:"}},
		{"a key that would end a header", Config{URL: "http://x", Project: "shop", Key: "a\nb"}, []string{"key:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.cfg)
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
		})
	}
}

// TestAnswersThatAreNone: what another program answers at the address must not pass for an answer, and the key stays with the address that was named.
func TestAnswersThatAreNone(t *testing.T) {
	reached := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	for _, c := range []struct {
		name, want string
		answer     http.HandlerFunc
	}{
		{"a redirect", "302 Found", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }},
		{"a page", "not that of a control plane", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }},
		{"an error page", "502 Bad Gateway", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad", http.StatusBadGateway) }},
		{"too much", "more than", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxBodyBytes+1)) }},
		{"a refusal", "It is taken: name: choose another [exists]", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"code":"exists","title":"It is taken","field":"name","detail":"choose another"}`))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			client, err := New(Config{URL: server.URL + "/", Project: "shop", Key: "k"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Heads(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			var p *Problem
			if errors.As(err, &p) != (c.name == "a refusal") {
				t.Errorf("%v is a refusal of a control plane: %t", err, p != nil)
			}
		})
	}
	if reached {
		t.Error("a redirect was followed, key and all")
	}
}

func TestUndeclared(t *testing.T) {
	text, number := profile.Type{Kind: profile.String}, profile.Type{Kind: profile.Int}
	there := &rulefile.Project{
		Attributes: []rulefile.Attribute{{Name: "a", Type: text}, {Name: "more", Type: text}},
		EventTypes: []rulefile.EventType{{Name: "e", Properties: map[string]profile.Type{"x": text, "y": number}}},
		Placements: []rules.Placement{{Placement: 1, Name: "home", Limit: 1}},
		Settings:   &rules.Settings{OnStoreDown: rules.FailClosed, MaxStale: rules.DefaultSettings().MaxStale, TimeZone: "UTC"},
	}
	for _, c := range []struct {
		name string
		here rulefile.Project
		want []string
	}{
		{"nothing", rulefile.Project{}, nil},
		{
			"what is there",
			rulefile.Project{
				Attributes: there.Attributes[:1], EventTypes: []rulefile.EventType{{Name: "e", Properties: map[string]profile.Type{"x": text}}},
				Context: []rulefile.Field{{Name: "platform", Type: text}}, Placements: []rules.Placement{{Placement: 1, Name: "home"}}, Settings: &rules.Settings{},
			},
			nil,
		},
		{
			"what is new",
			rulefile.Project{
				Attributes: []rulefile.Attribute{{Name: "b", Type: text}}, EventTypes: []rulefile.EventType{{Name: "e", Properties: map[string]profile.Type{"z": text}}, {Name: "f"}},
				Context: []rulefile.Field{{Name: "cart", Type: number}}, Placements: []rules.Placement{{Placement: 2, Name: "x"}},
			},
			[]string{"attribute b true", "event type e false", "event type f true", "context field cart true", "placement 2 true"},
		},
		{
			"what is otherwise",
			rulefile.Project{
				Attributes: []rulefile.Attribute{{Name: "a", Type: number}}, Placements: []rules.Placement{{Placement: 1, Name: "home", Limit: 2}},
				Settings: &rules.Settings{TimeZone: "Europe/Berlin"},
			},
			[]string{"attribute a false", "placement 1 false", "settings false"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range undeclared(&c.here, there) {
				mark := " false"
				if d.New {
					mark = " true"
				}
				got = append(got, d.String()+mark)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
