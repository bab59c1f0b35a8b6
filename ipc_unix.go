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
func (e *endpoint) connect(_ context.Context, name Name, kind result, sys *SysDial) (busy bool, err error) {
	handle, r := coreConnect(name, kind, sys, 0)
	if r < 0 {
		return r.busy(), r.nameErr(name)
	}
	return false, e.open(handle)
}

func openPair(a, b *endpoint, kind result) error {
	ha, hb, r := corePair(kind)
	if r < 0 {
		return r.err()
	}
	if err := a.open(ha); err != nil {
		coreClose(hb)
		return err
	}
	if err := b.open(hb); err != nil {
		a.close()
		return err
	}
	return nil
}

const hasDatagrams = true

// handleBits is how many bits a descriptor's number has.
const handleBits = 31

// adopt takes over a descriptor that came from elsewhere.
func (e *endpoint) adopt(handle uintptr, kind result) error {
	if r := coreAdopt(handle); r < 0 {
		coreClose(handle)
		return r.err()
	}
	if kind.isPipe() {
		e.isPipe()
	}
	return e.open(handle)
}

// An acceptor is a listening endpoint, and the core's listener, which owns the socket file but no longer the
// descriptor.
type acceptor struct {
	end  endpoint
	core *coreListener
	file socketFile
	turn chan struct{} // holds one token while somebody accepts, who alone may touch the fields below

	attempt func(fd uintptr) bool
	handle  uintptr
	peer    Name
	result  result
	refused *os.File // the connection before, which the system's poller did not take; nil: none

	mu          sync.Mutex // guards the fields below
	deadline    time.Time  // as the user set it
	interrupted bool       // the deadline in force is one in the past, to wake who accepts
}

// A socketFile is what stands for a bound socket in the file system, as the core's listener owns it.
type socketFile struct {
	mu   sync.Mutex
	core *coreListener // nil: none, or no longer
	stop runtime.Cleanup
}

// own takes the core's listener over; the descriptor is no longer its.
func (f *socketFile) own(core *coreListener) {
	f.core = core
	f.stop = runtime.AddCleanup(f, coreListenerClose, core)
}

func (f *socketFile) setUnlinkOnClose(unlink bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.core != nil {
		coreListenerSetUnlink(f.core, unlink)
	}
}

func (f *socketFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.core != nil {
		f.stop.Stop()
		coreListenerClose(f.core)
		f.core = nil
	}
}

func (a *acceptor) listen(name Name, lc *ListenConfig, kind result) error {
	core, r := coreListen(name, lc, kind)
	if r < 0 {
		return r.nameErr(name)
	}
	return a.open(core)
}

func (a *acceptor) adopt(f *os.File, lc *ListenConfig, kind result) (Name, error) {
	handle, err := duplicateFile(f, kind|kindListener)
	if err != nil {
		return Name{}, err
	}
	return a.adoptHandle(handle, lc)
}

// adoptHandle makes a listener of a descriptor, which it takes over.
func (a *acceptor) adoptHandle(handle uintptr, lc *ListenConfig) (Name, error) {
	core, r := coreListenerAdopt(handle, uint32(lc.Mode))
	if r < 0 {
		coreClose(handle)
		return Name{}, r.err()
	}
	name := coreListenerName(core)
	return name, a.open(core)
}

func (a *acceptor) open(core *coreListener) error {
	if err := a.end.open(coreListenerDetach(core)); err != nil {
		coreListenerClose(core)
		return err
	}
	a.core = core
	a.turn = make(chan struct{}, 1)
	a.attempt = a.acceptOnce
	a.file.own(core)
	return nil
}

// acceptOnce accepts a connection. One that was refused before comes first: then peer is still its.
func (a *acceptor) acceptOnce(uintptr) bool {
	if a.refused != nil {
		a.handle, a.result = coreDuplicate(a.refused.Fd())
		return true
	}
	a.handle, a.peer, a.result = coreAccept(a.core)
	return !a.result.busy()
}

func (a *acceptor) accept(ctx context.Context, c *conn) error {
	if a.core == nil { // a zero Listener
		return errInvalid
	}
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
	for {
		if err := a.end.known(a.end.raw.Read(a.attempt)); err != nil {
			if ctx.Err() != nil && err != net.ErrClosed {
				err = ctx.Err()
			}
			return err
		}
		switch {
		case a.result >= 0:
			c.setPeer(a.peer)
			err := c.end.tryOpen(a.handle)
			a.refused.Close() // which has a duplicate now
			a.refused = nil
			if err != nil {
				a.refused = c.end.file
			}
			return err
		case a.result.turnedAway(): // look at the deadline, and go on
		default:
			return a.result.temporaryErr()
		}
	}
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
		a.end.file.SetReadDeadline(past)
	})
	return func() {
		if stop() {
			return
		}
		<-interrupted
		a.mu.Lock()
		defer a.mu.Unlock()
		a.interrupted = false
		if !a.end.closed.Load() {
			a.end.file.SetReadDeadline(a.deadline)
		}
	}
}

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

func (a *acceptor) setDeadline(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.core == nil {
		return errInvalid
	}
	a.deadline = t
	if a.interrupted || a.end.closed.Load() {
		return a.end.usable()
	}
	return a.end.setReadDeadline(t)
}

func (a *acceptor) setUnlinkOnClose(unlink bool) { a.file.setUnlinkOnClose(unlink) }

// close removes the socket file before the socket goes: as long as the socket is there, no other file can get the
// same inode, and nobody finds a file without a listener.
func (a *acceptor) close() error {
	if a.core == nil {
		return errInvalid
	}
	a.mu.Lock()
	if a.end.closed.Swap(true) {
		a.mu.Unlock()
		return net.ErrClosed
	}
	a.end.file.SetReadDeadline(past)
	a.mu.Unlock()
	a.turn <- struct{}{} // from here on nobody uses core
	defer func() { <-a.turn }()
	a.refused.Close()
	a.file.close()
	return a.end.file.Close()
}
