package leakcheck

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lipc/ipc/tests/facility"
	"github.com/stretchr/testify/require"
)

// A trial is a test within a test. It records failures, which the test expects.
type trial struct {
	*testing.T
	ends     []func()
	failures []string
}

func (t *trial) Cleanup(end func()) { t.ends = append(t.ends, end) }
func (t *trial) Errorf(format string, args ...any) {
	t.failures = append(t.failures, format)
	for _, arg := range args {
		t.failures = append(t.failures, arg.(string))
	}
}

func (t *trial) end() string {
	for i := len(t.ends) - 1; i >= 0; i-- {
		t.ends[i]()
	}
	return strings.Join(t.failures, " ")
}

func TestNothingLeftBehindPasses(t *testing.T) {
	trial := &trial{T: t}
	Start(trial)
	dir := Dir(trial)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Empty(t, trial.end())
	require.NoDirExists(t, dir)
}

func TestLeakedDescriptorIsCaught(t *testing.T) {
	before, _ := split(Descriptors())
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	now, _ := split(Descriptors())
	found := snapshot{descriptors: now}.beyond(snapshot{descriptors: before})
	require.Len(t, found, 1)
	require.Contains(t, found[0], noun)
}

func TestLeftLockFileIsCaught(t *testing.T) {
	trial := &trial{T: t}
	lock := filepath.Join(Dir(trial), "s.lock")
	require.NoError(t, os.WriteFile(lock, nil, 0o600))
	require.Contains(t, trial.end(), lock)
}

func TestLeakedGoroutineIsCaught(t *testing.T) {
	before := take()
	end := make(chan struct{})
	defer close(end)
	go func() { <-end }()
	found := take().beyond(before)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "TestLeakedGoroutineIsCaught")
}

func TestLeakedThreadsAreCaught(t *testing.T) {
	if Threads() == 0 {
		facility.Missing(t, "/proc/self/task, or its like, to learn the number of threads")
	}
	before := snapshot{threads: Threads()}
	end := make(chan struct{})
	locked := make(chan struct{})
	for range threadSlack + 8 {
		go func() {
			runtime.LockOSThread() // without an unlock the thread ends with the goroutine
			locked <- struct{}{}
			<-end
		}()
	}
	for range threadSlack + 8 {
		<-locked
	}
	found := snapshot{threads: Threads()}.beyond(before)
	close(end)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "threads")
}

func TestStartReportsWhatIsLeft(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = 10 * time.Millisecond
	trial := &trial{T: t}
	Start(trial)
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	require.Contains(t, trial.end(), noun)
}
