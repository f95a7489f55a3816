package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"eligibility/internal/audit"
	"eligibility/internal/rules"
)

// testReceipts: a receipt is there exactly when its commit is, and keeps a second commit under its key from happening.
func testReceipts(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"a receipt comes back with the time of its commit": func(k *kit) {
			head := rules.Head{ID: "p", Draft: 1, Last: 1, CampaignID: 7, Generation: 1}
			revision := rules.Revision{Promotion: promotion("p", "One"), Number: 1}
			at := k.commit(rules.Commit{Head: &head, Revision: &revision, Receipt: &rules.Receipt{
				Key: "k", Request: "r", Version: 1, Changed: true, Head: &head, Revision: &revision,
			}})
			got := k.receipt("k")
			equal(k.t, "time", got.At, at)
			same(k.t, "receipt", *got, rules.Receipt{Key: "k", Request: "r", At: at, Version: 1, Changed: true, Head: &head, Revision: &revision})
		},
		"there is none for another key or project": func(k *kit) {
			k.commit(rules.Commit{ExpectVersion: 1, NewVersion: true, Receipt: &rules.Receipt{Key: "k"}})
			k.noReceipt("K")
			k.noReceipt("k\x00")
			k.project = k.newProject()
			k.noReceipt("k")
		},
		"a second commit under a key is refused whole": func(k *kit) {
			k.commit(rules.Commit{ExpectVersion: 1, NewVersion: true, Receipt: &rules.Receipt{Key: "k", Request: "first"}})
			for name, again := range map[string]rules.Commit{
				"a change":        {ExpectVersion: 2, NewVersion: true, Audit: audit.Entry{Action: "refused"}},
				"another request": {ExpectVersion: 2, NewVersion: true, Receipt: &rules.Receipt{Request: "second"}},
				"only a receipt":  {},
			} {
				if again.Receipt == nil {
					again.Receipt = &rules.Receipt{Request: "first"}
				}
				again.Receipt.Key = "k"
				if _, err := k.try(again); !errors.Is(err, rules.ErrConflict) {
					k.t.Errorf("%s: got %v, want ErrConflict", name, err)
				}
			}
			equal(k.t, "version", k.version(), 2)
			equal(k.t, "request", k.receipt("k").Request, "first")
		},
		"a commit that is refused leaves no receipt": func(k *kit) {
			if _, err := k.try(rules.Commit{ExpectVersion: 9, NewVersion: true, Receipt: &rules.Receipt{Key: "k"}}); !errors.Is(err, rules.ErrConflict) {
				k.t.Errorf("got %v, want ErrConflict", err)
			}
			k.noReceipt("k")
		},
		"only a receipt makes no audit entry, no version and no change on the feed": func(k *kit) {
			before := len(k.audit())
			k.commit(rules.Commit{Receipt: &rules.Receipt{Key: "k", Version: 1}})
			equal(k.t, "audit entries", len(k.audit()), before)
			equal(k.t, "version", k.version(), 1)
			equal(k.t, "ruleset changes", len(k.rulesetChanges()), 1)
			equal(k.t, "version of the receipt", k.receipt("k").Version, 1)
		},
		"of racing commits under one key one happens": func(k *kit) {
			var won atomic.Int64
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					for {
						version, err := k.s.Version(k.ctx, k.project)
						if err != nil {
							k.t.Errorf("Version: %v", err)
							return
						}
						_, err = k.try(rules.Commit{ExpectVersion: version, NewVersion: true, Receipt: &rules.Receipt{Key: "k", Request: fmt.Sprint(i)}})
						if err == nil {
							won.Add(1)
							return
						}
						if !errors.Is(err, rules.ErrConflict) {
							k.t.Errorf("Commit: %v", err)
							return
						}
						if _, err := k.s.Receipt(k.ctx, k.project, "k"); err == nil {
							return
						}
					}
				})
			}
			group.Wait()
			equal(k.t, "commits", won.Load(), 1)
			equal(k.t, "version", k.version(), 2)
		},
	})
}

func (k *kit) receipt(key string) *rules.Receipt {
	k.t.Helper()
	receipt, err := k.s.Receipt(k.ctx, k.project, key)
	if err != nil {
		k.t.Fatalf("Receipt: %v", err)
	}
	return receipt
}

func (k *kit) noReceipt(key string) {
	k.t.Helper()
	if _, err := k.s.Receipt(k.ctx, k.project, key); !errors.Is(err, rules.ErrNotFound) {
		k.t.Errorf("receipt %q: got %v, want ErrNotFound", key, err)
	}
}
