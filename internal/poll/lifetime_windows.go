package poll

import (
	"net"
	"sync"

	"github.com/lipc/ipc/internal/core"
)

// A state is how far the operation of a direction has come. Close and deadlines cancel one that is under way; it is
// waited for all the same, since until it is over the system may write to its buffer.
type state uint8

const (
	idle      state = iota // there is none
	underWay               // there is one
	cancelled              // there is one, which is to end unless its deadline has been moved
	closed                 // there will be none
)

// A lifetime says for how long a handle is there, as fdMutex does in Go's internal/poll: until Close was called, both
// directions are closed, and no call uses it.
type lifetime struct {
	mu      sync.Mutex // guards what follows, the states and deadlines of the directions
	ended   *sync.Cond // an operation, after closing was set
	held    *held      // nil: never opened
	uses    int        // calls that need the handle
	closing bool
}

func (e *Endpoint) usableLocked() error {
	if e.held == nil {
		return core.ErrInvalid
	}
	if e.closing {
		return net.ErrClosed
	}
	return nil
}

// use keeps the handle from being closed, until done is called. Close does not wait for that, since the user may be the
// one that calls it.
func (e *Endpoint) use() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.usableLocked()
	if err == nil {
		e.uses++
	}
	return err
}

func (e *Endpoint) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.uses--
	e.releaseLocked()
}

// begin is use for the operation of a direction, of which there is one at a time. Close ends it, and waits for that.
func (d *direction) begin() error {
	e := d.end
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.usableLocked()
	if err == nil {
		d.state = underWay
	}
	return err
}

func (d *direction) over() {
	e := d.end
	e.mu.Lock()
	defer e.mu.Unlock()
	d.state = idle
	if e.closing {
		d.state = closed
		e.releaseLocked()
		e.ended.Broadcast()
	}
}

// cancelLocked ends what is under way. The system need not have anything of it at the moment.
func (d *direction) cancelLocked() {
	if d.state != underWay {
		return
	}
	d.state = cancelled
	if d.core != nil {
		core.Cancel(d.end.held.handle, d.core)
	}
	wake(d.waiter)
}

func (d *direction) isCancelled() bool {
	d.end.mu.Lock()
	defer d.end.mu.Unlock()
	return d.state == cancelled
}

// releaseLocked closes the handle if nobody needs it any more. That comes true once, with the last of those who do.
func (e *Endpoint) releaseLocked() {
	if e.closing && e.uses == 0 && e.in.state == closed && e.out.state == closed {
		e.held.release()
	}
}

// Close closes the handle. Operations that wait, and all later ones, fail.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usableLocked(); err != nil {
		return err
	}
	e.closing = true
	e.stop.Stop()
	for _, d := range []*direction{&e.in, &e.out} {
		d.deadline.stop()
		d.cancelLocked()
		if d.state == idle {
			d.state = closed
		}
	}
	e.releaseLocked()
	for e.in.state != closed || e.out.state != closed {
		e.ended.Wait()
	}
	return nil
}
