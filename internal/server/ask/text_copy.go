//go:build purego

package ask

// text copies.
func text(b []byte) string { return string(b) }
