//go:build cgo && unix

package ipc

// Opening endpoints on Unix: dialling, listening, accepting, pairs, and descriptors from elsewhere.

import (
	"context"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// connect makes one attempt. busy: the listener lives, but its backlog is full.
func (e *endpoint) connect(name Name) (busy bool, err error) {
	handle, r := coreConnect(name)
	if r < 0 {
		return r.busy(), r.nameErr(name)
	}
	e.open(handle)
	return false, nil
}

func openPair(a, b *endpoint) error {
	ha, hb, r := corePair()
	if r < 0 {
		return r.err()
	}
	a.open(ha)
	b.open(hb)
	return nil
}

// duplicateFile returns a duplicate of a file's descriptor, prepared for the poller, if it is of that kind.
func duplicateFile(f *os.File, kind result) (handle uintptr, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var r result
	if err := raw.Control(func(fd uintptr) { handle, r = coreDuplicate(fd) }); err != nil {
		return 0, err
	}
	if r < 0 {
		return 0, r.err()
	}
	r = coreAdopt(handle)
	if r == kind {
		return handle, nil
	}
	coreClose(handle)
	if r < 0 {
		return 0, r.err()
	}
	return 0, errNotSocket
}

func adoptConn(c *conn, f *os.File) error {
	handle, err := duplicateFile(f, kindStream)
	if err != nil {
		return err
	}
	c.local, c.remote = coreNames(handle)
	c.end.open(handle)
	return nil
}

// An acceptor is a listening endpoint, and the core's listener, which owns the socket file but no longer the
// descriptor.
type acceptor struct {
	end  endpoint
	core *coreListener
	turn chan struct{} // holds one token while somebody accepts, who alone may touch the fields below
	stop runtime.Cleanup

	attempt func(fd uintptr) bool
	handle  uintptr
	peer    Name
	result  result

	mu          sync.Mutex // guards the fields below, and core against close
	deadline    time.Time  // as the user set it
	interrupted bool       // the deadline in force is one in the past, to wake who accepts
	freed       bool
}

func (a *acceptor) listen(name Name, lc *ListenConfig) error {
	core, r := coreListen(name, uint32(lc.Mode), lc.Backlog)
	if r < 0 {
		return r.nameErr(name)
	}
	a.open(core)
	return nil
}

func (a *acceptor) adopt(f *os.File) (Name, error) {
	handle, err := duplicateFile(f, kindStreamListener)
	if err != nil {
		return Name{}, err
	}
	core, r := coreListenerAdopt(handle)
	if r < 0 {
		coreClose(handle)
		return Name{}, r.err()
	}
	name := coreListenerName(core)
	a.open(core)
	return name, nil
}

func (a *acceptor) open(core *coreListener) {
	a.core = core
	a.turn = make(chan struct{}, 1)
	a.attempt = a.acceptOnce
	a.end.open(coreListenerDetach(core))
	a.stop = runtime.AddCleanup(a, coreListenerClose, core)
}

func (a *acceptor) acceptOnce(uintptr) bool {
	a.handle, a.peer, a.result = coreAccept(a.core)
	return !a.result.busy()
}

func (a *acceptor) accept(ctx context.Context, c *conn) error {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.turn }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.end.closed.Load() {
		return net.ErrClosed
	}
	defer a.interruptAfter(ctx)()
	if err := a.end.known(a.end.raw.Read(a.attempt)); err != nil {
		if ctx.Err() != nil && err != net.ErrClosed {
			err = ctx.Err()
		}
		return err
	}
	if a.result < 0 {
		return a.result.err()
	}
	c.remote = a.peer
	c.end.open(a.handle)
	return nil
}

// interruptAfter wakes whoever accepts when the context ends, until the function that it returns is called.
func (a *acceptor) interruptAfter(ctx context.Context) (end func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.interrupted = true
		a.end.file.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if stop() {
			return
		}
		<-interrupted
		a.mu.Lock()
		defer a.mu.Unlock()
		a.interrupted = false
		a.end.file.SetReadDeadline(a.deadline)
	}
}

func (a *acceptor) setDeadline(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadline = t
	if a.interrupted {
		return a.end.usable()
	}
	return a.end.setReadDeadline(t)
}

func (a *acceptor) setUnlinkOnClose(unlink bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.freed {
		coreListenerSetUnlink(a.core, unlink)
	}
}

func (a *acceptor) close() error {
	if err := a.end.close(); err != nil {
		return err
	}
	a.turn <- struct{}{} // nobody is using core any more
	defer func() { <-a.turn }()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop.Stop()
	coreListenerClose(a.core)
	a.freed = true
	return nil
}
