//go:build unix

package core

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// channelPair returns both ends of a channel, which the end of the test closes.
func channelPair(t *testing.T, o ChannelOptions) (ends [2]Channel) {
	a, b, r := Pair(KindStream)
	require.NoError(t, r.Err())
	for i, connection := range []uintptr{a, b} {
		o.Accepting = i == 1
		ends[i], r = StartChannel(connection, o)
		require.NoError(t, r.Err())
		t.Cleanup(func() {
			if ends[i].Shared() {
				Close(ends[i].Handle(Writing))
			}
			ends[i].Free()
			Close(connection)
		})
	}
	for busy := 2; busy > 0; {
		busy = 0
		for _, end := range ends {
			if r := end.Handshake(); r.Busy() {
				busy++
			} else {
				require.NoError(t, r.Err())
			}
		}
	}
	return ends
}

func TestBatchCopiesEachPartOfALargeMessageOnce(t *testing.T) {
	for _, memory := range []ChannelMemory{PreferMemory, NeverMemory} {
		ends := channelPair(t, ChannelOptions{Memory: memory, RingSize: 4096, MaxMessage: 16 << 20, Spin: -1})
		a, b := ends[0], ends[1]
		message := bytes.Repeat([]byte("large"), 16<<20/5)
		got, batch, attempts := [][]byte{make([]byte, len(message)), make([]byte, 9)}, new(ChannelBatch), 0
		for sent, received := Result(-1), Result(-1); received < 0; attempts++ {
			if sent < 0 {
				sent = a.Send(message)
				require.True(t, sent >= 0 || sent.Busy())
			}
			if attempts > 0 {
				got[0][0] = 'L' // which another copy would replace
			}
			received, _ = batch.Receive(b, got)
			require.True(t, received == 1 || received.Busy())
		}
		require.Greater(t, attempts, 10)
		require.Equal(t, byte('L'), got[0][0])
		require.True(t, bytes.Equal(message[1:], got[0][1:]))
		require.Equal(t, Result(2), a.Send([]byte("on")))
		received, _ := batch.Receive(b, got[1:])
		require.Equal(t, Result(1), received)
		require.Equal(t, "on", string(got[1]))
	}
}
