package app

import (
	"fmt"
	"strings"
	"testing"
)

// The auditor runs beside a replica as a user would run it: it hears of the changes, finds the users in memory, and agrees with the store.
func TestTheAuditorAgreesWithAReplicaUnderWrites(t *testing.T) {
	r := start(t, func(c *Config) { c.AuditRate = 100 }).shop()
	r.publish("hello", "user.age > 3", "")
	n := 0
	r.eventually("changes are audited", func() bool {
		n++
		user := fmt.Sprint("user-", n)
		r.must(200, "decision", "PUT", "/v1/users/"+user, r.keys["server"], map[string]any{"attributes": map[string]int{"age": n}})
		r.decide(user, nil)
		return r.app.auditor.Stats().Checked[0] > 10
	})
	metrics := string(r.must(200, "ops", "GET", "/metrics", "", nil).body)
	for _, line := range []string{`eligibility_audit_inconsistent_total{scale="1s"} 0`, `eligibility_audit_checked_total{scale="1m0s"}`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
}
