package problem

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

//go:generate go test -run TestErrorReferenceIsCurrent -update .

var update = flag.Bool("update", false, "rewrite the error reference")

const reference = "../../docs/reference/errors.md"

func TestErrorReferenceIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Error codes\n\nGenerated from `internal/problem`. Every error is an `application/problem+json` body with one of these codes in `code`; codes are added, never\n")
	b.WriteString("renamed. `field` names what is at fault, `requestId` the request in the server's log.\n\n| code | status | meaning |\n|---|---|---|\n")
	for _, code := range slices.Sorted(maps.Keys(Catalogue)) {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", code, Catalogue[code].Status, Catalogue[code].Title)
	}
	if *update {
		if err := os.WriteFile(reference, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/reference/errors.md is out of date: run `make generate`")
	}
}
