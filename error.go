//go:build cgo

package ipc

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
)

// Faults that the package itself finds.
var (
	errInvalid   error = syscall.EINVAL
	errNotSocket error = syscall.ENOTSOCK
)

// unsupported names the system that lacks an operation. It matches [errors.ErrUnsupported].
func unsupported() error { return fmt.Errorf("%w on %s", errors.ErrUnsupported, runtime.GOOS) }

// opError names the operation and the names it was about; a nil error stays nil. Names that are no names are left out.
func opError(op string, source, addr Name, err error) error {
	if err == nil {
		return nil
	}
	e := &net.OpError{Op: op, Net: "ipc", Err: err}
	if source.types != 0 {
		e.Source = source
	}
	if addr.types != 0 {
		e.Addr = addr
	}
	return e
}
