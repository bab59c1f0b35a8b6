package poll

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// turns lets one goroutine at a time wait for a handle. Close, a deadline or the end of its context ends the wait. The
// zero turns is not open.
type turns struct {
	turn chan struct{} // full while a goroutine has its turn; nil: not open

	mu     sync.Mutex // guards closed, and fields of systemTurns
	closed bool
	systemTurns
}

// take waits until the goroutine has the turn, which leave ends.
func (t *turns) take(ctx context.Context) error {
	if t.turn == nil {
		return core.ErrZero
	}
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turns) leave() { <-t.turn }

// interrupted returns an error if waiting must not go on. It does not look at the deadline.
func (t *turns) interrupted(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return net.ErrClosed
	}
	return ctx.Err()
}

// SetDeadline sets the time after which waiting fails.
func (t *turns) SetDeadline(at time.Time) error {
	if t.turn == nil {
		return core.ErrZero
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return net.ErrClosed
	}
	return t.setDeadlineLocked(at)
}

// close ends a wait under way, and calls release when no goroutine has a turn any more.
func (t *turns) close(release func() error) error {
	if t.turn == nil {
		return core.ErrZero
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return net.ErrClosed
	}
	t.closed = true
	t.closeLocked()
	t.mu.Unlock()
	t.turn <- struct{}{} // from here on every goroutine that gets the turn finds closed set
	defer t.leave()
	return release()
}
