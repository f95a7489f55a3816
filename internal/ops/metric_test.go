package ops_test

import (
	"regexp"
	"strings"
	"testing"

	"eligibility/internal/ops"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// everything says each metric once, with made-up label values.
func everything(s *ops.Samples) {
	for _, m := range ops.Metrics() {
		if m.Name == ops.BuildInfo.Name {
			continue // the plane says it itself
		}
		labels := make([]string, len(m.Labels))
		for i := range labels {
			labels[i] = "x"
		}
		if m.Kind == ops.Histogram {
			s.Histogram(m, ops.Buckets{Bounds: []float64{0.1, 1}, Counts: []uint64{2, 3, 4}, Sum: 7.5}, labels...)
			continue
		}
		s.Value(m, 1, labels...)
	}
}

// TestNamesOfMetrics holds every definition against the house's scheme.
func TestNamesOfMetrics(t *testing.T) {
	scheme := regexp.MustCompile(`^eligibility_(audit|build|bulk|decision|control|cache|feed|relay|bus|rules|access|store|stream|push|webhook)_[a-z]+(_[a-z]+)*$`)
	label := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := make(map[string]bool)
	for _, m := range ops.Metrics() {
		if seen[m.Name] {
			t.Errorf("%s is defined twice", m.Name)
		}
		seen[m.Name] = true
		if !scheme.MatchString(m.Name) {
			t.Errorf("%s does not follow eligibility_<subsystem>_<what>_<unit>[_total]", m.Name)
		}
		if (m.Kind == ops.Counter) != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s: counters, and nothing else, end in _total", m.Name)
		}
		if m.Kind == ops.Histogram && !strings.HasSuffix(m.Name, "_seconds") && !strings.HasSuffix(m.Name, "_bytes") {
			t.Errorf("%s: a histogram names its unit", m.Name)
		}
		if !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: help %q, want a sentence", m.Name, m.Help)
		}
		for _, l := range m.Labels {
			if !label.MatchString(l) || l == "user" || l == "rule" || l == "project" {
				t.Errorf("%s: label %q is malformed or unbounded", m.Name, l)
			}
		}
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	s := newServer(t, ops.Defaults(), ops.Deps{Collectors: []ops.Collector{everything}})
	w := get(s, "/metrics")
	if w.Code != 200 {
		t.Fatalf("status %d\n%s", w.Code, w.Body)
	}
	text := w.Body.String()
	for _, m := range ops.Metrics() {
		if !strings.Contains(text, "# HELP "+m.Name+" ") {
			t.Errorf("%s is not shown", m.Name)
		}
	}
	for _, want := range []string{
		`eligibility_build_info{go="go1.`, "go_goroutines ", "process_open_fds ", `eligibility_cache_misses_total{cause="x"} 1`,
		`eligibility_decision_request_seconds_bucket{route="x",le="0.1"} 2`, `eligibility_decision_request_seconds_bucket{route="x",le="1"} 5`,
		`eligibility_decision_request_seconds_bucket{route="x",le="+Inf"} 9`, `eligibility_decision_request_seconds_sum{route="x"} 7.5`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "eligibility_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestOpenMetrics(t *testing.T) {
	s := newServer(t, ops.Defaults(), ops.Deps{Collectors: []ops.Collector{everything}})
	w := get(s, "/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") ||
		!strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Errorf("content type %q", kind)
	}
}

// TestOneBadSampleHidesNoOther: a wrong number of labels is a defect of a collector and must not blind the operator.
func TestOneBadSampleHidesNoOther(t *testing.T) {
	s := newServer(t, ops.Defaults(), ops.Deps{Collectors: []ops.Collector{func(s *ops.Samples) {
		s.Value(&ops.CacheMisses, 1)
		s.Count(&ops.CacheHits, 7)
		s.Flag(&ops.FreshnessHealthy, true)
	}}})
	w := get(s, "/metrics")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "eligibility_cache_hits_total 7") || !strings.Contains(w.Body.String(),
		"eligibility_feed_healthy 1") {
		t.Errorf("status %d\n%.500s", w.Code, w.Body)
	}
}
