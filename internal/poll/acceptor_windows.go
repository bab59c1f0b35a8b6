package poll

import (
	"context"
	"os"
	"runtime"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// systemAcceptor is the core's listener.
type systemAcceptor struct {
	kind core.Kind
	held *listening
	stop runtime.Cleanup
}

// listening is the system resources of an acceptor. It does not refer to the acceptor, so that the acceptor can be
// cleaned up.
type listening struct {
	listener core.Listener
	watch    *core.Operation
}

func (l *listening) release() {
	thePort.remove(l.watch)
	l.listener.Close()
}

// Listen listens for connections of a kind.
func (a *Acceptor) Listen(name core.Name, kind core.Kind, o core.ListenOptions) error {
	_, r := thePort.open()
	if r < 0 {
		return r.Err()
	}
	l, err := core.Listen(name, kind, o)
	if err != nil {
		return err
	}
	a.watch, a.waiter = thePort.add()
	a.kind = kind
	a.turn = make(chan struct{}, 1)
	a.held = &listening{l, a.watch}
	a.stop = runtime.AddCleanup(a, (*listening).release, a.held)
	return nil
}

func (a *Acceptor) accept(ctx context.Context, e *Endpoint) (peer core.Name, err error) {
	for pause := nextPause(0); ; {
		if err := a.stopped(ctx); err != nil {
			return peer, err
		}
		handle, _, r := a.held.listener.Accept()
		switch {
		case r >= 0:
			e.open(handle, a.kind)
			return peer, nil
		case !r.Busy():
			return peer, r.TemporaryErr()
		case r.NoFreeInstance(): // nothing reports when a connection ends
			a.awaitFor(pause)
			pause = nextPause(pause)
		default:
			if r = a.await(a.held.listener.Handle()); r < 0 {
				return peer, r.TemporaryErr()
			}
		}
	}
}

func (a *Acceptor) release() error {
	a.stop.Stop()
	a.held.release()
	return nil
}

// SetUnlinkOnClose has no effect: a pipe has no file.
func (a *Acceptor) SetUnlinkOnClose(bool) {}

// A listener has no handle of its own on Windows.

func (a *Acceptor) AdoptFile(*os.File, core.Kind, core.ListenOptions) (core.Name, error) {
	return core.Name{}, core.Unsupported()
}

func (a *Acceptor) RawConn() (syscall.RawConn, error)  { return nil, core.Unsupported() }
func (a *Acceptor) Duplicate(string) (*os.File, error) { return nil, core.Unsupported() }
func (a *Acceptor) SetPassCredentials(bool) error      { return core.Unsupported() }
func (a *Acceptor) SetPassPIDFD(bool) error            { return core.Unsupported() }
