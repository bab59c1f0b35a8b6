//go:build cgo

package ipc

// Endpoints on Windows: handles of pipes. An operation is started, and if it is not over at once its goroutine sleeps until
// the completion port reports it. Deadlines and Close cancel it, and it is waited for all the same: until then the system
// may write to its buffer, and what it brought, if it was quicker, is not lost.

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// An endpoint is one end of a pipe. An open endpoint must not be copied.
type endpoint struct {
	in, out direction
	kind    result

	mu       sync.Mutex // guards what follows, and the fields of directions that say so
	held     *held      // nil: never opened
	uses     int        // that need the handle: the last one closes it
	running  int        // operations, which Close waits for
	ended    *sync.Cond // running has become 0, after closed was set
	closed   bool
	released bool
	given    bool // to child processes: nothing is read or written here
	stop     runtime.Cleanup
}

// held is what an endpoint has from the system.
type held struct {
	handle  uintptr
	in, out *coreOperation // made when first needed
	ported  bool           // the handle has a port, this one or, then
	foreign bool           // another
	shared  bool           // with a process that is not trusted

	connected int64 // when this end was accepted, connected or adopted, in nanoseconds since 1970
}

func (h *held) release() {
	for _, o := range []*coreOperation{h.in, h.out} {
		if o != nil {
			thePort.remove(o)
		}
	}
	coreClose(h.handle)
}

// systemExtras are what only some operations need on Windows.
type systemExtras struct {
	gathered []byte // small buffers, put together
}

// systemDirection is what a direction needs on Windows.
type systemDirection struct {
	core   *coreOperation
	waiter chan struct{} // is sent to when core may be over
	pins   runtime.Pinner

	// Guarded by the endpoint's mutex:
	underway  bool // core is
	cancelled bool // the last operation, by a deadline or Close
	deadline  deadline
	expire    func() // for deadline, bound once
}

// open takes a handle over.
func (e *endpoint) open(handle uintptr, kind result) {
	e.kind = kind
	e.held = &held{handle: handle, connected: time.Now().UnixNano()}
	e.ended = sync.NewCond(&e.mu)
	e.stop = runtime.AddCleanup(e, func(h *held) { h.release() }, e.held)
}

// use keeps the handle from being closed, until done is called.
func (e *endpoint) use() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.usableLocked()
	if err == nil {
		e.uses++
	}
	return err
}

func (e *endpoint) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.uses--
	e.releaseLocked()
}

// releaseLocked closes the handle once nobody needs it any more.
func (e *endpoint) releaseLocked() {
	if e.closed && e.uses == 0 && e.running == 0 && !e.released {
		e.released = true
		e.held.release()
	}
}

// operate is use for an operation, which Close ends and waits for, so that the handle is closed when it returns. (It cannot
// wait for what the user does with the handle, who may be the one that calls it.)
func (e *endpoint) operate() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.usableLocked()
	if err == nil {
		e.running++
	}
	return err
}

// operated is the end of operate.
func (e *endpoint) operated() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running--
	if e.closed && e.running == 0 {
		e.releaseLocked()
		e.ended.Broadcast()
	}
}

// usable is the error of an operation that has nothing to do.
func (e *endpoint) usable() error {
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

func (e *endpoint) usableLocked() error {
	if e.held == nil {
		return errInvalid
	}
	if e.closed {
		return net.ErrClosed
	}
	return nil
}

// An operationStart starts what the system does for an operation.
type operationStart func(handle uintptr, data unsafe.Pointer, size int, o *coreOperation) result

// perform makes one operation of the system. An error is why it was not made, or given up.
func (e *endpoint) perform(d *direction, start operationStart, data unsafe.Pointer, size int) (result, error) {
	for {
		r, err := e.begin(d, start, data, size)
		if err != nil || !r.busy() {
			return r, err
		}
		d.result = r
		// An operation that is watched by an event may seem over before the event is set, which would then tell of the next.
		if r.busy() && d.spinLimit.Load() > 0 && !d.core.isWatched() {
			d.spin(func() { d.result = coreAsyncFinish(e.held.handle, d.core) })
		}
		for r = d.result; r.busy(); r = coreAsyncFinish(e.held.handle, d.core) {
			if e.isCancelled(d) { // a process that shares the end may have taken the port away, which then reports nothing
				time.Sleep(time.Millisecond)
				continue
			}
			<-d.waiter // which may tell of an earlier operation, that polling found to be over
		}
		e.mu.Lock()
		d.underway = false
		e.mu.Unlock()
		if d.core.isWatched() {
			d.core.stopWatch()
		}
		if !r.aborted() {
			return r, nil
		}
		if d == &e.out { // the peer may have read a part: it must not be written again
			return r, e.whyAborted(d)
		}
	}
}

// whyAborted is why an operation was cancelled that is not made again, nil if somebody else did it.
func (e *endpoint) whyAborted(d *direction) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := d.interruptedLocked(e); err != nil || !d.cancelled {
		return err
	}
	return os.ErrDeadlineExceeded // which has been moved since
}

// begin starts an operation. A result that is busy says that it is under way.
func (e *endpoint) begin(d *direction, start operationStart, data unsafe.Pointer, size int) (result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := d.interruptedLocked(e); err != nil {
		return 0, err
	}
	if d.core == nil {
		if r := e.prepareLocked(d); r < 0 {
			return r, nil
		}
	}
	r := start(e.held.handle, data, size, d.core)
	d.underway, d.cancelled = r.busy(), false
	if d.underway && d.core.isWatched() {
		if watched := d.core.watchEvent(thePort.handle); watched < 0 { // only if the system is out of memory
			coreAsyncCancel(e.held.handle, d.core)
			for r.busy() {
				runtime.Gosched()
				r = coreAsyncFinish(e.held.handle, d.core)
			}
			d.underway = false
			if r.aborted() {
				return watched, nil
			}
		}
	}
	return r, nil
}

