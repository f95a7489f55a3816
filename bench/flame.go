package main

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// flame is a function as called from those above it, and the processor time spent in it and below.
type flame struct {
	name string
	time time.Duration
	kids map[string]*flame
}

// stacks reads a profile as `go tool pprof -traces` tells it: a time and the innermost function on the first line of each stack, its callers below.
func stacks(profile string) (*flame, error) {
	out, err := exec.Command("go", "tool", "pprof", "-traces", profile).Output()
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	root := &flame{name: "all", kids: make(map[string]*flame)}
	for part := range strings.SplitSeq(string(out), "-----------+") {
		var took time.Duration
		var stack []string
		for _, text := range strings.Split(part, "\n")[1:] { // the rest of the rule
			fields := strings.Fields(text)
			if len(fields) > 1 && took == 0 {
				if d, err := time.ParseDuration(fields[0]); err == nil {
					took, fields = d, fields[1:]
				}
			}
			if took > 0 && len(fields) > 0 {
				stack = append(stack, fields[0])
			}
		}
		root.add(stack, took)
	}
	return root, nil
}

func (f *flame) add(stack []string, took time.Duration) {
	f.time += took
	for at := f; len(stack) > 0; stack = stack[:len(stack)-1] {
		name := stack[len(stack)-1]
		next := at.kids[name]
		if next == nil {
			next = &flame{name: name, kids: make(map[string]*flame)}
			at.kids[name] = next
		}
		next.time += took
		at = next
	}
}

// cumulative is the time of each function that the filter takes, with all that it calls; one that is on a stack twice counts once.
func (f *flame) cumulative(take func(name string) bool) []flame {
	total := make(map[string]time.Duration)
	var walk func(f *flame, above map[string]bool)
	walk = func(f *flame, above map[string]bool) {
		fresh := take(f.name) && !above[f.name]
		if fresh {
			total[f.name] += f.time
			above[f.name] = true
		}
		for _, kid := range f.kids {
			walk(kid, above)
		}
		if fresh {
			delete(above, f.name)
		}
	}
	walk(f, make(map[string]bool))
	var all []flame
	for name, took := range total {
		all = append(all, flame{name: name, time: took})
	}
	slices.SortFunc(all, func(a, b flame) int { return cmp.Or(cmp.Compare(b.time, a.time), strings.Compare(a.name, b.name)) })
	return all
}

const (
	flameWidth = 1200
	flameRow   = 17
	flameLeast = 0.002 // of the whole: what is narrower is not drawn
)

// svg draws the graph, callers above; the title of a box has the whole name and the share.
func (f *flame) svg(title string) string {
	var boxes strings.Builder
	deepest := 0
	var draw func(at *flame, x float64, depth int)
	draw = func(at *flame, x float64, depth int) {
		share := float64(at.time) / float64(max(1, f.time))
		if share < flameLeast {
			return
		}
		deepest = max(deepest, depth)
		wide, y := share*flameWidth, 30+depth*flameRow
		name := html.EscapeString(at.name)
		fmt.Fprintf(&boxes, `<g><title>%s %.1f%%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" stroke="white" stroke-width="0.5"/>`, name, 100*share, x, y, wide, flameRow-1, flameColour(at.name))
		if letters := int(wide / 6.2); letters > 3 {
			short := at.name[strings.LastIndexByte(at.name, '/')+1:]
			fmt.Fprintf(&boxes, `<text x="%.1f" y="%d">%s</text>`, x+2, y+12, html.EscapeString(short[:min(len(short), letters)]))
		}
		boxes.WriteString("</g>\n")
		for _, name := range slices.Sorted(maps.Keys(at.kids)) {
			draw(at.kids[name], x, depth+1)
			x += float64(at.kids[name].time) / float64(max(1, f.time)) * flameWidth
		}
	}
	draw(f, 0, 0)
	high := 30 + (deepest+2)*flameRow
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n"+
		`<rect width="%d" height="%d" fill="white"/><text x="4" y="18" font-size="14">%s</text>`+"\n%s</svg>\n", flameWidth, high, flameWidth, high, html.EscapeString(title), boxes.String())
}

// flameColour tells whose code a box is.
func flameColour(name string) string {
	switch {
	case strings.HasPrefix(name, "eligibility/"):
		return "#f0b27a"
	case strings.Contains(name, "valyala/fasthttp"):
		return "#aed6f1"
	case strings.Contains(name, "."+"Syscall") || strings.Contains(name, "syscall"):
		return "#d7bde2"
	case strings.HasPrefix(name, "runtime"):
		return "#d5dbdb"
	}
	return "#f9e79f"
}

// handlers takes the functions that answer a request: ours, and fasthttp's loop around them.
func handlers(name string) bool {
	return strings.HasPrefix(name, "eligibility/") || strings.HasPrefix(name, "github.com/valyala/fasthttp") || strings.HasPrefix(name, "internal/poll.(*FD)")
}

// flames shows one profile: the functions of the handler by time with what they call, and the graph.
func (r *report) flames(title, profile, file string) error {
	root, err := stacks(profile)
	if err != nil {
		return err
	}
	t := r.table(title, fmt.Sprintf("Processor time with what is called, of %v in all; functions of the server, of fasthttp and of its sockets.", root.time), "function", "time", "share")
	for i, f := range root.cumulative(handlers) {
		if i == 30 {
			break
		}
		t.row("`"+f.name+"`", short(f.time), fmt.Sprintf("%.1f %%", 100*float64(f.time)/float64(max(1, root.time))))
	}
	r.drawing(file, title, root.svg(title))
	return nil
}
