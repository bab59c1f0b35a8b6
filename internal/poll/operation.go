package poll

import (
	"sync"

	"github.com/lipc/ipc/internal/core"
)

// An operation is what a direction does.
type operation struct {
	// step makes one call into the core.
	step func(d *direction, handle uintptr) core.Result

	// advance notes that n bytes were transferred, or a message of n bytes, and reports whether that was all. Nil: what
	// is transferred at once is all.
	advance func(d *direction, n int) bool

	writes bool // it waits until the handle is writable, not readable
	batch  bool // it receives messages, and does not wait for more once there is one
}

// A direction makes one operation at a time. Arguments and result are its fields, so that an operation allocates
// nothing.
type direction struct {
	mu        sync.Mutex // held for a whole operation
	operation *operation
	data      []byte      // what is left to transfer
	done      int         // what was transferred: bytes, or messages of a batch
	result    core.Result // of the last call

	*extras
	systemDirection
}

// extras are what only some operations need. They are made for the first of these, so that a connection which is only
// read and written takes little memory.
type extras struct {
	spinner core.Spin
	vector
	batch
	whole
	systemExtras
}

// needExtras makes them, unless they are there.
func (d *direction) needExtras() {
	if d.extras == nil {
		d.extras = new(extras)
	}
}

// start forgets the operation before.
func (d *direction) start(o *operation) { d.operation, d.done, d.result = o, 0, 0 }

// advance notes that n bytes or messages were transferred, and reports whether that was all.
func (d *direction) advance(n int) bool {
	if d.operation.advance != nil {
		return d.operation.advance(d, n)
	}
	d.done += n
	return true
}

// received reports whether a batch has received something, and so does not wait for more.
func (d *direction) received() bool { return d.operation.batch && d.done > 0 }

// transfer makes an operation on data.
func (e *Endpoint) transfer(d *direction, o *operation, data []byte) (int, error) {
	d.mu.Lock()
	d.data = data
	n, err := e.run(d, o)
	d.data = nil
	d.mu.Unlock() // which a defer would do, in a larger frame
	return n, err
}
