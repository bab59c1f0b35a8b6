//go:build cgo

package ipc

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// busy is what a call says that would have to wait.
const busy = -1 << 20 // LIPC_EAGAIN

// polls returns how often a call is made again that is busy each time, at most so often.
func polls(d *direction, most int) int {
	made := 0
	d.result = busy
	d.spin(func() {
		if made++; made == most {
			d.result = 1
		}
	})
	return made
}

func TestSpinReachesBothDirectionsOfAConnection(t *testing.T) {
	spins := func(e *endpoint) []uint32 { return []uint32{e.in.spinLimit.Load(), e.out.spinLimit.Load()} }
	const spin = 1500 * time.Nanosecond
	wanted := []uint32{2, 2} // in microseconds, rounded up
	name := Namespaced(fmt.Sprintf("lipc-spin-test-%d", os.Getpid()))
	l, err := (&ListenConfig{Spin: spin}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client, err := (&Dialer{Spin: spin}).Dial(t.Context(), name)
	require.NoError(t, err)
	defer client.Close()
	server, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer server.Close()
	a, b, err := Pair()
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	require.Equal(t, []uint32{0, 0}, spins(&a.end))
	require.NoError(t, a.SetSpin(spin))
	for _, e := range []*endpoint{&client.end, &server.end, &a.end} {
		require.Equal(t, wanted, spins(e))
	}
	_ = a.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotNil(t, a.end.in.extras, "it waited without asking whether to poll")
	if hasDatagrams {
		d, err := (&ListenConfig{Spin: spin}).ListenDatagram(t.Context(), name)
		require.NoError(t, err)
		defer d.Close()
		require.Equal(t, wanted, spins(&d.end))
	}
}

func TestSpinMakesACallAgainUntilItNeedNotWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var d direction
	require.Zero(t, polls(&d, 3), "no limit")
	d.spinLimit.Store(1e6)
	if runtime.NumCPU() == 1 {
		require.Zero(t, polls(&d, 3))
	} else {
		require.Equal(t, 3, polls(&d, 3))
	}
	require.Zero(t, spinning.Load())
}

// A call that takes a thousand times the limit is one in whose midst the processor was taken away.
func TestSpinIsLeftOutAfterTheProcessorWasTakenAway(t *testing.T) {
	if runtime.NumCPU() == 1 {
		t.Skip("nothing polls: there is one processor")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var d direction
	d.spinLimit.Store(1)
	d.result = busy
	d.spin(func() {
		time.Sleep(time.Millisecond)
		d.result = 1
	})
	require.EqualValues(t, 1, d.result, "it did not poll")
	d.spinLimit.Store(1e6)
	for range 255 {
		require.Zero(t, polls(&d, 3))
	}
	require.Equal(t, 3, polls(&d, 3))
}

func TestSpinLeavesAProcessorToOthers(t *testing.T) {
	var d direction
	d.spinLimit.Store(1e6)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Zero(t, polls(&d, 3))
	runtime.GOMAXPROCS(4)
	spinning.Store(3)
	defer spinning.Store(0)
	require.Zero(t, polls(&d, 3))
	require.EqualValues(t, 3, spinning.Load())
}
