package ipc

import (
	"net"

	"github.com/lipc/ipc/internal/core"
)

// ErrTruncated is the error of a receive whose buffer was too small for the message. The buffer holds the message's
// beginning; its rest is lost.
var ErrTruncated = core.ErrTruncated

// ErrFilesLost is the error of a receive with whose message more files came than there was room for, or than the process
// may open: the error then matches [syscall.EMFILE] or ENFILE, too. All of them have been closed; the payload has been
// received. Other control data for which a [ControlReader] has no room is this error, too.
var ErrFilesLost = core.ErrFilesLost

// opError names the operation and the names it was about; a nil error stays nil. Names that are no names are left out.
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
