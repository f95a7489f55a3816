package ops

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// NewLogger writes records to w as text or json, from level (debug, info, warn or error) on. Times are in UTC, durations as Go prints
// them: a bare number would not say of what.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var from slog.Level
	if err := from.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q is not known: use debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: from, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Value.Kind() {
		case slog.KindTime:
			return slog.String(a.Key, a.Value.Time().UTC().Format(time.RFC3339Nano))
		case slog.KindDuration:
			return slog.String(a.Key, a.Value.Duration().String())
		}
		return a
	}}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q is not known: use text or json", format)
}
