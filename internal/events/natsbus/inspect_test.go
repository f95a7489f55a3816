package natsbus

import (
	"strings"
	"testing"
)

func TestInspectMakesNothing(t *testing.T) {
	srv := broker(t, t.TempDir(), -1)
	cfg := DefaultCluster(srv.ClientURL())
	cfg.Logger = quiet()
	first, err := Inspect(t.Context(), &cfg)
	if err != nil || first.JetStream != nil || !first.Missing || first.MaxPayload < first.NeedPayload || !strings.Contains(first.Server, "NATS ") {
		t.Fatalf("inspection %+v, %v", first, err)
	}
	if again, err := Inspect(t.Context(), &cfg); err != nil || !again.Missing {
		t.Errorf("looking made the stream: %+v, %v", again, err)
	}
	bus, err := Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	bus.Stop()
	if made, err := Inspect(t.Context(), &cfg); err != nil || made.Missing || len(made.Differences) != 0 {
		t.Errorf("a stream of ours: %+v, %v", made, err)
	}
	cfg.Partitions++
	if other, err := Inspect(t.Context(), &cfg); err != nil || len(other.Differences) != 1 || !strings.Contains(other.Differences[0], "partitions: 8, want 9") {
		t.Errorf("a stream of other partitions: %+v, %v", other, err)
	}
	halt(srv)
	if gone, err := Inspect(t.Context(), &cfg); err == nil {
		t.Errorf("inspected a server that is gone: %+v", gone)
	}
}
