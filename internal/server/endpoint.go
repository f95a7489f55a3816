package server

import (
	"strings"

	"eligibility/internal/access"
)

// Endpoint is one call of the plane.
type Endpoint struct {
	Method string
	Path   string        // {name} stands for a part that varies
	Kinds  []access.Kind // of the keys that it takes
	Query  []string      // parameters
}

// routePaths is where find finds each route.
var routePaths = [ownRoutes]string{
	RouteEligibility: "/v1/eligibility", RoutePrecheck: "/v1/precheck", RouteUser: userPrefix + "{userId}", RouteUsersBulk: "/v1/users:bulk",
	RouteEvents: "/v1/events", RouteEngagement: "/v1/engagement", RouteStreamTokens: "/v1/stream-tokens",
	RouteStream: "/v1/stream", RouteConfirm: pathConfirm, RouteRelease: pathRelease,
}

// Endpoints lists every call of the plane. The API's document is held against it.
func Endpoints() []Endpoint {
	var all []Endpoint
	for route := RouteNone + 1; route < ownRoutes; route++ {
		var kinds []access.Kind
		for _, kind := range []access.Kind{access.Server, access.Client, access.Admin} {
			if route.open(kind) && route != RouteStream { // which a token opens
				kinds = append(kinds, kind)
			}
		}
		var query []string
		if route == RoutePrecheck {
			query = []string{"channel", "promotion"} // of a stream
		}
		for method := range strings.SplitSeq(route.allow(), ", ") {
			all = append(all, Endpoint{Method: method, Path: routePaths[route], Kinds: kinds, Query: query})
		}
	}
	return all
}
