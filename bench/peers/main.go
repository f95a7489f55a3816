// Command peers asks other engines what the engine is asked: which of these rules hold for this user. All get the same rules, translated, and the same users, and their
// answers are compared before anything is timed. Users have every attribute, since engines differ in what one that is missing means, and peers are told how many
// events each window holds, which helps them.
//
//	make bench-peers
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"eligibility/bench/workload"

	"cel.dev/cel-go/cel"
)

func main() {
	rounds := flag.Int("rounds", 7, "interleaved rounds")
	span := flag.Duration("span", time.Second, "time of one engine in one round")
	out := flag.String("out", "../results", "folder for the results")
	flag.Parse()
	if err := run(*rounds, *span, *out); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(rounds int, span time.Duration, out string) error {
	var page strings.Builder
	fmt.Fprintf(&page, "# Beside other engines, %s\n\n%s, %s, %d cores. Processor time for one question, which of N rules hold for a user; %d interleaved rounds of %v, medians, with the least and the "+
		"greatest round in brackets. Answers were compared before.\n\nTo have it again: `make bench-peers`.\n\n| rules | engine | a question | ÷ this engine |\n|---|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOARCH, runtime.Version(), runtime.NumCPU(), rounds, span)
	var bars []bar
	var about strings.Builder
	for _, n := range []int{100, 1000} {
		fmt.Fprintf(os.Stderr, "%d rules …\n", n)
		peers, users, found, err := prepare(n)
		if err != nil {
			return err
		}
		fmt.Fprintf(&about, " Of %d rules %.1f hold for a user on average.", n, found)
		cost, err := measure(peers, n, users, rounds, span)
		if err != nil {
			return err
		}
		for i, p := range peers {
			var times []float64
			for r := range cost[i] {
				times = append(times, cost[i][r]/cost[0][r])
			}
			row := fmt.Sprintf("| %d | %s | %s µs | %s |", n, p.name, spread(cost[i]), spread(times))
			fmt.Fprintln(&page, row)
			fmt.Fprintln(os.Stderr, row)
			bars = append(bars, bar{fmt.Sprintf("%s, %d rules", p.name, n), median(cost[i])})
		}
	}
	fmt.Fprintf(&page, "\nUsers have every attribute and peers are told how many events each window holds, which helps them.%s\n", about.String())
	name := time.Now().UTC().Format(time.DateOnly) + "-peers"
	fmt.Fprintf(&page, "\n![Microseconds for one question](%s.svg)\n", name)
	if err := os.WriteFile(filepath.Join(out, name+".svg"), []byte(chart(bars)), 0o644); err != nil {
		return err
	}
	file := filepath.Join(out, name+".md")
	fmt.Println(file)
	return os.WriteFile(file, []byte(page.String()), 0o644)
}

// prepare makes every engine ready and compares their answers; found is how many rules hold for a user on average.
func prepare(n int) (peers []peer, users int, found float64, err error) {
	q, err := ask(n)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, build := range []func(*question) (peer, error){ours, exprLang, plainCEL, growthBook, openPolicyAgent} {
		p, err := build(q)
		if err != nil {
			return nil, 0, 0, err
		}
		peers = append(peers, p)
	}
	want, got := make([]bool, n), make([]bool, n)
	for user := range q.users {
		for i, p := range peers {
			clear(got)
			if err := p.ask(user, got); err != nil {
				return nil, 0, 0, fmt.Errorf("%s: %w", p.name, err)
			}
			if i == 0 {
				copy(want, got)
				for _, holds := range got {
					if holds {
						found++
					}
				}
				continue
			}
			for r := range got {
				if got[r] != want[r] {
					return nil, 0, 0, fmt.Errorf("%s says %t of %s for user %d, this engine %t", p.name, got[r], q.work.Rules[r].Text, user, want[r])
				}
			}
		}
	}
	return peers, len(q.users), found / float64(len(q.users)), nil
}

// ask draws the workload, gives users what they lack, and translates.
func ask(n int) (*question, error) {
	w, err := workload.New(workload.Config{Rules: n, Users: 64})
	if err != nil {
		return nil, err
	}
	env, err := cel.NewEnv()
	if err != nil {
		return nil, err
	}
	q := &question{work: w}
	r := reader{env: env, counts: make(map[string]counted)}
	for i := range w.Rules {
		t, err := r.read(w.Rules[i].Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Rules[i].Text, err)
		}
		q.rules = append(q.rules, t)
	}
	for i := range w.Users {
		user, err := whole(w, &w.Users[i])
		if err != nil {
			return nil, err
		}
		for name, c := range r.counts {
			count := int64(0)
			for _, e := range w.Users[i].Events {
				if e.Name == c.event && e.At.After(w.Now.Add(-c.window)) && !e.At.After(w.Now) {
					count++
				}
			}
			user[name] = count
		}
		q.users = append(q.users, user)
	}
	return q, nil
}

// whole gives the user every attribute of the schema, and returns them with the types that the schema says.
func whole(w *workload.Workload, u *workload.User) (map[string]any, error) {
	var raw map[string]any
	if err := json.Unmarshal([]byte(u.Attributes), &raw); err != nil {
		return nil, err
	}
	typed := make(map[string]any)
	for _, a := range w.Schema.Attributes {
		value := raw[a.Name]
		switch a.Type.String() {
		case "int":
			f, _ := value.(float64)
			typed[a.Name] = int64(f)
		case "double":
			f, _ := value.(float64)
			typed[a.Name] = f
		case "bool":
			b, _ := value.(bool)
			typed[a.Name] = b
		case "string":
			s, _ := value.(string)
			typed[a.Name] = s
		default:
			list, _ := value.([]any)
			if list == nil {
				list = []any{}
			}
			typed[a.Name] = list
		}
	}
	text, err := json.Marshal(typed)
	u.Attributes = string(text)
	return typed, err
}

// measure returns the processor time of a question in microseconds, by engine and round.
func measure(peers []peer, n, users, rounds int, span time.Duration) ([][]float64, error) {
	cost, holds := make([][]float64, len(peers)), make([]bool, n)
	for range rounds {
		for i, p := range peers {
			runtime.GC()
			asked, began, used := 0, time.Now(), processor()
			for time.Since(began) < span {
				for user := range users {
					clear(holds)
					if err := p.ask(user, holds); err != nil {
						return nil, err
					}
				}
				asked += users
			}
			cost[i] = append(cost[i], float64((processor()-used).Nanoseconds())/1e3/float64(asked))
		}
	}
	return cost, nil
}

// processor is the time that this process has used.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func spread(values []float64) string {
	return fmt.Sprintf("%.3g (%.3g–%.3g)", median(values), slices.Min(values), slices.Max(values))
}
