package server

import (
	"strings"
	"testing"
)

// TestEndpointsAreWhatTheRouterFinds: the list must not drift from the comparisons that the hot path makes.
func TestEndpointsAreWhatTheRouterFinds(t *testing.T) {
	listed := make(map[Route]map[string]bool)
	for _, e := range Endpoints() {
		route := find([]byte(strings.Replace(e.Path, "{userId}", "ada", 1)))
		if route == RouteNone {
			t.Errorf("%s %s is not found", e.Method, e.Path)
		}
		if listed[route] == nil {
			listed[route] = make(map[string]bool)
		}
		listed[route][e.Method] = true
	}
	for route := RouteNone + 1; route < ownRoutes; route++ {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"} {
			if got, want := listed[route][method], route.takes([]byte(method)); got != want {
				t.Errorf("%s %s: listed %v, taken %v", method, route, got, want)
			}
		}
	}
}
