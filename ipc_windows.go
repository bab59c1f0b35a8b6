//go:build cgo

package ipc

// Opening endpoints on Windows: dialling, listening, accepting, pairs, and handles from elsewhere.

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// connect makes one attempt. busy: all instances of the pipe are taken, or another machine has not answered in time.
func (e *endpoint) connect(ctx context.Context, name Name, kind result, sys *SysDial) (busy bool, err error) {
	var o opening
	if name.isRemote() {
		o, err = openOrAbandon(ctx, func() opening { return connect(name, kind, sys, remoteTime(ctx)) })
		if err != nil {
			return false, err
		}
	} else {
		o = connect(name, kind, sys, 0)
	}
	switch r := o.result; {
	case r.notSocket():
		return false, &codeError{"the pipe is one of bytes, not of messages", r.number(), syscall.EPROTOTYPE}
	case r < 0:
		return r.busy() || r.timedOut(), r.nameErr(name)
	}
	e.open(o.handle, kind)
	return false, nil
}

// An opening is what became of a call that opens a handle.
type opening struct {
	handle uintptr
	result result
}

func connect(name Name, kind result, sys *SysDial, timeout time.Duration) opening {
	handle, r := coreConnect(name, kind, sys, timeout)
	return opening{handle, r}
}

// isRemote reports whether a name is one of another machine, which the system may take long to reach.
func (n Name) isRemote() bool {
	return n.types == PathNames && !strings.HasPrefix(n.text, `\\.\`) && !strings.HasPrefix(n.text, `\\?\`)
}

// remoteTime is how long an attempt to reach another machine may take: as long as the context has, but not for ever, so
// that one that was abandoned ends.
func remoteTime(ctx context.Context) time.Duration {
	most := time.Minute
	if end, limited := ctx.Deadline(); limited {
		most = max(min(most, time.Until(end)), time.Millisecond)
	}
	return most
}

// openOrAbandon makes a call that opens a handle, and does not wait for it once the context has ended: what it still
// opens then is closed.
func openOrAbandon(ctx context.Context, open func() opening) (opening, error) {
	opened := make(chan opening)
	go func() {
		o := open()
		select {
		case opened <- o:
		case <-ctx.Done():
			if o.result >= 0 {
				coreClose(o.handle)
			}
		}
	}()
	select {
	case o := <-opened:
		return o, nil
	case <-ctx.Done():
		return opening{}, ctx.Err()
	}
}

func openPair(a, b *endpoint, kind result) error {
	ha, hb, r := corePair(kind)
	if r < 0 {
		return r.err()
	}
	a.open(ha, kind)
	b.open(hb, kind)
	return nil
}

const hasDatagrams = false

// handleBits is how many bits a handle's number has.
const handleBits = strconv.IntSize

// adopt takes over a handle that came from elsewhere.
func (e *endpoint) adopt(handle uintptr, kind result) error {
	if r := coreAdopt(handle); r < 0 {
		coreClose(handle)
		if r.unsupported() {
			return fmt.Errorf("the handle was not opened for overlapped operation (FILE_FLAG_OVERLAPPED): %w", r.err())
		}
		return r.err()
	}
	e.open(handle, kind)
	return nil
}

// An acceptor accepts from the core's listener.
type acceptor struct {
	end  unconnected
	kind result
	turn chan struct{} // holds one token while somebody accepts, who alone may touch listening

	mu       sync.Mutex // guards what follows
	held     *listening // nil: never opened
	closed   bool
	deadline deadline
	stop     runtime.Cleanup
}

// listening is what an acceptor has from the system.
type listening struct {
	core   *coreListener
	watch  *coreOperation
	waiter chan struct{} // is sent to when there may be something to accept, or a reason to stop
}

func (l *listening) release() {
	thePort.remove(l.watch)
	coreListenerClose(l.core)
}

func (a *acceptor) listen(name Name, lc *ListenConfig, kind result) error {
	_, r := thePort.open()
	if r < 0 {
		return r.err()
	}
	core, r := coreListen(name, lc, kind)
	if r < 0 {
		if lc.Sys != nil && lc.Sys.SecurityDescriptor != "" && r.invalid() {
			return errDescriptor
		}
		return r.nameErr(name)
	}
	watch, waiter := thePort.add()
	a.kind = kind
	a.turn = make(chan struct{}, 1)
	a.held = &listening{core, watch, waiter}
	a.stop = runtime.AddCleanup(a, func(l *listening) { l.release() }, a.held)
	return nil
}

func (a *acceptor) adopt(*os.File, *ListenConfig, result) (Name, error) { return Name{}, unsupported() }

func (a *acceptor) accept(ctx context.Context, c *conn) error {
	if a.held == nil { // a zero Listener
		return errInvalid
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.turn }()
	defer context.AfterFunc(ctx, func() { wake(a.held.waiter) })()
	for pause := nextPause(0); ; {
		if err := a.interrupted(ctx); err != nil {
			return err
		}
		handle, _, r := coreAccept(a.held.core)
		switch {
		case r >= 0:
			c.end.open(handle, a.kind)
			return nil
		case !r.busy():
			return r.temporaryErr()
		case r.starved(): // nothing tells when a connection ends
			a.waitFor(pause)
			pause = nextPause(pause)
		default:
			if r = a.held.watch.watchHandle(thePort.handle, coreListenerHandle(a.held.core)); r < 0 {
				return r.temporaryErr()
			}
			<-a.held.waiter
		}
	}
}

// waitFor waits for so long, or until woken.
func (a *acceptor) waitFor(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.held.waiter:
	}
}

// interrupted is why accepting may not go on.
func (a *acceptor) interrupted(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return net.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case a.deadline.passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (a *acceptor) setDeadline(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.held == nil:
		return errInvalid
	case a.closed:
		return net.ErrClosed
	}
	if a.deadline.set(t, a.expire) {
		wake(a.held.waiter)
	}
	return nil
}

func (a *acceptor) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && a.deadline.due() {
		wake(a.held.waiter)
	}
}

// setUnlinkOnClose changes nothing: the name goes with the listener.
func (a *acceptor) setUnlinkOnClose(bool) {}

func (a *acceptor) close() error {
	a.mu.Lock()
	if a.held == nil || a.closed {
		defer a.mu.Unlock()
		if a.held == nil {
			return errInvalid
		}
		return net.ErrClosed
	}
	a.closed = true
	a.deadline.stop()
	a.stop.Stop()
	wake(a.held.waiter)
	a.mu.Unlock()
	a.turn <- struct{}{} // from here on nobody accepts
	defer func() { <-a.turn }()
	a.held.release()
	return nil
}

// unconnected stands for the handle that a listener does not have on Windows.
type unconnected struct{}

func (unconnected) syscallConn() (syscall.RawConn, error) { return nil, unsupported() }
func (unconnected) duplicate(Name) (*os.File, error)      { return nil, unsupported() }
func (unconnected) setPassCredentials(bool) error         { return unsupported() }
func (unconnected) setPassPIDFD(bool) error               { return unsupported() }
