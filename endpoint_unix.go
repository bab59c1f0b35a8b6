//go:build cgo && unix

package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// An endpoint is a descriptor on the runtime's poller. All reading goes through one direction, all writing through the
// other. An open endpoint must not be copied.
type endpoint struct {
	file    *os.File
	raw     syscall.RawConn
	closed  atomic.Bool
	in, out direction
}

// A direction makes one operation at a time. Arguments and result are its fields, and attempt is bound once, so that
// an operation allocates nothing.
type direction struct {
	mu        sync.Mutex // held for a whole operation
	attempt   func(fd uintptr) bool
	operation operation

	data     []byte       // what is left to transfer, or
	buffers  []coreBuffer // the same for the vectored forms, or
	messages [][]byte     // for batches
	done     int          // what was transferred: bytes, or messages of a batch
	result   result       // of the last call

	vector []coreBuffer // memory for buffers
	pins   runtime.Pinner
}

// An operation is what a direction does.
type operation uint8

const (
	opRead operation = iota
	opReadBuffers
	opReceive
	opReceiveAppend
	opReceiveBatch
	opPeek
	opMessageSize
	opWrite // this and what follows waits until the descriptor is writable
	opWriteBuffers
	opSend
	opSendBatch
)

// open takes a descriptor over. It fails, and closes the descriptor, if the poller does not take it (epoll_ctl(2):
// fs.epoll.max_user_watches), which os.NewFile keeps to itself.
func (e *endpoint) open(handle uintptr) error {
	e.file = os.NewFile(handle, "ipc")
	if err := e.file.SetDeadline(time.Time{}); err != nil {
		e.file.Close()
		return fmt.Errorf("the system's poller does not take the descriptor: %w", err)
	}
	e.raw, _ = e.file.SyscallConn() // fails for a nil file alone
	e.in.attempt, e.out.attempt = e.in.call, e.out.call
	return nil
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
	for {
		d.result = d.step(fd)
		if d.result.truncated() {
			if d.operation == opReceiveBatch {
				d.done++
			} else {
				d.done = len(d.data)
			}
			return true
		}
		if d.result < 0 {
			return !d.result.busy() || d.operation == opReceiveBatch && d.done > 0
		}
		if d.advance(int(d.result)) {
			return true
		}
	}
}

// step makes one call into the core.
func (d *direction) step(fd uintptr) result {
	switch d.operation {
	case opReadBuffers:
		return coreReadBuffers(fd, d.buffers)
	case opReceive:
		return coreReceive(fd, d.data)
	case opReceiveBatch:
		return coreReceive(fd, d.messages[d.done])
	case opReceiveAppend:
		return d.receiveAppend(fd)
	case opPeek:
		return corePeek(fd, d.data)
	case opMessageSize:
		return coreMessageSize(fd)
	case opWrite:
		return coreWrite(fd, d.data)
	case opWriteBuffers:
		return coreWriteBuffers(fd, d.buffers)
	case opSend:
		return coreSend(fd, d.data)
	case opSendBatch:
		return coreSend(fd, d.messages[d.done])
	default:
		return coreRead(fd, d.data)
	}
}

// advance notes that n bytes were transferred, and reports whether that was all.
func (d *direction) advance(n int) bool {
	switch d.operation {
	case opReceiveBatch:
		d.messages[d.done] = d.messages[d.done][:n]
		fallthrough
	case opSendBatch:
		d.done++
		return d.done == len(d.messages)
	}
	d.done += n
	switch d.operation {
	case opWrite:
		d.data = d.data[n:]
		return len(d.data) == 0
	case opWriteBuffers:
		for len(d.buffers) > 0 && n >= int(d.buffers[0].size) {
			n -= int(d.buffers[0].size)
			d.buffers = d.buffers[1:]
		}
		if len(d.buffers) == 0 {
			return true
		}
		d.buffers[0].data = unsafe.Add(d.buffers[0].data, n)
		d.buffers[0].size -= coreSize(n)
		return false
	default: // all that is received at once is all there is
		return true
	}
}

// receiveAppend appends the next message to data, which grows as needed.
func (d *direction) receiveAppend(fd uintptr) result {
	used := len(d.data)
	switch size := coreMessageSize(fd); {
	case size >= 0:
		d.data = slices.Grow(d.data, int(size))
	case !size.unsupported():
		return size
	default: // a system that does not tell: find out
		for corePeek(fd, d.data[used:cap(d.data)]).truncated() {
			d.data = slices.Grow(d.data, max(2*(cap(d.data)-used), 4096))
		}
	}
	r := coreReceive(fd, d.data[used:cap(d.data)])
	if r >= 0 {
		d.data = d.data[:used+int(r)]
	}
	return r
}

