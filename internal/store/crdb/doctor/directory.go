package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Thresholds of the data directory. The store refuses writes below refusedBytes.
const (
	refusedBytes = 64 << 20
	lowBytes     = 1 << 30
	slowSync     = 20 * time.Millisecond
	badSync      = 250 * time.Millisecond
	syncs        = 20
	syncBytes    = 4096
)

// DirectoryFacts is what a data directory of the embedded store is like.
type DirectoryFacts struct {
	Path    string
	Missing bool  // a first start makes it
	Err     error // it cannot be looked at
	Mode    fs.FileMode
	Free    int64 // bytes; -1: not known on this system
	Sync    time.Duration
	Slowest time.Duration
	SyncErr error
}

// KeyFile is a file with a secret.
type KeyFile struct {
	Path    string
	Missing bool
	Mode    fs.FileMode
	Err     error
}

// KeyFiles are several of them.
type KeyFiles []KeyFile

// ExamineKeys looks at the files, not into them.
func ExamineKeys(paths []string) KeyFiles {
	keys := make(KeyFiles, len(paths))
	for i, path := range paths {
		keys[i].Path = path
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			keys[i].Missing = true
		case err != nil:
			keys[i].Err = err
		default:
			keys[i].Mode = info.Mode()
		}
	}
	return keys
}

// ExamineDirectory looks at a data directory. It writes and removes one small file to measure the disk.
func ExamineDirectory(path string) *DirectoryFacts {
	d := &DirectoryFacts{Path: path, Free: -1}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Missing = true
		return d
	case err != nil:
		d.Err = err
		return d
	case !info.IsDir():
		d.Err = errors.New("it is no directory")
		return d
	}
	d.Mode = info.Mode()
	if free, ok := freeBytes(path); ok {
		d.Free = free
	}
	d.Sync, d.Slowest, d.SyncErr = syncTimes(path)
	return d
}

// syncTimes writes and syncs a few blocks as a commit does: the median and the longest time that one took.
func syncTimes(dir string) (median, slowest time.Duration, err error) {
	file, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, syncBytes)
	took := make([]time.Duration, 0, syncs)
	for range syncs {
		began := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-1], nil
}

// Judge holds the facts against what the store needs. It is pure.
func (d *DirectoryFacts) Judge() []Check {
	j := &judge{area: "data directory"}
	const why = "it holds all that was ever acknowledged"
	switch {
	case d.Err != nil:
		j.add("directory", "directory", Fail, fmt.Sprintf("%s: %v", d.Path, d.Err), why, "name another one by --data-dir, or mend its permissions")
	case d.Missing:
		j.add("directory", "directory", OK, d.Path+" is not there yet; the first start makes it", why, "")
	case d.Mode.Perm()&0o022 != 0:
		j.add("directory", "directory", Warn, fmt.Sprintf("%s has mode %04o: others may write to it", d.Path, d.Mode.Perm()), why, "chmod 0700 "+d.Path)
	default:
		j.add("directory", "directory", OK, fmt.Sprintf("%s, mode %04o", d.Path, d.Mode.Perm()), why, "")
	}
	if d.Err == nil && !d.Missing {
		d.disk(j)
	}
	return j.checks
}

func (d *DirectoryFacts) disk(j *judge) {
	const whyFree = "below 64 MiB writes are refused, so that what is there stays safe"
	free := fmt.Sprintf("%d MiB", d.Free>>20)
	switch {
	case d.Free < 0:
		j.add("disk_free", "free disk", Skipped, "this system does not tell", whyFree, "")
	case d.Free < refusedBytes:
		j.add("disk_free", "free disk", Fail, free, whyFree, "free some space on the disk of "+d.Path)
	case d.Free < lowBytes:
		j.add("disk_free", "free disk", Warn, free, whyFree, "free some space on the disk of "+d.Path)
	default:
		j.add("disk_free", "free disk", OK, free, whyFree, "")
	}
	const whySync = "every write is answered after its sync"
	seen := fmt.Sprintf("%v in the middle, %v at most, of %d", d.Sync.Round(10*time.Microsecond), d.Slowest.Round(10*time.Microsecond), syncs)
	switch {
	case d.SyncErr != nil:
		j.add("disk_sync", "sync to disk", Fail, d.SyncErr.Error(), whySync, "mend the permissions or the disk")
	case d.Sync > badSync:
		j.add("disk_sync", "sync to disk", Fail, seen, whySync, "use a faster disk: a local SSD, no network file system")
	case d.Sync > slowSync:
		j.add("disk_sync", "sync to disk", Warn, seen, whySync, "use a faster disk: a local SSD, no network file system")
	default:
		j.add("disk_sync", "sync to disk", OK, seen, whySync, "")
	}
}

// Judge wants every file to be its owner's alone.
func (k KeyFiles) Judge() []Check {
	j := &judge{area: "key files"}
	for i := range k {
		k[i].judge(j)
	}
	return j.checks
}

func (k *KeyFile) judge(j *judge) {
	id, title := "key_file", filepath.Base(k.Path)
	const why = "who reads it can do all that the key can"
	switch {
	case k.Missing:
		j.add(id, title, OK, k.Path+" is not there yet; the first start makes it", why, "")
	case k.Err != nil:
		j.add(id, title, Fail, k.Err.Error(), why, "mend the permissions of "+k.Path)
	case !k.Mode.IsRegular():
		j.add(id, title, Fail, k.Path+" is no regular file", why, "")
	case k.Mode.Perm()&0o077 != 0:
		j.add(id, title, Fail, fmt.Sprintf("%s has mode %04o: others may read it", k.Path, k.Mode.Perm()), why, "chmod 0600 "+k.Path)
	default:
		j.add(id, title, OK, fmt.Sprintf("%s, mode %04o", k.Path, k.Mode.Perm()), why, "")
	}
}
