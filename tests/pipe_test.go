package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// newPipe returns a pipe, which is closed when the test ends.
func newPipe(t *testing.T, pc *ipc.PipeConfig) (*ipc.PipeReader, *ipc.PipeWriter) {
	t.Helper()
	r, w, err := pc.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

func TestPipeCarriesBytesUntilItsWriterIsClosed(t *testing.T) {
	leakcheck.Start(t)
	r, w, err := ipc.Pipe()
	require.NoError(t, err)
	requireCloseOnExec(t, r)
	requireCloseOnExec(t, w)
	n, err := w.Write([]byte("hello"))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	b := make([]byte, 3)
	n, err = r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "hel", string(b[:n]))
	n, err = w.WriteBuffers([][]byte{[]byte("a"), nil, []byte("bc"), {}})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = r.ReadBuffers([][]byte{b[:1], nil, b[1:]})
	require.NoError(t, err)
	require.Equal(t, "loa", string(b[:n]))
	for what, err := range map[string]error{
		"read":  second(r.Read(nil)),
		"write": second(w.Write(nil)),
		"both":  errors.Join(second(r.ReadBuffers(nil)), second(w.WriteBuffers([][]byte{nil}))),
	} {
		require.NoError(t, err, what)
	}
	require.NoError(t, w.Close())
	n, err = r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "bc", string(b[:n]))
	_, err = r.Read(b)
	require.True(t, err == io.EOF, "the end comes bare: %v", err)
	_, err = r.ReadBuffers([][]byte{b})
	require.True(t, err == io.EOF, "%v", err)
	require.NoError(t, r.Close())
}

func TestLargeTransfersOverAPipeArriveWhole(t *testing.T) {
	leakcheck.Start(t)
	sent := random(5 << 20)
	for what, write := range map[string]func(w *ipc.PipeWriter) (int, error){
		"write": func(w *ipc.PipeWriter) (int, error) { return w.Write(sent) },
		"vectored": func(w *ipc.PipeWriter) (int, error) {
			return w.WriteBuffers([][]byte{sent[:1], sent[1:7], nil, sent[7:100_000], sent[100_000:]})
		},
	} {
		r, w := newPipe(t, new(ipc.PipeConfig))
		ended := make(chan error)
		go func() {
			n, err := write(w)
			if err == nil && n != len(sent) {
				err = fmt.Errorf("%d written", n)
			}
			ended <- errors.Join(err, w.Close())
		}()
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, <-ended, what)
		require.True(t, bytes.Equal(sent, got), what)
	}
}

func TestWriteToAPipeThatNobodyReadsIsEPIPE(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, r.Close())
	n, err := w.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.ErrorContains(t, err, "write ipc")
	require.Zero(t, n)

	r, w = newPipe(t, new(ipc.PipeConfig)) // during a write that waits
	ended := make(chan error)
	go func() { ended <- second(w.Write(make([]byte, 1<<20))) }()
	waitsIn(t, "write")
	require.NoError(t, r.Close())
	require.ErrorIs(t, <-ended, syscall.EPIPE)
}

