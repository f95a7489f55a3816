package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// plane answers each line with its number, as a bulk plane does, and cuts each stream after so many answers.
func plane(t *testing.T, cutAfter int, refuse *atomic.Int64) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse.Load() > 0 && refuse.Add(-1) >= 0 {
			w.Header().Set("Retry-After", "0")
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"code":"forbidden","title":"Not allowed"}`)
			return
		}
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_ = control.Flush()
		body := make([]byte, 1)
		line := ""
		for n := 0; ; {
			_, err := io.ReadFull(r.Body, body)
			if err != nil {
				break
			}
			if line += string(body); body[0] != '\n' {
				continue
			}
			if n++; cutAfter > 0 && n > cutAfter {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprintf(w, `{"userId":%q,"eligible":true,"reason":"eligible"}`+"\n", strings.Split(line, `"`)[3])
			_ = control.Flush()
			line = ""
		}
		fmt.Fprintln(w, `{"summary":{"total":1,"rulesVersion":7,"oldestAsOf":"1.0"}}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAStreamThatIsCutGoesOn(t *testing.T) {
	for _, cutAfter := range []int{0, 1, 7, 100} {
		t.Run(fmt.Sprint(cutAfter), func(t *testing.T) {
			var none atomic.Int64
			q := Precheck{URL: plane(t, cutAfter, &none), Key: "k", Promotion: "p", Channel: "push"}
			var in, want strings.Builder
			for i := range 25 {
				fmt.Fprintf(&in, "{\"userId\":\"u%d\"}\n", i)
				fmt.Fprintf(&want, "{\"userId\":\"u%d\",\"eligible\":true,\"reason\":\"eligible\"}\n", i)
			}
			var out bytes.Buffer
			// A pipe, which cannot be read twice.
			result, err := q.Stream(t.Context(), io.MultiReader(strings.NewReader(in.String())), &out, nil)
			if err != nil || out.String() != want.String() || result.Total != 25 || result.Eligible != 25 || result.RulesVersion != 7 {
				t.Fatalf("%v, %+v, %s", err, result, out.String())
			}
			if cut := cutAfter > 0 && cutAfter < 25; cut != (result.Resumed > 0) {
				t.Errorf("taken up again %d times", result.Resumed)
			}
		})
	}
}

func TestARefusalThatStaysEndsAStream(t *testing.T) {
	var refuse atomic.Int64
	refuse.Store(1000)
	q := Precheck{URL: plane(t, 0, &refuse), Key: "k", Promotion: "p", Channel: "push"}
	_, err := q.Stream(t.Context(), strings.NewReader("{\"userId\":\"u\"}\n"), io.Discard, nil)
	if !Is(err, "forbidden") || refuse.Load() != 999 {
		t.Errorf("%v after %d attempts", err, 1000-refuse.Load())
	}
}

func TestNobodyThereEndsAStream(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	q := Precheck{URL: server.URL, Key: "k", Promotion: "p", Channel: "push"}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := q.Stream(ctx, strings.NewReader("{\"userId\":\"u\"}\n"), io.Discard, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
