package bootstrap

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"eligibility/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.StopShared()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// declared reads a document that must be right.
func declared(t *testing.T, text string) *Document {
	t.Helper()
	doc, err := Read("bootstrap.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatalf("read the document: %v", err)
	}
	return doc
}

// lines are the items of a plan as "action object: actual → declared".
func lines(plan *Plan) []string {
	var out []string
	for i := range plan.Items {
		item := &plan.Items[i]
		out = append(out, string(item.Action)+" "+item.Object+": "+item.Actual+" → "+item.Declared)
	}
	return out
}
