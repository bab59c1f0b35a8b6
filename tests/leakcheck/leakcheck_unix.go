//go:build unix

package leakcheck

import (
	"os"
	"path/filepath"
	"runtime"
)

// noun is what the system calls what Descriptors returns.
const noun = "descriptor"

// warmUp has the runtime's poller open the descriptors that it keeps from its first use on.
func warmUp() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

// countedOnly: every descriptor counts on its own.
func countedOnly(string) bool { return false }

const othersSlack = 0

// Descriptors returns the process's open descriptors; the targets are empty where the system does not tell them.
func Descriptors() map[string]string {
	open := map[string]string{}
	dir := "/dev/fd"
	if runtime.GOOS == "linux" {
		dir = "/proc/self/fd"
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return open
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		target, err := os.Readlink(path)
		if err != nil {
			if _, err := os.Stat(path); err != nil {
				continue // the listing's own
			}
		}
		open[entry.Name()] = target
	}
	return open
}

// Threads returns the number of the process's threads, or 0 where the system does not tell it.
func Threads() int {
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(tasks)
}
