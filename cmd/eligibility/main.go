// Command eligibility is the engine and its tools in one binary: one verb to run a replica, one to look at it with a made-up shop inside,
// and small ones around them. Flags, environment and configuration files are read here and nowhere else.
package main

import (
	"os"
	_ "time/tzdata" // rules name time zones; a bare container has no database of them
)

func main() {
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
