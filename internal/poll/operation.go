package poll

import (
	"sync"
	"sync/atomic"

	"github.com/lipc/ipc/internal/core"
)

// An operation is one thing that a direction can do, such as reading or sending a batch.
type operation struct {
	// step performs one call into the core.
	step func(d *direction, handle uintptr) core.Result

	// advance records that n bytes, or a message of n bytes, were transferred, and reports whether that was all. If
	// advance is nil, whatever one step transfers is all.
	advance func(d *direction, n int) bool

	writes bool // wait until the handle is writable, not readable
	batch  bool // receive messages, and wait only for the first
}

// A direction performs one operation at a time. The operation's arguments and results are fields, so that an operation
// allocates nothing.
type direction struct {
	mu        sync.Mutex // held during a whole operation
	operation *operation
	data      []byte // what is left to transfer
	progress

	interrupts atomic.Pointer[interrupter] // nil: none was needed yet
	*extras
	systemDirection
}

// progress is how far an operation has come.
type progress struct {
	done   int         // how much was transferred: bytes, or messages of a batch
	result core.Result // of the last call
}

// extras are what only some operations need. They are allocated for the first of these, so that a connection that is
// only read and written takes little memory.
type extras struct {
	spinner core.Spin
	vector
	batch
	sizeLimit
	channelExtras
	systemExtras
}

// needExtras allocates the extras at the first call.
func (d *direction) needExtras() {
	if d.extras == nil {
		d.extras = new(extras)
	}
}

// start removes what the previous operation left.
func (d *direction) start(o *operation) { d.operation, d.progress = o, progress{} }

// advance records that n bytes or messages were transferred, and reports whether that was all.
func (d *direction) advance(n int) bool {
	if d.operation.advance != nil {
		return d.operation.advance(d, n)
	}
	d.done += n
	return true
}

// received reports whether a batch has received something, so that it need not wait for more.
func (d *direction) received() bool { return d.operation.batch && d.done > 0 }

// transfer performs an operation on data.
func (e *Endpoint) transfer(d *direction, o *operation, data []byte) (int, error) {
	d.mu.Lock()
	n, err := e.transferLocked(d, o, data)
	d.mu.Unlock() // no defer, which would make the frame larger
	return n, err
}

func (e *Endpoint) transferLocked(d *direction, o *operation, data []byte) (int, error) {
	d.data = data
	n, err := e.run(d, o)
	d.data = nil
	return n, err
}
