package bulk

import (
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// niceness of the threads that do bulk work, the greatest there is: the kernel gives the processor to whoever else wants it. Measured, it takes more off the wait
// of apps than anything the process can do by itself, which cannot take a processor back from a thread that has it. A thread may lower itself without a
// privilege and not raise itself again, so that it ends with its goroutine.
const niceness = 19

// lowered makes the calling goroutine the only one of a thread of low priority, until the returned function.
func lowered() (end func()) {
	runtime.LockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness) // where it is refused, slices and rests are what is left
	return func() {}                                                          // a goroutine that ends locked takes its thread with it
}

// spentHere is what the calling thread has used of the processor. Waiting for a store is not among it, nor is waiting for a processor. The clock is asked and not
// getrusage, whose figure of a thread that runs is as old as the kernel's last tick.
func spentHere() time.Duration {
	var used unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used) != nil {
		return 0
	}
	return time.Duration(used.Nano())
}
