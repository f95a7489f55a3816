package ops

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Kind is how a metric moves.
type Kind uint8

// The kinds.
const (
	Counter   Kind = iota // only grows while the process lives
	Gauge                 // goes up and down
	Histogram             // counts by upper bound
)

// Metric is one definition. Its values, with those of its labels, come from collectors.
type Metric struct {
	Name   string // eligibility_<subsystem>_<what>_<unit>[_total]
	Help   string
	Kind   Kind
	Labels []string // names; values are few and known beforehand, never a user or a rule's text
}

// Buckets is a reading of a histogram.
type Buckets struct {
	Bounds []float64 // ascending upper bounds
	Counts []uint64  // of each bucket alone, and one more for what lies beyond the last bound
	Sum    float64
}

// Samples takes in what a collector reads. It is valid during the call only.
type Samples struct {
	out   chan<- prometheus.Metric
	descs map[string]*prometheus.Desc
}

// Collector reads the state of one room, when somebody scrapes, and says it to the samples. It must not block. Every metric is said at
// most once for each combination of label values.
type Collector func(s *Samples)

// Value says a counter's or gauge's value; label values stand in the order of the definition.
func (s *Samples) Value(m *Metric, value float64, labels ...string) {
	desc := s.descs[m.Name]
	kind := prometheus.CounterValue
	if m.Kind == Gauge {
		kind = prometheus.GaugeValue
	}
	sample, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		sample = prometheus.NewInvalidMetric(desc, err)
	}
	s.out <- sample
}

// Count says a counter kept as an integer.
func (s *Samples) Count(m *Metric, value uint64, labels ...string) {
	s.Value(m, float64(value), labels...)
}

// Flag says a gauge that is 1 or 0.
func (s *Samples) Flag(m *Metric, on bool, labels ...string) {
	value := 0.0
	if on {
		value = 1
	}
	s.Value(m, value, labels...)
}

// Histogram says a histogram.
func (s *Samples) Histogram(m *Metric, b Buckets, labels ...string) {
	desc := s.descs[m.Name]
	count, cumulative := uint64(0), make(map[float64]uint64, len(b.Bounds))
	for i, n := range b.Counts {
		count += n
		if i < len(b.Bounds) {
			cumulative[b.Bounds[i]] = count
		}
	}
	sample, err := prometheus.NewConstHistogram(desc, count, b.Sum, cumulative, labels...)
	if err != nil {
		sample = prometheus.NewInvalidMetric(desc, err)
	}
	s.out <- sample
}

// exporter hands what the collectors say to the library.
type exporter struct {
	descs      map[string]*prometheus.Desc
	collectors []Collector
}

var _ prometheus.Collector = (*exporter)(nil)

func newExporter(collectors []Collector) *exporter {
	e := &exporter{descs: make(map[string]*prometheus.Desc), collectors: collectors}
	for _, m := range Metrics() {
		e.descs[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return e
}

// Describe lists every definition.
func (e *exporter) Describe(out chan<- *prometheus.Desc) {
	for _, m := range Metrics() {
		out <- e.descs[m.Name]
	}
}

// Collect asks every collector.
func (e *exporter) Collect(out chan<- prometheus.Metric) {
	s := &Samples{out: out, descs: e.descs}
	for _, collect := range e.collectors {
		collect(s)
	}
}

// metricsHandler serves the metrics from a registry of their own, with those of the runtime and the process.
func metricsHandler(cfg *Config, deps *Deps) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		newExporter(append(slices.Clone(deps.Collectors), buildInfo)), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes, Timeout: cfg.ScrapeTimeout,
		ErrorHandling: promhttp.ContinueOnError, // one bad metric must not hide the others
		ErrorLog:      scrapeLog{deps},
	}), nil
}

// maxScrapes bounds what scrapers can make this process do.
const maxScrapes = 4

type scrapeLog struct{ deps *Deps }

func (l scrapeLog) Println(v ...any) {
	l.deps.Logger.Error("metrics do not collect", "error", fmt.Sprint(v...))
}

func buildInfo(s *Samples) {
	b := Version()
	s.Value(&BuildInfo, 1, b.Version, b.Revision, b.Go)
}
