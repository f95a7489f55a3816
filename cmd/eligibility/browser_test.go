package main

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const examplePage = "../../examples/web"

// needBrowser returns the path of a Chromium, and skips when the example page cannot be shown here; in CI that is a failure.
func needBrowser(t *testing.T) string {
	t.Helper()
	chromium, err := lookBrowser()
	if err == nil {
		_, err = exec.LookPath("npm")
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(examplePage, "node_modules", "playwright-core"))
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("Chromium, node and the packages of examples/web are needed: make test-deps (%v)", err)
	default:
		t.Skip("Chromium, node or the packages of examples/web are absent: make test-deps")
	}
	return chromium
}

func lookBrowser() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	var faults []error
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		faults = append(faults, err)
	}
	return "", errors.Join(faults...)
}

// TestExamplePage shows the example page in a headless browser: messages come by a write, go by a purchase, and come by time alone, on both
// sides of the page. ELIGIBILITY_SCREENSHOT=FILE keeps a picture of it.
func TestExamplePage(t *testing.T) {
	chromium := needBrowser(t)
	t.Parallel() // most of it is waiting
	demo := launch(t, t.TempDir(), "demo", "--no-traffic", "--users", "100")
	defer demo.end(t, syscall.SIGTERM)
	screenshot, err := filepath.Abs(cmp.Or(os.Getenv("ELIGIBILITY_SCREENSHOT"), filepath.Join(t.TempDir(), "page.png")))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"build", "test"} {
		cmd := exec.CommandContext(t.Context(), "npm", "run", "--silent", script)
		cmd.Dir = examplePage
		cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "ELIGIBILITY_SCREENSHOT="+screenshot,
			"ELIGIBILITY_URL=http://"+demo.ready.Listen, "ELIGIBILITY_ADMIN_URL=http://"+demo.ready.AdminListen)
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatalf("npm run %s: %v", script, err)
		}
	}
}
