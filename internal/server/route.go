package server

import (
	"bytes"
	"net/url"
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/problem"
)

// Route is one address of the plane.
type Route uint8

// The routes. RouteNone counts what was refused before it reached one.
const (
	RouteNone Route = iota
	RouteEligibility
	RoutePrecheck
	RouteConfirm
	RouteRelease
	RouteUser
	RouteUsersBulk
	RouteEvents
	RouteEngagement
	RouteStreamTokens
	RouteStream
	ownRoutes // those above, each of which has one address
)

// The routes of the SDK-compatible surface, each of many addresses.
const (
	RouteSDKSync = iota + ownRoutes
	RouteSDKEngagement
	RouteSDKIngest
	RouteSDKLookup
	RouteSDKStub
	routes
)

var routeNames = [routes]string{
	RouteNone: "none", RouteEligibility: "eligibility", RoutePrecheck: "precheck", RouteConfirm: "confirm", RouteRelease: "release", RouteUser: "user", RouteUsersBulk: "users_bulk",
	RouteEvents: "events", RouteEngagement: "engagement", RouteStreamTokens: "stream_tokens", RouteStream: "stream",
	RouteSDKSync: "sdk_sync", RouteSDKEngagement: "sdk_engagement", RouteSDKIngest: "sdk_ingest", RouteSDKLookup: "sdk_lookup", RouteSDKStub: "sdk_stub",
}

// String is the route's name as metrics label it.
func (r Route) String() string { return routeNames[r] }

// Where reservations are settled.
const (
	pathConfirm = "/v1/precheck/reservations:confirm"
	pathRelease = "/v1/precheck/reservations:release"
)

const userPrefix = "/v1/users/"

// find maps a path, as it was sent, to its route: exact comparison, no decoding, no cleaning, so that no spelling of one
// path reaches another.
func find(path []byte) Route {
	switch string(path) {
	case "/v1/eligibility":
		return RouteEligibility
	case "/v1/precheck":
		return RoutePrecheck
	case pathConfirm:
		return RouteConfirm
	case pathRelease:
		return RouteRelease
	case "/v1/users:bulk":
		return RouteUsersBulk
	case "/v1/events":
		return RouteEvents
	case "/v1/engagement":
		return RouteEngagement
	case "/v1/stream-tokens":
		return RouteStreamTokens
	case "/v1/stream":
		return RouteStream
	}
	if id, ok := bytes.CutPrefix(path, []byte(userPrefix)); ok && len(id) > 0 && bytes.IndexByte(id, '/') < 0 {
		return RouteUser
	}
	return RouteNone
}

// allow is the methods of a route, as the Allow header lists them.
func (r Route) allow() string {
	switch r {
	case RouteUser:
		return "GET, PUT, DELETE"
	case RouteStream:
		return "GET"
	}
	return "POST"
}

// takes reports whether the route knows the method. Methods are case-sensitive.
func (r Route) takes(method []byte) bool {
	switch string(method) {
	case "POST":
		return r != RouteUser && r != RouteStream
	case "GET":
		return r == RouteUser || r == RouteStream
	case "PUT", "DELETE":
		return r == RouteUser
	}
	return false
}

// bulk reports whether the route takes a list.
func (r Route) bulk() bool {
	return r == RouteUsersBulk || r == RouteEvents || r == RoutePrecheck || r == RouteConfirm || r == RouteRelease
}

// open reports whether a key of the kind may use the route.
func (r Route) open(kind access.Kind) bool {
	switch kind {
	case access.Server:
		return true
	case access.Client:
		return r == RouteEligibility || r == RouteEngagement || r == RouteStreamTokens || r == RouteStream
	}
	return false
}

// split cuts a request target into path and query. Absolute, authority and asterisk forms are for proxies, which this is not.
func split(target []byte) (path, query []byte, p *problem.Problem) {
	if len(target) == 0 || target[0] != '/' {
		return nil, nil, problem.New("bad_request", "the request target must be a path")
	}
	path, query, _ = bytes.Cut(target, []byte("?"))
	return path, query, nil
}

// segment decodes the user id that a path names. An encoded slash is part of the id; what is no user id is told by the caller.
func segment(path []byte) (string, *problem.Problem) {
	raw := string(path[len(userPrefix):])
	if raw == "." || raw == ".." {
		return "", problem.New("not_found", "there is nothing at this address")
	}
	id, err := url.PathUnescape(raw)
	if err != nil || strings.IndexByte(id, 0) >= 0 {
		return "", problem.New("invalid_user_id", "the path does not name a user").At("userId")
	}
	return id, nil
}
