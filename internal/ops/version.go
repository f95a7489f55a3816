package ops

import (
	"encoding/json"
	"net/http"
	"runtime/debug"
)

// Build is which build of the program runs.
type Build struct {
	Version  string `json:"version"`            // of the module; "(devel)" for a build from a working tree
	Revision string `json:"revision,omitempty"` // commit
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified"`           // the tree had changes that were not committed
	Go       string `json:"go"`
}

// Version reads what the linker knows of this build.
func Version() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "unknown"}
	}
	b := Build{Version: info.Main.Version, Go: info.GoVersion}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

func serveVersion(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(Version())
	if err != nil { // it is made of strings
		plain(w, http.StatusInternalServerError, "unknown\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}
