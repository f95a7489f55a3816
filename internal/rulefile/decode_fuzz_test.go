package rulefile

import (
	"os"
	"testing"

	"eligibility/internal/rules"
)

// FuzzFiles: nothing that a file says ends the process, and every fault and issue stands in the file.
func FuzzFiles(f *testing.F) {
	for _, path := range []string{"project.yaml", "fathers-day_test.yaml", "promotions/cart.yaml", "promotions/fathers-day.yaml"} {
		text, err := os.ReadFile("../../examples/shop/" + path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(bomb()))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file := &File{Path: "f.yaml"}
		faults := file.parse(text)
		for _, root := range file.documents {
			var project Project
			faults = append(faults, file.decode(root, &project)...)
			faults = append(faults, project.declare(file, root)...)
			suite := &Suite{File: file, root: root}
			if more := file.decode(root, suite); len(more) == 0 {
				faults = append(faults, suite.check()...)
			}
			p := &Promotion{File: file, root: root}
			faults = append(faults, file.decode(root, &p.Promotion)...)
			faults = append(faults, p.Fault(rules.Issue{Field: "rule", Line: 1, Column: 3, Length: 4}), p.Fault(rules.Issue{Field: "content.text[3].id"}))
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > len(file.lines) || fault.Column < 1 || fault.String() == "" {
				t.Fatalf("a fault beyond the file: %+v", fault)
			}
		}
	})
}
