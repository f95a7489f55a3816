package rules

import (
	"testing"
	"time"
)

// TestRereadingReadsAsTheCheckDoes: what the quick parser makes of a rule is what the check made of it when it was published.
func TestRereadingReadsAsTheCheckDoes(t *testing.T) {
	d := newDifferential(t, uint64(time.Now().UnixNano()))
	read := 0
	for range 2_000 {
		source := d.w.rule()
		if d.w.one(20) { // somebody's slip
			at := d.w.IntN(len(source))
			source = source[:at] + pick(d.w, "", "(", "'", " && ", "9") + source[min(at+1, len(source)):]
		}
		limits := checkLimits{retention: worldRetention}
		checked, issues := d.env.check(source, limits)
		again := d.env.reread(source, limits)
		if (checked == nil || Failed(issues)) != (again == nil) {
			t.Fatalf("%s: the check says %v, rereading %v", source, issues, again != nil)
		}
		if again == nil {
			continue
		}
		read++
		first := checked.NativeRep()
		if x, y := textOf(first.Expr(), first.SourceInfo()), textOf(again.Expr(), again.SourceInfo()); x != y {
			t.Fatalf("%s: the check reads %s, rereading %s", source, x, y)
		}
	}
	if read < 500 {
		t.Errorf("only %d rules were read", read)
	}
}
