package chaos

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestATimelineShowsWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := NewTimeline("a <run>", "server0", "server1")
		line.State(0, "live", 1)
		line.State(0, "live", 1)
		end := line.Fault("bus black hole")
		time.Sleep(3 * time.Second) // the bubble's
		line.State(0, "lagging", 1)
		line.Read(0, Refused)
		line.Read(1, Fresh)
		end()
		line.State(0, "", 0) // killed
		time.Sleep(time.Second)
		line.State(0, "live", 1) // only a look that failed
		line.Restart(0)
		line.State(0, "live", 1)
		line.Read(0, Degraded)
		var svg bytes.Buffer
		if err := line.WriteSVG(&svg); err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("no XML: %v\n%s", err, svg.String())
			}
		}
		for _, want := range []string{
			"a &lt;run&gt;", ">bus black hole<", ">server1<",
			`width="797.6" height="12"`, // three of 4.1 seconds
			`stroke="` + Refused.colour(), `stroke="` + Fresh.colour(), `stroke="` + Degraded.colour(),
		} {
			if !strings.Contains(svg.String(), want) {
				t.Errorf("the picture lacks %s", want)
			}
		}
		if got := len(line.lanes[0].floors); got != 2 {
			t.Errorf("%d rises of the floor, want the one at the start and the one after", got)
		}
		if got := len(line.lanes[0].phases); got != 4 {
			t.Errorf("phases %+v, want live, lagging, none, live", line.lanes[0].phases)
		}
	})
}
