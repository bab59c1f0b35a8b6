//go:build cgo && unix

package ipc

import (
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
	mu      sync.Mutex // held for a whole operation
	writes  bool
	attempt func(fd uintptr) bool // makes a call, and reports whether the operation came to an end

	data    []byte       // what is left to transfer, or
	buffers []coreBuffer // the same for the vectored forms, if not nil
	done    int          // bytes transferred
	result  result       // of the last call

	vector []coreBuffer // memory for buffers
	pins   runtime.Pinner
}

// open takes a descriptor over. It fails, and closes the descriptor, if the poller does not take it (epoll_ctl(2):
// fs.epoll.max_user_watches), which os.NewFile keeps to itself.
func (e *endpoint) open(handle uintptr) error {
	e.file = os.NewFile(handle, "ipc")
	if err := e.file.SetDeadline(time.Time{}); err != nil {
		e.file.Close()
		return fmt.Errorf("the system's poller does not take the descriptor: %w", err)
	}
	e.raw, _ = e.file.SyscallConn() // fails for a nil file alone
	e.out.writes = true
	e.in.attempt, e.out.attempt = e.in.call, e.out.call
	return nil
}

// known turns what the runtime reports after a close, which matches nothing, into net.ErrClosed.
func (e *endpoint) known(err error) error {
	if err != nil && e.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// call makes one call into the core. A write waits after each part: the core writes until the system takes no more.
func (d *direction) call(fd uintptr) bool {
	switch {
	case d.writes && d.buffers != nil:
		d.result = coreWriteBuffers(fd, d.buffers)
	case d.writes:
		d.result = coreWrite(fd, d.data)
	case d.buffers != nil:
		d.result = coreReadBuffers(fd, d.buffers)
	default:
		d.result = coreRead(fd, d.data)
	}
	if d.result < 0 {
		return !d.result.busy()
	}
	d.done += int(d.result)
	return !d.writes || d.advance(int(d.result))
}

// advance drops n bytes from what is left, and reports whether that was all.
func (d *direction) advance(n int) bool {
	if d.buffers == nil {
		d.data = d.data[n:]
		return len(d.data) == 0
	}
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
}

// run makes the operation whose arguments are set, and forgets them.
func (e *endpoint) run(d *direction) (int, error) {
	var err error
	if d.writes {
		err = e.raw.Write(d.attempt)
	} else {
		err = e.raw.Read(d.attempt)
	}
	if err = e.known(err); err == nil {
		err = d.result.err()
	}
	n := d.done
	d.data, d.buffers, d.done = nil, nil, 0
	return n, err
}

// transfer moves b.
func (e *endpoint) transfer(d *direction, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.usable()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.data = b
	return e.run(d)
}

// transferBuffers moves buffers. C sees them through memory that holds pointers, so they have to be pinned.
func (e *endpoint) transferBuffers(d *direction, buffers [][]byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.pins.Unpin()
	d.vector = d.vector[:0]
	for _, b := range buffers {
		if len(b) > 0 {
			data := unsafe.SliceData(b)
			d.pins.Pin(data)
			d.vector = append(d.vector, coreBuffer{data: unsafe.Pointer(data), size: coreSize(len(b))})
		}
	}
	defer clear(d.vector)
	if len(d.vector) == 0 {
		return 0, e.usable()
	}
	d.buffers = d.vector
	return e.run(d)
}

// usable is the error of an operation that has nothing to do.
func (e *endpoint) usable() error {
	if e.closed.Load() {
		return net.ErrClosed
	}
	return nil
}

func (e *endpoint) read(b []byte) (int, error) {
	n, err := e.transfer(&e.in, b)
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

func (e *endpoint) readBuffers(buffers [][]byte) (int, error) {
	n, err := e.transferBuffers(&e.in, buffers)
	if n == 0 && err == nil && slices.ContainsFunc(buffers, func(b []byte) bool { return len(b) > 0 }) {
		err = io.EOF
	}
	return n, err
}

func (e *endpoint) write(b []byte) (int, error) { return e.transfer(&e.out, b) }

func (e *endpoint) writeBuffers(buffers [][]byte) (int, error) {
	return e.transferBuffers(&e.out, buffers)
}

func (e *endpoint) close() error {
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
