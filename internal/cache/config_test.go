package cache

import (
	"strings"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	cfg := Defaults()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	cfg := Config{MemoBytes: -1, FloorSlots: 3, BatchMax: 1 << 20, BatchWindow: -1, GapSpread: -1, LoadTimeout: -1, WaitMax: -2, MinAsOfWait: -1, MaxAge: -1}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		"CacheBytes", "MemoBytes", "MaxEntryBytes", "Bound", "MaxAge", "FloorSlots", "MaxLoads", "BulkLoads", "BatchMax", "BatchWindow",
		"QueueMax", "GapSpread", "LoadTimeout", "WaitMax", "MinAsOfWait", "Logger",
	} {
		if !strings.Contains(err.Error(), "cache: "+field) {
			t.Errorf("no fault of %s in:\n%v", field, err)
		}
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	cases := []struct {
		name string
		set  func(*Config)
	}{
		{"size 0", func(c *Config) { c.CacheBytes = 0 }},
		{"size negative", func(c *Config) { c.CacheBytes = -1 }},
		{"slots no power of two", func(c *Config) { c.FloorSlots = 1000 }},
		{"no loads", func(c *Config) { c.MaxLoads = 0 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := Defaults()
			c.set(&cfg)
			if _, err := New(cfg, nil, nil); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}
