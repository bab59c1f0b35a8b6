//go:build cgo

package ipc

// What endpoints do on every system: how the operations of a connection become those of a direction, of which each system
// has its own way to make them, run.

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// A direction makes one operation at a time. Arguments and result are its fields, so that an operation allocates nothing.
type direction struct {
	mu        sync.Mutex // held for a whole operation
	operation operation
	spinLimit atomic.Uint32 // how long to poll before waiting, in microseconds
	data      []byte        // what is left to transfer
	done      int           // what was transferred: bytes, or messages of a batch
	result    result        // of the last call

	*extras
	systemDirection
}

// extras are what only some operations need. They are made for the first of these, so that a connection which is only read
// and written takes little memory.
type extras struct {
	messages [][]byte     // of a batch, in place of data
	buffers  []coreBuffer // what is left to transfer, in place of data
	vector   []coreBuffer // memory for buffers
	most     int          // how large a message that is appended may be
	excess   int          // the size of one that was larger, -1 if nobody knows it; 0: it was not
	spinner  coreSpin
	systemExtras
}

// needExtras makes them, unless they are there.
func (d *direction) needExtras() {
	if d.extras == nil {
		d.extras = new(extras)
	}
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
	opReceiveFrom
	opReceiveMessage
	opReceiveControl
	opWrite // this and what follows waits until the descriptor is writable
	opWriteBuffers
	opSend
	opSendBatch
	opSendTo
	opSendMessage
	opSendControl
)

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
	case opWrite, opSendControl:
		d.data = d.data[n:]
		return len(d.data) == 0
	case opWriteBuffers, opSendMessage:
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

// maxSpin bounds how long Close and deadlines can be held up by who polls: so long, a few times.
const maxSpin = time.Millisecond

func checkSpin(spin time.Duration) error {
	if spin < 0 || spin > maxSpin {
		return &optionError{fmt.Sprintf("Spin %v is not between 0 and %v", spin, maxSpin)}
	}
	return nil
}

// setSpin makes both directions poll for so long before they wait.
func (e *endpoint) setSpin(spin time.Duration) error {
	err := e.usable()
	if err == nil {
		err = checkSpin(spin)
	}
	if err == nil {
		e.limitSpin(spin)
	}
	return err
}

func (e *endpoint) limitSpin(spin time.Duration) {
	microseconds := uint32((spin + time.Microsecond - 1) / time.Microsecond)
	e.in.spinLimit.Store(microseconds)
	e.out.spinLimit.Store(microseconds)
}

// spinning is how many goroutines poll.
var spinning atomic.Int32

// spin makes a call that is busy again and again, for as long as that is worth while. One processor is always left for others.
func (d *direction) spin(call func()) {
	d.needExtras()
	if int(spinning.Add(1)) < runtime.GOMAXPROCS(0) {
		for d.spinner.limit(d.spinLimit.Load()); d.spinner.again(d.result); {
			call()
		}
	}
	spinning.Add(-1)
}

// transfer makes an operation. Of bytes, none need no operation, and none that are read are the end.
func (e *endpoint) transfer(d *direction, operation operation, data []byte) (int, error) {
	if len(data) == 0 && (operation == opRead || operation == opWrite) {
		return 0, e.usable()
	}
	d.mu.Lock()
	d.data = data
	n, err := e.run(d, operation)
	d.data = nil
	d.mu.Unlock() // which a defer would do, in a larger frame
	if operation == opRead && n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// transferBatch makes an operation on messages.
func (e *endpoint) transferBatch(d *direction, operation operation, messages [][]byte) (int, error) {
	if len(messages) == 0 {
		return 0, e.usable()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.messages = messages
	n, err := e.run(d, operation)
	d.messages = nil
	return n, err
}

// transferBuffers makes an operation on buffers. C sees them through memory that holds pointers, so they have to be
// pinned.
func (e *endpoint) transferBuffers(d *direction, operation operation, buffers [][]byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pin(buffers)
	defer d.unpin()
	return e.run(d, operation)
}

func (d *direction) pin(buffers [][]byte) {
	d.needExtras()
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
}

func (d *direction) unpin() {
	d.pins.Unpin()
	clear(d.vector)
	d.buffers = nil
}

var errGiven error = &optionError{"this end is for child processes, and not used here"}

func (e *endpoint) read(b []byte) (int, error)  { return e.transfer(&e.in, opRead, b) }
func (e *endpoint) write(b []byte) (int, error) { return e.transfer(&e.out, opWrite, b) }

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
	asked := e.control(func(fd uintptr) result { limit = coreMessageLimit(fd); return 0 })
	if asked != nil || limit < 0 || size <= int(limit) {
		return err // it is not the payload that is too large
	}
	return fmt.Errorf("%d bytes, at most %d: %w", size, limit, err)
}

func (e *endpoint) receive(b []byte) (int, error) {
	return e.transfer(&e.in, opReceive, b)
}
func (e *endpoint) peek(b []byte) (int, error) { return e.transfer(&e.in, opPeek, b) }
func (e *endpoint) messageSize() (int, error)  { return e.transfer(&e.in, opMessageSize, nil) }

// receiveAppend appends a message of at most so many bytes to b. A larger one is dropped.
func (e *endpoint) receiveAppend(b []byte, most int) ([]byte, error) {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.data, d.most, d.excess = b, most, 0
	_, err := e.run(d, opReceiveAppend)
	appended := d.data
	d.data = nil
	switch {
	case d.excess > 0:
		return b, fmt.Errorf("a message of %d bytes, MaxMessage is %d: %w", d.excess, most, err)
	case d.excess < 0:
		return b, fmt.Errorf("a message of more than %d bytes, which MaxMessage is: %w", most, err)
	}
	return appended, err
}

func (e *endpoint) receiveBatch(messages [][]byte) (int, error) {
	return e.transferBatch(&e.in, opReceiveBatch, messages)
}
