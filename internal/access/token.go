package access

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Limits of a user token.
const (
	MaxTokenBytes = 4096             // a longer one is refused before it is looked at
	ClockLeeway   = 60 * time.Second // how far the issuer's clock may run ahead of ours
)

// Subject is whom a token speaks for. Exactly one of the two is set.
type Subject struct {
	UserID string
	Email  string
}

// Why a token is refused. All of them wrap ErrToken.
var (
	ErrToken          = errors.New("user token refused")
	ErrTokenFormat    = tokenError("the token is not a signed JWT")
	ErrTokenSignature = tokenError("the token is not signed with a secret of this key by HS256")
	ErrTokenExpired   = tokenError("the token has expired")
	ErrTokenNotYet    = tokenError("the token is not valid yet")
	ErrTokenLifetime  = tokenError("the token needs iat and exp, at most one year apart")
	ErrTokenSubject   = tokenError("the token needs either a userId or an email claim")
)

type tokenFault struct{ text string }

func tokenError(text string) error          { return &tokenFault{text: text} }
func (e *tokenFault) Error() string         { return e.text }
func (e *tokenFault) Is(target error) bool  { return target == ErrToken }
func (c *claims) text(name string) string   { return claim[string](c, name) }
func (c *claims) seconds(name string) int64 { return seconds(claim[float64](c, name)) }

// claims is the payload of a token by exact name: a struct would match "UserID" as well.
type claims map[string]json.RawMessage

// The methods that jwt.Claims asks for are not used: the checks here are stricter and take the time as an argument.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (c *claims) GetIssuer() (string, error)                   { return "", nil }
func (c *claims) GetSubject() (string, error)                  { return "", nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// claim returns the zero value for a claim that is absent or of another type, which every check here refuses.
func claim[T any](c *claims, name string) T {
	var v T
	if raw, ok := (*c)[name]; !ok || json.Unmarshal(raw, &v) != nil {
		var zero T
		return zero
	}
	return v
}

func (c *claims) has(name string) bool {
	_, ok := (*c)[name]
	return ok
}

// maxSeconds is the year 9999: what lies beyond is no time but a mistake of units.
const maxSeconds = 253402300800

// seconds cuts a NumericDate to whole seconds; 0 for what is none.
func seconds(f float64) int64 {
	if math.IsNaN(f) || f < 1 || f > maxSeconds {
		return 0
	}
	return int64(f)
}

// verdict is what a good token says. It holds for the Entry it was made with, that is for one state of one credential and its secrets.
type verdict struct {
	entry    *Entry
	hash     [32]byte // SHA-256 of the token
	from, to int64    // valid at [from, to), Unix seconds
	subject  Subject
}

func (v *verdict) at(now int64) error {
	switch {
	case now >= v.to:
		return ErrTokenExpired
	case now < v.from:
		return ErrTokenNotYet
	}
	return nil
}

// check verifies a token from scratch. Nothing in its header is followed: no key id, no URL, no file.
func check(e *Entry, token []byte) (*verdict, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	payload := claims{}
	parsed, err := parser.ParseWithClaims(string(token), &payload, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, jwt.ErrTokenUnverifiable // demands an extension that is not understood here
		}
		keys := jwt.VerificationKeySet{}
		for _, secret := range e.secrets {
			keys.Keys = append(keys.Keys, secret)
		}
		return keys, nil
	})
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, ErrTokenFormat
	case err != nil || !parsed.Valid:
		return nil, ErrTokenSignature
	}
	issued, expires := payload.seconds("iat"), payload.seconds("exp")
	if issued == 0 || expires == 0 || expires > time.Unix(issued, 0).UTC().AddDate(1, 0, 0).Unix() {
		return nil, ErrTokenLifetime
	}
	from := issued
	if payload.has("nbf") {
		notBefore := payload.seconds("nbf")
		if notBefore == 0 {
			return nil, ErrTokenFormat
		}
		from = max(from, notBefore)
	}
	subject := Subject{UserID: payload.text("userId"), Email: payload.text("email")}
	if payload.has("userId") == payload.has("email") || (subject.UserID == "") == (subject.Email == "") {
		return nil, ErrTokenSubject
	}
	return &verdict{entry: e, from: from - int64(ClockLeeway/time.Second), to: expires, subject: subject}, nil
}
