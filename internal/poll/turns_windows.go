package poll

import (
	"context"
	"os"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// systemTurns waits for a handle that the system signals.
type systemTurns struct {
	watch  *core.Operation
	waiter chan struct{} // receives when the handle may have been signalled, or there is a reason to stop

	deadline deadline // the mutex guards it
}

// await waits until a handle is signalled, or until it is woken.
func (t *turns) await(handle uintptr) core.Result {
	r := t.watch.WatchHandle(thePort.handle, handle)
	if r >= 0 {
		<-t.waiter
	}
	return r
}

// awaitFor waits for d, or until it is woken.
func (t *turns) awaitFor(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.waiter:
	}
}

// stopped returns an error if waiting must not go on.
func (t *turns) stopped(ctx context.Context) error {
	if err := t.interrupted(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deadline.passed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// interruptAfter wakes the goroutine that waits when the context ends, until end is called.
func (t *turns) interruptAfter(ctx context.Context) (end func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	stop := context.AfterFunc(ctx, func() { wake(t.waiter) })
	return func() { stop() }
}

func (t *turns) closeLocked() {
	t.deadline.stop()
	wake(t.waiter)
}

func (t *turns) setDeadlineLocked(at time.Time) error {
	if t.deadline.set(at, t.expire) {
		wake(t.waiter)
	}
	return nil
}

func (t *turns) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed && t.deadline.due() {
		wake(t.waiter)
	}
}
