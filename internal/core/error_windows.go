package core

// #include "core.h"
import "C"

import (
	"fmt"
	"io/fs"
	"syscall"
)

// The system's numbers that have a meaning of their own here.
const (
	osOperationAborted syscall.Errno = 995 // ERROR_OPERATION_ABORTED, winerror.h
	osPipeBusy         syscall.Errno = 231 // ERROR_PIPE_BUSY
)

// Broken is the result of writing to a direction that has ended.
const Broken Result = -(C.LIPC_EPIPE<<C.LIPC_ERROR_OS_BITS | 232) // ERROR_NO_DATA

// Aborted reports whether an operation was cancelled.
func (r Result) Aborted() bool { return r < 0 && r.number() == osOperationAborted }

// NoFreeInstance reports whether no instance of a pipe can be created before a connection ends.
func (r Result) NoFreeInstance() bool { return r.Busy() && r.number() == osPipeBusy }

// TimedOut reports whether the time of a call ran out.
func (r Result) TimedOut() bool { return r.is(C.LIPC_ETIMEDOUT) }

// WrongDirection reports whether the operation was one that this end of a one-way pipe does not have.
func (r Result) WrongDirection() bool {
	return r.is(C.LIPC_EBADF) && r.number() == syscall.ERROR_ACCESS_DENIED
}

// sentinels are the errors that programs compare with, in place of the system's numbers.
var sentinels = map[int]error{
	C.LIPC_EAGAIN:       syscall.EAGAIN,
	C.LIPC_EINVAL:       syscall.EINVAL,
	C.LIPC_ENAME:        syscall.EINVAL,
	C.LIPC_ENAMETOOLONG: syscall.ENAMETOOLONG,
	C.LIPC_ENOENT:       fs.ErrNotExist,
	C.LIPC_EACCES:       fs.ErrPermission,
	C.LIPC_EADDRINUSE:   syscall.EADDRINUSE,
	C.LIPC_ECONNREFUSED: syscall.ECONNREFUSED,
	C.LIPC_EPIPE:        syscall.EPIPE,
	C.LIPC_EMFILE:       syscall.EMFILE,
	C.LIPC_ENOMEM:       syscall.ENOMEM,
	C.LIPC_EBADF:        syscall.EBADF,
	C.LIPC_ENOTSOCK:     syscall.ENOTSOCK,
	C.LIPC_ENOTCONN:     syscall.ENOTCONN,
	C.LIPC_EMSGSIZE:     syscall.EMSGSIZE,
	C.LIPC_EPROTO:       syscall.EPROTO,
}

// A codeError has a text of its own, because the system's texts for pipes are about files. It matches the system's
// number, and the sentinel that programs compare with.
type codeError struct {
	text     string
	number   syscall.Errno
	sentinel error
}

func (e *codeError) Error() string   { return fmt.Sprintf("%s (system error %d)", e.text, int(e.number)) }
func (e *codeError) Unwrap() []error { return []error{e.number, e.sentinel} }

// Explained returns an error with this text, which matches the system's number and a sentinel.
func (r Result) Explained(text string, sentinel error) error {
	return &codeError{text, r.number(), sentinel}
}

func (r Result) systemErr(number syscall.Errno) error {
	if sentinel, known := sentinels[r.code()]; known {
		return &codeError{C.GoString(C.lipc_strerror(C.int64_t(r))), number, sentinel}
	}
	return number
}
