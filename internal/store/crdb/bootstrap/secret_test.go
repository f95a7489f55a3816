package bootstrap

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The exchange of RFC 7677, section 3: password "pencil", salt and 4096 iterations; its server signature is checked there with the server
// key below.
func TestVerifierIsTheOneOfTheStandard(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier("pencil", salt, 4096)
	const want = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if err != nil || got != want {
		t.Errorf("verifier = %q, %v, want %q", got, err, want)
	}
}

func TestHashes(t *testing.T) {
	good, err := MakeHash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	again, err := MakeHash("correct horse battery")
	if err != nil || again == good {
		t.Errorf("two hashes of one password are the same: %q, %v", again, err)
	}
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"own", good, true},
		{"a password", "correct horse battery staple", false},
		{"empty", "", false},
		{"MD5", "md5d41d8cd98f00b204e9800998ecf8427e", false},
		{"cheap", strings.Replace(good, "119680", "100", 1), false},
		{"absurdly dear", strings.Replace(good, "119680", "99999999999999999999", 1), false},
		{"cut", good[:len(good)-5], false},
		{"a quote in it", strings.Replace(good, "$", "'$", 1), false},
		{"two lines", good + "\n" + good, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseHash(c.text)
			if (err == nil) != c.ok {
				t.Errorf("error %v, want ok: %v", err, c.ok)
			}
			if err != nil && c.text != "" && strings.Contains(err.Error(), c.text) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestPasswordsThatCannotBeHashed(t *testing.T) {
	for name, password := range map[string]string{"short": "eleven char", "letters that would be normalised": "pässword-pässword", "control": "twelve\tchars"} {
		if hash, err := MakeHash(password); err == nil {
			t.Errorf("%s: hash %q, want a refusal", name, hash)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error repeats the password: %v", name, err)
		}
	}
}

func TestSecretsPrintAsNothing(t *testing.T) {
	hash, err := MakeHash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	secrets := Secrets{"app": Hash{hash}}
	encoded, err := json.Marshal(secrets)
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{
		"%v": fmt.Sprintf("%v", secrets), "%+v": fmt.Sprintf("%+v", secrets), "%#v": fmt.Sprintf("%#v", secrets), "%s": fmt.Sprintf("%s", secrets), "JSON": string(encoded),
	} {
		if strings.Contains(text, hash[20:]) {
			t.Errorf("%s shows the hash: %s", form, text)
		}
	}
}

func TestReadSecrets(t *testing.T) {
	dir := t.TempDir()
	hash, err := MakeHash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"good": hash + "\n", "clear": "hunter2hunter2", "long": strings.Repeat("x", 5000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const head = "version: 1\ndatabase: shop\nusers:\n  - {name: ann}\n  - {name: app, passwordFile: "
	for _, c := range []struct{ name, file, dir, want string }{
		{"a hash", "good", dir, ""},
		{"no directory", "good", "", "--secrets-dir"},
		{"no file", "absent", dir, "no such file"},
		{"a password in the clear", "clear", dir, "no SCRAM hash"},
		{"something else", "long", dir, "no SCRAM hash"},
	} {
		t.Run(c.name, func(t *testing.T) {
			secrets, err := ReadSecrets(declared(t, head+c.file+"}\n"), c.dir)
			switch {
			case c.want == "" && (err != nil || len(secrets) != 1 || secrets["app"].text != hash):
				t.Errorf("secrets %v, error %v", secrets, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2")):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
