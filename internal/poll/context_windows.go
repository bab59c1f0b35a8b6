package poll

import "context"

// systemInterrupter is why the operations of a direction fail. The endpoint's mutex guards it.
type systemInterrupter struct{ ended error }

// interruptAfter lets the operations of a direction fail when the context ends, until end is called.
func (e *Endpoint) interruptAfter(ctx context.Context, d *direction) (end func()) {
	i := d.interrupter()
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		e.mu.Lock()
		defer e.mu.Unlock()
		i.ended = ctx.Err()
		if e.held != nil && !e.closing {
			d.cancelLocked()
		}
	})
	return func() {
		if stop() {
			return
		}
		<-interrupted
		e.mu.Lock()
		defer e.mu.Unlock()
		i.ended = nil
	}
}
