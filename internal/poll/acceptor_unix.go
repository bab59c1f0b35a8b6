//go:build unix

package poll

import (
	"context"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// systemAcceptor is the core's listener, which owns the socket file.
type systemAcceptor struct {
	listener core.Listener
	file     socketFile

	// Only the goroutine that has the turn uses these.
	once    func(fd uintptr) bool
	handle  uintptr
	peer    core.Name
	result  core.Result
	refused *os.File // the last connection, if the system's poller did not take it; otherwise nil
}

// A socketFile is the core's listener of a bound socket, which owns the socket's file.
type socketFile struct {
	mu       sync.Mutex
	listener core.Listener
	owned    bool
	stop     runtime.Cleanup
}

// own takes over the core's listener, which must not own the descriptor any more.
func (f *socketFile) own(l core.Listener) {
	f.listener, f.owned = l, true
	f.stop = runtime.AddCleanup(f, core.Listener.Close, l)
}

func (f *socketFile) setUnlinkOnClose(unlink bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owned {
		f.listener.SetUnlink(unlink)
	}
}

func (f *socketFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owned {
		f.stop.Stop()
		f.listener.Close()
		f.owned = false
	}
}

// Listen listens for connections of a kind.
func (a *Acceptor) Listen(name core.Name, kind core.Kind, o core.ListenOptions) error {
	l, err := core.Listen(name, kind, o)
	if err != nil {
		return err
	}
	return a.open(l)
}

// AdoptFile listens on a duplicate of a file's handle, and returns the name that it listens on.
func (a *Acceptor) AdoptFile(f *os.File, kind core.Kind, o core.ListenOptions) (core.Name, error) {
	handle, err := duplicateFile(f, kind|core.KindListener)
	if err != nil {
		return core.Name{}, err
	}
	return a.AdoptHandle(handle, o)
}

// AdoptHandle listens on a descriptor, which it takes over, and returns the name that it listens on.
func (a *Acceptor) AdoptHandle(handle uintptr, o core.ListenOptions) (core.Name, error) {
	l, r := core.AdoptListener(handle, o)
	if r < 0 {
		core.Close(handle)
		return core.Name{}, r.Err()
	}
	name := l.Name()
	return name, a.open(l)
}

func (a *Acceptor) open(l core.Listener) error {
	if err := a.end.open(l.Detach()); err != nil {
		l.Close()
		return err
	}
	a.listener = l
	a.turn = make(chan struct{}, 1)
	a.once = a.acceptOnce
	a.file.own(l)
	return nil
}

// acceptOnce accepts a connection. A connection that the poller refused before comes first; peer is then still that of
// this connection.
func (a *Acceptor) acceptOnce(uintptr) bool {
	if a.refused != nil {
		a.handle, a.result = core.Duplicate(a.refused.Fd())
		return true
	}
	a.handle, a.peer, a.result = a.listener.Accept()
	return !a.result.Busy()
}

func (a *Acceptor) accept(ctx context.Context, e *Endpoint) (core.Name, error) {
	if err := a.interrupted(ctx); err != nil {
		return core.Name{}, err
	}
	for {
		if err := a.attempt(ctx, a.once); err != nil {
			return core.Name{}, err
		}
		switch {
		case a.result >= 0:
			err := e.tryOpen(a.handle)
			a.refused.Close() // handle is a duplicate of it
			a.refused = nil
			if err != nil {
				a.refused = e.file
			}
			return a.peer, err
		case a.result.NotAdmitted():
			return core.Name{}, &NotAdmittedError{a.listener.Refused()}
		default:
			return core.Name{}, a.result.TemporaryErr()
		}
	}
}

// SetUnlinkOnClose sets whether Close removes the socket file.
func (a *Acceptor) SetUnlinkOnClose(unlink bool) { a.file.setUnlinkOnClose(unlink) }

// release removes the socket file before it closes the socket. As long as the socket is open, no other file can get the
// same inode number, and nobody finds a file without a listener.
func (a *Acceptor) release() error {
	a.refused.Close()
	a.file.close()
	return a.end.file.Close()
}

// RawConn returns access to the descriptor.
func (a *Acceptor) RawConn() (syscall.RawConn, error) { return a.end.RawConn() }

// Duplicate returns a file with this name, on a duplicate of the descriptor.
func (a *Acceptor) Duplicate(name string) (*os.File, error) { return a.end.Duplicate(name) }

// SetPassCredentials is Endpoint.SetPassCredentials for the connections accepted after this call.
func (a *Acceptor) SetPassCredentials(on bool) error { return a.end.SetPassCredentials(on) }

// SetPassPIDFD is Endpoint.SetPassPIDFD for the connections accepted after this call.
func (a *Acceptor) SetPassPIDFD(on bool) error { return a.end.SetPassPIDFD(on) }
