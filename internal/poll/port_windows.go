package poll

// The completion port: there is one for the process, and one goroutine that takes its reports.

import (
	"sync"

	"github.com/lipc/ipc/internal/core"
)

// A port wakes the goroutines that wait for operations.
type port struct {
	once   sync.Once
	handle uintptr
	result core.Result // of creating the port

	mu      sync.RWMutex
	waiters map[uintptr]chan struct{} // by the keys of their operations
}

var thePort port

// open returns the port's handle. The first call creates the port.
func (p *port) open() (uintptr, core.Result) {
	p.once.Do(func() {
		p.waiters = map[uintptr]chan struct{}{}
		if p.handle, p.result = core.OpenPort(); p.result >= 0 {
			go p.serve()
		}
	})
	return p.handle, p.result
}

// serve wakes waiters, many for each call into C. A completion without a waiter may be a surplus one, see
// lipc_port_wait, or come from another process that shares a handle. A completion with a waiter may be such a one, too,
// so a goroutine that wakes checks whether its operation is over.
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

// wake does nothing if there is no waiter, or if the waiter has not yet taken an earlier wake-up.
func wake(waiter chan struct{}) {
	select {
	case waiter <- struct{}{}:
	default:
	}
}

// add returns memory for operations, and a channel that receives when the port reports one of them.
func (p *port) add() (*core.Operation, chan struct{}) {
	o, waiter := core.NewOperation(), make(chan struct{}, 1)
	p.mu.Lock()
	p.waiters[o.Key()] = waiter
	p.mu.Unlock()
	return o, waiter
}

// remove undoes add. No operation may be under way.
func (p *port) remove(o *core.Operation) {
	p.mu.Lock()
	delete(p.waiters, o.Key())
	p.mu.Unlock()
	o.Free()
}
