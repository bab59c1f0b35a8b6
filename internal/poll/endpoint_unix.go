//go:build unix

package poll

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// An Endpoint is a descriptor on the runtime's poller. All reading goes through one direction, and all writing through
// the other. An open Endpoint must not be copied.
type Endpoint struct {
	file    *os.File
	raw     syscall.RawConn // that of file, or on Linux a spinningConn
	closed  atomic.Bool
	given   atomic.Bool // this end is for child processes: nothing is read or written here
	in, out direction
	bound   *socketFile             // of a bound datagram socket
	channel atomic.Pointer[Channel] // that the connection has become
}

// systemDirection is what a direction needs on Unix. attempt is bound once, so that an operation allocates nothing.
type systemDirection struct {
	attempt   func(fd uintptr) bool
	shutdown  atomic.Pointer[shutdown] // nil: none was begun
	spinLimit atomic.Uint32            // how long to spin before waiting, in microseconds
	pipe      bool                     // this is an end of a pipe
	addressed bool                     // the operation sends to a name: to the poller the descriptor is always writable
	unpolled  bool                     // the poller reports nothing for this direction
	pausing   bool                     // the operation must wait for something that the poller does not report
}

// systemExtras are what only some operations need on Unix.
type systemExtras struct {
	pins      runtime.Pinner  // of buffers
	ancillary *core.Ancillary // what travels with buffers
	control                   // what travels with data
	addresses                 // of datagrams
}

// open takes over a descriptor. It closes the descriptor if it fails.
func (e *Endpoint) open(handle uintptr) error {
	err := e.tryOpen(handle)
	if err != nil {
		e.file.Close()
	}
	return err
}

// tryOpen takes over a descriptor. It fails if the system's poller refuses the descriptor, which os.NewFile does not
// report; e.file has the descriptor then, too. A descriptor that spins from the start stays off the runtime's poller if
// possible.
func (e *Endpoint) tryOpen(handle uintptr) error {
	if e.in.spinLimit.Load() > 0 && e.openSpinning(handle) == nil {
		return nil
	}
	e.take(handle)
	if e.file.SetDeadline(time.Time{}) != nil {
		return refusedByPoller(pollerErrno(handle))
	}
	return nil
}

// refusedByPoller returns the error of a descriptor that the system's poller refused, for lack of something that others
// may give back.
func refusedByPoller(err error) error {
	return core.Temporary(fmt.Errorf("the system's poller does not take the descriptor: %w", err))
}

func (e *Endpoint) take(handle uintptr) {
	e.file = os.NewFile(handle, "ipc")
	e.raw, _ = e.file.SyscallConn() // fails only for a nil file
	e.in.attempt, e.out.attempt = e.in.call, e.out.call
	if runtime.GOOS != "linux" { // other systems report a sender as writable although the receiver has no room
		kind, _ := core.KindOf(handle)
		e.out.unpolled = kind == core.KindDatagram
	}
}

func (e *Endpoint) opened() bool { return e.file != nil }

