package main

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// byteSizeMapper reads numbers of bytes: "268435456", "256MiB".
type byteSizeMapper struct{}

// Decode is called by the parser.
func (byteSizeMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("size", &text); err != nil {
		return fmt.Errorf("read size: %w", err)
	}
	size, err := parseBytes(text)
	if err != nil {
		return err
	}
	target.SetInt(size)
	return nil
}

// units of sizes, largest first.
var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

func parseBytes(text string) (int64, error) {
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n > math.MaxInt64/unit.bytes || n < math.MinInt64/unit.bytes {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size: give a number of bytes, or one with KiB, MiB or GiB", text)
}

// printedBytes is the inverse of parseBytes, with the largest unit that divides n.
func printedBytes(n int64) string {
	for _, unit := range units {
		if unit.bytes > 1 && n != 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// printed is a duration without the zero minutes and seconds that Go prints.
func printed(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
