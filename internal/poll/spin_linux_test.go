package poll

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/stretchr/testify/require"
)

// epollSize returns how many descriptors the epoll instance watches, proc(5).
func epollSize(t *testing.T, s *spinningSide) (size int) {
	require.NoError(t, s.raw.Control(func(fd uintptr) {
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
		require.NoError(t, err)
		size = strings.Count(string(info), "tfd:")
	}))
	return size
}

func TestSpinningConnectionIsWatchedOnlyWhileItWaits(t *testing.T) {
	a, b := new(Endpoint), new(Endpoint)
	a.SetSpin(time.Microsecond)
	require.NoError(t, Pair(a, b, core.KindStream))
	defer a.Close()
	defer b.Close()
	side := &a.raw.(*spinningConn).in
	waits := func(s *spinningSide) bool {
		if s.mu.TryLock() {
			s.mu.Unlock()
			return false
		}
		return epollSize(t, s) == 1
	}
	one := make([]byte, 1)
	for range 3 {
		read := make(chan error)
		go func() { _, err := a.Read(one); read <- err }()
		require.Eventually(t, func() bool { return waits(side) }, time.Minute, time.Millisecond)
		_, err := b.Write(one)
		require.NoError(t, err)
		require.NoError(t, <-read)
		require.Equal(t, 1, epollSize(t, side))
		for range stopWatching {
			_, err := b.Write(one)
			require.NoError(t, err)
			_, err = a.Read(one)
			require.NoError(t, err)
		}
		require.Zero(t, epollSize(t, side))
	}
}
