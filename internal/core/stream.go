package core

// The functions that read and write are not declared noescape and nocallback. Their buffers are on the heap already, so
// noescape gains nothing. nocallback would cost each call two more calls, into the runtime, which check that C does not
// call back.

/*
#include "core.h"

static int64_t ipc_read(lipc_handle handle, char *data, size_t size) {
	return lipc_read(handle, data, size, 0);
}

static int64_t ipc_write(lipc_handle handle, const char *data, size_t size) {
	return lipc_write(handle, data, size, 0);
}
*/
import "C"

import "unsafe"

// Read reads the bytes that are there.
func Read(handle uintptr, b []byte) Result {
	return Result(C.ipc_read(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}

// Write writes as many bytes as there is room for.
func Write(handle uintptr, b []byte) Result {
	return Result(C.ipc_write(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}

// A Buffer is pinned memory. It must be pinned because C reaches it through other memory, the array of buffers.
type Buffer struct{ c C.lipc_buffer }

// NewBuffer returns a buffer of pinned memory.
func NewBuffer(data unsafe.Pointer, size int) Buffer {
	return Buffer{C.lipc_buffer{data: data, size: C.size_t(size)}}
}

// Data returns where the buffer begins.
func (b Buffer) Data() unsafe.Pointer { return b.c.data }

// Size returns the buffer's size in bytes.
func (b Buffer) Size() int { return int(b.c.size) }

// Bytes returns the buffer as a slice.
func (b Buffer) Bytes() []byte { return unsafe.Slice((*byte)(b.c.data), b.c.size) }

// Rest returns the buffer without its first n bytes.
func (b Buffer) Rest(n int) Buffer { return NewBuffer(unsafe.Add(b.c.data, n), b.Size()-n) }

func cbuffers(buffers []Buffer) *C.lipc_buffer {
	return (*C.lipc_buffer)(unsafe.Pointer(unsafe.SliceData(buffers)))
}

// ReadBuffers reads as Read does, into several buffers, which it fills in order.
func ReadBuffers(handle uintptr, buffers []Buffer) Result {
	return Result(C.lipc_readv(C.lipc_handle(handle), cbuffers(buffers), C.size_t(len(buffers)), 0))
}

// WriteBuffers writes several buffers as Write does, in order.
func WriteBuffers(handle uintptr, buffers []Buffer) Result {
	return Result(C.lipc_writev(C.lipc_handle(handle), cbuffers(buffers), C.size_t(len(buffers)), 0))
}
