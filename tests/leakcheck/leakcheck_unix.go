//go:build unix

package leakcheck

import (
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// noun is the word for what Descriptors returns.
const noun = "descriptor"

// warmUp has the runtime's poller open its descriptors, and os/signal start its goroutine, which they keep from their
// first use on.
func warmUp() {
	notified := make(chan os.Signal, 1)
	signal.Notify(notified, syscall.SIGWINCH)
	signal.Stop(notified)
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

// countedOnly returns false: every descriptor is compared by itself.
func countedOnly(string) bool { return false }

const othersSlack = 0

// Descriptors returns the open descriptors of the process, and their targets where the system reports them.
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

// Threads returns the number of threads of the process, or 0 where the system does not report it.
func Threads() int {
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(tasks)
}
