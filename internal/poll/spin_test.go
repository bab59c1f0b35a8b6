package poll

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/tests/facility"
	"github.com/stretchr/testify/require"
)

// busy is the result of a call that would have to wait.
const busy = -1 << 20 // LIPC_EAGAIN

// spins returns how often a busy call is repeated. The call stays busy until it was repeated most times.
func spins(d *direction, most int) int {
	made := 0
	d.result = busy
	d.spin(func() {
		if made++; made == most {
			d.result = 1
		}
	})
	return made
}

func TestSpinMakesACallAgainUntilItNeedNotWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var d direction
	require.Zero(t, spins(&d, 3), "no limit")
	d.spinLimit.Store(1e6)
	if runtime.NumCPU() == 1 {
		require.Zero(t, spins(&d, 3))
	} else {
		require.Equal(t, 3, spins(&d, 3))
	}
	require.Zero(t, spinning.Load())
}

// The call takes a thousand times the limit, as if the system had taken the processor away in its midst.
func TestSpinIsLeftOutAfterTheProcessorWasTakenAway(t *testing.T) {
	if runtime.NumCPU() == 1 {
		facility.Missing(t, "a second processor, without which nothing spins")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var d direction
	d.spinLimit.Store(1)
	d.result = busy
	d.spin(func() {
		time.Sleep(time.Millisecond)
		d.result = 1
	})
	require.EqualValues(t, 1, d.result, "it did not spin")
	d.spinLimit.Store(1e6)
	for range 255 {
		require.Zero(t, spins(&d, 3))
	}
	require.Equal(t, 3, spins(&d, 3))
}

func TestSpinLeavesAProcessorToOthers(t *testing.T) {
	var d direction
	d.spinLimit.Store(1e6)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Zero(t, spins(&d, 3))
	runtime.GOMAXPROCS(4)
	spinning.Store(3)
	defer spinning.Store(0)
	require.Zero(t, spins(&d, 3))
	require.EqualValues(t, 3, spinning.Load())
}

func TestOperationThatHasToWaitSpinsBefore(t *testing.T) {
	var a, b Endpoint
	require.NoError(t, Pair(&a, &b, core.KindStream))
	defer a.Close()
	defer b.Close()
	a.SetSpin(time.Microsecond)
	require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := a.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotNil(t, a.in.extras, "it waited without asking whether to spin")
}
