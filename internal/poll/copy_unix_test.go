//go:build unix

package poll

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/tests/facility"
	"github.com/stretchr/testify/require"
)

// bySystem reports whether the kernel copies here.
func bySystem() bool {
	a, b, r := core.Pair(core.KindStream)
	defer core.Close(a)
	defer core.Close(b)
	return r >= 0 && !core.Splice(a, b, 1).Unsupported()
}

func newFile(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	require.NoError(t, f.Truncate(size))
	return f
}

// A testStream is an endpoint that returns its errors unchanged.
type testStream struct{ end *Endpoint }

func (s testStream) Read(b []byte) (int, error)  { return s.end.Read(b) }
func (s testStream) Write(b []byte) (int, error) { return s.end.Write(b) }
func (s testStream) Close() error                { return s.end.Close() }
func (s testStream) Endpoint() *Endpoint         { return s.end }
func (s testStream) WriteError(err error) error  { return err }

func newStreams(t *testing.T) (a, b testStream) {
	t.Helper()
	c, d := newPair(t, core.KindStream)
	return testStream{c}, testStream{d}
}

// discard reads until the end, in the background.
func discard(c testStream) {
	go io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 1<<20))
}

func TestFilesAreCopiedByTheSystem(t *testing.T) {
	const size = 3 << 20
	a, b := newStreams(t)
	discard(b)
	s := newSplicer(a)
	s.readFile(newFile(t, size), size)
	n, err := s.run(size * 2)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
	if bySystem() {
		require.EqualValues(t, size, s.spliced)
	}
}

// After an error the file's position is where the error occurred.
func TestFileThatIsCopiedInPartIsBehindThatPart(t *testing.T) {
	for what, want := range map[string]error{
		"deadline": os.ErrDeadlineExceeded, "peer": syscall.EPIPE, "no peer": syscall.EPIPE,
	} {
		a, b := newStreams(t)
		f := newFile(t, 8<<20)
		switch what {
		case "deadline":
			require.NoError(t, a.end.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		case "peer":
			go func() {
				io.ReadFull(b, make([]byte, 1<<20))
				b.Close()
			}()
		case "no peer":
			require.NoError(t, b.Close())
		}
		n, _, err := CopyFrom(a, f, math.MaxInt64)
		require.ErrorIs(t, err, want, what)
		position, err := f.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		require.Equal(t, n, position, what)
	}
}

func TestNothingButRegularFilesIsAFileToTheSystem(t *testing.T) {
	a, _ := newStreams(t)
	folder, err := os.Open(t.TempDir())
	require.NoError(t, err)
	defer folder.Close()
	for what, r := range map[string]io.Reader{
		"folder":   folder,
		"embedded": struct{ *os.File }{newFile(t, 10)},
		"none":     (*os.File)(nil),
		"nil":      nil,
		"other":    struct{ io.Reader }{newFile(t, 10)},
	} {
		n, done, err := CopyFrom(a, r, math.MaxInt64)
		require.NoError(t, err, what)
		require.False(t, done, what)
		require.Zero(t, n, what)
	}
}

func TestConnectionsAreCopiedByTheSystemWhenThereIsMuch(t *testing.T) {
	const size = 8 << 20
	for what, refused := range map[string]bool{"pipe": false, "no pipe": true} {
		a, b := newStreams(t)
		c, d := newStreams(t)
		discard(d)
		go func() {
			a.Write(make([]byte, size))
			a.Close()
		}()
		s := newSplicer(c)
		s.readStream(b)
		s.refused = refused
		n, err := s.run(size * 2)
		require.NoError(t, err, what)
		require.EqualValues(t, size, n, what)
		require.Equal(t, bySystem() && !refused, s.spliced > size/2, "%s: %d bytes by the system", what, s.spliced)
	}
}

// A copy holds a pipe only for one part, so idle copies hold none.
func TestPipesAreTakenForBulkAloneAndNoMoreThanAFew(t *testing.T) {
	if !bySystem() {
		facility.Missing(t, "splice(2)")
	}
	pipes.begin()
	defer pipes.end()
	a, b := newStreams(t)
	c, d := newStreams(t)
	s := newSplicer(c)
	s.readStream(b)
	copied := make(chan error, 1)
	go func() {
		_, err := s.run(1 << 40)
		copied <- err
	}()
	move := func(size int) {
		t.Helper()
		go a.Write(make([]byte, size))
		_, err := io.ReadFull(d, make([]byte, size))
		require.NoError(t, err)
	}
	free := func() int {
		pipes.mu.Lock()
		defer pipes.mu.Unlock()
		return len(pipes.free)
	}
	move(smallBuffer - 1)
	require.Zero(t, free())
	move(8 << 20)
	require.Eventually(t, func() bool { return free() == 1 }, 10*time.Second, time.Millisecond)

	var all []pipe
	for range mostPipes {
		taken, refused := pipes.take()
		require.False(t, refused)
		require.NotZero(t, taken.size)
		all = append(all, taken)
	}
	none, refused := pipes.take()
	require.Zero(t, none.size)
	require.False(t, refused)
	move(8 << 20) // without a pipe
	for _, taken := range all {
		pipes.give(taken, true)
	}
	require.Equal(t, mostPipes, free())
	move(8 << 20)
	require.NoError(t, a.Close())
	require.NoError(t, <-copied)
	require.Greater(t, s.spliced, int64(0))
	require.Equal(t, mostPipes, free())
}

// If the kernel refuses to go on, what is in the pipe still arrives.
func TestBytesInThePipeOfARelayAreNotLost(t *testing.T) {
	if !bySystem() {
		facility.Missing(t, "splice(2)")
	}
	a, b := newStreams(t)
	c, d := newStreams(t)
	sent := make([]byte, 100_000)
	for i := range sent {
		sent[i] = byte(i / 1000)
	}
	_, err := a.Write(sent)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	s := newSplicer(c)
	s.readStream(b)
	s.drain = func() error { return nil }
	n, err := s.run(1 << 40)
	require.NoError(t, err)
	require.EqualValues(t, len(sent), n)
	require.True(t, s.refused)
	got := make([]byte, n)
	_, err = io.ReadFull(d, got)
	require.NoError(t, err)
	require.Equal(t, sent, got)
}

// parts records the sizes of the parts that are written, and lets a test wait for them.
type parts chan int

func (p parts) Write(b []byte) (int, error) {
	p <- len(b)
	return len(b), nil
}

func TestPartsThatGoToAFileAreAsLargeAsWhatThereIs(t *testing.T) {
	a, b := newStreams(t)
	_, err := a.Write(make([]byte, smallBuffer+mediumBuffer+100_000))
	require.NoError(t, err)
	written := make(parts, 10)
	copied := make(chan error, 1)
	go func() {
		_, err := newFileCopier(b, written).run(1 << 40)
		copied <- err
	}()
	require.Equal(t, smallBuffer, <-written)
	require.Equal(t, mediumBuffer, <-written)
	require.Equal(t, 100_000, <-written)
	for _, size := range []int{10, smallBuffer, 5000, 10, 10} { // as small as what there is
		_, err := a.Write(make([]byte, size))
		require.NoError(t, err)
		require.Equal(t, size, <-written)
	}
	require.NoError(t, a.Close())
	require.NoError(t, <-copied)
}
