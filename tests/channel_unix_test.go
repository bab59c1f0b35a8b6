//go:build unix

package tests

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChannelPassesFilesInOrderWithMessages(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		go func() {
			for i := range 10 {
				assert.NoError(t, a.Send(fmt.Appendf(nil, "plain %d", i)))
				r, w, err := os.Pipe()
				assert.NoError(t, err)
				fmt.Fprintf(w, "file %d", i)
				w.Close()
				_, err = a.SendFiles(fmt.Appendf(nil, "with %d", i), r)
				assert.NoError(t, err)
				r.Close()
			}
		}()
		buf, files := make([]byte, 100), make([]*os.File, 2)
		for i := range 10 {
			n, count, err := b.ReceiveFiles(buf, files)
			require.NoError(t, err)
			require.Zero(t, count)
			require.Equal(t, fmt.Sprint("plain ", i), string(buf[:n]))
			n, count, err = b.ReceiveFiles(buf, files)
			require.NoError(t, err)
			require.Equal(t, 1, count)
			require.Equal(t, fmt.Sprint("with ", i), string(buf[:n]))
			content, err := io.ReadAll(files[0])
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("file ", i), string(content))
			files[0].Close()
		}
	})
}

func TestChannelFilesOverTheReceiversLimitAreRefused(t *testing.T) {
	leakcheck.Start(t)
	for given, limit := range map[int]int{-1: 0, 0: 16, 3: 3, 100: 100} {
		a, b, err := ipc.ChannelPair(&ipc.ChannelConfig{MaxFiles: given})
		require.NoError(t, err)
		files, got := make([]*os.File, limit+1), make([]*os.File, limit)
		for i := range files {
			files[i] = os.Stderr
		}
		_, err = a.SendFiles([]byte("x"), files...)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, fmt.Sprintf("%d files, at most %d in one message", limit+1, limit))
		_, err = a.SendFiles([]byte("x"), files[:limit]...)
		require.NoError(t, err)
		_, n, err := b.ReceiveFiles(make([]byte, 1), got)
		require.NoError(t, err)
		require.Equal(t, limit, n)
		for _, f := range got {
			f.Close()
		}
		a.Close()
		_, err = a.SendFiles([]byte("x"), files...)
		require.ErrorIs(t, err, net.ErrClosed)
		b.Close()
	}
}
