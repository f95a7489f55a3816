package rules

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestARulesetIsFreshUntilTheComparisonIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Live
		if rs, fresh := l.LoadAt("shop", time.Now()); rs != nil || fresh {
			t.Fatal("a ruleset that nobody loaded")
		}
		want := &Ruleset{Project: "shop", Version: 1}
		l.Swap(want)
		checked := time.Now()
		time.Sleep(time.Minute)
		for after, want := range map[time.Duration]bool{0: true, FreshFor: true, FreshFor + 1: false, time.Minute: false} {
			if _, fresh := l.LoadAt("shop", checked.Add(after)); fresh != want {
				t.Errorf("%v after the comparison: fresh %v, want %v", after, fresh, want)
			}
		}
		if l.Fresh("shop") {
			t.Error("fresh after a minute")
		}
		l.Checked("shop")
		if rs, fresh := l.LoadAt("shop", time.Now()); rs != want || !fresh || !l.Fresh("shop") {
			t.Error("not fresh just after a comparison")
		}
	})
}
