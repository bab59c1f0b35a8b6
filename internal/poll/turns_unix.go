//go:build unix

package poll

import (
	"context"
	"net"
	"time"
)

// systemTurns waits for an endpoint, which owns its descriptor.
type systemTurns struct {
	end Endpoint
}

// attempt calls f until it returns true. In between it waits until the descriptor is readable.
func (t *turns) attempt(ctx context.Context, f func(fd uintptr) bool) error {
	err := t.end.closedErr(t.end.raw.Read(f))
	if err != nil && ctx.Err() != nil && err != net.ErrClosed {
		return ctx.Err()
	}
	return err
}

// interruptAfter wakes the goroutine that waits when the context ends, until end is called.
func (t *turns) interruptAfter(ctx context.Context) (end func()) {
	return t.end.interruptAfter(ctx, &t.end.in)
}

func (t *turns) closeLocked() {
	t.end.closed.Store(true)
	t.end.file.SetReadDeadline(time.Unix(1, 0))
}

func (t *turns) setDeadlineLocked(at time.Time) error { return t.end.SetReadDeadline(at) }
