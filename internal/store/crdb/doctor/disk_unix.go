//go:build linux || darwin

package doctor

import "syscall"

// freeBytes is the space that this process may still write on the disk of a directory.
func freeBytes(dir string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true
}
