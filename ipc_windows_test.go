//go:build cgo

package ipc

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a call still opens that was not waited for is closed, and what it opens in time is not.
func TestDialThatIsGivenUpLeavesNothingOpen(t *testing.T) {
	for range 50 {
		var a, b endpoint
		require.NoError(t, openPair(&a, &b, kindStream))
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan opening)
		given := make(chan error)
		go func() {
			_, err := openOrAbandon(ctx, func() opening { return <-answer })
			given <- err
		}()
		cancel()
		require.ErrorIs(t, <-given, context.Canceled)
		duplicate, r := coreDuplicate(b.held.handle)
		require.NoError(t, r.err())
		require.NoError(t, b.close())
		answer <- opening{duplicate, 0}
		_, err := a.read(make([]byte, 1)) // which waits until the last handle of the other end is closed
		require.Equal(t, io.EOF, err)
		require.NoError(t, a.close())
	}
}
