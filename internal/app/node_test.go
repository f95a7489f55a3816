package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// childSpec, when set, names a file that says which member of a cluster the test binary is to be.
const childSpec = "ELIGIBILITY_TEST_CHILD_SPEC"

// spec is one process of a cluster.
type spec struct {
	Role     string // "serve", "relay" or "nats"
	Config   Config // of the first two
	NatsPort int
	NatsDir  string
}

// runMember runs until SIGTERM.
func runMember(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var member interface {
		Start(ctx context.Context) error
		Stop(ctx context.Context) error
	}
	switch s.Role {
	case "serve":
		member, err = New(s.Config, logger)
	case "relay":
		member, err = NewRelay(s.Config, logger)
	case "nats":
		return runNats(ctx, &s)
	default:
		return fmt.Errorf("role %q", s.Role)
	}
	if err != nil {
		return err
	}
	if err = member.Start(ctx); err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, member.Stop(context.Background()))
}

func runNats(ctx context.Context, s *spec) error {
	running, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.NatsPort, NoSigs: true, NoLog: true, JetStream: true, StoreDir: s.NatsDir, DisableJetStreamBanner: true,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
	})
	if err != nil {
		return err
	}
	running.Start()
	<-ctx.Done()
	running.Shutdown()
	return nil
}

// node is a process of the cluster under test.
type node struct {
	t     *testing.T
	name  string
	spec  spec
	dir   string
	cmd   *exec.Cmd
	ready atomic.Pointer[Ready] // clients ask for it while the process is replaced
}

// at is where the process listens, or did.
func (m *node) at() *Ready { return m.ready.Load() }

// patience is how long a member may take to come up on a busy machine.
const patience = 30 * time.Second

// launch starts the process, which is not ready yet. Its log goes on in the file <name>.log.
func (m *node) launch() {
	m.t.Helper()
	_ = os.Remove(m.readyFile())
	m.spec.Config.ReadyFile = m.readyFile()
	text, err := json.Marshal(m.spec)
	if err != nil {
		m.t.Fatal(err)
	}
	file := filepath.Join(m.dir, m.name+".json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		m.t.Fatal(err)
	}
	log, err := os.OpenFile(m.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(os.Environ(), childSpec+"="+file)
	m.cmd.Stderr = log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *node) readyFile() string { return filepath.Join(m.dir, m.name+".ready") }

func (m *node) logFile() string { return filepath.Join(m.dir, m.name+".log") }

// await waits until the process is ready.
func (m *node) await() {
	m.t.Helper()
	if m.spec.Role == "nats" {
		return // its clients wait for it
	}
	for deadline := time.Now().Add(patience); ; {
		text, err := os.ReadFile(m.readyFile())
		if err == nil {
			var ready Ready
			if err := json.Unmarshal(text, &ready); err != nil {
				m.t.Fatal(err)
			}
			m.ready.Store(&ready)
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(m.logFile())
			m.t.Fatalf("%s did not come up:\n%s", m.name, log)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// end sends the signal and waits until the process is gone. It returns its exit code, -1 when the signal ended it.
func (m *node) end(with syscall.Signal) int {
	if m.cmd == nil {
		return 0
	}
	_ = m.cmd.Process.Signal(with)
	_ = m.cmd.Wait()
	code := m.cmd.ProcessState.ExitCode()
	m.cmd = nil
	return code
}
