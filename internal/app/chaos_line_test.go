package app

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// watch notes the phases of the replicas for the picture that ELIGIBILITY_TEST_CHAOS_LINE names, and draws it when the result is called.
func (s *storm) watch() (draw func()) {
	name := os.Getenv("ELIGIBILITY_TEST_CHAOS_LINE")
	if name == "" {
		return func() {}
	}
	over := make(chan struct{})
	var group sync.WaitGroup
	for i := range s.servers {
		group.Go(func() {
			for {
				metrics, err := lookAt(s.servers[i])
				if err != nil {
					metrics = "" // it shows nothing
				}
				phase, gaps := phaseIn(metrics)
				s.line.State(i, phase, gaps)
				select {
				case <-time.After(100 * time.Millisecond):
				case <-over:
					return
				}
			}
		})
	}
	return func() {
		close(over)
		group.Wait()
		file, err := os.Create(name)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer file.Close()
		if err := s.line.WriteSVG(file); err != nil {
			s.t.Error(err)
		}
	}
}

// lookAt is the text of a replica's metrics.
func lookAt(m *node) (string, error) {
	client := http.Client{Timeout: 400 * time.Millisecond}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://" + m.at().OpsListen + "/metrics")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// phaseIn finds the phase of the feed and the gaps that the cache was told of.
func phaseIn(metrics string) (phase string, gaps int) {
	for line := range strings.Lines(metrics) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, `eligibility_feed_phase{phase="`); ok {
			if name, found := strings.CutSuffix(rest, `"} 1`); found {
				phase = name
			}
		}
		if rest, ok := strings.CutPrefix(line, "eligibility_cache_gaps_total "); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				gaps = n
			}
		}
	}
	return phase, gaps
}

func TestThePhaseIsFoundInTheMetrics(t *testing.T) {
	r := start(t)
	r.eventually("the feed is live", func() bool {
		phase, _ := phaseIn(string(r.must(200, "ops", "GET", "/metrics", "", nil).body))
		return phase == "live"
	})
	if _, gaps := phaseIn(string(r.must(200, "ops", "GET", "/metrics", "", nil).body)); gaps < 1 {
		t.Errorf("%d gaps, want the one that covers what was before the start", gaps)
	}
	if phase, gaps := phaseIn("nothing\n"); phase != "" || gaps != 0 {
		t.Errorf("%q, %d in metrics that have neither", phase, gaps)
	}
}