// closedErr turns the runtime's error after a close, which matches no sentinel, into net.ErrClosed.
func (e *Endpoint) closedErr(err error) error {
	if !e.opened() { // os.File's methods have failed with os.ErrInvalid
		return core.ErrZero
	}
	if err != nil && e.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// waitedErr returns why waiting ended. If the end was given meanwhile, that is why.
func (e *Endpoint) waitedErr(err error) error {
	if err = e.closedErr(err); err == os.ErrDeadlineExceeded && e.given.Load() {
		return errGiven
	}
	return err
}

// call performs steps of the operation until the operation is over, which it reports by true, or must wait. After a
// step that did a part it tries again before waiting, because something else than a lack of room may have stopped the
// step.
func (d *direction) call(fd uintptr) bool {
	const mostSpins = 8 // after so many, return to look at the deadline and at Close
	for spins := 0; ; {
		ended := d.shutdown.Load().complete()
		d.result = d.operation.step(d, fd)
		if d.result.Busy() && d.spinLimit.Load() > 0 && spins < mostSpins && !d.received() {
			spins++
			d.spin(func() { d.result = d.operation.step(d, fd) })
		}
		if ended && (d.result.Busy() || d.result == 0 && runtime.GOOS != "linux") {
			d.result = core.End // no system reports it to a receiver of datagrams
		} else if d.result.Busy() && d.shutdown.Load().hasBegun() {
			continue // something may have arrived before the shutdown began
		}
		if d.result.Truncated() {
			if d.operation.batch {
				d.done++
			} else {
				d.done = len(d.data)
			}
			return true
		}
		if d.result < 0 {
			d.pausing = d.result.Busy() && (d.unpolled || d.addressed)
			return !d.result.Busy() || d.pausing || d.received()
		}
		if d.advance(int(d.result)) {
			return true
		}
	}
}

// A shutdown records for readers whether this process has shut the reading direction down.
type shutdown struct {
	mu    sync.Mutex  // held during the call
	begun atomic.Bool // and has not failed so far
}

// shutDown performs the call that shuts the direction down. It sets begun before, so that a reader woken by the call
// sees begun.
func (d *direction) shutDown(call func() error) error {
	d.shutdown.CompareAndSwap(nil, new(shutdown))
	s := d.shutdown.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.begun.Swap(true)
	err := call()
	if err != nil {
		s.begun.Store(before)
	}
	return err
}

// shutDownWriting shuts writing down.
func (e *Endpoint) shutDownWriting() error { return e.shutdown(core.Writing) }

// hasBegun reports whether a shutdown is under way or complete.
func (s *shutdown) hasBegun() bool { return s != nil && s.begun.Load() }

// complete waits for a call that is under way, and reports whether one has succeeded. From then on nothing more
// arrives.
func (s *shutdown) complete() bool {
	if !s.hasBegun() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun.Load()
}

// run performs an operation whose arguments are set.
func (e *Endpoint) run(d *direction, o *operation) (int, error) {
	d.start(o) // before the checks, which may end the operation without a call
	return e.goOn(d)
}

// goOn performs the rest of an operation: attempts until one ends it, and waits on the poller in between.
func (e *Endpoint) goOn(d *direction) (int, error) {
	if err := e.Usable(); err != nil {
		return d.done, err
	}
	for pause := nextPause(0); ; pause = nextPause(pause) {
		d.pausing = false
		var err error
		if d == &e.out {
			err = e.raw.Write(d.attempt)
		} else {
			err = e.raw.Read(d.attempt)
		}
		if err == nil && d.pausing {
			time.Sleep(pause)
			continue
		}
		// An error that ends a batch after something was received is not reported: the next receive finds it again.
		received := d.received() && !d.result.Truncated()
		if err = e.waitedErr(err); err == nil && !received {
			err = d.result.TemporaryErr()
		}
		return d.done, err
	}
}

// Usable returns nil if the endpoint can be used, otherwise the error of its operations.
func (e *Endpoint) Usable() error {
	if !e.opened() {
		return core.ErrZero
	}
	if e.closed.Load() {
		return net.ErrClosed
	}
	if e.given.Load() {
		return errGiven
	}
	return nil
}

// Close closes the descriptor. Operations under way, and all later ones, fail.
func (e *Endpoint) Close() error {
	if !e.opened() {
		return core.ErrZero
	}
	if c := e.channel.Load(); c != nil { // which uses the descriptor
		return c.Close()
	}
	if e.closed.Swap(true) {
		return net.ErrClosed
	}
	if e.bound != nil {
		e.bound.close()
	}
	return e.waiter().Close()
}

// Refuse closes a connection to a peer that is not admitted.
func (e *Endpoint) Refuse() { _ = e.Close() }

// A waiter has the deadlines, and closes the descriptor.
type waiter interface {
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close() error
}

func (e *Endpoint) waiter() waiter {
	if w, ok := e.raw.(waiter); ok {
		return w
	}
	return e.file
}

// SetDeadline sets the deadlines of both directions.
func (e *Endpoint) SetDeadline(t time.Time) error {
	if err := e.setDeadline(&e.in, t); err != nil {
		return err
	}
	return e.setDeadline(&e.out, t)
}

// SetReadDeadline sets the deadline of reading.
func (e *Endpoint) SetReadDeadline(t time.Time) error {
	return e.setDeadline(&e.in, t)
}

// SetWriteDeadline sets the deadline of writing.
func (e *Endpoint) SetWriteDeadline(t time.Time) error {
	return e.setDeadline(&e.out, t)
}

// Control performs a call that never waits.
func (e *Endpoint) Control(call func(fd uintptr) core.Result) error {
	if !e.opened() {
		return core.ErrZero
	}
	var r core.Result
	if err := e.raw.Control(func(fd uintptr) { r = call(fd) }); err != nil {
		return e.closedErr(err)
	}
	return r.Err()
}

// Duplicate returns a file with this name, on a duplicate of the descriptor.
func (e *Endpoint) Duplicate(name string) (*os.File, error) {
	return e.newFile(name, core.Duplicate)
}

// newFile returns a file on the descriptor that call returns.
func (e *Endpoint) newFile(name string, call func(fd uintptr) (uintptr, core.Result)) (*os.File, error) {
	var handle uintptr
	err := e.Control(func(fd uintptr) (r core.Result) {
		handle, r = call(fd)
		return r
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(handle, name), nil
}

// A rawConn is the runtime's, except that it reports net.ErrClosed, and that it takes turns with the operations: the
// end of a context ends whatever waits for the same direction.
type rawConn struct{ e *Endpoint }

func (c rawConn) Control(f func(fd uintptr)) error { return c.e.closedErr(c.e.raw.Control(f)) }

func (c rawConn) Read(f func(fd uintptr) (done bool)) error {
	c.e.in.mu.Lock()
	defer c.e.in.mu.Unlock()
	return c.e.waitedErr(c.e.raw.Read(f))
}

func (c rawConn) Write(f func(fd uintptr) (done bool)) error {
	c.e.out.mu.Lock()
	defer c.e.out.mu.Unlock()
	return c.e.waitedErr(c.e.raw.Write(f))
}
