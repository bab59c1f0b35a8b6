//go:build cgo && unix

package ipc

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// An endpoint is a descriptor on the runtime's poller. All reading goes through one direction, all writing through the
// other. An open endpoint must not be copied.
type endpoint struct {
	file    *os.File
	raw     syscall.RawConn // the file's, or on Linux a hotConn
	closed  atomic.Bool
	given   atomic.Bool // to child processes: nothing is read or written here
	in, out direction
	bound   *socketFile // of a datagram socket
}

// systemDirection is what a direction needs on Unix. attempt is bound once, so that an operation allocates nothing.
type systemDirection struct {
	attempt  func(fd uintptr) bool
	pipe     bool // this is an end of one
	pausing  bool // it has to wait, for what the poller does not tell
	unpolled bool // the poller never tells
	shutdown shutdown
}

// systemExtras are what only some operations need on Unix.
type systemExtras struct {
	ancillary *coreAncillary // what goes with buffers
	pins      runtime.Pinner // of buffers
	control   []byte         // what goes with data
	length    int            // how much of control came
	peer      Name           // who data goes to

	from  *coreName // who data came from
	peers map[string]datagramPeer
}

// isPipe notes that the descriptor to be opened is an end of a pipe.
func (e *endpoint) isPipe() { e.in.pipe, e.out.pipe = true, true }

// open takes a descriptor over, and closes it if it fails.
func (e *endpoint) open(handle uintptr) error {
	err := e.tryOpen(handle)
	if err != nil {
		e.file.Close()
	}
	return err
}

// tryOpen takes a descriptor over. It fails if the system's poller does not take it, which os.NewFile keeps to itself;
// then the descriptor is in e.file all the same. One that is to poll from the start does without that poller if it can.
func (e *endpoint) tryOpen(handle uintptr) error {
	if e.in.spinLimit.Load() > 0 && e.openHot(handle) == nil {
		return nil
	}
	e.take(handle)
	if e.file.SetDeadline(time.Time{}) != nil {
		return refusedByPoller(pollerErrno(handle))
	}
	return nil
}

// refusedByPoller is the error of a descriptor that the system's poller does not take, for lack of something that
// others may give back.
func refusedByPoller(err error) error {
	return &temporaryError{fmt.Errorf("the system's poller does not take the descriptor: %w", err)}
}

func (e *endpoint) take(handle uintptr) {
	e.file = os.NewFile(handle, "ipc")
	e.raw, _ = e.file.SyscallConn() // fails for a nil file alone
	e.in.attempt, e.out.attempt = e.in.call, e.out.call
	if runtime.GOOS != "linux" { // elsewhere a datagram's receiver has no room, and the sender is writable
		e.out.unpolled = coreKind(handle) == kindDatagram
	}
}

// known turns what the runtime reports after a close, which matches nothing, into net.ErrClosed.
func (e *endpoint) known(err error) error {
	if e.file == nil { // a zero Conn: os.File's methods have failed with os.ErrInvalid
		return errInvalid
	}
	if err != nil && e.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// call goes on with the operation until it comes to an end, which it reports, or has to wait. What was done in part is
// tried again before waiting, since something else than a lack of room may have stopped it.
func (d *direction) call(fd uintptr) bool {
	const mostSpins = 8 // then it is time to look at the deadline, and for a Close
	for spins := 0; ; {
		ended := d.shutdown.begun.Load() && d.shutdown.complete()
		d.result = d.step(fd)
		if d.result.busy() && d.spinLimit.Load() > 0 && spins < mostSpins && !d.received() {
			spins++
			d.spin(func() { d.result = d.step(fd) })
		}
		if ended && (d.result.busy() || d.result == 0 && runtime.GOOS != "linux") {
			d.result = resultEnd // which no system tells who receives datagrams
		} else if d.result.busy() && d.shutdown.begun.Load() {
			continue // something may have arrived before that
		}
		if d.result.truncated() {
			if d.operation == opReceiveBatch {
				d.done++
			} else {
				d.done = len(d.data)
			}
			return true
		}
		if d.result < 0 {
			d.pausing = d.result.busy() && (d.unpolled || d.addressed())
			return !d.result.busy() || d.pausing || d.received()
		}
		if d.advance(int(d.result)) {
			return true
		}
	}
}

// A shutdown is what a reader knows of the one that this side makes.
type shutdown struct {
	mu    sync.Mutex  // held for the call
	begun atomic.Bool // and has not failed
}

// perform makes the call. begun is set before it, so that a reader that it wakes sees that.
func (s *shutdown) perform(call func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.begun.Swap(true)
	err := call()
	if err != nil {
		s.begun.Store(before)
	}
	return err
}

// complete waits for a call that is under way, and reports whether one succeeded: from then on nothing more arrives.
func (s *shutdown) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun.Load()
}

