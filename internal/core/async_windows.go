package core

/*
#include "core.h"

// The memory of a direction that must be C's, because the system writes to it while an operation is under way.
typedef struct ipc_operation {
	lipc_async async;
	lipc_watch watch;
} ipc_operation;

static int64_t ipc_async_read(lipc_handle handle, char *data, size_t size, ipc_operation *o) {
	return lipc_async_read(handle, data, size, &o->async);
}

static int64_t ipc_async_receive(lipc_handle handle, char *data, size_t size, ipc_operation *o) {
	return lipc_async_receive(handle, data, size, &o->async);
}

static int64_t ipc_async_write(lipc_handle handle, const char *data, size_t size, ipc_operation *o) {
	return lipc_async_write(handle, data, size, &o->async);
}

// Stores the keys of what a port reported. Go must not see the operation of a completion as a pointer: a process that
// shares a handle of the port can report any address. If such an address lies in an unused part of the heap, Go's
// garbage collector ends the program.
static int ipc_port_wait(lipc_handle port, size_t capacity, uintptr_t *ret_keys) {
	enum { MOST = 64 };
	lipc_completion completions[MOST];
	int n = lipc_port_wait(port, -1, capacity < MOST ? capacity : MOST, completions);
	for (int i = 0; i < n; i++)
		ret_keys[i] = completions[i].async != NULL ? (uintptr_t)completions[i].async : completions[i].key;
	return n;
}

#cgo noescape ipc_async_read
#cgo nocallback ipc_async_read
#cgo noescape ipc_async_receive
#cgo nocallback ipc_async_receive
#cgo noescape ipc_async_write
#cgo nocallback ipc_async_write
#cgo noescape lipc_async_finish
#cgo nocallback lipc_async_finish
#cgo noescape ipc_port_wait
#cgo nocallback ipc_port_wait
*/
import "C"

import "unsafe"

// An Operation is C's memory for the operations of a direction.
type Operation struct{ c C.ipc_operation }

// NewOperation returns an operation, which the caller frees.
func NewOperation() *Operation {
	return (*Operation)(C.calloc(1, C.sizeof_ipc_operation))
}

// Free frees the operation, which must not be under way.
func (o *Operation) Free() {
	C.lipc_watch_stop(&o.c.watch)
	if o.c.async.event != 0 {
		C.lipc_close(o.c.async.event)
	}
	C.free(unsafe.Pointer(o))
}

// Key is the key by which a port reports the operation.
func (o *Operation) Key() uintptr { return uintptr(unsafe.Pointer(o)) }

// UseEvent makes operations report through an event, for a handle that already has another port.
func (o *Operation) UseEvent() Result { return Result(C.lipc_event(&o.c.async.event)) }

// HasEvent reports whether UseEvent was called.
func (o *Operation) HasEvent() bool { return o.c.async.event != 0 }

// WatchEvent makes the port report once that the operation's event was signalled: the operation is over.
func (o *Operation) WatchEvent(port uintptr) Result {
	return o.WatchHandle(port, uintptr(o.c.async.event))
}

// WatchHandle makes the port report once that a handle was signalled.
func (o *Operation) WatchHandle(port, handle uintptr) Result {
	return Result(C.lipc_watch_start(&o.c.watch, C.lipc_handle(port), C.lipc_handle(handle), C.uintptr_t(o.Key())))
}

// StopWatch ends the watch that either of these started.
func (o *Operation) StopWatch() { C.lipc_watch_stop(&o.c.watch) }

// A Start starts an operation on pinned memory. A busy result means that the operation is under way.
type Start func(handle uintptr, data unsafe.Pointer, size int, o *Operation) Result

// StartRead starts to read bytes, or a part of a message.
func StartRead(handle uintptr, data unsafe.Pointer, size int, o *Operation) Result {
	return Result(C.ipc_async_read(C.lipc_handle(handle), (*C.char)(data), C.size_t(size), &o.c))
}

// StartReceive starts to receive a message.
func StartReceive(handle uintptr, data unsafe.Pointer, size int, o *Operation) Result {
	return Result(C.ipc_async_receive(C.lipc_handle(handle), (*C.char)(data), C.size_t(size), &o.c))
}

// StartWrite starts to write bytes, or a message.
func StartWrite(handle uintptr, data unsafe.Pointer, size int, o *Operation) Result {
	return Result(C.ipc_async_write(C.lipc_handle(handle), (*C.char)(data), C.size_t(size), &o.c))
}

// Finish returns the result of an operation. It is busy if the operation is not over.
func Finish(handle uintptr, o *Operation) Result {
	return Result(C.lipc_async_finish(C.lipc_handle(handle), &o.c.async))
}

// Cancel asks the system to end an operation, which may have ended meanwhile.
func Cancel(handle uintptr, o *Operation) { C.lipc_async_cancel(C.lipc_handle(handle), &o.c.async) }

// OpenPort returns a completion port.
func OpenPort() (port uintptr, r Result) {
	var h C.lipc_handle
	r = Result(C.lipc_port(&h))
	return uintptr(h), r
}

// AddToPort makes a port report the operations on a handle. taken means that the handle already has another port.
func AddToPort(port, handle uintptr) (taken bool, r Result) {
	r = Result(C.lipc_port_add(C.lipc_handle(port), C.lipc_handle(handle), 0))
	if r.is(C.LIPC_EEXIST) {
		return true, 0
	}
	return false, r
}

// WaitPort stores the keys of operations that may be over, and of watches that may have fired.
func WaitPort(port uintptr, keys []uintptr) Result {
	first := (*C.uintptr_t)(unsafe.Pointer(unsafe.SliceData(keys)))
	return Result(C.ipc_port_wait(C.lipc_handle(port), C.size_t(len(keys)), first))
}
