package poll

// The completion port: one for the process, and one goroutine that takes what it reports.

import (
	"sync"

	"github.com/lipc/ipc/internal/core"
)

// A port wakes who waits for an operation.
type port struct {
	once   sync.Once
	handle uintptr
	result core.Result // of making it

	mu      sync.RWMutex
	waiters map[uintptr]chan struct{} // by the key of their operation
}

var thePort port

// open returns the port's handle, after making it if this is the first time.
func (p *port) open() (uintptr, core.Result) {
	p.once.Do(func() {
		p.waiters = map[uintptr]chan struct{}{}
		if p.handle, p.result = core.OpenPort(); p.result >= 0 {
			go p.serve()
		}
	})
	return p.handle, p.result
}

// serve wakes waiters, many for each call into C. A completion that nobody knows of was one too many, see
// lipc_port_wait, or is that of another process that shares a handle. The same may be true of one that wakes somebody:
// whoever wakes looks whether its operation is over.
func (p *port) serve() {
	keys := make([]uintptr, 64)
	for {
		n := core.WaitPort(p.handle, keys)
		p.mu.RLock()
		for _, key := range keys[:max(n, 0)] {
			wake(p.waiters[key])
		}
		p.mu.RUnlock()
	}
}

// wake does nothing if there is no waiter, or it has not noticed yet that it was woken before.
func wake(waiter chan struct{}) {
	select {
	case waiter <- struct{}{}:
	default:
	}
}

// add returns memory for operations, and how to learn that the port reported one.
func (p *port) add() (*core.Operation, chan struct{}) {
	o, waiter := core.NewOperation(), make(chan struct{}, 1)
	p.mu.Lock()
	p.waiters[o.Key()] = waiter
	p.mu.Unlock()
	return o, waiter
}

// remove is the end of add. No operation may be under way.
func (p *port) remove(o *core.Operation) {
	p.mu.Lock()
	delete(p.waiters, o.Key())
	p.mu.Unlock()
	o.Free()
}
