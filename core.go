//go:build cgo

package ipc

// The part of the C core that is the same on all systems: results and names.

/*
#include "core.h"

static int ipc_check_name(int type, const char *text, size_t length) {
	lipc_name name;
	return ipc_name(type, text, length, &name);
}

#cgo noescape ipc_check_name
#cgo nocallback ipc_check_name
*/
import "C"

import (
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"unsafe"
)

const (
	directionRead  = C.LIPC_READ
	directionWrite = C.LIPC_WRITE

	kindStream     result = C.LIPC_STREAM
	kindMessage    result = C.LIPC_MESSAGE
	kindDatagram   result = C.LIPC_DATAGRAM
	kindPipeReader result = C.LIPC_PIPE_READER
	kindPipeWriter result = C.LIPC_PIPE_WRITER

	// What the package finds itself, in the core's words: what the system lacks, and the end.
	resultUnsupported result = -C.LIPC_ENOTSUP << C.LIPC_ERROR_OS_BITS
	resultEnd         result = -C.LIPC_EEND << C.LIPC_ERROR_OS_BITS

	// maxFiles is how many files one message carries.
	maxFiles = C.LIPC_MESSAGE_HANDLES
)

// result is what a function of the C core returned.
type result int64

func (r result) code() int { return int(-r >> C.LIPC_ERROR_OS_BITS) }

// truncated reports whether a message did not fit.
func (r result) truncated() bool { return r < 0 && r.code() == C.LIPC_ETRUNCATED }

// isKind reports whether a kind is the one that is wanted. A pipe may be open for both ends.
func (r result) isKind(wanted result) bool {
	return r == wanted || wanted&C.LIPC_PIPE_DUPLEX != 0 && r.isPipe() && r&wanted != 0
}

func (r result) isPipe() bool { return r >= 0 && r&C.LIPC_PIPE_DUPLEX != 0 }

// kindErr says why a kind is not the one that is wanted.
func (r result) kindErr(wanted result) error {
	switch {
	case r < 0:
		return r.err()
	case r.isPipe() && wanted.isPipe():
		return &optionError{"it is the other end of a pipe"}
	}
	return errNotSocket
}

// notSocket reports whether a handle is not of the sort that is wanted.
func (r result) notSocket() bool { return r < 0 && r.code() == C.LIPC_ENOTSOCK }

// filesLost reports whether files came that could not all be taken.
func (r result) filesLost() bool { return r < 0 && r.code() == C.LIPC_EHANDLES }

// unsupported reports whether the system lacks what was asked.
func (r result) unsupported() bool { return r < 0 && r.code() == C.LIPC_ENOTSUP }

// gone reports whether nobody reads any more what was to be written.
func (r result) gone() bool { return r < 0 && r.code() == C.LIPC_EPIPE }

// busy reports whether the call would have had to wait.
func (r result) busy() bool { return r < 0 && r.code() == C.LIPC_EAGAIN }

// err is nil for a success.
func (r result) err() error {
	if r >= 0 {
		return nil
	}
	number := syscall.Errno(-r & (1<<C.LIPC_ERROR_OS_BITS - 1))
	switch r.code() {
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
		return fmt.Errorf("%w (%w)", unsupported(), number)
	}
	return r.systemErr(number)
}

// temporaryErr is err for what passes: to be out of descriptors or memory, or to have too many files on their way.
func (r result) temporaryErr() error {
	if r.code() == C.LIPC_EMFILE || r.code() == C.LIPC_ENOMEM {
		return &temporaryError{r.err()}
	}
	return r.err()
}

// turnedAway reports whether an accept closed a connection because of who its peer is.
func (r result) turnedAway() bool { return r < 0 && r.code() == C.LIPC_EACCES }

// nameErr is err for a call that took a name, which may itself be the fault.
func (r result) nameErr(name Name) error {
	switch r.code() {
	case C.LIPC_ENAMETOOLONG:
		return newNameError(name, max(1, int(C.lipc_name_limit(C.int(name.types)))), r.err())
	case C.LIPC_ENAME:
		return newNameError(name, 0, r.err())
	}
	return r.err()
}

// check returns an error for a name that this system cannot have.
func (n Name) check() error {
	return result(C.ipc_check_name(C.int(n.types), cstring(n.text), C.size_t(len(n.text)))).nameErr(n)
}

// cstring is the text itself, without a NUL: valid during a call that is given its length.
func cstring(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }
