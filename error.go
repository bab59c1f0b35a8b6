//go:build cgo

package ipc

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
)

// ErrTruncated is the error of a receive whose buffer was too small for the message. The buffer holds the message's
// beginning; its rest is lost.
var ErrTruncated = errors.New("message truncated: it does not fit the buffer")

// Faults that the package itself finds.
var (
	errInvalid   error = syscall.EINVAL
	errNotSocket error = syscall.ENOTSOCK
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