// run makes an operation whose arguments are set.
func (e *endpoint) run(d *direction, operation operation) (int, error) {
	if e.file == nil {
		return 0, errInvalid
	}
	d.operation, d.done = operation, 0
	var err error
	if operation >= opWrite {
		err = e.raw.Write(d.attempt)
	} else {
		err = e.raw.Read(d.attempt)
	}
	// What ended a batch that has received something is left to the next receive, which finds it again.
	received := d.operation == opReceiveBatch && d.done > 0 && !d.result.truncated()
	if err = e.known(err); err == nil && !received {
		err = d.result.err()
	}
	return d.done, err
}

// transferBatch makes an operation on messages, one after the other.
func (e *endpoint) transferBatch(d *direction, operation operation, messages [][]byte) (int, error) {
	if len(messages) == 0 {
		return 0, e.usable()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.messages = messages
	n, err := e.run(d, operation)
	d.messages = nil
	return n, err
}

// transfer makes an operation on b.
func (e *endpoint) transfer(d *direction, operation operation, b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.data = b
	n, err := e.run(d, operation)
	d.data = nil
	return n, err
}

// transferBuffers makes an operation on buffers. C sees them through memory that holds pointers, so they have to be
// pinned.
func (e *endpoint) transferBuffers(d *direction, operation operation, buffers [][]byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.vector = d.vector[:0]
	for _, b := range buffers {
		var data unsafe.Pointer
		if len(b) > 0 {
			data = unsafe.Pointer(unsafe.SliceData(b))
			d.pins.Pin(data)
		}
		d.vector = append(d.vector, coreBuffer{data: data, size: coreSize(len(b))})
	}
	d.buffers = d.vector
	n, err := e.run(d, operation)
	d.pins.Unpin()
	clear(d.vector)
	d.buffers = nil
	return n, err
}

// usable is the error of an operation that has nothing to do.
func (e *endpoint) usable() error {
	if e.file == nil {
		return errInvalid
	}
	if e.closed.Load() {
		return net.ErrClosed
	}
	return nil
}

func (e *endpoint) read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.usable()
	}
	n, err := e.transfer(&e.in, opRead, b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// someBytes reports whether not all buffers are empty.
func someBytes(buffers [][]byte) bool {
	return slices.ContainsFunc(buffers, func(b []byte) bool { return len(b) > 0 })
}

func (e *endpoint) readBuffers(buffers [][]byte) (int, error) {
	if !someBytes(buffers) {
		return 0, e.usable()
	}
	n, err := e.transferBuffers(&e.in, opReadBuffers, buffers)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (e *endpoint) write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.usable()
	}
	return e.transfer(&e.out, opWrite, b)
}

func (e *endpoint) writeBuffers(buffers [][]byte) (int, error) {
	if !someBytes(buffers) {
		return 0, e.usable()
	}
	return e.transferBuffers(&e.out, opWriteBuffers, buffers)
}

func (e *endpoint) send(b []byte) error {
	_, err := e.transfer(&e.out, opSend, b)
	return e.explainSize(len(b), err)
}

func (e *endpoint) sendBatch(messages [][]byte) (int, error) {
	n, err := e.transferBatch(&e.out, opSendBatch, messages)
	if n < len(messages) {
		err = e.explainSize(len(messages[n]), err)
	}
	return n, err
}

// explainSize names the limit that a message is over.
func (e *endpoint) explainSize(size int, err error) error {
	if !errors.Is(err, syscall.EMSGSIZE) {
		return err
	}
	limit := result(-1)
	if e.control(func(fd uintptr) result { limit = coreMessageLimit(fd); return 0 }) != nil || limit < 0 {
		return err
	}
	return fmt.Errorf("%d bytes, at most %d: %w", size, limit, err)
}

func (e *endpoint) receive(b []byte) (int, error) { return e.transfer(&e.in, opReceive, b) }
func (e *endpoint) peek(b []byte) (int, error)    { return e.transfer(&e.in, opPeek, b) }
func (e *endpoint) messageSize() (int, error)     { return e.transfer(&e.in, opMessageSize, nil) }

func (e *endpoint) receiveAppend(b []byte) ([]byte, error) {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.data = b
	_, err := e.run(d, opReceiveAppend)
	b, d.data = d.data, nil
	return b, err
}

func (e *endpoint) receiveBatch(messages [][]byte) (int, error) {
	return e.transferBatch(&e.in, opReceiveBatch, messages)
}

func (e *endpoint) close() error {
	if e.file == nil {
		return errInvalid
	}
	if e.closed.Swap(true) {
		return net.ErrClosed
	}
	return e.file.Close()
}

func (e *endpoint) setDeadline(t time.Time) error      { return e.known(e.file.SetDeadline(t)) }
func (e *endpoint) setReadDeadline(t time.Time) error  { return e.known(e.file.SetReadDeadline(t)) }
func (e *endpoint) setWriteDeadline(t time.Time) error { return e.known(e.file.SetWriteDeadline(t)) }

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
	return e.control(func(fd uintptr) result { return coreShutdown(fd, direction) })
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
