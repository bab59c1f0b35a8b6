package tests

import (
	"errors"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestClientOfMessagesIsRefusedByAPipeOfBytes(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	listen(t, name)
	_, err := ipc.DialMessage(t.Context(), name)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	require.ErrorContains(t, err, "dial ipc "+name.String())
}

func TestFilesCarryConnectionsOfMessages(t *testing.T) {
	leakcheck.Start(t)
	client, server := messageConns(t, newPath(t))
	f, err := client.File()
	require.NoError(t, err)
	require.NoError(t, client.Close())
	client, err = ipc.FileMessageConn(f)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, f.Close())
	for _, message := range []string{"one", "", "three"} {
		require.NoError(t, client.Send([]byte(message)))
		require.NoError(t, server.Send([]byte(message)))
	}
	for _, c := range []*ipc.MessageConn{client, server} {
		for _, want := range []string{"one", "", "three"} {
			got, err := c.ReceiveAppend(nil)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
	}
}

func TestMessageOver64MiBIsDroppedUnlessMaxMessageAllowsIt(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	large := make([]byte, 64<<20+1)
	for _, allowed := range []int{0, len(large)} {
		require.NoError(t, b.SetMaxMessage(allowed))
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(a.Send(large), a.Send([]byte("next"))) }()
		got, err := b.ReceiveAppend(nil)
		if allowed == 0 {
			require.ErrorIs(t, err, ipc.ErrTruncated)
			require.ErrorContains(t, err, "a message of 67108865 bytes, MaxMessage is 67108864: ")
			require.Nil(t, got)
		} else {
			require.NoError(t, err)
			require.Len(t, got, len(large))
		}
		got, err = b.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "next", string(got))
		require.NoError(t, <-ended)
	}
}
