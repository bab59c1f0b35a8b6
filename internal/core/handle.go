package core

// #include "core.h"
import "C"

import (
	"runtime"
	"syscall"
	"unsafe"
)

// char returns the beginning of a buffer, as C takes it. C functions that Go calls take char pointers, not void
// pointers. For a void pointer cgo looks for the object behind it, which is slow, and rejects a buffer that lies within
// a struct with pointers.
func char(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }

func cint(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// A Kind is what a handle is: a connection, a listener or an end of a pipe.
type Kind int

const (
	KindStream     Kind = C.LIPC_STREAM
	KindMessage    Kind = C.LIPC_MESSAGE
	KindDatagram   Kind = C.LIPC_DATAGRAM
	KindPipeReader Kind = C.LIPC_PIPE_READER
	KindPipeWriter Kind = C.LIPC_PIPE_WRITER

	KindListener Kind = C.LIPC_LISTENER // added to the kind of connection that a listener accepts
)

// KindOf returns the kind of a handle.
func KindOf(handle uintptr) (Kind, Result) {
	r := Result(C.lipc_kind(C.lipc_handle(handle)))
	return Kind(max(r, 0)), r
}

// Is reports whether a kind is the wanted one. A pipe that is open for both matches either end.
func (k Kind) Is(wanted Kind) bool {
	return k == wanted || k.IsPipe() && wanted.IsPipe() && k&wanted != 0
}

// IsPipe reports whether the kind is an end of a pipe, or both ends.
func (k Kind) IsPipe() bool { return k&C.LIPC_PIPE_DUPLEX != 0 }

// Check returns an error if a handle is not of the wanted kind.
func Check(handle uintptr, wanted Kind) error {
	kind, r := KindOf(handle)
	switch {
	case r < 0:
		return r.Err()
	case kind.Is(wanted):
		return nil
	case kind.IsPipe() && wanted.IsPipe():
		return Invalidf("it is the other end of a pipe")
	default:
		return syscall.ENOTSOCK
	}
}

// creating wraps a call that creates descriptors. On systems that cannot create them close-on-exec, no process may be
// started during the call.
func creating(call func() Result) Result {
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	return call()
}

// Duplicate returns a duplicate of a handle, close-on-exec.
func Duplicate(handle uintptr) (duplicate uintptr, r Result) {
	var h C.lipc_handle
	r = creating(func() Result { return Result(C.lipc_duplicate(C.lipc_handle(handle), &h)) })
	return uintptr(h), r
}

// Adopt prepares a handle from elsewhere for the C core: see lipc_adopt.
func Adopt(handle uintptr) Result { return Result(C.lipc_adopt(C.lipc_handle(handle))) }

// Close closes a handle.
func Close(handle uintptr) { C.lipc_close(C.lipc_handle(handle)) }

// A Direction is one direction of a connection.
type Direction int

const (
	Reading Direction = C.LIPC_READ
	Writing Direction = C.LIPC_WRITE
)

// Shutdown shuts down one direction of a connection.
func Shutdown(handle uintptr, direction Direction) Result {
	return Result(C.lipc_shutdown(C.lipc_handle(handle), C.int(direction)))
}

// SetBufferSize requests a buffer of this size in bytes.
func SetBufferSize(handle uintptr, direction Direction, size int) Result {
	size = min(size, 1<<30)
	return Result(C.lipc_set_buffer_size(C.lipc_handle(handle), C.int(direction), C.int(size)))
}