func TestPipeOperationsEndWithDeadlinesAndClose(t *testing.T) {
	leakcheck.Start(t)
	b := make([]byte, 10)
	for what, c := range map[string]struct {
		method string
		wait   func(r *ipc.PipeReader, w *ipc.PipeWriter) error
	}{
		"read":  {"read", func(r *ipc.PipeReader, _ *ipc.PipeWriter) error { return second(r.Read(b)) }},
		"write": {"write", func(_ *ipc.PipeReader, w *ipc.PipeWriter) error { return second(w.Write(b)) }},
		"read all": {"readBuffers", func(r *ipc.PipeReader, _ *ipc.PipeWriter) error {
			return second(r.ReadBuffers([][]byte{b}))
		}},
		"write all": {"writeBuffers", func(_ *ipc.PipeReader, w *ipc.PipeWriter) error {
			return second(w.WriteBuffers([][]byte{b}))
		}},
	} {
		r, w := newPipe(t, new(ipc.PipeConfig))
		end := io.Closer(r)
		setDeadlines := []func(time.Time) error{r.SetDeadline, r.SetReadDeadline}
		if strings.HasPrefix(what, "write") {
			fillPipe(t, w)
			end, setDeadlines = w, []func(time.Time) error{w.SetDeadline, w.SetWriteDeadline}
		}
		ended := make(chan error)
		for _, set := range setDeadlines {
			for _, after := range []time.Duration{-time.Second, 5 * time.Millisecond} {
				require.NoError(t, set(time.Now().Add(after)))
				err := c.wait(r, w)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded, what)
				var timeout net.Error
				require.ErrorAs(t, err, &timeout)
				require.True(t, timeout.Timeout())
			}
			require.NoError(t, set(time.Time{}))
			go func() { ended <- c.wait(r, w) }()
			waitsIn(t, c.method)
			require.NoError(t, set(time.Unix(1, 0)))
			require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, what)
			require.NoError(t, set(time.Time{}))
		}
		go func() { ended <- c.wait(r, w) }()
		waitsIn(t, c.method)
		require.NoError(t, end.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed, what)
		require.ErrorIs(t, c.wait(r, w), net.ErrClosed, what)
	}

	r, w := newPipe(t, new(ipc.PipeConfig)) // a deadline in the past counts although there is data
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, r.SetDeadline(time.Unix(1, 0)))
	_, err = r.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	sent := random(1 << 20) // a write that a deadline cuts says how much was written
	require.NoError(t, r.SetDeadline(time.Time{}))
	_, err = r.Read(b)
	require.NoError(t, err)
	require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
	n, err := w.Write(sent)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, w.Close())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent[:n], got))
}

func TestClosedAndZeroPipeEndsRefuseEverything(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	for want, ends := range map[error]struct {
		r *ipc.PipeReader
		w *ipc.PipeWriter
	}{net.ErrClosed: {r, w}, syscall.EINVAL: {new(ipc.PipeReader), new(ipc.PipeWriter)}} {
		r, w := ends.r, ends.w
		requireErrors(t, want, map[string]error{
			"read":         second(r.Read(make([]byte, 1))),
			"read: none":   second(r.Read(nil)),
			"read: all":    second(r.ReadBuffers([][]byte{{1}})),
			"write":        second(w.Write([]byte("x"))),
			"write: all":   second(w.WriteBuffers([][]byte{{1}})),
			"set":          r.SetReadDeadline(time.Now()),
			"set: write":   w.SetWriteDeadline(time.Now()),
			"file":         second(r.File()),
			"pass":         w.PassTo(exec.Command("x"), "x"),
			"close":        r.Close(),
			"close: write": w.Close(),
		})
	}
	_, err := new(ipc.PipeReader).SyscallConn()
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestCloseOfAPipeIsSafeAtAnyTime(t *testing.T) {
	leakcheck.Start(t)
	for range 200 {
		r, w, err := ipc.Pipe()
		require.NoError(t, err)
		var group sync.WaitGroup
		for _, work := range []func() error{
			func() error { return second(r.Read(make([]byte, 10))) },
			func() error { return second(r.ReadBuffers([][]byte{make([]byte, 10)})) },
			func() error { return second(w.Write(make([]byte, 100_000))) },
			func() error { return second(w.WriteBuffers([][]byte{make([]byte, 100_000)})) },
			func() error { return r.SetDeadline(time.Now().Add(time.Hour)) },
			func() error {
				f, err := w.File()
				f.Close()
				return err
			},
			r.Close, w.Close,
		} {
			group.Go(func() {
				err := work()
				if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) && err != io.EOF {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
	}
}

func TestPipesAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	b, vector := make([]byte, 64), [][]byte{make([]byte, 32), make([]byte, 32)}
	requireNoAllocations(t, map[string]func() error{
		"write, read": func() error {
			_, err := w.Write(b)
			if err == nil {
				_, err = r.Read(b)
			}
			return err
		},
		"vectored": func() error {
			_, err := w.WriteBuffers(vector)
			if err == nil {
				_, err = r.ReadBuffers(vector)
			}
			return err
		},
	})
}
