//go:build cgo && unix

package ipc

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bySystem reports whether the system copies by itself here.
func bySystem() bool {
	a, b, r := corePair(kindStream)
	defer coreClose(a)
	defer coreClose(b)
	return r >= 0 && !coreSplice(a, b, 1).unsupported()
}

func newFile(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	require.NoError(t, f.Truncate(size))
	return f
}

func newPair(t *testing.T) (a, b *Conn) {
	t.Helper()
	a, b, err := Pair()
	require.NoError(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// discard reads until the end, in the background.
func discard(c *Conn) {
	go io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 1<<20))
}

// A copying is what io.Copy gives ReadFrom in place of a file or a connection, and what that has the system do.
type copying struct {
	*Conn
	moved int64
	done  bool
	err   error
}

func (c *copying) ReadFrom(r io.Reader) (int64, error) {
	c.moved, c.done, c.err = c.readFromSystem(r)
	return c.moved, c.err
}

func TestFilesAreCopiedByTheSystem(t *testing.T) {
	if !bySystem() {
		t.Logf("%s copies nothing by itself", runtime.GOOS)
	}
	const size = 3 << 20
	for what, r := range map[string]func(f *os.File) io.Reader{
		"file":         func(f *os.File) io.Reader { return f },
		"limited file": func(f *os.File) io.Reader { return io.LimitReader(f, size) },
	} {
		a, b := newPair(t)
		discard(b)
		c := copying{Conn: a}
		_, err := io.Copy(&c, r(newFile(t, size)))
		require.NoError(t, err, what)
		require.Equal(t, bySystem(), c.done, what)
		require.Equal(t, bySystem(), c.moved == size, what)
	}
}

// Who goes on after an error finds the file where that came.
func TestFileThatIsCopiedInPartIsBehindThatPart(t *testing.T) {
	for what, want := range map[string]error{"deadline": os.ErrDeadlineExceeded, "peer": syscall.EPIPE, "no peer": syscall.EPIPE} {
		a, b := newPair(t)
		f := newFile(t, 8<<20)
		switch what {
		case "deadline":
			require.NoError(t, a.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		case "peer":
			go func() {
				io.ReadFull(b, make([]byte, 1<<20))
				b.Close()
			}()
		case "no peer":
			require.NoError(t, b.Close())
		}
		n, err := io.Copy(a, f)
		require.ErrorIs(t, err, want, what)
		position, err := f.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		require.GreaterOrEqual(t, position, n)
		if bySystem() {
			require.Equal(t, n, position, what)
		}
	}
}

func TestNothingButRegularFilesIsAFileToTheSystem(t *testing.T) {
	a, _ := newPair(t)
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
		n, done, err := a.readFromSystem(r)
		require.NoError(t, err, what)
		require.False(t, done, what)
		require.Zero(t, n, what)
	}
}

func TestConnectionsAreCopiedByTheSystemWhenThereIsMuch(t *testing.T) {
	const size = 8 << 20
	for what, refused := range map[string]bool{"pipe": false, "no pipe": true} {
		a, b := newPair(t)
		c, d := newPair(t)
		discard(d)
		go func() {
			a.Write(make([]byte, size))
			a.Close()
		}()
		s := splicer{from: b, to: c, refused: refused}
		n, err := s.run(size * 2)
		require.NoError(t, err, what)
		require.EqualValues(t, size, n, what)
		require.Equal(t, bySystem() && !refused, s.spliced > size/2, "%s: %d bytes by the system", what, s.spliced)
	}
}

func TestConnectionsThatAreQuietTakeNoPipe(t *testing.T) {
	a, b := newPair(t)
	c, d := newPair(t)
	discard(d)
	s := splicer{from: b, to: c}
	go func() {
		a.Write(make([]byte, relayBufferSize-1))
		a.Close()
	}()
	_, err := s.run(1 << 40)
	require.NoError(t, err)
	require.Zero(t, s.size)
}

// What is in the pipe when the system refuses to go on gets there nevertheless.
func TestBytesInThePipeOfARelayAreNotLost(t *testing.T) {
	if !bySystem() {
		return
	}
	a, b := newPair(t)
	c, d := newPair(t)
	sent := make([]byte, 100_000)
	for i := range sent {
		sent[i] = byte(i / 1000)
	}
	_, err := a.Write(sent)
	require.NoError(t, err)
	s := splicer{from: b, to: c}
	require.True(t, s.open())
	defer s.close()
	s.most = s.size
	require.NoError(t, b.end.attempt(&b.end.in, s.fill))
	s.left = int64(s.result)
	n, err := s.rescue(make([]byte, 7777))
	require.NoError(t, err)
	require.Zero(t, s.left)
	require.True(t, s.refused)
	got := make([]byte, n)
	_, err = io.ReadFull(d, got)
	require.NoError(t, err)
	require.Equal(t, sent[:n], got)
}
