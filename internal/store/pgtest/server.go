package pgtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long the server may take to start, stop or make a database.
const patience = 30 * time.Second

// Server is one PostgreSQL server. Its methods are safe for concurrent use; those that take a testing.TB fail the test when the server
// does not obey.
type Server struct {
	dir    string // holds data, socket and log; owned by the user that runs the server
	bin    string // directory of the binaries
	port   int
	as     *syscall.Credential // nil: the test's own user
	number atomic.Int64        // of databases

	mu      sync.Mutex
	process *exec.Cmd // guarded by mu; nil while it is down
}

// Start starts a server for one test and removes it at the test's end.
func Start(tb testing.TB) *Server {
	tb.Helper()
	bin, err := find()
	if err != nil {
		absent(tb, err)
	}
	s, err := create(bin)
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	tb.Cleanup(s.remove)
	return s
}

// Open starts a server for who is no test, and removes it with Close. ErrAbsent where none is installed.
func Open() (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	return create(bin)
}

// Close ends a server of Open and removes its data.
func (s *Server) Close() { s.remove() }

// absent ends a test that cannot run here.
func absent(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("%v", err)
	}
	tb.Skipf("%v", err)
}

// create makes a data directory and starts a server in it.
func create(bin string) (*Server, error) {
	as, err := identity()
	if err != nil {
		return nil, err
	}
	dir, err := directory(as)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, as: as}
	if s.port, err = freePort(); err == nil {
		if err = s.initialise(); err == nil {
			err = s.start()
		}
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) initialise() error {
	return s.run("initdb", "-D", s.data(), "-U", user, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// run runs one of PostgreSQL's programs to its end.
func (s *Server) run(program string, args ...string) error {
	cmd := s.command(program, args...)
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + s.dir, "TZ=UTC"}
	cmd.SysProcAttr = attributes(s.as)
	return cmd
}

// start starts the server on its data directory and waits until it takes connections.
//
// fsync is off: the tests kill processes, never the machine, and what a killed process wrote the kernel keeps.
func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own descriptor
	cmd := s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir, "-h", "127.0.0.1",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB", "-c", "max_connections=300", "-c", "max_wal_size=256MB",
		"-c", "autovacuum_naptime=10s", "-c", "log_min_messages=warning")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process = cmd
	return s.awaitReady()
}

// errEnded is told when a server ends on its own before it takes connections.
var errEnded = errors.New("the server has ended")

func (s *Server) awaitReady() error {
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause() {
		if err = s.run("pg_isready", "-q", "-t", "10", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)); err == nil {
			return nil
		}
		if pid, _ := syscall.Wait4(s.process.Process.Pid, nil, syscall.WNOHANG, nil); pid == s.process.Process.Pid {
			s.process, err = nil, errEnded
			break
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "log")) //nolint:errcheck // only adds to the message
	return fmt.Errorf("the server does not take connections: %w: %s", err, text)
}

// pause lets 10 ms go by between two looks at the server.
func pause() { <-time.After(10 * time.Millisecond) }

// Database makes a fresh database and returns its URL; its user may do everything. It is dropped with the server.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	url, err := s.Make()
	if err != nil {
		tb.Fatal(err)
	}
	return url
}

// Make is Database for who is no test.
func (s *Server) Make() (url string, err error) {
	name := fmt.Sprintf("test_%d", s.number.Add(1))
	if err := s.run("createdb", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", user, name); err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	return s.URL(name), nil
}

// URL is the address of the database of this name.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", user, s.port, database)
}

// Kill ends the server with SIGKILL, as a crash does, and returns when all its processes are gone. Killing one that is down changes
// nothing.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		tb.Fatalf("kill PostgreSQL: %v", err)
	}
}

// Stop ends the server as an operator does: sessions are cut with SQLSTATE 57P01.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGINT); err != nil {
		tb.Fatalf("stop PostgreSQL: %v", err)
	}
}

// Restart starts the server again, on the same data and port, ending it first when it is up.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGINT); err != nil {
		tb.Fatalf("restart PostgreSQL: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Sessions leave the process group, so that one may outlive the killed server for a moment, and a new one refuses to start beside it.
	err := s.start()
	for deadline := time.Now().Add(patience); errors.Is(err, errEnded) && time.Now().Before(deadline); pause() {
		err = s.start()
	}
	if err != nil {
		tb.Fatalf("restart PostgreSQL: %v", err)
	}
}

// end sends the signal, reaps the server and waits for its children: they notice the death of their parent, and a new server waits for
// them.
func (s *Server) end(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	process := s.process
	s.process = nil
	timer := time.AfterFunc(patience, func() { _ = process.Process.Kill() })
	defer timer.Stop()
	if err := process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = process.Wait() // what it exits with after a signal says nothing
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause() {
		if err := syscall.Kill(-process.Process.Pid, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
	}
	return errors.New("its processes do not end")
}

func (s *Server) remove() {
	_ = s.end(syscall.SIGQUIT)
	_ = os.RemoveAll(s.dir)
}

// freePort finds a port below those that the kernel gives to outgoing connections, so that it is still free at a restart.
func freePort() (int, error) {
	const from, to = 20000, 32000
	for i := range to - from {
		port := from + (os.Getpid()*37+int(time.Now().UnixNano()>>10)+i)%(to-from)
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, ln.Close()
		}
	}
	return 0, errors.New("no free port")
}
