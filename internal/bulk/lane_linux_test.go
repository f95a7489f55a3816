package bulk

import "syscall"

// niceHere is the niceness of the calling thread. The system call answers 20 less it.
func niceHere() (nice int, known bool) {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
	return 20 - raw, err == nil
}
