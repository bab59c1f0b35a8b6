//go:build cgo

package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"syscall"
)

// ErrTruncated is the error of a receive whose buffer was too small for the message. The buffer holds the message's
// beginning; its rest is lost.
var ErrTruncated = errors.New("message truncated: it does not fit the buffer")

// ErrFilesLost is the error of a receive with whose message more files came than there was room for, or than the process
// may open: the error then matches [syscall.EMFILE] or ENFILE, too. All of them have been closed; the payload has been
// received. Other control data for which a [ControlReader] has no room is this error, too.
var ErrFilesLost = errors.New("files came with the message and could not all be taken, so they were closed")

// A filesLostError says which limit files were lost to.
type filesLostError struct{ limit syscall.Errno }

func (e *filesLostError) Error() string   { return ErrFilesLost.Error() + ": " + e.limit.Error() }
func (e *filesLostError) Unwrap() []error { return []error{ErrFilesLost, e.limit} }

// Faults that the package itself finds.
var (
	errInvalid      error = syscall.EINVAL
	errNotSocket    error = syscall.ENOTSOCK
	errTooManyFiles error = &optionError{fmt.Sprintf("more than %d files in one message", maxFiles)}
	errNotFIFO            = fmt.Errorf("%w and is no FIFO", fs.ErrExist)
)

// unsupported names the system that lacks an operation. It matches [errors.ErrUnsupported].
func unsupported() error { return fmt.Errorf("%w on %s", errors.ErrUnsupported, runtime.GOOS) }

// matching is an error number that also matches a sentinel.
func matching(number syscall.Errno, sentinel error) error {
	if errors.Is(number, sentinel) {
		return number
	}
	return &matchingError{number, sentinel}
}

type matchingError struct {
	syscall.Errno
	sentinel error
}

func (e *matchingError) Unwrap() []error { return []error{e.Errno, e.sentinel} }

// A temporaryError tells its caller, through [net.OpError.Temporary], to try again; net/http does.
type temporaryError struct{ error }

func (e *temporaryError) Temporary() bool { return true }
func (e *temporaryError) Unwrap() error   { return e.error }

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
