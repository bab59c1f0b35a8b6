package poll

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/lipc/ipc/internal/core"
)

// An Endpoint is one end of a pipe. If an operation that it starts is not over at once, the goroutine sleeps until the
// completion port reports the operation. An open Endpoint must not be copied.
type Endpoint struct {
	in, out direction
	kind    core.Kind
	stop    runtime.Cleanup
	lifetime
	given   bool                    // this end is for child processes: nothing is read or written here; the mutex guards it
	channel atomic.Pointer[Channel] // that the connection has become
}

// held is the system resources of an endpoint. It does not refer to the endpoint, so that the endpoint can be cleaned
// up.
type held struct {
	handle  uintptr
	in, out *core.Operation // created when first needed
	ported  bool            // the handle has a port
	foreign bool            // that port is not thePort
	shared  bool            // a process that is not trusted has the handle, too

	connected int64 // when this end was accepted, connected or adopted, in nanoseconds since 1970
}

func (h *held) release() {
	for _, o := range []*core.Operation{h.in, h.out} {
		if o != nil {
			thePort.remove(o)
		}
	}
	core.Close(h.handle)
}

// systemDirection is what a direction needs on Windows.
type systemDirection struct {
	spinLimit atomic.Uint32 // how long to spin before waiting, in microseconds

	end    *Endpoint
	core   *core.Operation
	waiter chan struct{} // receives when the operation may be over
	pins   runtime.Pinner
	err    error // why the operation was not started, or was given up
	shut   bool  // the direction has ended before the connection; it does not start another operation

	// The endpoint's mutex guards these.
	state    state
	deadline deadline
	expire   func() // for deadline; bound once, so that setting it allocates nothing
}

// systemExtras are what only some operations need on Windows.
type systemExtras struct {
	gathered []byte // small buffers, joined
}

// open takes over a handle.
func (e *Endpoint) open(handle uintptr, kind core.Kind) {
	e.kind = kind
	e.held = &held{handle: handle, connected: time.Now().UnixNano()}
	e.in.end, e.out.end = e, e
	e.in.expire, e.out.expire = e.in.expired, e.out.expired
	e.ended = sync.NewCond(&e.mu)
	e.stop = runtime.AddCleanup(e, (*held).release, e.held)
}

func (e *Endpoint) opened() bool { return e.held != nil }

// Usable returns nil if the endpoint can be used, otherwise the error of its operations.
func (e *Endpoint) Usable() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usableLocked(); err != nil {
		return err
	}
	if e.given {
		return errGiven
	}
	return nil
}

// run performs an operation whose arguments are set.
func (e *Endpoint) run(d *direction, o *operation) (int, error) {
	if !e.opened() {
		return 0, core.ErrZero
	}
	d.start(o)
	d.err = nil
	if err := d.begin(); err != nil {
		return 0, err
	}
	defer d.over()
	defer d.pins.Unpin()
	for {
		r := o.step(d, e.held.handle)
		if r.Busy() && e.channel.Load() != nil { // other steps wait by themselves
			if r = d.channelMove(e.held.handle); r >= 0 && d.err == nil {
				continue
			}
		}
		d.result = r
		switch {
		case d.err != nil:
			return d.done, d.err
		case r.Truncated() && o.batch:
			d.done++
		case r.Truncated():
			d.done = max(d.done, len(d.data))
		}
		if r < 0 {
			return d.done, d.runErr()
		}
		if d.advance(int(r)) || o.batch && core.MessageSize(e.held.handle).Busy() {
			return d.done, nil
		}
	}
}

func (d *direction) runErr() error {
	switch {
	case d.received() && !d.result.Truncated():
		return nil // the next receive finds the error again
	case !d.result.WrongDirection():
		return d.result.TemporaryErr()
	case d.operation.writes:
		return core.Invalidf("this end of a one-way pipe reads, and cannot be written to")
	default:
		return core.Invalidf("this end of a one-way pipe writes, and cannot be read from")
	}
}

// perform performs one operation of the system. It sets err if the operation was not started, or was given up.
func (d *direction) perform(start core.Start, data unsafe.Pointer, size int) core.Result {
	handle := d.end.held.handle
	for {
		r := d.startOne(start, data, size)
		if d.err != nil || !r.Busy() {
			return r
		}
		d.result = r
		// An operation with an event may seem to be over before the event is set. The event would then report the next
		// operation, so there is no spin.
		if d.spinLimit.Load() > 0 && !d.core.HasEvent() {
			d.spin(func() { d.result = core.Finish(handle, d.core) })
		}
		for r = d.result; r.Busy(); r = core.Finish(handle, d.core) {
			if d.isCancelled() { // a process that shares the end may have removed the port, which then reports nothing
				time.Sleep(time.Millisecond)
				continue
			}
			<-d.waiter // may be for an earlier operation, which a spin found to be over
		}
		if d.core.HasEvent() {
			d.core.StopWatch()
		}
		if !r.Aborted() {
			return r
		}
		if d == &d.end.out { // the peer may have read a part, which must not be written again
			d.err = d.whyAborted()
			return r
		}
	}
}

// whyAborted returns why an operation was cancelled that is not started again: nil if somebody else cancelled it.
func (d *direction) whyAborted() error {
	d.end.mu.Lock()
	defer d.end.mu.Unlock()
	if err := d.interruptedLocked(); err != nil || d.state != cancelled {
		return err
	}
	return os.ErrDeadlineExceeded // the deadline was changed since
}

