// Package leakcheck fails a test that leaves something behind: a descriptor or a handle, a goroutine, a thread, or a
// socket file.
package leakcheck

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// T has the methods of testing.TB that a check needs.
type T interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// patience is how long a test's things may take to go away: goroutines end a little after what they waited for.
var patience = 10 * time.Second

// threadSlack is by how many threads the process may grow in a test. The Go runtime starts threads as it sees fit,
// about one for each processor and some more, and keeps them; a thread for each connection, or each blocked call, is
// what this is about.
var threadSlack = 24 + 2*runtime.GOMAXPROCS(0)

// Start records what the process holds now. When the test ends, and all that it registered for its end has run, the
// process must hold the same again.
func Start(t T) {
	t.Helper()
	warmUp()
	before := take()
	t.Cleanup(func() {
		t.Helper()
		var found []string
		for end := time.Now().Add(patience); ; {
			if found = take().beyond(before); len(found) == 0 {
				return
			}
			if time.Now().After(end) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("left behind:\n%s", strings.Join(found, "\n"))
	})
}

// Dir returns a new directory whose path is short enough for a socket. When the test ends, no socket and no lock file
// may be in it; it is removed with the rest of what it holds.
func Dir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Helper()
		filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && (entry.Type()&fs.ModeSocket != 0 || strings.HasSuffix(path, ".lock")) {
				t.Errorf("left behind: %s", path)
			}
			return nil
		})
		removeAll(dir)
	})
	return dir
}

// removeAll is os.RemoveAll, and also works on Wine 8, which lacks the call that os.RemoveAll uses.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	var paths []string
	filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
		paths = append(paths, path)
		return nil
	})
	for _, path := range slices.Backward(paths) {
		os.Remove(path)
	}
}

// A snapshot is what the process holds.
type snapshot struct {
	descriptors map[string]string // number to target, where the system tells
	goroutines  map[string]string // number to stack: a count would hide a new one behind one that ends
	threads     int
	others      int // handles that only their number can be judged by, see countedOnly
}

func take() snapshot {
	descriptors, others := split(Descriptors())
	return snapshot{descriptors, goroutines(), Threads(), others}
}

// split separates the kinds of handle that can only be counted.
func split(all map[string]string) (descriptors map[string]string, others int) {
	count := len(all)
	maps.DeleteFunc(all, func(_, target string) bool { return countedOnly(target) })
	return all, count - len(all)
}

// goroutines returns the stacks of all goroutines but the runtime's own.
func goroutines() map[string]string {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	found := map[string]string{}
	for stack := range strings.SplitSeq(string(stacks[:n]), "\n\n") {
		number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		found[number] = stack
	}
	return found
}

// beyond lists what s holds and before did not.
func (s snapshot) beyond(before snapshot) []string {
	var found []string
	for _, fd := range slices.Sorted(maps.Keys(s.descriptors)) {
		if target := s.descriptors[fd]; before.descriptors[fd] != target {
			found = append(found, noun+" "+fd+" "+target)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(s.goroutines)) {
		if _, known := before.goroutines[number]; !known {
			found = append(found, s.goroutines[number])
		}
	}
	if s.threads > before.threads+threadSlack {
		found = append(found, fmt.Sprintf("%d threads, %d before", s.threads, before.threads))
	}
	if s.others > before.others+othersSlack {
		found = append(found, fmt.Sprintf("%d other handles, %d before", s.others, before.others))
	}
	return found
}
