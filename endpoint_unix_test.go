//go:build cgo && unix

package ipc

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// heldControl is access to a descriptor that waits before it is used by Control.
type heldControl struct {
	syscall.RawConn
	reached, proceed chan struct{}
	fails            error
}

func (c *heldControl) Control(f func(fd uintptr)) error {
	close(c.reached)
	<-c.proceed
	if c.fails != nil {
		return c.fails
	}
	return c.RawConn.Control(f)
}

// inMethod reports whether some goroutine is in a method of the package's.
func inMethod(method string) bool {
	stacks := make([]byte, 1<<20)
	return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "/ipc."+method+"(")
}

func TestShutdownThatIsUnderWayIsNotTheEnd(t *testing.T) {
	failures := []error{errors.New("refused")}
	if runtime.GOOS == "linux" { // elsewhere it may discard what has arrived
		failures = append(failures, nil)
	}
	for _, failure := range failures {
		a, b, err := DatagramPair()
		require.NoError(t, err)
		held := &heldControl{a.end.raw, make(chan struct{}), make(chan struct{}), failure}
		a.end.raw = held
		closed, received := make(chan error, 1), make(chan error, 1)
		got := make([]byte, 10)
		go func() { closed <- a.CloseRead() }()
		<-held.reached
		go func() {
			n, err := a.Receive(got)
			got = got[:n]
			received <- err
		}()
		require.Eventually(t, func() bool { return inMethod("(*shutdown).complete") || len(received) > 0 },
			time.Minute, time.Millisecond)
		require.NoError(t, b.Send([]byte("in time")))
		close(held.proceed)
		require.ErrorIs(t, <-closed, failure)
		require.NoError(t, <-received)
		require.Equal(t, "in time", string(got))
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	}
}

func TestShutdownThatFailsIsNotTheEnd(t *testing.T) {
	r, w, err := Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	require.ErrorIs(t, r.end.shutdown(directionRead), syscall.ENOTSOCK)
	require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
