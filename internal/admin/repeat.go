package admin

import (
	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

const (
	headerIdempotency = "Idempotency-Key"
	headerReplayed    = "Idempotent-Replayed"

	maxIdempotencyKey = 128 // characters
)

// repeat is what an idempotency key does on a call.
type repeat uint8

const (
	harmless repeat = iota // the call changes nothing: the key is passed over
	once                   // a repetition under the key gets the first answer
	refused                // the answer holds a secret that is shown once, or there is no project yet to keep a receipt in
)

// repeatable takes in the idempotency key. What it stands for is the whole request but for how long the caller wants to wait.
func (c *call) repeatable(r repeat, body []byte) error {
	values := c.Header.Values(headerIdempotency)
	if len(values) == 0 || r == harmless {
		return nil
	}
	if r == refused {
		return problem.New("invalid_idempotency_key", "this call does not take one")
	}
	if len(values) != 1 || len(values[0]) == 0 || len(values[0]) > maxIdempotencyKey {
		return problem.New("invalid_idempotency_key", "send one of 1 to %d characters", maxIdempotencyKey)
	}
	for _, b := range []byte(values[0]) {
		if b <= ' ' || b > '~' {
			return problem.New("invalid_idempotency_key", "use visible ASCII characters without blanks")
		}
	}
	c.once = &rules.Once{
		Key: values[0], Request: rules.RequestDigest(c.Method, c.URL.Path, c.Header.Get("If-Match"), string(body)),
	}
	return nil
}
