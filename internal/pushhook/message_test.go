package pushhook

import (
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"
)

// The vector of the documentation: receivers in other languages are written against it.
const (
	goldenSecret    = "correct-horse-battery-staple"
	goldenTimestamp = 1795406400
	goldenBody      = `{"deliveryId":"c3eb131c42f698dcd437530d285049ac","project":"shop","userId":"ada","at":"2026-11-23T04:00:00Z",` +
		`"payload":{"itbl":{"messageId":"BACKGROUND_NOTIFICATION","isGhostPush":true},"notificationType":"UpdateEmbedded"}}`
	goldenSignature = "7793677cd7ee7f2009ed8813455908094e363f76315bba5b179fc0aeeb67fc77"
)

func TestTheMessageAndItsSignatureStayAsTheyAre(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 0, 0, 0, time.FixedZone("CET", 3600))
	body, err := encode(user("ada"), 0x5f1c9a0e12345678, at)
	if err != nil || string(body) != goldenBody {
		t.Errorf("%s (%v), want %s", body, err, goldenBody)
	}
	if got := Sign([]byte(goldenSecret), goldenTimestamp, []byte(goldenBody)); got != goldenSignature {
		t.Errorf("signature %s, want %s", got, goldenSignature)
	}
}

func TestWhatTheSignatureCovers(t *testing.T) {
	sign := func(secret string, at int64, body string) string { return Sign([]byte(secret), at, []byte(body)) }
	same := sign("a", 12, "3{}")
	for name, other := range map[string]string{
		"the secret": sign("b", 12, "3{}"), "the time": sign("a", 13, "3{}"), "the body": sign("a", 12, "4{}"), "where the time ends": sign("a", 123, "{}"),
	} {
		if other == same {
			t.Errorf("it does not cover %s", name)
		}
	}
	both := signature([][]byte{[]byte("new"), []byte("old")}, 7, []byte("{}"))
	if want := "v1=" + sign("new", 7, "{}") + ",v1=" + sign("old", 7, "{}"); both != want {
		t.Errorf("%s, want %s", both, want)
	}
}

func TestDeliveryIDsTellAnswersApart(t *testing.T) {
	seen := make(map[string]string)
	for name, id := range map[string]string{
		"one": deliveryID(user("ada"), 1), "another answer": deliveryID(user("ada"), 2), "another user": deliveryID(user("ben"), 1),
		"another project":     deliveryID(profile.Key{Project: "bank", User: "ada"}, 1),
		"the border is moved": deliveryID(profile.Key{Project: "sho", User: "p\x00ada"}, 1),
	} {
		if other, twice := seen[id]; twice || len(id) != 32 || strings.ToLower(id) != id {
			t.Errorf("%s: %s, as %s", name, id, other)
		}
		seen[id] = name
	}
	const golden = "c3eb131c42f698dcd437530d285049ac" // replicas of different versions have to agree on it
	if got := deliveryID(user("ada"), 0x5f1c9a0e12345678); got != golden {
		t.Errorf("%s, want %s", got, golden)
	}
}
