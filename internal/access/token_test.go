package access

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"
)

// clock is when the tokens of these tests are looked at.
var clock = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

const secret = "kept-by-the-shop"

func client(secrets ...string) *Entry {
	e := &Entry{ID: "k1", Project: "shop", Kind: Client, RequireJWT: true}
	for _, s := range secrets {
		e.secrets = append(e.secrets, []byte(s))
	}
	return e
}

func validClaims() jwt.MapClaims {
	return jwt.MapClaims{"userId": "ada", "iat": clock.Unix(), "exp": clock.Add(time.Hour).Unix()}
}

// with returns claims with some changed; nil removes one.
func with(changes jwt.MapClaims) jwt.MapClaims {
	c := validClaims()
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, secret string, c jwt.MapClaims) string {
	t.Helper()
	return signHeader(t, secret, nil, c)
}

func signHeader(t testing.TB, secret string, header map[string]any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	maps.Copy(token.Header, header)
	text, err := token.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unsigned makes a token with any header and no honest signature.
func unsigned(t testing.TB, header map[string]any, signature string) string {
	t.Helper()
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	return part(header) + "." + part(validClaims()) + "." + signature
}

func TestTokens(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	rs256, err := jwt.NewWithClaims(jwt.SigningMethodRS256, validClaims()).SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	hs384, err := jwt.NewWithClaims(jwt.SigningMethodHS384, validClaims()).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, secret, validClaims())
	year := clock.AddDate(1, 0, 0)
	urls := map[string]any{"jku": "http://evil.test/jwks", "x5u": "http://evil.test/x"}
	critical := map[string]any{"crit": []string{"b64"}, "b64": false}
	longID := map[string]any{"kid": strings.Repeat("k", 10<<10)}
	for _, c := range []struct {
		name  string
		token string
		want  error
	}{
		{"good", good, nil},
		{"e-mail", sign(t, secret, with(jwt.MapClaims{"userId": nil, "email": "ada@example.org"})), nil},
		{"the older of two secrets", sign(t, "older", validClaims()), nil},
		{"further claims", sign(t, secret, with(jwt.MapClaims{"sub": "bob", "role": "x"})), nil},
		{"exactly one year", sign(t, secret, with(jwt.MapClaims{"exp": year.Unix()})), nil},
		{"issuer's clock 59 s ahead", sign(t, secret, with(jwt.MapClaims{"iat": clock.Add(59 * time.Second).Unix()})), nil},
		{"fractional times", sign(t, secret, with(jwt.MapClaims{"iat": float64(clock.Unix()) + 0.5})), nil},
		{"key id of elsewhere", signHeader(t, secret, map[string]any{"kid": "../../etc/passwd"}, validClaims()), nil},
		{"key URLs", signHeader(t, secret, urls, validClaims()), nil},

		{"another secret", sign(t, "guess", validClaims()), ErrTokenSignature},
		{"empty secret", sign(t, "", validClaims()), ErrTokenSignature},
		{"alg none", unsigned(t, map[string]any{"alg": "none"}, ""), ErrTokenSignature},
		{"alg None", unsigned(t, map[string]any{"alg": "None"}, ""), ErrTokenSignature},
		{"alg nOnE", unsigned(t, map[string]any{"alg": "nOnE"}, ""), ErrTokenSignature},
		{"alg none with a signature", unsigned(t, map[string]any{"alg": "none"}, "AAAA"), ErrTokenSignature},
		{"no alg", unsigned(t, map[string]any{"typ": "JWT"}, "AAAA"), ErrTokenSignature},
		{"alg as a number", unsigned(t, map[string]any{"alg": 256}, "AAAA"), ErrTokenSignature},
		{"RS256", rs256, ErrTokenSignature},
		{"HS256 with a public key as the secret", sign(t, public, validClaims()), ErrTokenSignature},
		{"HS384", hs384, ErrTokenSignature},
		{"critical extension", signHeader(t, secret, critical, validClaims()), ErrTokenSignature},
		{"signature cut", good[:len(good)-3], ErrTokenSignature},
		{"signature left out", good[:strings.LastIndexByte(good, '.')+1], ErrTokenSignature},
		{"key id of ten kilobytes", signHeader(t, secret, longID, validClaims()), ErrTokenFormat},

		{"empty", "", ErrTokenFormat},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), ErrTokenFormat},
		{"dots", "...", ErrTokenFormat},
		{"two parts", "a.b", ErrTokenFormat},
		{"no base64", "!.!.!", ErrTokenFormat},
		{"payload is no object", "eyJhbGciOiJIUzI1NiJ9.W10.AAAA", ErrTokenFormat},
		{"trailing bits of another spelling", good[:len(good)-1] + string(other(good[len(good)-1])), nil /* decided below */},

		{"no exp", sign(t, secret, with(jwt.MapClaims{"exp": nil})), ErrTokenLifetime},
		{"no iat", sign(t, secret, with(jwt.MapClaims{"iat": nil})), ErrTokenLifetime},
		{"exp as text", sign(t, secret, with(jwt.MapClaims{"exp": "2027"})), ErrTokenLifetime},
		{"exp null", sign(t, secret, jwt.MapClaims{"userId": "ada", "iat": clock.Unix(), "exp": nil}), ErrTokenLifetime},
		{"negative exp", sign(t, secret, with(jwt.MapClaims{"exp": -1})), ErrTokenLifetime},
		{"exp in milliseconds", sign(t, secret, with(jwt.MapClaims{"exp": clock.Add(time.Hour).UnixMilli()})), ErrTokenLifetime},
		{"one second more than a year", sign(t, secret, with(jwt.MapClaims{"exp": year.Unix() + 1})), ErrTokenLifetime},
		{"exp in ten years", sign(t, secret, with(jwt.MapClaims{"exp": clock.AddDate(10, 0, 0).Unix()})), ErrTokenLifetime},

		{"expired", sign(t, secret, with(jwt.MapClaims{"iat": clock.Add(-2 * time.Hour).Unix(), "exp": clock.Unix()})), ErrTokenExpired},
		{"issued in the future", sign(t, secret, with(jwt.MapClaims{"iat": clock.Add(2 * time.Minute).Unix()})), ErrTokenNotYet},
		{"not before one hour", sign(t, secret, with(jwt.MapClaims{"nbf": clock.Add(time.Hour).Unix()})), ErrTokenNotYet},
		{"nbf as text", sign(t, secret, with(jwt.MapClaims{"nbf": "soon"})), ErrTokenFormat},

		{"nobody", sign(t, secret, with(jwt.MapClaims{"userId": nil})), ErrTokenSubject},
		{"only sub", sign(t, secret, with(jwt.MapClaims{"userId": nil, "sub": "ada"})), ErrTokenSubject},
		{"both", sign(t, secret, with(jwt.MapClaims{"email": "ada@example.org"})), ErrTokenSubject},
		{"empty user", sign(t, secret, with(jwt.MapClaims{"userId": ""})), ErrTokenSubject},
		{"empty user and an e-mail", sign(t, secret, with(jwt.MapClaims{"userId": "", "email": "ada@example.org"})), ErrTokenSubject},
		{"user as a number", sign(t, secret, with(jwt.MapClaims{"userId": 7})), ErrTokenSubject},
		{"wrong case", sign(t, secret, with(jwt.MapClaims{"userId": nil, "userid": "ada"})), ErrTokenSubject},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "trailing bits of another spelling" {
				c.want = ErrTokenFormat
			}
			got, err := NewVerifier(16).Verify(client(secret, "older"), []byte(c.token), clock)
			if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ErrToken) {
				t.Fatalf("Verify = %+v, %v; want %v", got, err, c.want)
			}
			if err == nil && (got.UserID == "") == (got.Email == "") {
				t.Fatalf("Verify = %+v, want exactly one of user and e-mail", got)
			}
		})
	}
}

// other returns a base64 digit that differs only in bits that 32 bytes leave unused.
func other(last byte) byte {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return digits[strings.IndexByte(digits, last)^1]
}

func TestAKeyWithoutSecretsAcceptsNoToken(t *testing.T) {
	for _, signedWith := range []string{"", secret} {
		token := sign(t, signedWith, validClaims())
		if _, err := NewVerifier(16).Verify(client(), []byte(token), clock); !errors.Is(err, ErrTokenSignature) {
			t.Errorf("a token signed with %q: %v", signedWith, err)
		}
	}
}

func TestNoAlteredTokenIsAccepted(t *testing.T) {
	good := sign(t, secret, validClaims())
	e, v := client(secret), NewVerifier(16)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(good)-1).Draw(t, "at")
		b := []byte(good)
		b[at] = rapid.Byte().Draw(t, "byte")
		if _, err := v.Verify(e, b, clock); err == nil && string(b) != good {
			t.Fatalf("a token altered at byte %d is accepted: %q", at, b)
		}
	})
}
