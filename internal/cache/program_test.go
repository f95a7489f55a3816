package cache

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

type opcode string

const (
	opNothing  opcode = "nothing"     // what a failing history shrinks to
	opCommit   opcode = "commit"      // key, stamped by a clock ahead by d; the feed will tell
	opOwn      opcode = "own commit"  // as above, told at once by the replica that wrote
	opDeliver  opcode = "deliver"     // n pending changes in any order, some of them again
	opResolve  opcode = "resolve"     // all changes at or before now-d, then the watermark
	opGap      opcode = "gap"         // all pending changes are lost
	opPass     opcode = "pass"        // d of time
	opGet      opcode = "get"         // key by the demand
	opMany     opcode = "get many"    // all keys by the demand
	opRead     opcode = "load reads"  // running load n reaches its reading instant
	opEnd      opcode = "load ends"   // running load n comes back
	opFail     opcode = "load fails"  // running load n comes back with an error
	opBehind   opcode = "slower node" // reads are served by a node that is slower by d
	opDown     opcode = "store down"
	opUp       opcode = "store up"
	opSchema   opcode = "schema" // the next version
	maxSkew           = 300 * time.Millisecond
	modelBound        = time.Second
)

type op struct {
	code     opcode
	key      int
	n        int
	d        time.Duration
	minAsOf  time.Duration // below 0: none; else the demanded stamp is now + (minAsOf - 50 ms)
	maxStale time.Duration
	schema   bool // demand the newest
}

func (o op) String() string {
	switch o.code {
	case opCommit, opOwn:
		return fmt.Sprintf("%s %d ahead %v", o.code, o.key, o.d)
	case opDeliver, opRead, opEnd, opFail:
		return fmt.Sprintf("%s %d", o.code, o.n)
	case opResolve, opPass, opBehind:
		return fmt.Sprintf("%s %v", o.code, o.d)
	case opGet, opMany:
		return fmt.Sprintf("%s %d min %v stale %v schema %v", o.code, o.key, o.minAsOf, o.maxStale, o.schema)
	}
	return string(o.code)
}

func ops() *rapid.Generator[op] {
	codes := []opcode{
		opNothing,
		opCommit, opCommit, opOwn, opDeliver, opDeliver, opResolve, opResolve, opGap, opPass, opPass, opGet, opGet, opGet, opGet, opMany,
		opRead, opRead, opEnd, opEnd, opEnd, opFail, opBehind, opDown, opUp, opUp, opSchema,
	}
	return rapid.Custom(func(t *rapid.T) op {
		o := op{code: rapid.SampledFrom(codes).Draw(t, "op")}
		millis := func(name string, values ...int) time.Duration {
			return time.Duration(rapid.SampledFrom(values).Draw(t, name)) * time.Millisecond
		}
		switch o.code {
		case opCommit, opOwn:
			o.key, o.d = rapid.IntRange(0, 2).Draw(t, "key"), millis("ahead", 0, 0, 1, 300)
		case opDeliver, opRead, opEnd, opFail:
			o.n = rapid.IntRange(0, 7).Draw(t, "n")
		case opResolve:
			o.d = millis("lag", 0, 1, 50, 2000)
		case opPass:
			o.d = millis("time", 1, 10, 300, 1001)
		case opBehind:
			o.d = millis("behind", 0, 1, 300)
		case opGet, opMany:
			o.key = rapid.IntRange(0, 2).Draw(t, "key")
			o.minAsOf = millis("min_as_of", -1, -1, -1, 0, 50, 100)
			o.maxStale = millis("max_stale", 0, 0, 3000, 60_000)
			o.schema = rapid.Bool().Draw(t, "schema")
		}
		return o
	})
}
