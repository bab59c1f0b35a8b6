package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// fileOf returns an open file with that content, at its beginning.
func fileOf(t *testing.T, content []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(leakcheck.Dir(t), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = f.Write(content)
	require.NoError(t, err)
	seek(t, f, 0)
	return f
}

func seek(t *testing.T, f *os.File, position int64) {
	t.Helper()
	_, err := f.Seek(position, io.SeekStart)
	require.NoError(t, err)
}

func requirePosition(t *testing.T, f *os.File, want int64) {
	t.Helper()
	position, err := f.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.Equal(t, want, position)
}

// gather reads until the end in the background, in pieces of that size. The channel gets all that was read.
func gather(c io.Reader, piece int) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		var got bytes.Buffer
		io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{c}, make([]byte, piece))
		all <- got.Bytes()
	}()
	return all
}

func requireSame(t *testing.T, want, got []byte, what ...any) {
	t.Helper()
	require.True(t, bytes.Equal(want, got), "%v: %d bytes sent, %d arrived, or others", what, len(want), len(got))
}

// Types that embed a connection or a file, or hide all of its methods but one. All of them can be copied from and to.
type (
	wrappedConn struct{ *ipc.Conn }
	wrappedFile struct{ *os.File }
	onlyReader  struct{ io.Reader }
	onlyWriter  struct{ io.Writer }
)

// copies returns the ways to copy, through io.Copy and through the methods that it may call.
func copies[R interface {
	io.Reader
	io.WriterTo
}, W interface {
	io.Writer
	io.ReaderFrom
}]() map[string]func(to W, from R) (int64, error) {
	return map[string]func(to W, from R) (int64, error){
		"copy":         func(to W, from R) (int64, error) { return io.Copy(to, from) },
		"read from":    func(to W, from R) (int64, error) { return to.ReadFrom(from) },
		"write to":     func(to W, from R) (int64, error) { return from.WriteTo(to) },
		"plain reader": func(to W, from R) (int64, error) { return io.Copy(to, onlyReader{from}) },
		"plain writer": func(to W, from R) (int64, error) { return io.Copy(onlyWriter{to}, from) },
		"plain":        func(to W, from R) (int64, error) { return io.Copy(onlyWriter{to}, onlyReader{from}) },
		"limited":      func(to W, from R) (int64, error) { return io.Copy(to, io.LimitReader(from, 1<<40)) },
		"buffered": func(to W, from R) (int64, error) {
			w := bufio.NewWriter(to)
			n, err := io.Copy(w, bufio.NewReader(from))
			return n, errors.Join(err, w.Flush())
		},
	}
}

func TestFilesAreCopiedWhole(t *testing.T) {
	leakcheck.Start(t)
	content := random(3<<20 + 7)
	for what, send := range copies[*os.File, *ipc.Conn]() {
		for _, start := range []int{0, 1000, len(content) - 1, len(content), len(content) + 10} {
			a, b := pair(t)
			f := fileOf(t, content)
			seek(t, f, int64(start))
			got := gather(b, 1<<20)
			n, err := send(a, f)
			require.NoError(t, err, what)
			require.NoError(t, a.Close())
			wanted := content[min(start, len(content)):]
			require.EqualValues(t, len(wanted), n, what)
			requireSame(t, wanted, <-got, what, start)
			requirePosition(t, f, int64(max(start, len(content))))
			require.NoError(t, f.Close())
		}
	}
}

func TestConnectionsAreCopiedToFiles(t *testing.T) {
	leakcheck.Start(t)
	content := random(3<<20 + 7)
	for what, receive := range copies[*ipc.Conn, *os.File]() {
		for _, flags := range []int{0, os.O_APPEND} {
			a, b := pair(t)
			f, err := os.OpenFile(fileOf(t, []byte("before")).Name(), os.O_WRONLY|flags, 0)
			require.NoError(t, err)
			_, err = f.Seek(0, io.SeekEnd)
			require.NoError(t, err)
			go func() {
				a.Write(content)
				a.Close()
			}()
			n, err := receive(f, b)
			require.NoError(t, err, what)
			require.EqualValues(t, len(content), n, what)
			require.NoError(t, f.Close())
			got, err := os.ReadFile(f.Name())
			require.NoError(t, err)
			requireSame(t, append([]byte("before"), content...), got, what)
		}
	}
}

