package ipc

import (
	"net"

	"github.com/lipc/ipc/internal/core"
)

// ErrTruncated is the error of a receive whose buffer was too small for the message. The buffer has the beginning of
// the message; the rest is lost.
var ErrTruncated = core.ErrTruncated

// ErrFilesLost is the error of a receive that could not take all files that came with the message. There was no room
// for them, or the process may open no more; in that case the error also matches [syscall.EMFILE] or [syscall.ENFILE].
// All files that came have been closed. The payload has been received. If a [ControlReader] has no room for other
// control data, the error is also this one.
var ErrFilesLost = core.ErrFilesLost

// opError adds to an error the operation and the names it was about, without zero names. It returns nil for a nil
// error.
func opError(op string, source, addr Name, err error) error {
	if err == nil {
		return nil
	}
	e := &net.OpError{Op: op, Net: "ipc", Err: err}
	if source.String() != "" {
		e.Source = source
	}
	if addr.String() != "" {
		e.Addr = addr
	}
	return e
}
