package poll

import (
	"context"
	"errors"
	"os"
)

// An interrupter lets contexts end the operations of a direction. It is allocated when it is first needed.
type interrupter struct {
	locking chan struct{} // full while a goroutine locks the direction for one whose context may end meanwhile
	systemInterrupter
}

// interrupter returns the direction's interrupter.
func (d *direction) interrupter() *interrupter {
	if d.interrupts.Load() == nil {
		d.interrupts.CompareAndSwap(nil, &interrupter{locking: make(chan struct{}, 1)})
	}
	return d.interrupts.Load()
}

// within locks a direction and performs an operation of it, until the context ends. Then the error is the context's.
func (e *Endpoint) within(ctx context.Context, d *direction, perform func() (int, error)) (int, error) {
	if ctx.Done() == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		return perform()
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := d.lock(ctx); err != nil {
		return 0, err
	}
	defer d.mu.Unlock()
	end := e.interruptAfter(ctx, d)
	n, err := perform()
	end()
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return n, err
}

// lock locks the direction, unless the context ends before. An operation of another goroutine may have locked it for
// long. Then a goroutine of its own waits for that, of which the direction has one at a time.
func (d *direction) lock(ctx context.Context) error {
	if d.mu.TryLock() {
		return nil
	}
	locking := d.interrupter().locking
	select {
	case locking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	locked := make(chan struct{})
	go func() {
		d.mu.Lock()
		select {
		case locked <- struct{}{}:
		case <-ctx.Done():
			d.mu.Unlock()
		}
		<-locking
	}()
	select {
	case <-locked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReadContext is Read, until the context ends.
func (e *Endpoint) ReadContext(ctx context.Context, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.Usable()
	}
	return ended(e.transferWithin(ctx, &e.in, read, b))
}

// WriteContext is Write, until the context ends.
func (e *Endpoint) WriteContext(ctx context.Context, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.Usable()
	}
	return e.transferWithin(ctx, &e.out, write, b)
}

// SendContext is Send, until the context ends.
func (e *Endpoint) SendContext(ctx context.Context, b []byte) error {
	_, err := e.transferWithin(ctx, &e.out, send, b)
	return e.explainSize(len(b), err)
}

// ReceiveContext is Receive, until the context ends.
func (e *Endpoint) ReceiveContext(ctx context.Context, b []byte) (int, error) {
	return e.transferWithin(ctx, &e.in, receive, b)
}

// transferWithin is transfer, until the context ends.
func (e *Endpoint) transferWithin(ctx context.Context, d *direction, o *operation, data []byte) (int, error) {
	return e.within(ctx, d, func() (int, error) { return e.transferLocked(d, o, data) })
}
