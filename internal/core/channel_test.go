//go:build unix

package core

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// closePair closes both ends of a channel, and their handles.
func closePair(ends ...Channel) {
	for _, end := range ends {
		handles := []uintptr{end.Handle(Reading)}
		if end.Shared() {
			handles = append(handles, end.Handle(Writing))
		}
		end.Free()
		for _, handle := range handles {
			Close(handle)
		}
	}
}

func TestBatchCopiesEachPartOfALargeMessageOnce(t *testing.T) {
	for _, memory := range []ChannelMemory{PreferMemory, NeverMemory} {
		a, b, r := ChannelPair(ChannelOptions{Memory: memory, RingSize: 4096, MaxMessage: 16 << 20, Spin: -1})
		require.NoError(t, r.Err())
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
		closePair(a, b)
	}
}
