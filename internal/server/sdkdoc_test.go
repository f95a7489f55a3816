package server

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/access"
)

// TestTheSDKDocumentIsTheTableOfCalls: what docs/sdk.md lists is what is served, to whom it says.
func TestTheSDKDocumentIsTheTableOfCalls(t *testing.T) {
	text, err := os.ReadFile("../../docs/sdk.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(text), "<!-- calls -->")
	table, _, ended := strings.Cut(rest, "<!-- end -->")
	if !begun || !ended {
		t.Fatal("the document has no marked table of calls")
	}
	var documented, served []string
	for line := range strings.SplitSeq(table, "\n") {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `") {
			documented = append(documented, strings.Trim(cells[1], " `")+" "+strings.TrimSpace(cells[2]))
		}
	}
	for _, e := range SDKEndpoints() {
		open := ""
		if slices.Contains(e.Kinds, access.Client) {
			open = "C"
		}
		served = append(served, fmt.Sprintf("%s %s %s", e.Method, e.Path, open))
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented:\n%s\nserved:\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
}