func TestConnectionsAreCopiedToConnections(t *testing.T) {
	leakcheck.Start(t)
	content := random(3<<20 + 7)
	ways := copies[*ipc.Conn, *ipc.Conn]()
	ways["wrapped"] = func(to, from *ipc.Conn) (int64, error) { return io.Copy(wrappedConn{to}, wrappedConn{from}) }
	ways["wrapped reader"] = func(to, from *ipc.Conn) (int64, error) { return io.Copy(to, wrappedConn{from}) }
	ways["wrapped writer"] = func(to, from *ipc.Conn) (int64, error) { return io.Copy(wrappedConn{to}, from) }
	for what, relay := range ways {
		for _, size := range []int{0, 1, 32 << 10, 100_000, len(content)} {
			a, b := pair(t)
			c, d := pair(t)
			got := gather(d, 1<<20)
			go func() {
				for rest := content[:size]; len(rest) > 0; { // small writes and large ones
					n := min(len(rest), 1+len(rest)/3)
					a.Write(rest[:n])
					rest = rest[n:]
				}
				a.Close()
			}()
			n, err := relay(c, b)
			require.NoError(t, err, what)
			require.NoError(t, c.Close())
			require.EqualValues(t, size, n, what)
			requireSame(t, content[:size], <-got, what)
		}
	}
}

