//go:build unix

package tests

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// signalsChild writes to pipes that nobody reads, and answers which signals came meanwhile.
func signalsChild(_ []string, orders *bufio.Scanner) error {
	write := func() error {
		r, w, err := ipc.Pipe()
		if err != nil {
			return err
		}
		defer w.Close()
		r.Close()
		for range 3 {
			if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				return fmt.Errorf("written: %v", err)
			}
			if _, err := w.WriteBuffers([][]byte{{1}, {2}}); !errors.Is(err, syscall.EPIPE) {
				return fmt.Errorf("written: %v", err)
			}
		}
		return nil
	}
	if err := write(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGPIPE, syscall.SIGWINCH)
	if err := write(); err != nil {
		return err
	}
	syscall.Kill(os.Getpid(), syscall.SIGWINCH) // its number is greater, so it comes after any SIGPIPE
	fmt.Println(<-signals == syscall.SIGWINCH)
	return nil
}

func TestPipeBufferHasTheSizeThatWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	_, _, err := (&ipc.PipeConfig{BufferSize: -1}).Pipe()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "pipe ipc: negative BufferSize")
	if !abstract() { // only Linux has abstract names, and only there can the buffer of a pipe be set
		_, _, err := (&ipc.PipeConfig{BufferSize: 4096}).Pipe()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		r, _ := newPipe(t, new(ipc.PipeConfig))
		require.ErrorIs(t, r.SetBuffer(4096), errors.ErrUnsupported)
		return
	}
	const getPipeSize = 1032
	r, w := newPipe(t, &ipc.PipeConfig{BufferSize: 200_000})
	requireSize := func(want int) {
		fd, _ := statusFlags(t, r)
		size, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), getPipeSize, 0)
		require.Zero(t, errno)
		require.EqualValues(t, want, size)
	}
	requireSize(262_144)
	require.NoError(t, r.SetBuffer(4096))
	requireSize(os.Getpagesize())
	require.NoError(t, w.SetBuffer(100_000))
	requireSize(131_072)
	require.ErrorIs(t, w.SetBuffer(0), syscall.EINVAL)
	require.ErrorContains(t, w.SetBuffer(-1), "set ipc")
	_, err = w.Write(make([]byte, 100_000))
	require.NoError(t, err)
	require.ErrorIs(t, w.SetBuffer(4096), syscall.EBUSY)
	if os.Geteuid() != 0 {
		require.ErrorIs(t, w.SetBuffer(1<<30), fs.ErrPermission)
	}
}

func TestFilesOfPipesAreTakenAsTheEndThatTheyAre(t *testing.T) {
	leakcheck.Start(t)
	plainR, plainW, err := os.Pipe()
	require.NoError(t, err)
	defer plainR.Close()
	defer plainW.Close()
	r, err := ipc.FilePipeReader(plainR)
	require.NoError(t, err)
	defer r.Close()
	w, err := ipc.FilePipeWriter(plainW)
	require.NoError(t, err)
	defer w.Close()
	requireCloseOnExec(t, r)
	requireCloseOnExec(t, w)
	_, err = w.Write([]byte("through both"))
	require.NoError(t, err)
	b := make([]byte, 100)
	n, err := r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "through both", string(b[:n]))
	require.NoError(t, r.SetDeadline(time.Now().Add(5*time.Millisecond)))
	_, err = r.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, w.Close())
	_, err = plainW.WriteString("it stays the caller's")
	require.NoError(t, err)
	require.NoError(t, r.Close())
	n, err = plainR.Read(b)
	require.NoError(t, err)
	require.Equal(t, "it stays the caller's", string(b[:n]))

	a, _ := pair(t)
	socket, err := a.File()
	require.NoError(t, err)
	defer socket.Close()
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	before := descriptors()
	for what, f := range map[string]*os.File{
		"other end": plainW, "socket": socket, "file": numbered(t, 1)[0], "closed": closed, "nil": nil,
	} {
		_, err := ipc.FilePipeReader(f)
		require.ErrorContains(t, err, "file ipc", what)
		if what == "other end" {
			f = plainR
		}
		_, err = ipc.FilePipeWriter(f)
		require.ErrorContains(t, err, "file ipc", what)
	}
	require.Equal(t, before+1, descriptors()) // one for the file that was opened here
}

func TestWriteToAPipeThatNobodyReadsRaisesNoSignal(t *testing.T) {
	leakcheck.Start(t)
	start(t, "signals").expect("true")
}

func TestClosedAndZeroPipeEndsHaveNoBuffer(t *testing.T) {
	leakcheck.Start(t)
	_, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, w.Close())
	for want, w := range map[error]*ipc.PipeWriter{net.ErrClosed: w, syscall.EINVAL: new(ipc.PipeWriter)} {
		err := w.SetBuffer(4096)
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, "set ipc")
	}
}
