package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// A NotAdmittedError is the error of an accept that closed a connection, because of who its peer is. The next accept
// may succeed.
type NotAdmittedError struct{ Peer core.Credentials }

func (e *NotAdmittedError) Error() string { return "the peer is not admitted" }

// An Acceptor accepts connections. The zero Acceptor is not open. Only the goroutine that has the turn may use the
// core's listener.
type Acceptor struct {
	turns
	systemAcceptor
}

// Accept waits for a connection, opens e on it, and returns the name of its peer.
func (a *Acceptor) Accept(ctx context.Context, e *Endpoint) (peer core.Name, err error) {
	if err := a.take(ctx); err != nil {
		return peer, err
	}
	defer a.leave()
	defer a.interruptAfter(ctx)()
	return a.accept(ctx, e)
}

// Close ends an Accept under way, and stops listening.
func (a *Acceptor) Close() error { return a.close(a.release) }
