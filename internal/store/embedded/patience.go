package embedded

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tablePause is how long a new table waits after a table could not be written.
const tablePause = 200 * time.Millisecond

// patientFS slows Pebble down where it would spin: a flush or compaction that fails, on a full volume for one, is begun anew at once.
// Tables are created by background work only, outside of Pebble's locks; nobody who waits for an answer waits here.
type patientFS struct {
	vfs.FS
	troubled *atomic.Bool // the last table could not be written
}

func newPatientFS(fs vfs.FS) patientFS { return patientFS{FS: fs, troubled: new(atomic.Bool)} }

// Create creates a file, a table in its own time.
func (p patientFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !strings.HasSuffix(name, ".sst") {
		return p.FS.Create(name, category)
	}
	if p.troubled.Load() {
		time.Sleep(tablePause)
	}
	f, err := p.FS.Create(name, category)
	p.troubled.Store(err != nil)
	if err != nil {
		return nil, err
	}
	return patientFile{File: f, troubled: p.troubled}, nil
}

// patientFile notes when the table cannot be written.
type patientFile struct {
	vfs.File
	troubled *atomic.Bool
}

func (f patientFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if err != nil {
		f.troubled.Store(true)
	}
	return n, err
}

func (f patientFile) Sync() error {
	err := f.File.Sync()
	if err != nil {
		f.troubled.Store(true)
	}
	return err
}
