package demo

import "fmt"

// Commands are calls to paste into another terminal, broken into lines of at most 80 columns: why ben is shown what he is shown; an event
// that 20 seconds later, with nothing else happening, makes eve be thanked for browsing; and what is published. There are no comments
// behind them, because not every interactive shell takes those.
func Commands(decisionURL, controlURL string) []string {
	return []string{
		fmt.Sprintf("curl -s %s/v1/eligibility -H 'Api-Key: %s' \\", decisionURL, ServerKey),
		`  -H 'Content-Type: application/json' -d '{"userId":"ben","explain":true}'`,
		fmt.Sprintf("curl -s %s/v1/events -H 'Api-Key: %s' \\", decisionURL, ServerKey),
		`  -H 'Content-Type: application/json' \`,
		`  -d '[{"userId":"eve","name":"product_viewed"}]'`,
		fmt.Sprintf("curl -s %s/v1/projects/%s/promotions \\", controlURL, Project),
		fmt.Sprintf("  -H 'Api-Key: %s'", AdminKey),
	}
}
