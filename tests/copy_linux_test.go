package tests

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A stallingFile is a file whose reads wait until the test lets them go, as reads from a server that does not answer.
type stallingFile struct {
	*os.File
	reads chan func() // a value is a read that waits; calling it lets the read go
}

// stall returns a file of that size whose reads stall, by fanotify(7). The test needs root, which it must have in CI.
func stall(t *testing.T, size int) stallingFile {
	t.Helper()
	const flags = unix.FAN_CLASS_CONTENT | unix.FAN_CLOEXEC | unix.FAN_NONBLOCK
	events, err := unix.FanotifyInit(flags, unix.O_RDONLY|unix.O_CLOEXEC)
	path := filepath.Join(leakcheck.Dir(t), "stalling")
	require.NoError(t, os.WriteFile(path, make([]byte, size), 0o600))
	if err == nil {
		if err = unix.FanotifyMark(events, unix.FAN_MARK_ADD, unix.FAN_ACCESS_PERM, unix.AT_FDCWD, path); err != nil {
			unix.Close(events)
		}
	}
	if err != nil {
		facility.Missing(t, fmt.Sprintf("the permission events of fanotify(7), which take root: %v", err))
	}
	watch := os.NewFile(uintptr(events), "fanotify")
	f, err := os.Open(path)
	require.NoError(t, err)
	s := stallingFile{f, make(chan func())}
	ended := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		const metadataSize = 24 // struct fanotify_event_metadata, whose fd is at 16
		event := make([]byte, 4096)
		for {
			n, err := watch.Read(event)
			if err != nil {
				return
			}
			for e := event[:n]; len(e) >= metadataSize; e = e[binary.NativeEndian.Uint32(e):] {
				fd := binary.NativeEndian.Uint32(e[16:])
				allow := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, fd), unix.FAN_ALLOW)
				let := func() {
					watch.Write(allow)
					unix.Close(int(fd))
				}
				select {
				case s.reads <- let:
				case <-ended:
					let()
				}
			}
		}
	})
	t.Cleanup(func() {
		close(ended)
		watch.Close() // lets all reads go
		group.Wait()
		f.Close()
	})
	return s
}

// soon returns the error of an action, and fails the test if the action does not return soon.
func soon(t *testing.T, what string, action func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- action() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s waits for the file", what)
		return nil
	}
}

func TestFileThatCannotBeReadHoldsUpNothingButItsCopy(t *testing.T) {
	leakcheck.Start(t)
	much := make([]byte, 3<<20)
	for _, size := range []int{20_000, 3 << 20} { // a small file is read into a buffer, a large one into a pipe
		for _, closes := range []bool{false, true} {
			a, b := pair(t)
			f := stall(t, size) // lets reads go before other cleanup, also if the test failed
			copied := make(chan error, 1)
			go func() {
				_, err := io.Copy(a, f.File)
				copied <- err
			}()
			let := <-f.reads

			written := 0
			write := func(b []byte) error {
				n, err := a.Write(b)
				written += n
				return err
			}
			require.NoError(t, soon(t, "Write", func() error { return write([]byte("word")) }))
			require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Millisecond)))
			err := soon(t, "Write", func() error { return write(much) })
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NoError(t, a.SetWriteDeadline(time.Time{}))
			got := gather(b, 1<<20)
			if closes {
				require.NoError(t, soon(t, "Close", a.Close))
				let()
				require.ErrorIs(t, <-copied, net.ErrClosed)
				position, err := f.Seek(0, io.SeekCurrent)
				require.NoError(t, err)
				require.EqualValues(t, len(<-got)-written, position)
				continue
			}
			for done := false; !done; {
				let()
				select {
				case let = <-f.reads:
				case err := <-copied:
					require.NoError(t, err)
					done = true
				}
			}
			require.NoError(t, a.Close())
			require.Len(t, <-got, size+written)
		}
	}
}

// largePipes counts the pipes of this process whose buffers are larger than the default.
func largePipes(t *testing.T) int {
	t.Helper()
	found := map[string]bool{}
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		path := filepath.Join("/proc/self/fd", entry.Name())
		target, _ := os.Readlink(path)
		if !strings.HasPrefix(target, "pipe:") {
			continue
		}
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue // it was closed meanwhile
		}
		size, err := unix.FcntlInt(f.Fd(), unix.F_GETPIPE_SZ, 0)
		f.Close()
		if err == nil && size > 64<<10 { // otherwise the number is that of another file by now
			found[target] = true
		}
	}
	return len(found)
}

// relays starts copies between connections, and returns the ends to write to and to read from.
func relays(t *testing.T, count int) (sources, sinks []*ipc.Conn) {
	t.Helper()
	for range count {
		a, b := pair(t)
		c, d := pair(t)
		sources, sinks = append(sources, a), append(sinks, d)
		go io.Copy(c, b) // until the test closes them
	}
	return sources, sinks
}

const (
	mostRelays = 100
	mostPipes  = 8 // as ReadFrom says
)

func TestIdleRelaysHoldFewPipes(t *testing.T) {
	leakcheck.Start(t)
	sources, sinks := relays(t, mostRelays)
	content := random(1 << 20)
	for range 3 {
		for i := range sources {
			got := make([]byte, len(content))
			go sources[i].Write(content)
			_, err := io.ReadFull(sinks[i], got)
			require.NoError(t, err)
			requireSame(t, content, got, i)
			go sources[i].Write(content[:10])
			_, err = io.ReadFull(sinks[i], got[:10])
			require.NoError(t, err)
			requireSame(t, content[:10], got[:10], i)
		}
		require.LessOrEqual(t, largePipes(t), mostPipes)
	}
}

func TestBusyRelaysShareFewPipes(t *testing.T) {
	leakcheck.Start(t)
	sources, sinks := relays(t, mostRelays)
	content := random(2 << 20)
	for i := range sources { // until all wait for room
		go sources[i].Write(content)
	}
	most := 0
	got := make([]byte, len(content))
	for i := range sinks {
		for done := 0; done < len(got); done += 128 << 10 {
			_, err := io.ReadFull(sinks[i], got[done:done+128<<10])
			require.NoError(t, err)
			most = max(most, largePipes(t))
		}
		requireSame(t, content, got, i)
	}
	require.LessOrEqual(t, most, mostPipes)
}
