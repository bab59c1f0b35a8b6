package poll

import (
	"context"
	"io"
	"testing"

	"github.com/lipc/ipc/internal/core"
	"github.com/stretchr/testify/require"
)

// A handle that a call opens after its caller has given up is closed; one that it opens in time is not.
func TestDialThatIsGivenUpLeavesNothingOpen(t *testing.T) {
	for range 50 {
		var a, b Endpoint
		require.NoError(t, Pair(&a, &b, core.KindStream))
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan opening)
		given := make(chan error)
		go func() {
			_, err := openOrAbandon(ctx, func() opening { return <-answer })
			given <- err
		}()
		cancel()
		require.ErrorIs(t, <-given, context.Canceled)
		duplicate, r := core.Duplicate(b.held.handle)
		require.NoError(t, r.Err())
		require.NoError(t, b.Close())
		answer <- opening{handle: duplicate}
		_, err := a.Read(make([]byte, 1)) // which waits until the last handle of the other end is closed
		require.Equal(t, io.EOF, err)
		require.NoError(t, a.Close())
	}
}