// startOne starts an operation. A busy result means that it is under way.
func (d *direction) startOne(start core.Start, data unsafe.Pointer, size int) core.Result {
	e := d.end
	e.mu.Lock()
	defer e.mu.Unlock()
	if d.err = d.interruptedLocked(); d.err != nil {
		return 0
	}
	if d.shut {
		return d.endResult()
	}
	if d.core == nil {
		if r := d.prepareLocked(); r < 0 {
			return r
		}
	}
	d.state = underWay
	r := start(e.held.handle, data, size, d.core)
	if r.Busy() && d.core.HasEvent() {
		if watched := d.core.WatchEvent(thePort.handle); watched < 0 { // only if the system is out of memory
			core.Cancel(e.held.handle, d.core)
			for r.Busy() {
				runtime.Gosched()
				r = core.Finish(e.held.handle, d.core)
			}
			if r.Aborted() {
				return watched
			}
		}
	}
	return r
}

// endResult is the result of an operation after the end of the direction.
func (d *direction) endResult() core.Result {
	if d == &d.end.in {
		return core.End
	}
	return core.Broken
}

// prepareLocked prepares a direction for its first operation. The handle is added to the port only here, because that
// cannot be undone, and affects everybody that has a handle for the same end.
func (d *direction) prepareLocked() core.Result {
	held := d.end.held
	r := d.end.addToPortLocked()
	if r < 0 {
		return r
	}
	o, waiter := thePort.add()
	if held.foreign {
		if r = o.UseEvent(); r < 0 {
			thePort.remove(o)
			return r
		}
	}
	d.core, d.waiter = o, waiter
	if d == &d.end.in {
		held.in = o
	} else {
		held.out = o
	}
	return 0
}

func (e *Endpoint) addToPort() core.Result {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addToPortLocked()
}

func (e *Endpoint) addToPortLocked() core.Result {
	port, r := thePort.open()
	if r >= 0 && !e.held.ported {
		e.held.foreign, r = core.AddToPort(port, e.held.handle)
		e.held.ported = r >= 0
	}
	return r
}

// interruptedLocked returns why no operation may begin or go on.
func (d *direction) interruptedLocked() error {
	if err := d.end.usableLocked(); err != nil {
		return err
	}
	if d.end.given {
		return errGiven
	}
	if i := d.interrupts.Load(); i != nil && i.ended != nil {
		return i.ended
	}
	if d.deadline.passed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (d *direction) interrupted() error {
	d.end.mu.Lock()
	defer d.end.mu.Unlock()
	return d.interruptedLocked()
}

// SetDeadline sets the deadlines of both directions.
func (e *Endpoint) SetDeadline(t time.Time) error { return e.setDeadlines(t, &e.in, &e.out) }

// SetReadDeadline sets the deadline of reading.
func (e *Endpoint) SetReadDeadline(t time.Time) error { return e.setDeadlines(t, &e.in) }

// SetWriteDeadline sets the deadline of writing.
func (e *Endpoint) SetWriteDeadline(t time.Time) error { return e.setDeadlines(t, &e.out) }

func (e *Endpoint) setDeadlines(t time.Time, directions ...*direction) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usableLocked(); err != nil {
		return err
	}
	if e.given {
		return os.ErrNoDeadline
	}
	for _, d := range directions {
		if d.deadline.set(t, d.expire) {
			d.cancelLocked()
		}
	}
	return nil
}

func (d *direction) expired() {
	d.end.mu.Lock()
	defer d.end.mu.Unlock()
	if !d.end.closing && d.deadline.due() {
		d.cancelLocked()
	}
}

// shutDown performs the call that shuts reading down, which fails.
func (d *direction) shutDown(call func() error) error { return call() }

// shutDownWriting shuts writing down, once the peer has read what was written. After a deadline it does not wait for
// that, but may still succeed.
func (e *Endpoint) shutDownWriting() error {
	return e.flush(e.Usable, func(handle uintptr) core.Result {
		if e.out.shut {
			return 0
		}
		r := core.Shutdown(handle, core.Writing)
		if r.Busy() {
			core.Flush(handle, flushTime)
		}
		e.out.shut = r >= 0
		return r
	})
}

// Control performs a call that never waits.
func (e *Endpoint) Control(call func(handle uintptr) core.Result) error {
	if err := e.use(); err != nil {
		return err
	}
	defer e.done()
	return call(e.held.handle).Err()
}

// distrust makes operations report through events only, never through a port, because a process that shares the handle
// can remove the port from it, or replace it, at any time.
func (e *Endpoint) distrust() { e.held.ported, e.held.foreign, e.held.shared = true, true, true }

// Duplicate returns a file with this name, on a duplicate of the handle.
func (e *Endpoint) Duplicate(name string) (*os.File, error) {
	if e.opened() && e.held.shared {
		return nil, fmt.Errorf("the process that it was taken from could end this one with the file: %w", core.Unsupported())
	}
	var duplicate uintptr
	err := e.Control(func(handle uintptr) (r core.Result) {
		if r = e.addToPort(); r >= 0 { // otherwise os.NewFile would add the handle to the runtime's port
			duplicate, r = core.Duplicate(handle)
		}
		return r
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(duplicate, name), nil
}

// A rawConn gives access to the handle.
type rawConn struct{ e *Endpoint }

func (c rawConn) Control(f func(handle uintptr)) error {
	return c.e.Control(func(handle uintptr) core.Result { f(handle); return 0 })
}

// Windows does not report when a handle can be read or written, so Read and Write would not know when to try again.
func (c rawConn) Read(func(handle uintptr) bool) error  { return core.Unsupported() }
func (c rawConn) Write(func(handle uintptr) bool) error { return core.Unsupported() }

var _ syscall.RawConn = rawConn{}
