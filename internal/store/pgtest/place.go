package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	userdb "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// user is the database's superuser.
const user = "postgres"

// ErrAbsent says what to install.
var ErrAbsent = errors.New("PostgreSQL is absent: this test needs initdb and postgres (make test-deps installs them)")

// find returns the directory of PostgreSQL's programs, the newest version of those installed.
func find() (string, error) {
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin") //nolint:errcheck // the pattern is well formed
	slices.SortFunc(versions, func(a, b string) int { return number(b) - number(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			versions = append(versions, filepath.Dir(real))
		}
	}
	for _, dir := range versions {
		complete := true
		for _, program := range []string{"initdb", "postgres", "pg_isready", "createdb"} {
			_, err := os.Stat(filepath.Join(dir, program))
			complete = complete && err == nil
		}
		if complete {
			return dir, nil
		}
	}
	return "", ErrAbsent
}

// number is the version in /usr/lib/postgresql/15/bin.
func number(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) //nolint:errcheck // what is no number sorts last
	return n
}

// identity is whom the server runs as: PostgreSQL refuses root. Nil is the test's own user.
func identity() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := userdb.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// attributes make a process the leader of its group and end it when this process dies, however it dies. SIGQUIT lets PostgreSQL take its
// children with it.
func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}

// directoryPrefix begins the names of the servers' directories; the id of the process follows.
const directoryPrefix = "eligibility-pg-"

// directory makes a directory for one server and removes those of processes that are gone. Its path is short: a socket's has at most 107
// bytes.
func directory(as *syscall.Credential) (string, error) {
	sweep()
	dir, err := os.MkdirTemp("/tmp", fmt.Sprintf("%s%d-", directoryPrefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	if as == nil {
		return dir, nil
	}
	return dir, os.Chown(dir, int(as.Uid), int(as.Gid))
}

// sweep removes what processes that were killed left behind.
func sweep() {
	left, _ := filepath.Glob(filepath.Join("/tmp", directoryPrefix+"*")) //nolint:errcheck // the pattern is well formed
	for _, dir := range left {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), directoryPrefix), "-")
		pid, err := strconv.Atoi(text)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}
