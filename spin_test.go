//go:build cgo

package ipc

import (
	"runtime"
	"testing"

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