// prepareLocked makes what a direction needs for its first operation. Only then is the handle added to the port, which
// cannot be undone and concerns whoever else has a handle for the same end.
func (e *endpoint) prepareLocked(d *direction) result {
	r := e.addToPortLocked()
	if r < 0 {
		return r
	}
	o, waiter := thePort.add()
	if e.held.foreign {
		if r = o.watched(); r < 0 {
			thePort.remove(o)
			return r
		}
	}
	d.core, d.waiter = o, waiter
	if d == &e.in {
		e.held.in = o
	} else {
		e.held.out = o
	}
	return 0
}

func (e *endpoint) addToPort() result {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addToPortLocked()
}

func (e *endpoint) addToPortLocked() result {
	port, r := thePort.open()
	if r >= 0 && !e.held.ported {
		e.held.foreign, r = corePortAdd(port, e.held.handle)
		e.held.ported = r >= 0
	}
	return r
}

// interruptedLocked is why no operation may begin or go on.
func (d *direction) interruptedLocked(e *endpoint) error {
	if e.closed {
		return net.ErrClosed
	}
	if e.given {
		return errGiven
	}
	if d.deadline.passed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (e *endpoint) interrupted(d *direction) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return d.interruptedLocked(e)
}

// cancelLocked ends what is under way.
func (d *direction) cancelLocked(e *endpoint) {
	if d.underway {
		d.cancelled = true
		coreAsyncCancel(e.held.handle, d.core)
		wake(d.waiter)
	}
}

func (e *endpoint) isCancelled(d *direction) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return d.cancelled
}

func (e *endpoint) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usableLocked(); err != nil {
		return err
	}
	e.closed = true
	e.stop.Stop()
	for _, d := range []*direction{&e.in, &e.out} {
		d.cancelLocked(e)
		d.deadline.stop()
	}
	for e.running > 0 {
		e.ended.Wait()
	}
	e.releaseLocked()
	return nil
}

func (e *endpoint) setDeadline(t time.Time) error {
	return e.setDeadlines(t, &e.in, &e.out)
}
func (e *endpoint) setReadDeadline(t time.Time) error  { return e.setDeadlines(t, &e.in) }
func (e *endpoint) setWriteDeadline(t time.Time) error { return e.setDeadlines(t, &e.out) }

func (e *endpoint) setDeadlines(t time.Time, directions ...*direction) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usableLocked(); err != nil {
		return err
	}
	if e.given {
		return os.ErrNoDeadline
	}
	for _, d := range directions {
		if d.expire == nil {
			d.expire = func() { d.expired(e) }
		}
		if d.deadline.set(t, d.expire) {
			d.cancelLocked(e)
		}
	}
	return nil
}

func (d *direction) expired(e *endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && d.deadline.due() {
		d.cancelLocked(e)
	}
}

// control makes a call that never waits.
func (e *endpoint) control(call func(handle uintptr) result) error {
	if err := e.use(); err != nil {
		return err
	}
	defer e.done()
	return call(e.held.handle).err()
}

func (e *endpoint) shutdown(direction int) error {
	return e.control(func(handle uintptr) result { return coreShutdown(handle, direction) })
}

func (e *endpoint) setBufferSize(direction, size int) error {
	return e.control(func(handle uintptr) result { return coreSetBufferSize(handle, direction, size) })
}

func (e *endpoint) peerCredentials() (credentials Credentials, err error) {
	var r result
	err = e.control(func(handle uintptr) result {
		if credentials, r = corePeerCredentials(handle); r >= 0 {
			credentials.SID, r = corePeerSID(handle)
		}
		return r
	})
	if r.busy() {
		return credentials, &codeError{"nothing has been read from the client yet, before which its user is not known",
			r.number(), syscall.EAGAIN}
	}
	if err != nil {
		return Credentials{}, err
	}
	return credentials, nil
}

// distrust has operations report through events alone, never through a port: whoever shares the handle can take the
// port from it, or put another in its place, at any time.
func (e *endpoint) distrust() { e.held.ported, e.held.foreign, e.held.shared = true, true, true }

func (e *endpoint) duplicate(name Name) (*os.File, error) {
	if e.held != nil && e.held.shared {
		return nil, fmt.Errorf("the process that it was taken from could end this one with the file: %w", unsupported())
	}
	var duplicate uintptr
	err := e.control(func(handle uintptr) (r result) {
		if r = e.addToPort(); r >= 0 { // otherwise os.NewFile gives it to a port of its own
			duplicate, r = coreDuplicate(handle)
		}
		return r
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(duplicate, "ipc:"+name.String()), nil
}

// A rawConn gives access to the handle.
type rawConn struct{ e *endpoint }

func (c rawConn) Control(f func(handle uintptr)) error {
	return c.e.control(func(handle uintptr) result { f(handle); return 0 })
}

// Read and Write cannot be: there is nothing that would say when to try again.
func (c rawConn) Read(func(handle uintptr) bool) error  { return unsupported() }
func (c rawConn) Write(func(handle uintptr) bool) error { return unsupported() }

// syscallConn returns access to the handle.
func (e *endpoint) syscallConn() (syscall.RawConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held == nil {
		return nil, errInvalid
	}
	return rawConn{e}, nil
}
