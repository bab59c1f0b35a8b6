package poll

import (
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/stretchr/testify/require"
)

func TestProcessThatGotThePeersIDLaterIsNotThePeer(t *testing.T) {
	var a, b Endpoint
	require.NoError(t, Pair(&a, &b, core.KindStream))
	defer a.Close()
	defer b.Close()
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	taken, err := a.TakeHandle(f.Fd())
	require.NoError(t, err)
	core.Close(taken)
	a.held.connected = time.Now().Add(-24 * time.Hour).UnixNano() // before this process was created
	_, err = a.TakeHandle(f.Fd())
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = a.GiveHandle(f.Fd())
	require.ErrorIs(t, err, fs.ErrNotExist)
}
