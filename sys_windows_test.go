//go:build cgo

package ipc

import (
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProcessThatGotThePeersIDLaterIsNotThePeer(t *testing.T) {
	a, b, err := Pair()
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	taken, err := a.TakeFile(f.Fd())
	require.NoError(t, err)
	require.NoError(t, taken.Close())
	a.end.held.connected = time.Now().Add(-24 * time.Hour).UnixNano() // before this process was created
	_, err = a.TakeFile(f.Fd())
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = a.GiveFile(f)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
