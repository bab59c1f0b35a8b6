//go:build unix

package poll

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/stretchr/testify/require"
)

// heldControl is access to a descriptor whose Control waits until the test lets it proceed.
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

// inMethod reports whether some goroutine is in a method of this package.
func inMethod(method string) bool {
	stacks := make([]byte, 1<<20)
	return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "/poll."+method+"(")
}

// newPair returns two endpoints, each the other's peer, until the test ends.
func newPair(t *testing.T, kind core.Kind) (a, b *Endpoint) {
	t.Helper()
	a, b = new(Endpoint), new(Endpoint)
	require.NoError(t, Pair(a, b, kind))
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

func TestShutdownThatIsUnderWayIsNotTheEnd(t *testing.T) {
	failures := []error{errors.New("refused")}
	if runtime.GOOS == "linux" { // elsewhere it may discard what has arrived
		failures = append(failures, nil)
	}
	for _, failure := range failures {
		a, b := newPair(t, core.KindDatagram)
		held := &heldControl{a.raw, make(chan struct{}), make(chan struct{}), failure}
		a.raw = held
		closed, received := make(chan error, 1), make(chan error, 1)
		got := make([]byte, 10)
		go func() { closed <- a.Shutdown(core.Reading) }()
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
	}
}

func TestShutdownThatFailsIsNotTheEnd(t *testing.T) {
	var r, w Endpoint
	require.NoError(t, Pipe(&r, &w, PipeOptions{}))
	defer r.Close()
	defer w.Close()
	require.ErrorIs(t, r.Shutdown(core.Reading), syscall.ENOTSOCK)
	require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := r.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestMessagesAreAppendedWhereTheSystemDoesNotTellTheirSize(t *testing.T) {
	a, b := newPair(t, core.KindDatagram)
	// The default buffer of macOS takes only 2048 bytes.
	require.NoError(t, errors.Join(a.SetBufferSize(core.Writing, 100_000), b.SetBufferSize(core.Reading, 100_000)))
	d := &b.in
	d.needExtras()
	d.most = 5000
	for _, before := range [][]byte{nil, []byte("before"), append(make([]byte, 0, 6000), "before"...)} {
		for _, size := range []int{0, 1, 4096, 4097, 5000, 5001, 3} {
			message := bytes.Repeat([]byte{byte(size)}, size)
			require.NoError(t, a.Send(message))
			d.data, d.excess = before, 0
			var r core.Result
			require.NoError(t, b.raw.Control(func(fd uintptr) { r = d.receiveSized(fd, core.Unavailable) }))
			if size > d.most {
				require.True(t, r.Truncated())
				require.Equal(t, -1, d.excess)
				require.Equal(t, string(before), string(d.data))
				continue
			}
			require.EqualValues(t, size, r)
			require.Equal(t, string(before)+string(message), string(d.data))
			require.Zero(t, d.excess)
		}
	}
}
