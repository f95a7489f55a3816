package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/events"
	"eligibility/internal/rules"
)

// audit returns all entries of the kit's project, newest first, read in pages of three.
func (k *kit) audit() []audit.Entry {
	k.t.Helper()
	var all []audit.Entry
	for cursor := ""; ; {
		page, next, err := k.s.Audit(k.ctx, k.project, cursor, 3)
		if err != nil {
			k.t.Fatalf("Audit: %v", err)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		if len(page) != 3 {
			k.t.Fatalf("a page of %d entries is followed by another", len(page))
		}
		cursor = next
	}
}

func testAudit(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"every accepted change has an entry, newest first": func(k *kit) {
			before := k.now()
			for n := range 7 {
				entry := audit.Entry{
					Actor: "k1", RemoteAddr: "::1", RequestID: "r", Action: fmt.Sprintf("change.%d", n), Target: "t",
					Before: "b", After: "a", Comment: "c",
				}
				k.commit(rules.Commit{ExpectVersion: uint64(n/2 + 1), NewVersion: n%2 == 1, Audit: entry})
			}
			after := k.now()
			list := k.audit()
			if len(list) != 8 {
				k.t.Fatalf("%d entries, want 8", len(list))
			}
			for i, entry := range list[:7] {
				n := 6 - i
				want := audit.Entry{
					At: entry.At, Project: k.project, Actor: "k1", RemoteAddr: "::1", RequestID: "r",
					Action: fmt.Sprintf("change.%d", n), Target: "t", Before: "b", After: "a", Comment: "c",
				}
				if n%2 == 1 {
					want.Version = uint64(n/2 + 2)
				}
				same(k.t, "entry", entry, want)
				if at := entry.At; at.Before(before.Time().Add(-time.Second)) || at.After(after.Time()) || i > 0 && at.After(list[i-1].At) {
					k.t.Errorf("entry %d is at %v, want its commit's time", n, at)
				}
			}
			equal(k.t, "first entry", list[7].Action, "project.create")
		},
		"pages do not shift when entries come in": func(k *kit) {
			for n := range 4 {
				k.commit(rules.Commit{Audit: audit.Entry{Action: fmt.Sprint(n)}})
			}
			first, cursor, err := k.s.Audit(k.ctx, k.project, "", 2)
			if err != nil || len(first) != 2 {
				k.t.Fatalf("first page: %v, %v", first, err)
			}
			k.commit(rules.Commit{Audit: audit.Entry{Action: "later"}})
			second, _, err := k.s.Audit(k.ctx, k.project, cursor, 2)
			if err != nil || len(second) != 2 || second[0].Action != "1" || second[1].Action != "0" {
				k.t.Errorf("second page: %v, %v", second, err)
			}
		},
		"a page that ends with the list has no cursor": func(k *kit) {
			list, cursor, err := k.s.Audit(k.ctx, k.project, "", 1)
			if err != nil || len(list) != 1 || cursor != "" {
				k.t.Errorf("got %v, %q, %v", list, cursor, err)
			}
		},
	})
}

func testCredentials(t *testing.T, h Harness) {
	// find returns the kit's key of this id.
	find := func(k *kit, id string) *access.Credential {
		k.t.Helper()
		all, at, err := k.s.Credentials(k.ctx)
		if err != nil || at.IsZero() {
			k.t.Fatalf("Credentials: %v, stamp %v", err, at)
		}
		for i := range all {
			if all[i].Project == k.project && all[i].ID == id {
				return &all[i]
			}
		}
		return nil
	}
	each(t, h, map[string]func(*kit){
		"a key comes back as it was stored, and revoked too": func(k *kit) {
			key := access.Credential{
				ID: "k-" + k.project, Project: k.project, Kind: access.Admin, Role: access.Editor, Name: "n",
				Hash: [32]byte{1, 255}, RequireJWT: true, Secrets: [][]byte{{0, 1}, {2}}, URL: "https://push.example.com/hook?a=b&c=<d>",
				CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Demo: true,
			}
			if _, err := k.s.PutCredential(k.ctx, key, audit.Entry{Project: k.project, Action: "key.create", Target: key.ID}); err != nil {
				k.t.Fatal(err)
			}
			same(k.t, "key", find(k, key.ID), &key)
			key.RevokedAt = pointer(time.Date(2026, 2, 2, 3, 4, 5, 0, time.UTC))
			if _, err := k.s.PutCredential(k.ctx, key, audit.Entry{Project: k.project, Action: "key.revoke", Target: key.ID}); err != nil {
				k.t.Fatal(err)
			}
			same(k.t, "revoked key", find(k, key.ID), &key)
			var actions []string
			for _, entry := range k.audit() {
				actions = append(actions, entry.Action)
			}
			equal(k.t, "audit", strings.Join(actions, " "), "key.revoke key.create project.create")
		},
		"the feed carries a changed key": func(k *kit) {
			feed := k.follow(k.now())
			key := access.Credential{ID: "k-" + k.project, Project: k.project, Kind: access.Client}
			at, err := k.s.PutCredential(k.ctx, key, audit.Entry{Project: k.project})
			if err != nil {
				k.t.Fatal(err)
			}
			feed.waitFor(events.Change{Table: events.TableAccessKey, Project: k.project, Key: key.ID}, at)
		},
		"keys of all projects are listed at a stamp after every acknowledged one": func(k *kit) {
			other := k.newProject()
			var last string
			for i, project := range []string{k.project, other, k.project} {
				id := fmt.Sprintf("k%d-%s", i, k.project)
				key := access.Credential{ID: id, Project: project, Kind: access.Server}
				written, err := k.s.PutCredential(k.ctx, key, audit.Entry{Project: project})
				if err != nil {
					k.t.Fatal(err)
				}
				if _, at, err := k.s.Credentials(k.ctx); err != nil || at.Before(written) {
					k.t.Errorf("read at %v (%v), written at %v", at, err, written)
				}
				last = id
			}
			equal(k.t, "the last key is there", find(k, last) != nil, true)
		},
	})
}
