package pushhook

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTheDocumentsReceiverVerifiesTheDocumentsRequest runs the sample that receivers copy against the request that the document shows.
func TestTheDocumentsReceiverVerifiesTheDocumentsRequest(t *testing.T) {
	text, err := os.ReadFile("../../docs/concepts/push-hook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{goldenBody, goldenSignature, goldenSecret, strconv.Itoa(goldenTimestamp)} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the document lacks %s", part)
		}
	}
	sample := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	if sample == nil {
		t.Fatal("the document has no sample")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is absent")
		}
		t.Skip("node is absent: the sample was not run")
	}
	script := filepath.Join(t.TempDir(), "sample.mjs")
	const calls = `
const [secret, time, signature, body] = process.argv.slice(2);
const headers = { "eligibility-timestamp": time, "eligibility-signature": signature };
const at = Number(time);
console.log([
  verify(secret, headers, body, at), verify(secret, headers, body, at + 299), verify(secret, { ...headers, "eligibility-signature": "v1=00," + signature }, body, at),
  verify(secret + "x", headers, body, at), verify(secret, headers, body + " ", at), verify(secret, headers, body, at + 301),
  verify(secret, { ...headers, "eligibility-timestamp": String(at + 1) }, body, at), verify(secret, {}, body, at), verify(secret, { ...headers, "eligibility-signature": "v1=" }, body, at),
].join(" "));`
	if err := os.WriteFile(script, append(sample[1], calls...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, script, goldenSecret, strconv.Itoa(goldenTimestamp), "v1="+goldenSignature, goldenBody).CombinedOutput()
	if want := "true true true false false false false false false"; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%s (%v), want %s", out, err, want)
	}
}
