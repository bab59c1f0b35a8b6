package core

// #include "core.h"
import "C"

import (
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

var (
	errTooManyFiles = Invalidf("more than %d files in one message", MaxFiles)
	errNotFIFO      = fmt.Errorf("%w and is no FIFO", fs.ErrExist)
)

// A Result is what a function of the C core returned: a count, or a negative error that contains a portable code and
// the system's number.
type Result int64

// Results of the Go packages' own, in the form of the C core's.
const (
	End         Result = -C.LIPC_EEND << C.LIPC_ERROR_OS_BITS    // end of stream
	Unavailable Result = -C.LIPC_ENOTSUP << C.LIPC_ERROR_OS_BITS // the system does not have this
)

func (r Result) code() int { return int(-r >> C.LIPC_ERROR_OS_BITS) }

func (r Result) number() syscall.Errno {
	return syscall.Errno(-r & (1<<C.LIPC_ERROR_OS_BITS - 1))
}

func (r Result) is(code int) bool { return r < 0 && r.code() == code }

// Busy reports whether the call would have had to wait.
func (r Result) Busy() bool { return r.is(C.LIPC_EAGAIN) }

// Truncated reports whether a message did not fit.
func (r Result) Truncated() bool { return r.is(C.LIPC_ETRUNCATED) }

// TooLarge reports whether a message was too large for the call, and stays.
func (r Result) TooLarge() bool { return r.is(C.LIPC_EMSGSIZE) }

// FilesLost reports whether files arrived that could not all be taken.
func (r Result) FilesLost() bool { return r.is(C.LIPC_EHANDLES) }

// Violated reports whether the peer broke the protocol of channels.
func (r Result) Violated() bool { return r.is(C.LIPC_EPROTO) }

// Unsupported reports whether the system does not have what was asked for.
func (r Result) Unsupported() bool { return r.is(C.LIPC_ENOTSUP) }

// NotAdmitted reports whether accepting closed a connection because its peer was not admitted.
func (r Result) NotAdmitted() bool { return r.is(C.LIPC_EACCES) }

// NotSocket reports whether a handle is not of the kind needed.
func (r Result) NotSocket() bool { return r.is(C.LIPC_ENOTSOCK) }

// Err returns the error of a result, or nil for a success.
func (r Result) Err() error {
	if r >= 0 {
		return nil
	}
	switch number := r.number(); r.code() {
	case C.LIPC_EEND:
		return io.EOF
	case C.LIPC_ETRUNCATED:
		return ErrTruncated
	case C.LIPC_EHANDLES:
		if number == syscall.EMFILE || number == syscall.ENFILE {
			return &filesLostError{number}
		}
		return ErrFilesLost
	case C.LIPC_ETOOMANY:
		return errTooManyFiles
	case C.LIPC_EEXIST:
		return matching(number, fs.ErrExist)
	case C.LIPC_ENOTFIFO:
		return errNotFIFO
	case C.LIPC_ENOTSUP:
		return fmt.Errorf("%w (%w)", Unsupported(), number)
	default:
		return r.systemErr(number)
	}
}

// TemporaryErr is Err, made [Temporary] if trying again may succeed: descriptors or memory were lacking, or too many
// files were on their way.
func (r Result) TemporaryErr() error {
	if r.is(C.LIPC_EMFILE) || r.is(C.LIPC_ENOMEM) {
		return Temporary(r.Err())
	}
	return r.Err()
}

// nameErr is Err for a call that took a name. If the name is the fault, the error says what is wrong with it.
func (r Result) nameErr(name Name) error {
	switch {
	case r.is(C.LIPC_ENAMETOOLONG):
		return newNameError(name, max(1, int(C.lipc_name_limit(name.Type.c()))), r.Err())
	case r.is(C.LIPC_ENAME):
		return newNameError(name, 0, r.Err())
	default:
		return r.Err()
	}
}
