//go:build unix

package tests

import (
	"fmt"
	"io"
	"os"
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
