// Package poll implements the endpoints of connections. Their operations wait on the runtime's poller, or on Windows on
// a completion port. They have deadlines, and can spin before they wait. The package also implements copying and
// acceptors. Package ipc builds its types on them.
package poll

import (
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// errChannel is the error of what would take a connection away from its channel.
var errChannel = core.Invalidf("the connection is a channel's")

// errGiven is the error of an end that is for child processes.
var errGiven = core.Invalidf("this end is for child processes, and not used here")

// Shutdown shuts down one direction, for every process that shares the connection.
func (e *Endpoint) Shutdown(direction core.Direction) error {
	if direction == core.Writing {
		return e.shutDownWriting()
	}
	return e.in.shutDown(func() error { return e.shutdown(core.Reading) })
}

// shutdown performs the call.
func (e *Endpoint) shutdown(direction core.Direction) error {
	return e.Control(func(handle uintptr) core.Result { return core.Shutdown(handle, direction) })
}

// SetBufferSize requests a buffer of this size in bytes.
func (e *Endpoint) SetBufferSize(direction core.Direction, size int) error {
	return e.Control(func(handle uintptr) core.Result { return core.SetBufferSize(handle, direction, size) })
}

// PeerCredentials returns the identity of the peer. With [syscall.EAGAIN] it returns what is known already.
func (e *Endpoint) PeerCredentials() (credentials core.Credentials, err error) {
	credentials = core.NoCredentials
	asked := e.Control(func(handle uintptr) core.Result {
		credentials, err = core.PeerCredentials(handle)
		return 0
	})
	if asked != nil {
		err = asked
	}
	return credentials, err
}

// RawConn returns access to the handle.
func (e *Endpoint) RawConn() (syscall.RawConn, error) {
	if !e.opened() {
		return nil, core.ErrZero
	}
	return rawConn{e}, nil
}