func TestRelayGoesBothWaysAtOnceToSlowReaders(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	c, d := pair(t)
	content := random(64 << 20)
	var group sync.WaitGroup
	for _, ends := range [][2]*ipc.Conn{{b, c}, {c, b}} {
		group.Go(func() {
			n, err := io.Copy(ends[1], io.LimitReader(ends[0], int64(len(content))))
			if err != nil || n != int64(len(content)) {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
	for i, end := range []*ipc.Conn{a, d} {
		group.Go(func() {
			if n, err := end.Write(content); err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
		group.Go(func() {
			got := make([]byte, 0, len(content))
			for piece := 1; len(got) < len(content); piece = piece*5%(9973+2000*i) + 1 {
				n, err := end.Read(got[len(got):min(len(got)+piece, len(content))])
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				got = got[:len(got)+n]
			}
			if !bytes.Equal(content, got) {
				t.Errorf("other bytes arrived")
			}
		})
	}
	group.Wait()
}

func TestSpinningConnectionsAreCopied(t *testing.T) {
	leakcheck.Start(t)
	a, b := spinningPair(t)
	c, d := spinningPair(t)
	content := random(3 << 20)
	got := gather(d, 1<<20)
	f := fileOf(t, content)
	go func() {
		if n, err := io.Copy(a, f); err != nil {
			t.Errorf("%d, %v", n, err)
		}
		a.Close()
	}()
	n, err := io.Copy(c, b)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.EqualValues(t, len(content), n)
	requireSame(t, content, <-got)
}

func TestConnectionIsCopiedToItself(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	content := random(1 << 20)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(b, b)
		ended <- err
	}()
	go a.Write(content)
	got := make([]byte, len(content))
	_, err := io.ReadFull(a, got)
	require.NoError(t, err)
	requireSame(t, content, got)
	require.NoError(t, a.Close())
	require.NoError(t, <-ended)
}

func TestLimitOfACopyIsKept(t *testing.T) {
	leakcheck.Start(t)
	content := random(1 << 20)
	for _, limit := range []int{-1, 0, 1, 5000, 100_000, len(content), len(content) + 10} {
		a, b := pair(t)
		c, d := pair(t)
		f := fileOf(t, content)
		wanted := content[:min(max(limit, 0), len(content))]

		r := &io.LimitedReader{R: f, N: int64(limit)}
		relayed := make(chan int64, 1)
		through := &io.LimitedReader{R: b, N: int64(limit)}
		go func() {
			n, err := io.Copy(c, through)
			if err != nil {
				t.Errorf("%v", err)
			}
			relayed <- n
			c.Close()
		}()
		got := gather(d, 1<<20)
		n, err := io.Copy(a, r)
		require.NoError(t, err)
		require.EqualValues(t, len(wanted), n)
		require.EqualValues(t, limit-len(wanted), r.N)
		requirePosition(t, f, n)
		_, err = a.Write([]byte("rest"))
		require.NoError(t, err)
		require.NoError(t, a.Close())

		wanted = append(wanted[:len(wanted):len(wanted)], "rest"...)
		wanted = wanted[:min(max(limit, 0), len(wanted))]
		require.EqualValues(t, len(wanted), <-relayed)
		require.EqualValues(t, limit-len(wanted), through.N)
		requireSame(t, wanted, <-got, limit)
		require.NoError(t, f.Close())
	}
}

func TestFileThatGrowsIsCopiedOnFromItsEnd(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	f := fileOf(t, nil)
	more, err := os.OpenFile(f.Name(), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer more.Close()
	for i := range 5 {
		line := fmt.Appendf(nil, "line %d", i)
		_, err := more.Write(line)
		require.NoError(t, err)
		for _, wanted := range [][]byte{line, nil} {
			n, err := io.Copy(a, f)
			require.NoError(t, err)
			require.EqualValues(t, len(wanted), n)
		}
		got := make([]byte, len(line))
		_, err = io.ReadFull(b, got)
		require.NoError(t, err)
		require.Equal(t, string(line), string(got))
	}
}

// A shouting reader embeds a file, but reads in a way of its own.
type shouting struct{ *os.File }

func (s shouting) Read(b []byte) (int, error) {
	n, err := s.File.Read(b)
	copy(b, bytes.ToUpper(b[:n]))
	return n, err
}

func TestReaderThatEmbedsAFileIsReadItsOwnWay(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	f := fileOf(t, []byte("hello"))
	_, err := a.ReadFrom(io.LimitReader(shouting{f}, 100)) // without it io.Copy would call WriteTo, which the file has
	require.NoError(t, err)
	seek(t, f, 0)
	_, err = a.ReadFrom(wrappedFile{f})
	require.NoError(t, err)
	_, err = a.ReadFrom(bytes.NewReader([]byte(" bytes")))
	require.NoError(t, err)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "HELLOhello bytes", string(got))
}

// sources returns readers that last as long as the test.
func sources(t *testing.T) map[string]func() io.Reader {
	return map[string]func() io.Reader{
		"file": func() io.Reader { return fileOf(t, make([]byte, 8<<20)) },
		"connection": func() io.Reader {
			a, b := pair(t)
			go a.Write(make([]byte, 64<<20)) // until the test closes it
			return b
		},
		"other": func() io.Reader { return bytes.NewReader(make([]byte, 8<<20)) },
	}
}

func TestCopyEndsWhenItsWriteDoes(t *testing.T) {
	leakcheck.Start(t)
	for from, source := range sources(t) {
		for what, want := range map[string]error{
			"deadline": os.ErrDeadlineExceeded, "late": os.ErrDeadlineExceeded, "close": net.ErrClosed, "closed": net.ErrClosed,
			"peer": syscall.EPIPE, "no peer": syscall.EPIPE,
		} {
			a, b := pair(t)
			r := source()
			var arrived int64
			switch what {
			case "deadline":
				require.NoError(t, a.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
			case "late":
				require.NoError(t, a.SetWriteDeadline(time.Now().Add(-time.Second)))
			case "close", "peer":
				ends := map[string]io.Closer{"close": a, "peer": b}[what]
				go func() {
					io.ReadFull(b, make([]byte, 1<<20)) // in the middle
					ends.Close()
				}()
			case "closed":
				require.NoError(t, a.Close())
			case "no peer":
				require.NoError(t, b.Close())
			}
			n, err := io.Copy(a, r)
			require.ErrorIs(t, err, want, "%s: %s", from, what)
			var op *net.OpError
			require.ErrorAs(t, err, &op)
			require.Equal(t, "write", op.Op, "%s: %s", from, what)
			if what == "deadline" { // it says how much
				a.Close()
				arrived, err = io.Copy(io.Discard, b)
				require.NoError(t, err)
				require.Equal(t, arrived, n, from)
			}
			a.Close()
			b.Close()
		}
	}
}

func TestCopyEndsWhenItsReadDoes(t *testing.T) {
	leakcheck.Start(t)
	for _, size := range []int{0, 10, 200_000} { // before it
		for to, writer := range map[string]func() io.Writer{
			"connection": func() io.Writer {
				c, d := pair(t)
				gather(d, 1<<20)
				return c
			},
			"file":  func() io.Writer { return fileOf(t, nil) },
			"other": func() io.Writer { return new(bytes.Buffer) },
		} {
			for what, want := range map[string]error{"deadline": os.ErrDeadlineExceeded, "close": net.ErrClosed} {
				a, b := pair(t)
				if what == "deadline" {
					require.NoError(t, b.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
				}
				go func() {
					a.Write(make([]byte, size))
					if what == "close" {
						b.Close()
					}
				}()
				n, err := io.Copy(writer(), b)
				require.ErrorIs(t, err, want, "%s: %s", to, what)
				require.LessOrEqual(t, n, int64(size))
				var op *net.OpError
				require.ErrorAs(t, err, &op)
				require.Equal(t, "read", op.Op, "%s: %s", to, what)
			}
		}
	}
}

func TestDeadlinesBoundACopyInItsMiddle(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	c, d := pair(t)
	content := random(200_000)
	go a.Write(content)
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(c, b)
		copied <- err
	}()
	got := make([]byte, len(content))
	_, err := io.ReadFull(d, got)
	require.NoError(t, err)
	requireSame(t, content, got)
	require.NoError(t, b.SetReadDeadline(time.Now())) // while it waits
	require.ErrorIs(t, <-copied, os.ErrDeadlineExceeded)
	require.NoError(t, b.SetReadDeadline(time.Time{}))
	go func() {
		_, err := io.Copy(c, b)
		copied <- err
	}()
	go a.Write(make([]byte, 64<<20)) // until it is closed
	_, err = io.ReadFull(d, got)
	require.NoError(t, err)
	require.NoError(t, c.SetWriteDeadline(time.Now()))
	require.ErrorIs(t, <-copied, os.ErrDeadlineExceeded)
	require.NoError(t, a.Close())
}

func TestErrorsOfTheOtherSideOfACopyAreItsOwn(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	closed := fileOf(t, []byte("x"))
	require.NoError(t, closed.Close())
	written, err := os.OpenFile(fileOf(t, []byte("x")).Name(), os.O_WRONLY, 0)
	require.NoError(t, err)
	defer written.Close()
	folder, err := os.Open(leakcheck.Dir(t))
	require.NoError(t, err)
	defer folder.Close()
	for what, copied := range map[string]func() (int64, error){
		"from a closed file":   func() (int64, error) { return a.ReadFrom(closed) },
		"from a written one":   func() (int64, error) { return io.Copy(a, written) },
		"from a folder":        func() (int64, error) { return io.Copy(a, folder) },
		"from none":            func() (int64, error) { return a.ReadFrom((*os.File)(nil)) },
		"from no connection":   func() (int64, error) { return a.ReadFrom(new(ipc.Conn)) },
		"to no connection":     func() (int64, error) { return new(ipc.Conn).ReadFrom(fileOf(t, []byte("x"))) },
		"of no connection":     func() (int64, error) { return new(ipc.Conn).WriteTo(a) },
		"of none to a file":    func() (int64, error) { return new(ipc.Conn).WriteTo(written) },
		"of none to something": func() (int64, error) { return new(ipc.Conn).WriteTo(io.Discard) },
	} {
		n, err := copied()
		require.Error(t, err, what)
		require.Zero(t, n, what)
	}
	go func() {
		b.Write([]byte("x"))
		b.Close()
	}()
	_, err = io.Copy(closed, a)
	require.ErrorIs(t, err, os.ErrClosed)
}

// memory returns how many bytes are in use.
func memory() int64 {
	runtime.GC()
	runtime.GC() // the second one empties sync.Pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// copiesToAFile starts copies from connections to a file. moved waits until the file has so many bytes from each.
func copiesToAFile(t *testing.T, count int) (sources []*ipc.Conn, moved func(size int64)) {
	t.Helper()
	f, err := os.OpenFile(fileOf(t, nil).Name(), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	for range count {
		a, b := pair(t)
		sources = append(sources, a)
		go io.Copy(f, b) // until the test closes it
	}
	return sources, func(size int64) {
		t.Helper()
		require.Eventually(t, func() bool {
			info, err := os.Stat(f.Name())
			return err == nil && info.Size() == int64(count)*size
		}, 30*time.Second, time.Millisecond)
	}
}

func TestCopiesToFilesThatWaitTakeLittleMemory(t *testing.T) {
	leakcheck.Start(t)
	const count = 500
	before := memory()
	sources, moved := copiesToAFile(t, count)
	for _, source := range sources {
		_, err := source.Write([]byte("x"))
		require.NoError(t, err)
	}
	moved(1)
	require.Less(t, memory()-before, int64(count*32<<10))
}

func TestWritesBetweenThePartsOfACopyStayWhole(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	const size, word = 16 << 20, "word"
	f := fileOf(t, make([]byte, size))
	var group sync.WaitGroup
	group.Go(func() {
		if n, err := io.Copy(a, f); err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
	group.Go(func() {
		for range 100 {
			if _, err := a.Write([]byte(word)); err != nil {
				t.Errorf("%v", err)
			}
		}
	})
	got := make([]byte, size+100*len(word))
	_, err := io.ReadFull(b, got)
	require.NoError(t, err)
	group.Wait()
	require.Equal(t, 100, bytes.Count(got, []byte(word)))
	require.Equal(t, size, bytes.Count(got, []byte{0}))
}

func TestCloseIsSafeDuringCopies(t *testing.T) {
	leakcheck.Start(t)
	content := make([]byte, 1<<20)
	for i := range 100 {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		c, d, err := ipc.Pair()
		require.NoError(t, err)
		f := fileOf(t, content)
		var group sync.WaitGroup
		for _, work := range []func() error{
			func() error { _, err := a.Write(content); return err },
			func() error { _, err := io.Copy(c, b); return err },
			func() error { _, err := io.Copy(b, c); return err },
			func() error { _, err := io.Copy(d, f); return err },
			func() error { _, err := io.Copy(io.Discard, a); return err },
			func() error {
				io.ReadFull(d, make([]byte, i*3000))
				return errors.Join(a.Close(), b.Close(), c.Close(), d.Close(), f.Close())
			},
		} {
			group.Go(func() {
				err := work()
				if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
	}
}
