package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// roleVariable tells a child what to be. A server in a process of its own has its processor time to itself.
const roleVariable = "BENCH_ROLE"

// child is a server in a process of its own.
type child struct {
	cmd   *exec.Cmd
	told  io.Closer // its standard input, whose end is its own
	stdin *json.Encoder
	said  *bufio.Reader
	hello hello
}

// hello is what a child says when it is ready.
type hello struct {
	Listen, Control, Bulk, Ops string
	Key, Client                string        // of the server kind; of the client kind, which asks for no user token
	Took                       time.Duration // from the process's start of the engine until it was ready
	Heap                       uint64        // bytes in use then
}

// spawn starts a child. What it is told it reads as JSON from its standard input.
func spawn(role string, told any) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return spawnProgram(self, role, told)
}

// spawnProgram starts a child that is a program of its own, or this one in a role.
func spawnProgram(program, role string, told any) (*child, error) {
	c := &child{cmd: exec.Command(program)}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.told, c.stdin, c.said = in, json.NewEncoder(in), bufio.NewReader(out)
	if err := c.tell(told, &c.hello); err != nil {
		c.end()
		if c.cmd.ProcessState.ExitCode() == exitNoSQL {
			return nil, errNoSQL
		}
		return nil, fmt.Errorf("start %s%s: %w", program, role, err)
	}
	return c, nil
}

// tell sends a line to the child and reads its answer.
func (c *child) tell(what, answer any) error {
	if err := c.stdin.Encode(what); err != nil {
		return err
	}
	line, err := c.said.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

var errNoSQL = errors.New("PostgreSQL is not installed")

// end lets the child clear up after itself, and kills it when it takes long.
func (c *child) end() {
	_ = c.told.Close()
	slow := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer slow.Stop()
	_ = c.cmd.Wait()
}

// ticksPerSecond is the unit, a hundredth of a second, of /proc/<pid>/stat on every Linux that Go runs on.
const ticksPerSecond = 100

// cpu is the processor time that the child has used.
func (c *child) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	rest := string(stat)
	rest = rest[strings.LastIndexByte(rest, ')')+2:]
	fields := strings.Fields(rest)
	const utime, stime = 11, 12
	var ticks int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
