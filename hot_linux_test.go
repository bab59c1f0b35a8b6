//go:build cgo

package ipc

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// epollSize is how many descriptors the epoll instance watches, proc(5).
func epollSize(t *testing.T, s *hotSide) (size int) {
	require.NoError(t, s.raw.Control(func(fd uintptr) {
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
		require.NoError(t, err)
		size = strings.Count(string(info), "tfd:")
	}))
	return size
}

func TestSpinningConnectionIsWatchedOnlyWhileItWaits(t *testing.T) {
	name := Path(t.TempDir() + "/s")
	l, err := (&ListenConfig{Spin: time.Microsecond}).Listen(context.Background(), name)
	require.NoError(t, err)
	defer l.Close()
	a, err := (&Dialer{Spin: time.Microsecond}).Dial(context.Background(), name)
	require.NoError(t, err)
	defer a.Close()
	b, err := l.AcceptConn(context.Background())
	require.NoError(t, err)
	defer b.Close()
	side := &a.end.raw.(*hotConn).in
	waits := func(s *hotSide) bool {
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
