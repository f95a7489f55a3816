package audience

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// keep is the files of the jobs: PROJECT/ID.json, the checkpoint, and PROJECT/ID.ndjson, ID.1.ndjson and so on, the results of each range. Only their owner may
// read them.
//
// The results are synced before a checkpoint speaks of them, and a checkpoint replaces the one before in one step. What stands in the results beyond the checkpoint
// was never reported, and is cut off before a job goes on.
type keep struct {
	dir string
}

func (k keep) checkpoint(j *Job) string { return filepath.Join(k.dir, j.Project, j.ID+".json") }

// results is the file of a range; the first has the name that jobs of one range had.
func (k keep) results(j *Job, part int) string {
	if part == 0 {
		return filepath.Join(k.dir, j.Project, j.ID+".ndjson")
	}
	return filepath.Join(k.dir, j.Project, fmt.Sprintf("%s.%d.ndjson", j.ID, part))
}

// save replaces the checkpoint durably.
func (k keep) save(j *Job) error {
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	name := k.checkpoint(j)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	next := name + ".next"
	if err := written(next, text); err != nil {
		_ = os.Remove(next) // what stands there is no checkpoint
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := os.Rename(next, name); err != nil {
		return err
	}
	return synced(filepath.Dir(name))
}

func written(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func synced(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sink is where results are written.
type sink interface {
	io.WriteCloser
	Sync() error
}

var errDamaged = errors.New("the results are shorter than the checkpoint says")

// append opens the results of a range behind what the checkpoint knows of.
func (k keep) append(j *Job, part int) (sink, error) {
	file, err := os.OpenFile(k.results(j, part), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	known := j.Ranges[part].Bytes
	info, err := file.Stat()
	if err == nil && info.Size() < known {
		err = errDamaged
	}
	if err == nil {
		err = file.Truncate(known)
	}
	if err == nil {
		_, err = file.Seek(known, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// parts is what can be read of the results, one range behind the other.
type parts struct {
	files []*os.File
	sizes []int64
}

func (k keep) read(j *Job) (*parts, error) {
	p := &parts{}
	for i, left := 0, j.Bytes; left > 0 && i < max(1, len(j.Ranges)); i++ {
		size := left
		if i < len(j.Ranges) {
			size = min(left, j.Ranges[i].Bytes)
		}
		file, err := os.Open(k.results(j, i))
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.files, p.sizes, left = append(p.files, file), append(p.sizes, size), left-size
	}
	return p, nil
}

// ReadAt reads across ranges.
func (p *parts) ReadAt(b []byte, at int64) (n int, err error) {
	for i, file := range p.files {
		size := p.sizes[i]
		if at >= size {
			at -= size
			continue
		}
		m, err := file.ReadAt(b[n:n+int(min(int64(len(b)-n), size-at))], at)
		if n += m; n == len(b) {
			return n, nil
		}
		if at += int64(m); at < size {
			return n, err // shorter than the checkpoint says
		}
		at = 0
	}
	return n, io.EOF
}

// Close closes the files.
func (p *parts) Close() error {
	var all []error
	for _, file := range p.files {
		all = append(all, file.Close())
	}
	return errors.Join(all...)
}

// all reads every checkpoint. One that cannot be read is an error, and not a job that is silently gone.
func (k keep) all() ([]*Job, error) {
	names, err := filepath.Glob(filepath.Join(k.dir, "*", "*.json"))
	if err != nil {
		return nil, err
	}
	var jobs []*Job
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		j := new(Job)
		if err := json.Unmarshal(text, j); err != nil || !strings.HasSuffix(name, filepath.Join(j.Project, j.ID+".json")) {
			return nil, fmt.Errorf("%s is not the checkpoint of an audience job: %w", name, errors.Join(err, errCheckpoint))
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

var errCheckpoint = errors.New("move it away to start without it")

// remove deletes a job's files: the checkpoint first, for results without one are nobody's.
func (k keep) remove(j *Job) error {
	err := os.Remove(k.checkpoint(j))
	for i := range max(1, len(j.Ranges)) {
		if gone := os.Remove(k.results(j, i)); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
