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

	// The mutex guards these.
	deadline time.Time // that the user set
	woken    bool      // the deadline in force is in the past, to wake the goroutine that waits
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
	if ctx.Done() == nil {
		return func() {}
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.woken = true
		t.wakeLocked()
	})
	return func() {
		if stop() {
			return
		}
		<-interrupted
		t.mu.Lock()
		defer t.mu.Unlock()
		t.woken = false
		if !t.closed {
			t.end.SetReadDeadline(t.deadline)
		}
	}
}

func (t *turns) wakeLocked() { t.end.file.SetReadDeadline(time.Unix(1, 0)) }

func (t *turns) closeLocked() {
	t.end.closed.Store(true)
	t.wakeLocked()
}

func (t *turns) setDeadlineLocked(at time.Time) error {
	t.deadline = at
	if t.woken {
		return nil
	}
	return t.end.SetReadDeadline(at)
}
