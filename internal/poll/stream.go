package poll

import (
	"context"
	"io"
	"slices"
	"unsafe"

	"github.com/lipc/ipc/internal/core"
)

var (
	read         = &operation{step: (*direction).read}
	readBuffers  = &operation{step: (*direction).readBuffers}
	write        = &operation{step: (*direction).write, advance: (*direction).advanceData, writes: true}
	writeBuffers = &operation{step: (*direction).writeBuffers, advance: (*direction).advanceBuffers, writes: true}
)

func (d *direction) advanceData(n int) bool {
	d.done += n
	d.data = d.data[n:]
	return len(d.data) == 0
}

func (d *direction) advanceBuffers(n int) bool {
	d.done += n
	for len(d.buffers) > 0 && n >= d.buffers[0].Size() {
		n -= d.buffers[0].Size()
		d.buffers = d.buffers[1:]
	}
	if len(d.buffers) == 0 {
		return true
	}
	d.buffers[0] = d.buffers[0].Rest(n)
	return false
}

// Read reads what is there. It returns [io.EOF] at end of stream. An empty b takes no operation.
func (e *Endpoint) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.Usable()
	}
	return ended(e.transfer(&e.in, read, b))
}

// ended returns [io.EOF] in the place of a read of nothing.
func ended(n int, err error) (int, error) {
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes all of b. An empty b takes no operation.
func (e *Endpoint) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, e.Usable()
	}
	return e.transfer(&e.out, write, b)
}

// A vector is several buffers that are transferred in place of data. C reaches the buffers through memory that holds
// pointers, so they must be pinned.
type vector struct {
	buffers []core.Buffer // what is left to transfer
	memory  []core.Buffer // backs buffers
}

func (d *direction) pin(buffers [][]byte) {
	d.needExtras()
	d.memory = d.memory[:0]
	for _, b := range buffers {
		var data unsafe.Pointer
		if len(b) > 0 {
			data = unsafe.Pointer(unsafe.SliceData(b))
			d.pins.Pin(data)
		}
		d.memory = append(d.memory, core.NewBuffer(data, len(b)))
	}
	d.buffers = d.memory
}

func (d *direction) unpin() {
	d.pins.Unpin()
	clear(d.memory)
	d.buffers, d.memory = nil, d.memory[:0]
}

// transferBuffers performs an operation on buffers.
func (e *Endpoint) transferBuffers(ctx context.Context, d *direction, o *operation, buffers [][]byte) (int, error) {
	end, err := e.begin(ctx, d)
	if err != nil {
		return 0, err
	}
	d.pin(buffers)
	n, err := e.run(d, o)
	d.unpin()
	return n, e.finish(ctx, d, end, err)
}

// size returns the total size of buffers in bytes.
func size(buffers [][]byte) int {
	size := 0
	for _, b := range buffers {
		size += len(b)
	}
	return size
}

// anyBytes reports whether any of the buffers is not empty.
func anyBytes(buffers [][]byte) bool {
	return slices.ContainsFunc(buffers, func(b []byte) bool { return len(b) > 0 })
}

// ReadBuffers reads as Read does, into several buffers, which it fills in order.
func (e *Endpoint) ReadBuffers(buffers [][]byte) (int, error) {
	if !anyBytes(buffers) {
		return 0, e.Usable()
	}
	return ended(e.transferBuffers(context.Background(), &e.in, readBuffers, buffers))
}

// WriteBuffers writes several buffers as Write does, in order.
func (e *Endpoint) WriteBuffers(buffers [][]byte) (int, error) {
	if !anyBytes(buffers) {
		return 0, e.Usable()
	}
	return e.transferBuffers(context.Background(), &e.out, writeBuffers, buffers)
}
