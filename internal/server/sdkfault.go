package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

// The envelope of everything but messages and look-ups. SDKs take an answer for a success only when its status is 200, whatever else is
// 2xx elsewhere.
const sdkSuccess = `{"msg":"","code":"Success","params":null}` + "\n"

// sdkError is how a fault is told.
type sdkError struct {
	status    int
	code, msg string
	params    []byte // JSON; nil is null
}

// sdkCode is what the SDKs know a fault by.
type sdkCode struct {
	status int // 0: the problem's own
	code   string
}

// sdkCodes translates problem codes. What is not listed is a GenericError.
var sdkCodes = map[string]sdkCode{
	"empty_body":        {400, "BadJsonBody"},
	"invalid_json":      {400, "BadJsonBody"},
	"invalid_json_type": {400, "BadJsonBody"},
	"duplicate_key":     {400, "BadJsonBody"},
	"invalid_utf8":      {400, "BadJsonBody"},
	"too_deep":          {400, "BadJsonBody"},

	"missing_field":     {400, "BadParams"},
	"out_of_range":      {400, "BadParams"},
	"invalid_value":     {400, "BadParams"},
	"invalid_parameter": {400, "BadParams"},
	"future_event":      {400, "BadParams"},
	"too_many":          {400, "BadParams"},
	"profile_too_large": {400, "BadParams"},
	"event_too_large":   {400, "BadParams"},
	"wrong_type":        {400, "RequestFieldsTypesMismatched"},
	"invalid_user_id":   {400, "InvalidUserIdError"},
	"invalid_email":     {400, "InvalidEmailAddressError"},
	"email_taken":       {400, "EmailAlreadyExists"},
	"user_not_found":    {400, "UnknownUserIdError"},
	"server_only":       {400, "ForbiddenParamsError"},
	"too_many_items":    {413, "BatchTooLarge"},

	"not_found":          {404, "NotFound"},
	"missing_credential": {401, "BadApiKey"},
	"invalid_credential": {401, "BadApiKey"},
	"forbidden":          {403, "Forbidden"},
	"forbidden_origin":   {403, "Forbidden"},
	"key_suspended":      {403, "Forbidden"},
	"missing_token":      {401, "BadAuthorizationHeader"},
	"invalid_token":      {401, "InvalidJwtPayload"},
	"expired_token":      {401, "InvalidJwtPayload"},
	"user_mismatch":      {401, "JwtUserIdentifiersMismatched"},
	"rate_limited":       {429, "RateLimitExceeded"},

	"store_unavailable": {503, "DatabaseError"},
	"not_durable":       {503, "DatabaseError"},
}

// The messages that SDKs compare with, letter by letter.
const (
	msgBadKey    = "Invalid API Key"
	msgSuspended = "SUBSCRIPTION_INACTIVE"
	msgNoToken   = "JWT Authorization header is not set"
	msgMismatch  = "JWT token does not match the user identifiers of the request"
)

// tokenMessages are how SDKs know why a token was refused.
var tokenMessages = []struct {
	cause error
	msg   string
}{
	{access.ErrTokenExpired, "JWT token is expired"},
	{access.ErrTokenFormat, "JWT format is invalid"},
	{access.ErrTokenLifetime, "exp must be less than 1 year from iat"},
	{access.ErrTokenSubject, "JWT payload requires a value for userId or email"},
	{access.ErrTokenNotYet, "Invalid payload"},
	{access.ErrTokenSignature, "JWT is invalid"},
}

// translate tells a problem as the SDKs expect it.
func (st *state) translate(p *problem.Problem) sdkError {
	known, ok := sdkCodes[p.Code]
	if !ok {
		known.code = "GenericError"
	}
	e := sdkError{status: known.status, code: known.code, msg: p.Detail, params: st.params}
	if e.status == 0 {
		e.status = p.Status()
	}
	switch p.Code {
	case "missing_credential", "invalid_credential":
		e.msg = msgBadKey
	case "key_suspended":
		e.msg = msgSuspended
	case "missing_token":
		e.msg = msgNoToken
	case "user_mismatch":
		e.msg = msgMismatch
	case "invalid_token", "expired_token":
		e.msg = "JWT is invalid"
		for _, m := range tokenMessages {
			if errors.Is(st.tokenFault, m.cause) {
				e.msg = m.msg
			}
		}
	case "user_not_found":
		switch {
		case p.Field == "email":
			e.code = "UnknownEmailError"
		case st.call != nil && st.call.route == RouteSDKLookup:
			e.code = "error.users.noUserWithIdExists"
		}
	case "wrong_type":
		if st.caller.entry != nil && st.caller.entry.Kind == access.Client {
			e.msg = "a field has another type" // which one is declared is nothing that a public key tells
			break
		}
		fallthrough
	default:
		if p.Field != "" {
			e.msg = strings.TrimPrefix(strings.TrimPrefix(p.Field, "attributes."), "properties.") + ": " + e.msg
		}
	}
	if e.msg == "" {
		e.msg = http.StatusText(e.status)
	}
	return e
}

// sdkFault answers with an error in the SDKs' envelope.
func (s *Server) sdkFault(ctx *fasthttp.RequestCtx, st *state, p *problem.Problem) {
	e := st.translate(p)
	body := append([]byte(`{"msg":`), appendString(nil, e.msg)...)
	body = append(body, `,"code":`...)
	body = appendString(body, e.code)
	body = append(body, `,"params":`...)
	if e.params == nil {
		e.params = []byte("null")
	}
	body = append(append(body, e.params...), "}\n"...)
	ctx.SetStatusCode(e.status)
	ctx.SetContentType(contentJSON)
	ctx.SetBody(body)
}

// forSDK reports whether who asked reads the SDKs' envelope.
func forSDK(ctx *fasthttp.RequestCtx) bool {
	return bytes.HasPrefix(ctx.Request.Header.RequestURI(), []byte(sdkPrefix))
}
