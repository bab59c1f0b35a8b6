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

// begin locks a direction for an operation, which fails when the context ends. If begin succeeds, finish must follow.
// The two are not one function that takes the operation as a closure, because each call around a system call costs:
// after the system call the processor mispredicts each return.
func (e *Endpoint) begin(ctx context.Context, d *direction) (end func(), err error) {
	if ctx.Done() == nil {
		d.mu.Lock()
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.lock(ctx); err != nil {
		return nil, err
	}
	return e.interruptAfter(ctx, d), nil
}

// finish unlocks the direction, and returns the error of the operation: the context's if its end interrupted it.
func (e *Endpoint) finish(ctx context.Context, d *direction, end func(), err error) error {
	if end != nil {
		end()
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	d.mu.Unlock()
	return err
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
	end, err := e.begin(ctx, d)
	if err != nil {
		return 0, err
	}
	n, err := e.transferLocked(d, o, data)
	return n, e.finish(ctx, d, end, err)
}
