package main

import (
	"fmt"
	"math"
	"strings"
)

// bar is one figure in microseconds.
type bar struct {
	name  string
	value float64
}

// chart draws bars over a logarithmic scale that begins at a tenth of a microsecond.
func chart(bars []bar) string {
	const left, width, height, least = 190, 420, 22, 0.1
	most := least
	for _, b := range bars {
		most = max(most, b.value)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="720" height="%d" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="white"/>`, height*len(bars)+40)
	fmt.Fprintf(&s, `<text x="10" y="18" font-size="14">Microseconds of processor time for one question, logarithmic</text>`)
	for i, b := range bars {
		y := 30 + i*height
		long := max(1, math.Log(b.value/least)/math.Log(most/least)*width)
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="#3b6fb5"/><text x="%.1f" y="%d">%.3g</text>`,
			left-8, y+14, b.name, left, y, long, height-6, left+long+6, y+14, b.value)
	}
	s.WriteString("</svg>\n")
	return s.String()
}
