package poll

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// systemAcceptor is the core's listener.
type systemAcceptor struct {
	kind core.Kind
	held *listening
	stop runtime.Cleanup

	deadline deadline // the mutex guards it
}

// listening is the system resources of an acceptor. It does not refer to the acceptor, so that the acceptor can be
// cleaned up.
type listening struct {
	listener core.Listener
	watch    *core.Operation
	waiter   chan struct{} // receives when there may be a connection to accept, or a reason to stop
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
	watch, waiter := thePort.add()
	a.kind = kind
	a.turn = make(chan struct{}, 1)
	a.held = &listening{l, watch, waiter}
	a.stop = runtime.AddCleanup(a, (*listening).release, a.held)
	return nil
}

func (a *Acceptor) accept(ctx context.Context, e *Endpoint) (peer core.Name, err error) {
	for pause := nextPause(0); ; {
		if err := a.interrupted(ctx); err != nil {
			return peer, err
		}
		if a.late() {
			return peer, os.ErrDeadlineExceeded
		}
		handle, _, r := a.held.listener.Accept()
		switch {
		case r >= 0:
			e.open(handle, a.kind)
			return peer, nil
		case !r.Busy():
			return peer, r.TemporaryErr()
		case r.NoFreeInstance(): // nothing reports when a connection ends
			a.waitFor(pause)
			pause = nextPause(pause)
		default:
			if r = a.held.watch.WatchHandle(thePort.handle, a.held.listener.Handle()); r < 0 {
				return peer, r.TemporaryErr()
			}
			<-a.held.waiter
		}
	}
}

// waitFor waits for this time, or until it is woken.
func (a *Acceptor) waitFor(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.held.waiter:
	}
}

// late reports whether the deadline has passed.
func (a *Acceptor) late() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.deadline.passed
}

// interruptAfter wakes the goroutine that accepts when the context ends, until end is called.
func (a *Acceptor) interruptAfter(ctx context.Context) (end func()) {
	stop := context.AfterFunc(ctx, func() { wake(a.held.waiter) })
	return func() { stop() }
}

func (a *Acceptor) closeLocked() {
	a.deadline.stop()
	a.stop.Stop()
	wake(a.held.waiter)
}

func (a *Acceptor) setDeadlineLocked(t time.Time) error {
	if a.deadline.set(t, a.expire) {
		wake(a.held.waiter)
	}
	return nil
}

func (a *Acceptor) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && a.deadline.due() {
		wake(a.held.waiter)
	}
}

func (a *Acceptor) release() error {
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
