package poll

import (
	"net"
	"sync"

	"github.com/lipc/ipc/internal/core"
)

// A state is the progress of a direction's operation. Close and deadlines cancel an operation that is under way. They
// still wait for it, because the system may write to its buffer until it is over.
type state uint8

const (
	idle      state = iota // there is no operation
	underWay               // there is an operation
	cancelled              // there is one, which is to end, unless its deadline was changed
	closed                 // there will be no operation any more
)

// A lifetime decides when the handle is closed, as fdMutex does in Go's internal/poll: once Close was called, both
// directions are closed, and no call uses the handle.
type lifetime struct {
	mu      sync.Mutex // guards the fields below, and the states and deadlines of the directions
	ended   *sync.Cond // signals that an operation has ended after closing was set
	held    *held      // nil: never opened
	uses    int        // how many calls use the handle
	closing bool
}

func (e *Endpoint) usableLocked() error {
	if e.held == nil {
		return core.ErrZero
	}
	if e.closing {
		return net.ErrClosed
	}
	return nil
}

// use keeps the handle open until done is called. Close does not wait for that, because the caller of use may itself
// call Close.
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

// begin is use for the operation of a direction, which has one at a time. Close cancels the operation, and waits until
// it is over.
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

// cancelLocked cancels an operation that is under way. At this moment it may have nothing under way in the system.
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

// releaseLocked closes the handle if nothing needs it any more. That becomes true exactly once, with the last direction
// or call to end.
func (e *Endpoint) releaseLocked() {
	if e.closing && e.uses == 0 && e.in.state == closed && e.out.state == closed {
		e.held.release()
	}
}

// Close closes the handle. Operations under way, and all later ones, fail.
func (e *Endpoint) Close() error {
	if c := e.channel.Load(); c != nil { // which uses the handle
		return c.Close()
	}
	return e.close()
}

func (e *Endpoint) close() error {
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

// Refuse closes a connection to a peer that is not admitted. A client that does not close could otherwise keep the
// instance, of which there may be a limited number.
func (e *Endpoint) Refuse() {
	_ = e.Control(core.Disconnect) // fails if the peer is the server
	_ = e.Close()
}