// received reports whether a batch has received something, and so does not wait for more.
func (d *direction) received() bool { return d.operation == opReceiveBatch && d.done > 0 }

// addressed reports whether data goes to a name, in which case the poller always takes the descriptor for writable.
func (d *direction) addressed() bool {
	return d.operation == opSendTo || d.operation == opSendMessage && bool(d.ancillary.c.with_peer)
}

// step makes one call into the core. It keeps its frame small, so that who waits to read does with the smallest stack there is.
func (d *direction) step(fd uintptr) result {
	switch {
	case d.operation == opRead && !d.pipe:
		return coreRead(fd, d.data)
	case d.operation == opWrite && !d.pipe:
		return coreWrite(fd, d.data)
	case d.operation == opReceive:
		return coreReceive(fd, d.data)
	case d.operation == opSend:
		return coreSend(fd, d.data)
	}
	return d.otherStep(fd)
}

//go:noinline
func (d *direction) otherStep(fd uintptr) result {
	switch d.operation {
	case opReceiveFrom:
		return coreReceiveFrom(fd, d.data, d.from)
	case opReceiveMessage:
		return coreReceiveMessage(fd, d.buffers, d.ancillary)
	case opReceiveControl:
		n, length, r := coreReceiveControl(fd, d.data, d.control)
		d.length = length
		if r.filesLost() {
			d.done = n
		}
		return r
	case opSendTo:
		return coreSendTo(fd, d.data, d.peer)
	case opSendMessage:
		if d.done == 0 { // what goes with the payload has gone with its first byte
			return coreSendMessage(fd, d.buffers, d.ancillary)
		}
		return coreWriteBuffers(fd, d.buffers)
	case opSendControl:
		if d.done == 0 {
			return coreSendControl(fd, d.data, d.control)
		}
		return coreWrite(fd, d.data)
	case opReadBuffers:
		return coreReadBuffers(fd, d.buffers)
	case opReceiveBatch:
		return coreReceive(fd, d.messages[d.done])
	case opReceiveAppend:
		return d.receiveAppend(fd, coreMessageSize(fd))
	case opPeek:
		return corePeek(fd, d.data)
	case opMessageSize:
		return coreMessageSize(fd)
	case opWrite:
		return corePipeWrite(fd, d.data)
	case opWriteBuffers:
		return coreWriteBuffers(fd, d.buffers)
	case opSendBatch:
		return coreSend(fd, d.messages[d.done])
	default:
		return corePipeRead(fd, d.data)
	}
}

// receiveAppend appends the next message to data, which grows as needed. size is the message's, or the error that says
// that the system does not report it.
func (d *direction) receiveAppend(fd uintptr, size result) result {
	used := len(d.data)
	room := min(cap(d.data)-used, d.most)
	switch {
	case size > result(d.most):
		room = 1 // for its beginning: the rest is dropped
	case size >= 0:
		room = max(room, int(size))
	case !size.unsupported():
		return size
	default:
		for room < d.most && corePeek(fd, d.data[used:used+room]).truncated() {
			room = min(max(2*room, 4096), d.most)
			d.data = slices.Grow(d.data, room)
		}
	}
	d.data = slices.Grow(d.data, room)
	r := coreReceive(fd, d.data[used:used+room])
	switch {
	case r >= 0:
		d.data = d.data[:used+int(r)]
	case r.truncated():
		d.excess = max(int(size), -1)
	}
	return r
}

