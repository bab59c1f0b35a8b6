//go:build unix

package tests

import (
	"os"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestListenerThatCreatedTheFileRemovesItOnce(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	exists := func() bool {
		_, err := os.Lstat(name.String())
		return err == nil
	}
	for what, one := range map[string]struct {
		unlink  []bool // set on the listener that created the file
		removes bool
	}{"by default": {nil, true}, "told to": {[]bool{false, true}, true}, "told not to": {[]bool{false}, false}} {
		l, err := ipc.Listen(name)
		require.NoError(t, err, what)
		f, err := l.File()
		require.NoError(t, err, what)
		adopted, err := ipc.FileListener(f)
		require.NoError(t, err, what)
		adopted.SetUnlinkOnClose(true) // other than in net, it is not its file
		require.NoError(t, f.Close(), what)
		require.True(t, exists(), what)
		require.NoError(t, adopted.Close(), what)
		require.True(t, exists(), what)
		for _, unlink := range one.unlink {
			l.SetUnlinkOnClose(unlink)
		}
		require.NoError(t, l.Close(), what)
		require.Equal(t, one.removes, !exists(), what)
		os.Remove(name.String())
		require.NoError(t, os.WriteFile(name.String(), nil, 0o600), what)
		require.Error(t, l.Close(), what) // a second time: this file is another
		require.True(t, exists(), what)
		require.NoError(t, os.Remove(name.String()), what)
		os.Remove(name.String() + ".lock")
	}
}

func TestDescriptorOfAFileLeavesTheConnectionItsDeadlines(t *testing.T) {
	leakcheck.Start(t)
	c, _ := pair(t)
	f, err := c.File()
	require.NoError(t, err)
	defer f.Close()
	f.Fd()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
