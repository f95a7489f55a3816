package pushhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"eligibility/internal/access"
)

// Reasons for which a message was not taken. They are stable: people and programs read them in dead letters.
const (
	ReasonNetwork   = "network"         // the receiver was not reached, or broke off
	ReasonTimeout   = "timeout"         // it did not answer in time
	ReasonTLS       = "tls"             // its certificate is not to be trusted
	ReasonAddress   = "address_refused" // its name leads to an address that is not public
	ReasonRedirect  = "redirect"        // it answered 3xx: the hook's URL must be the last one
	ReasonStatus    = "status"          // it answered another status than 2xx
	ReasonURL       = "invalid_url"     // the stored URL is not one
	ReasonQueueFull = "queue_full"      // too many messages waited
)

// Limits of a receiver's answer, of which only the head counts.
const (
	maxAnswerBytes = 16 << 10 // read, so that the connection can be used again
	maxHeaderBytes = 16 << 10
)

// client makes the requests.
type client struct {
	guard Guard
	http  *http.Client
}

func newClient(cfg *Config) *client {
	guard := NewGuard(cfg.Allow)
	dialer := &net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver, ControlContext: guard.control}
	return &client{guard: guard, http: &http.Client{
		// A redirect would lead where nobody declared; the signature would go with it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:       nil, // one from the environment would dial in the guard's place
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: cfg.Timeout, ResponseHeaderTimeout: cfg.Timeout, MaxResponseHeaderBytes: maxHeaderBytes, DisableCompression: true,
			ForceAttemptHTTP2: true, MaxConnsPerHost: cfg.Workers, MaxIdleConns: 2 * cfg.Workers, MaxIdleConnsPerHost: cfg.ProjectLimit,
			IdleConnTimeout: time.Minute,
		},
	}}
}

// close lets go of idle connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// outcome is what became of one request. The zero value is success.
type outcome struct {
	reason string // "": the receiver took the message
	status int    // 0: it did not answer
	final  bool   // another try would be in vain
	asked  time.Duration
}

// post makes one request. at is the time of the request, under its signature.
func (c *client) post(ctx context.Context, hook *access.Hook, id string, body []byte, at time.Time) outcome {
	if c.guard.CheckURL(hook.URL) != nil { // it was checked when it was declared, perhaps under other allowances
		return outcome{reason: ReasonURL, final: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return outcome{reason: ReasonURL, final: true}
	}
	timestamp := at.Unix()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "eligibility-push-hook/1")
	req.Header.Set(HeaderDelivery, id)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(timestamp, 10))
	req.Header.Set(HeaderSignature, signature(hook.Secrets, timestamp, body))
	res, err := c.http.Do(req)
	if err != nil {
		return fault(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswerBytes) // the head has said all; what fails here concerns the connection alone
	return answered(res, at)
}

// fault tells the kinds of failure apart. Which address an unreachable name stands for, and what the network said, stays inside.
func fault(err error) outcome {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, ErrRefused):
		return outcome{reason: ReasonAddress, final: true}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return outcome{reason: ReasonTimeout}
	case errors.As(err, &certificate):
		return outcome{reason: ReasonTLS}
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return outcome{reason: ReasonTimeout}
	}
	return outcome{reason: ReasonNetwork}
}

// answered judges a status.
func answered(res *http.Response, now time.Time) outcome {
	o := outcome{reason: ReasonStatus, status: res.StatusCode}
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return outcome{status: res.StatusCode}
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
		o.asked = retryAfter(res.Header.Get("Retry-After"), now)
		return o
	case res.StatusCode >= 300 && res.StatusCode < 400:
		o.reason = ReasonRedirect
	}
	o.final = true
	return o
}

// retryAfter reads the header as RFC 9110 has it, seconds or a date; 0 for anything else.
func retryAfter(value string, now time.Time) time.Duration {
	const most = 1 << 31 // seconds; more would overflow a duration
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, most)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
