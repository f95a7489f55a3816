package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd says which build this is.
type versionCmd struct{}

// build is what the Go toolchain has stamped into the binary.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with changes that were not committed
	Built    string `json:"time,omitempty"`     // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run is called by the parser.
func (*versionCmd) Run(g *Globals, std streams) error {
	b := thisBuild()
	if g.json() {
		return printJSON(std.out, b)
	}
	revision := b.Revision
	if revision != "" && b.Modified {
		revision += ", modified"
	}
	if revision != "" {
		revision = " (" + revision + ")"
	}
	_, err := fmt.Fprintf(std.out, "eligibility %s%s %s %s\n", b.Version, revision, b.Go, b.Platform)
	return err
}

func thisBuild() build {
	b := build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value[:min(12, len(setting.Value))]
		case "vcs.time":
			b.Built = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}
