package pgtest

import (
	"sync"
	"testing"
)

// shared is the server that the tests of one process share: starting one takes a second. It is the test process's, so it lives in a
// package-level variable as the process's flags do.
var shared struct {
	mu     sync.Mutex
	server *Server
	err    error
}

// Shared returns the process's common server, starting it at the first call. Tests that kill or stop their server use Start instead. End
// the process's tests with StopShared.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	bin, err := find()
	if err != nil {
		absent(tb, err)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = create(bin)
	}
	if shared.err != nil {
		tb.Fatalf("start PostgreSQL: %v", shared.err)
	}
	return shared.server
}

// StopShared ends the common server, if it was started, and removes its data. It belongs at the end of TestMain:
//
//	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.StopShared(); os.Exit(code) }))
//
// Without it the server still ends with the process; its directory is removed by the next test that starts one.
func StopShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		shared.server.remove()
		shared.server = nil
	}
}
