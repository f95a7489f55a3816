package demo

import "fmt"

// Commands are calls to paste into another terminal, broken into lines of at most 80 columns.
func Commands(decisionURL, controlURL string) []string {
	return []string{
		fmt.Sprintf("curl -s %s/v1/eligibility -H 'Api-Key: %s' \\", decisionURL, ServerKey),
		`  -H 'Content-Type: application/json' -d '{"userId":"ben","explain":true}'`,
		fmt.Sprintf("curl -s %s/v1/events -H 'Api-Key: %s' \\", decisionURL, ServerKey),
		`  -H 'Content-Type: application/json' \`,
		`  -d '[{"userId":"eve","name":"product_viewed"}]'   # then ask for eve in 20 s`,
		fmt.Sprintf("curl -s %s/v1/projects/%s/promotions \\", controlURL, Project),
		fmt.Sprintf("  -H 'Api-Key: %s'", AdminKey),
	}
}
