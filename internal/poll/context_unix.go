//go:build unix

package poll

import (
	"context"
	"os"
	"sync"
	"time"
)

// systemInterrupter is a direction's deadline, which also wakes the direction when a context ends.
type systemInterrupter struct {
	mu    sync.Mutex
	limit time.Time // the deadline that the user set
	woken bool      // the deadline in force is in the past
}

// setDeadline sets the deadline of a direction.
func (e *Endpoint) setDeadline(d *direction, t time.Time) error {
	i := d.interrupter()
	i.mu.Lock()
	defer i.mu.Unlock()
	if e.given.Load() {
		return os.ErrNoDeadline
	}
	return e.setDeadlineLocked(d, i, t)
}

func (e *Endpoint) setDeadlineLocked(d *direction, i *interrupter, t time.Time) error {
	i.limit = t
	if i.woken {
		return nil
	}
	return e.applyDeadline(d, t)
}

// endOperations lets the operations of a direction under way fail, once the endpoint is given.
func (e *Endpoint) endOperations(d *direction) {
	i := d.interrupter()
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = e.setDeadlineLocked(d, i, time.Unix(1, 0)) // fails if the poller does not have the descriptor: nothing waits
}

func (e *Endpoint) applyDeadline(d *direction, t time.Time) error {
	if d == &e.out {
		return e.closedErr(e.waiter().SetWriteDeadline(t))
	}
	return e.closedErr(e.waiter().SetReadDeadline(t))
}

// interruptAfter lets the operations of a direction fail when the context ends, until end is called.
func (e *Endpoint) interruptAfter(ctx context.Context, d *direction) (end func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	i := d.interrupter()
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.woken = true
		_ = e.applyDeadline(d, time.Unix(1, 0))
	})
	return func() {
		if stop() {
			return
		}
		<-interrupted
		i.mu.Lock()
		defer i.mu.Unlock()
		i.woken = false
		if !e.closed.Load() { // Close may wake operations by a deadline, too
			_ = e.applyDeadline(d, i.limit)
		}
	}
}
