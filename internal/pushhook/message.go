package pushhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"eligibility/internal/profile"
)

// Names of the headers of a message.
const (
	HeaderTimestamp = "Eligibility-Timestamp" // seconds since 1970: when the request was made, which a receiver holds against its own clock
	HeaderSignature = "Eligibility-Signature" // v1=<hex>, one for each secret in force, separated by commas
	HeaderDelivery  = "Eligibility-Delivery"  // the delivery id
)

// message is the body of a request.
type message struct {
	DeliveryID string    `json:"deliveryId"`
	Project    string    `json:"project"`
	UserID     string    `json:"userId"`
	At         time.Time `json:"at"` // when the answer was seen to be another one
	Payload    payload   `json:"payload"`
}

// payload is the silent push, as the SDKs in apps take it: data of an FCM message, or of an APNs background notification.
type payload struct {
	ITBL             silent `json:"itbl"`
	NotificationType string `json:"notificationType"`
}

type silent struct {
	MessageID   string `json:"messageId"`
	IsGhostPush bool   `json:"isGhostPush"`
}

// encode is the body of the message that a user's answer has the digest.
func encode(key profile.Key, digest uint64, at time.Time) ([]byte, error) {
	return json.Marshal(message{
		DeliveryID: deliveryID(key, digest), Project: key.Project, UserID: key.User, At: at.UTC(),
		Payload: payload{ITBL: silent{MessageID: "BACKGROUND_NOTIFICATION", IsGhostPush: true}, NotificationType: "UpdateEmbedded"},
	})
}

// deliveryID is the same on every replica that sees the same answer of the same user.
func deliveryID(key profile.Key, digest uint64) string {
	h := sha256.New()
	h.Write([]byte(key.Project + "\x00" + key.User + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, digest))
	const idBytes = 16
	return hex.EncodeToString(h.Sum(nil)[:idBytes])
}

// Sign is what vouches for a body: the HMAC-SHA256 over the timestamp in decimal, a point and the body, in hexadecimal. The timestamp is
// under the signature, so that a message that somebody recorded is of no use to him later.
func Sign(secret []byte, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(append(strconv.AppendInt(nil, timestamp, 10), '.'))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// signature is the header's value: one signature for each secret, so that a receiver may know either while a secret is rotated.
func signature(secrets [][]byte, timestamp int64, body []byte) string {
	var out []byte
	for _, secret := range secrets {
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = append(append(out, "v1="...), Sign(secret, timestamp, body)...)
	}
	return string(out)
}
