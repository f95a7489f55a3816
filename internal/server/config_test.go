package server

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestConfigReportsEveryFault(t *testing.T) {
	good := Defaults()
	if err := good.Validate(); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	bad := Config{ClientRate: -1}
	err := bad.Validate()
	if err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	for _, want := range []string{
		"decision body", "bulk body", "header bytes", "read timeout", "bulk read timeout",
		"write timeout", "idle timeout", "store timeout", "concurrency", "client rate",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %s: %v", want, err)
		}
	}
	if _, err := New(Defaults(), Deps{}); err == nil {
		t.Error("a plane without dependencies is made")
	}
	if _, err := New(bad, Deps{}); err == nil {
		t.Error("a plane without limits is made")
	}
}

func TestStatsCountEveryAnswerOnce(t *testing.T) {
	p := newPlane(t)
	p.decide(`{"userId":"ada"}`)
	p.decide(`{`)
	p.call("GET", "/nowhere", serverKey, "")
	_ = p.dial().all("not http\r\n\r\n")
	p.call("POST", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","userIds":["a"]}`)
	want := map[Route][6]uint64{RouteEligibility: {2: 1, 4: 1}, RouteNone: {4: 2}, RoutePrecheck: {2: 1}}
	for _, route := range Routes() {
		if route.String() == "" {
			t.Errorf("route %d has no name", route)
		}
		total := uint64(0)
		for class := range 6 {
			got := p.Stats().Requests(route, class)
			if total += got; got != want[route][class] {
				t.Errorf("%s: %d answers of %dxx, want %d", route, got, class, want[route][class])
			}
		}
		buckets, sum := p.Stats().Latency(route)
		inBuckets := uint64(0)
		for _, n := range buckets {
			inBuckets += n
		}
		if inBuckets != total || sum < 0 || len(buckets) != len(LatencyBounds)+1 {
			t.Errorf("%s: %d latencies for %d answers, %v s in all", route, inBuckets, total, sum)
		}
	}
}

func TestLatencyBuckets(t *testing.T) {
	var s Stats
	for _, took := range []time.Duration{0, LatencyBounds[0], LatencyBounds[0] + 1, time.Second, time.Hour} {
		s.observe(RouteEvents, http.StatusOK, took)
	}
	buckets, sum := s.Latency(RouteEvents)
	if buckets[0] != 2 || buckets[1] != 1 || buckets[len(buckets)-1] != 1 || sum < 3601 || sum > 3602 {
		t.Errorf("buckets %v, sum %v", buckets, sum)
	}
	s.observe(RouteEvents, 999, 0) // no status is out of range
	if s.Requests(RouteEvents, 5) != 1 {
		t.Error("a status beyond 5xx is not counted")
	}
}
