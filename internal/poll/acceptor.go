package poll

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// A NotAdmittedError is the error of an accept that closed a connection, because of who its peer is. The next accept
// may succeed.
type NotAdmittedError struct{ Peer core.Credentials }

func (e *NotAdmittedError) Error() string { return "the peer is not admitted" }

// An Acceptor accepts connections. The zero Acceptor is not open.
type Acceptor struct {
	turn chan struct{} // full while a goroutine accepts, which alone may use the core's listener; nil: not open

	mu     sync.Mutex // guards closed, and the fields of systemAcceptor that say so
	closed bool
	systemAcceptor
}

// Accept waits for a connection, opens e on it, and returns the name of its peer.
func (a *Acceptor) Accept(ctx context.Context, e *Endpoint) (peer core.Name, err error) {
	if a.turn == nil {
		return peer, core.ErrZero
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return peer, ctx.Err()
	}
	defer func() { <-a.turn }()
	defer a.interruptAfter(ctx)()
	return a.accept(ctx, e)
}

// interrupted returns why accepting may not go on, apart from the deadline.
func (a *Acceptor) interrupted(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return net.ErrClosed
	}
	return ctx.Err()
}

// SetDeadline sets the time after which accepting fails.
func (a *Acceptor) SetDeadline(t time.Time) error {
	if a.turn == nil {
		return core.ErrZero
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return net.ErrClosed
	}
	return a.setDeadlineLocked(t)
}

// Close ends an Accept under way, and stops listening.
func (a *Acceptor) Close() error {
	if a.turn == nil {
		return core.ErrZero
	}
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return net.ErrClosed
	}
	a.closed = true
	a.closeLocked()
	a.mu.Unlock()
	a.turn <- struct{}{} // from here on no goroutine accepts
	defer func() { <-a.turn }()
	return a.release()
}