// run makes an operation whose arguments are set.
func (e *endpoint) run(d *direction, operation operation) (int, error) {
	d.operation, d.done, d.result = operation, 0, 0 // it may fail before a call is made
	if err := e.usable(); err != nil {
		return 0, err
	}
	for pause := nextPause(0); ; pause = nextPause(pause) {
		d.pausing = false
		err := e.wait(d)
		if err == nil && d.pausing {
			time.Sleep(pause)
			continue
		}
		// What ended a batch that has received something is left to the next receive, which finds it again.
		received := d.received() && !d.result.truncated()
		if err = e.known(err); err == nil && !received {
			err = d.result.temporaryErr()
		}
		return d.done, err
	}
}

// wait makes attempts until one comes to an end, and waits on the poller in between.
func (e *endpoint) wait(d *direction) error {
	if d.operation < opWrite {
		return e.raw.Read(d.attempt)
	}
	return e.raw.Write(d.attempt)
}

// usable is the error of an operation that has nothing to do.
func (e *endpoint) usable() error {
	if e.file == nil {
		return errInvalid
	}
	if e.closed.Load() {
		return net.ErrClosed
	}
	if e.given.Load() {
		return errGiven
	}
	return nil
}

func (e *endpoint) close() error {
	if e.file == nil {
		return errInvalid
	}
	if e.closed.Swap(true) {
		return net.ErrClosed
	}
	if e.bound != nil {
		e.bound.close()
	}
	return e.waiter().Close()
}

// A waiter is what deadlines are set on, and what closes the descriptor.
type waiter interface {
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close() error
}

func (e *endpoint) waiter() waiter {
	if w, ok := e.raw.(waiter); ok {
		return w
	}
	return e.file
}

func (e *endpoint) setDeadline(t time.Time) error {
	if e.given.Load() {
		return os.ErrNoDeadline
	}
	return e.known(e.waiter().SetDeadline(t))
}
func (e *endpoint) setReadDeadline(t time.Time) error {
	return e.known(e.waiter().SetReadDeadline(t))
}
func (e *endpoint) setWriteDeadline(t time.Time) error {
	return e.known(e.waiter().SetWriteDeadline(t))
}

// control makes a call that never waits.
func (e *endpoint) control(call func(fd uintptr) result) error {
	if e.file == nil {
		return errInvalid
	}
	var r result
	if err := e.raw.Control(func(fd uintptr) { r = call(fd) }); err != nil {
		return e.known(err)
	}
	return r.err()
}

func (e *endpoint) shutdown(direction int) error {
	call := func() error {
		return e.control(func(fd uintptr) result { return coreShutdown(fd, direction) })
	}
	if direction == directionRead {
		return e.in.shutdown.perform(call)
	}
	return call()
}

func (e *endpoint) setBufferSize(direction, size int) error {
	return e.control(func(fd uintptr) result { return coreSetBufferSize(fd, direction, size) })
}

func (e *endpoint) peerCredentials() (credentials Credentials, err error) {
	err = e.control(func(fd uintptr) (r result) {
		credentials, r = corePeerCredentials(fd)
		return r
	})
	return credentials, err
}

func (e *endpoint) duplicate(name Name) (*os.File, error) {
	var handle uintptr
	err := e.control(func(fd uintptr) (r result) {
		handle, r = coreDuplicate(fd)
		return r
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(handle, "ipc:"+name.String()), nil
}

// A rawConn is the runtime's, but reports net.ErrClosed.
type rawConn struct{ e *endpoint }

func (c rawConn) Control(f func(fd uintptr)) error           { return c.e.known(c.e.raw.Control(f)) }
func (c rawConn) Read(f func(fd uintptr) (done bool)) error  { return c.e.known(c.e.raw.Read(f)) }
func (c rawConn) Write(f func(fd uintptr) (done bool)) error { return c.e.known(c.e.raw.Write(f)) }

// syscallConn returns access to the descriptor.
func (e *endpoint) syscallConn() (syscall.RawConn, error) {
	if e.file == nil {
		return nil, errInvalid
	}
	return rawConn{e}, nil
}
