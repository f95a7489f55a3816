package events

import (
	"slices"
	"testing"

	"eligibility/internal/hlc"
)

// witness writes its name into a common book.
type witness struct {
	name string
	book *[]string
}

func (w witness) Apply([]Change, hlc.Timestamp) { *w.book = append(*w.book, w.name+" apply") }
func (w witness) Gap(hlc.Timestamp)             { *w.book = append(*w.book, w.name+" gap") }

func TestFanoutKeepsTheGivenOrder(t *testing.T) {
	var book []string
	all := Fanout{witness{"cache", &book}, witness{"rules", &book}}
	all.Apply(nil, at(1))
	all.Gap(at(1))
	if want := []string{"cache apply", "rules apply", "cache gap", "rules gap"}; !slices.Equal(book, want) {
		t.Errorf("calls %v, want %v", book, want)
	}
}

func TestLossNames(t *testing.T) {
	want := map[Loss]string{LossDiscarded: "discarded", LossRecreated: "recreated", LossUndecodable: "undecodable", 0: "unknown"}
	for loss, name := range want {
		if loss.String() != name {
			t.Errorf("loss %d is called %q, want %q", loss, loss, name)
		}
	}
}
