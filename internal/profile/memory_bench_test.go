package profile_test

import (
	"runtime"
	"testing"

	"eligibility/bench/workload"
	"eligibility/internal/profile"
)

// BenchmarkSnapshotMemory is what a user of 40 attributes and 50 events of three properties takes of the heap, and its parts by SizeBytes.
func BenchmarkSnapshotMemory(b *testing.B) {
	w, err := workload.New(workload.Config{Rules: 1, Users: 2000})
	if err != nil {
		b.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	snaps := make([]*profile.Snapshot, len(w.Users))
	var counted int64
	before := heap()
	for b.Loop() {
		counted = 0
		for i := range w.Users {
			snaps[i] = w.Snapshot("p", &w.Users[i])
			counted += snaps[i].SizeBytes()
		}
	}
	b.ReportMetric(float64(heap()-before)/float64(len(snaps)), "heap-bytes/user")
	b.ReportMetric(float64(counted)/float64(len(snaps)), "counted-bytes/user")
	runtime.KeepAlive(snaps)
	runtime.KeepAlive(w)
}

// crowd is a few users to read.
func crowd(b *testing.B) (w *workload.Workload, snaps []*profile.Snapshot) {
	w, err := workload.New(workload.Config{Rules: 1, Users: 64})
	if err != nil {
		b.Fatal(err)
	}
	for i := range w.Users {
		snaps = append(snaps, w.Snapshot("p", &w.Users[i]))
	}
	return w, snaps
}

// BenchmarkProperties reads every property of every event of a user, as sums and conditions over events do.
func BenchmarkProperties(b *testing.B) {
	w, snaps := crowd(b)
	b.ReportAllocs()
	sum, i := 0.0, 0
	for b.Loop() {
		snap := snaps[i%len(snaps)]
		i++
		for t := range w.Schema.EventTypes {
			typ := &w.Schema.EventTypes[t]
			events := snap.Events(typ.Slot)
			for at := range events.Len() {
				for p := range typ.Properties {
					if !events.Has(at, p) {
						continue
					}
					switch typ.Properties[p].Type.Kind {
					case profile.Double:
						sum += events.Double(at, p)
					case profile.Int:
						sum += float64(events.Int(at, p))
					case profile.String:
						sum += float64(len(events.String(at, p)))
					}
				}
			}
		}
	}
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}

// BenchmarkAttributes reads every attribute of a user.
func BenchmarkAttributes(b *testing.B) {
	w, snaps := crowd(b)
	b.ReportAllocs()
	sum, i := 0.0, 0
	for b.Loop() {
		snap := snaps[i%len(snaps)]
		i++
		for slot := range w.Schema.Attributes {
			a := &w.Schema.Attributes[slot]
			switch {
			case snap.State(slot) != profile.Present:
			case a.Type.Shape != profile.Scalar:
				values := snap.Values(slot)
				for v := range values.Len() {
					sum += float64(len(values.String(v)))
				}
			case a.Type.Kind == profile.String:
				sum += float64(len(snap.String(slot)))
			case a.Type.Kind == profile.Double:
				sum += snap.Double(slot)
			case a.Type.Kind == profile.Int:
				sum += float64(snap.Int(slot))
			}
		}
	}
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}
