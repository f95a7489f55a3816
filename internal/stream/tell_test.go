package stream

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"eligibility/internal/hlc"
)

// TestTellStandsInForNotices: a hub without connections has its owner told, also of what nobody took in before.
func TestTellStandsInForNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{of: make(map[string]Outlook)}
		var got []string
		cfg := Defaults()
		cfg.Tell = func(s *Subject, digest uint64, first bool) { got = append(got, fmt.Sprint(s.Key.User, digest, first)) }
		h := New(cfg, a)
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer h.Stop()
		s := open(t, h, "ada", 0)
		for digest := uint64(2); digest < 5; digest++ {
			a.set("ada", Outlook{digest, Never, 0})
			h.Apply(changed("ada"), hlc.Timestamp{})
			synctest.Wait()
			h.Apply(changed("ada"), hlc.Timestamp{})
			synctest.Wait()
		}
		if want := []string{"ada1 true", "ada2 false", "ada3 false", "ada4 false"}; !slices.Equal(got, want) || h.Stats().Told != 4 {
			t.Errorf("told %q, %+v, want %q", got, h.Stats(), want)
		}
		if told(s) {
			t.Error("a notice beside it")
		}
	})
}
