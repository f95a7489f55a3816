package natsbus

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"eligibility/internal/audience"
)

// BenchmarkPrechecks is requests about so many users each, from as many workers as there are processors, read from the embedded store.
func BenchmarkPrechecks(b *testing.B) {
	for _, users := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(users, " users"), func(b *testing.B) {
			bus, d := embedded(b, nil), newDesk(b, false)
			serve(b, bus, d)
			ids := make([]string, users)
			for i := range ids {
				ids[i] = fmt.Sprintf(`"de%d"`, i)
			}
			body := `{"promotion":"german","channel":"push","userIds":[` + strings.Join(ids, ",") + `]}`
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				conn := worker(b, bus)
				for pb.Next() {
					m, err := conn.RequestMsg(question(d.server, body), patience)
					if err != nil || !bytes.Contains(m.Data, []byte(`"summary"`)) {
						b.Error(m, err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*users)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

// BenchmarkResults is messages of results, each acknowledged before the next, on a stream in files.
func BenchmarkResults(b *testing.B) {
	bus := embedded(b, func(c *Config) { c.Audiences.MaxBytes = 8192 * mebibyte })
	data := bytes.Repeat([]byte(`{"userId":"0123456789abcdef","eligible":true,"reason":"eligible"}`+"\n"), 990)
	place, err := bus.Results().Last(b.Context(), "shop", "j")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		place.Number++
		m := audience.Message{Number: place.Number, Start: place.Bytes, Data: data}
		if place.Sequence, err = bus.Results().Publish(b.Context(), "shop", "j", &m, place.Sequence); err != nil {
			b.Fatal(err)
		}
		place.Bytes += int64(len(data))
	}
}
