//go:build cgo

package ipc

// Every call into the Windows part of the C core.

/*
#include "core.h"
#include <stdlib.h>

// What a direction has to have outside of Go's memory: the system writes to it while an operation is under way.
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

// The keys of what a port reported. The operation of a completion is no pointer in Go's hands: a process that shares a
// handle of the port's reports whatever address it likes, and the garbage collector ends the program at one that is in
// a part of the heap that is not in use.
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
#cgo noescape lipc_peer_sid
#cgo nocallback lipc_peer_sid
#cgo noescape lipc_pipe_ids_get
#cgo nocallback lipc_pipe_ids_get
*/
import "C"

import (
	"fmt"
	"io/fs"
	"syscall"
	"time"
	"unsafe"
)

// What the system says of operations.
const (
	osOperationAborted syscall.Errno = 995 // ERROR_OPERATION_ABORTED, winerror.h
	osPipeBusy         syscall.Errno = 231 // ERROR_PIPE_BUSY
)

func (r result) number() syscall.Errno {
	return syscall.Errno(-r & (1<<C.LIPC_ERROR_OS_BITS - 1))
}

// invalid reports whether an argument was refused. The package checks what it can before.
func (r result) invalid() bool { return r < 0 && r.code() == C.LIPC_EINVAL }

// aborted reports whether an operation was cancelled.
func (r result) aborted() bool { return r < 0 && r.number() == osOperationAborted }

// starved reports whether no instance of a pipe can be made before a connection ends.
func (r result) starved() bool { return r.busy() && r.number() == osPipeBusy }

// timedOut reports whether the time of a call ran out.
func (r result) timedOut() bool { return r < 0 && r.code() == C.LIPC_ETIMEDOUT }

// wrongWay reports whether an end was used that only reads, or only writes.
func (r result) wrongWay() bool {
	return r < 0 && r.code() == C.LIPC_EBADF && r.number() == syscall.ERROR_ACCESS_DENIED
}

// sentinels are what programs look for in place of the system's numbers.
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
}

// A codeError says in words what went wrong, since the system's own for pipes are about files, and matches the system's number
// and what programs look for in its place.
type codeError struct {
	text     string
	number   syscall.Errno
	sentinel error
}

func (e *codeError) Error() string   { return fmt.Sprintf("%s (system error %d)", e.text, int(e.number)) }
func (e *codeError) Unwrap() []error { return []error{e.number, e.sentinel} }

func (r result) systemErr(number syscall.Errno) error {
	if sentinel, known := sentinels[r.code()]; known {
		return &codeError{C.GoString(C.lipc_strerror(C.int64_t(r))), number, sentinel}
	}
	return number
}

type coreHandle = C.lipc_handle

// A coreOperation is memory of C's for the operations of a direction.
type coreOperation struct{ c C.ipc_operation }

func newCoreOperation() *coreOperation {
	return (*coreOperation)(C.calloc(1, C.sizeof_ipc_operation))
}

func (o *coreOperation) free() {
	C.lipc_watch_stop(&o.c.watch)
	if o.c.async.event != 0 {
		C.lipc_close(o.c.async.event)
	}
	C.free(unsafe.Pointer(o))
}

// key is what the port reports the operation by.
func (o *coreOperation) key() uintptr { return uintptr(unsafe.Pointer(o)) }

// watched makes the operations report through an event, for a handle that has a port already.
func (o *coreOperation) watched() result { return result(C.lipc_event(&o.c.async.event)) }

func (o *coreOperation) isWatched() bool { return o.c.async.event != 0 }

// watchEvent has the port report when the operation is over.
func (o *coreOperation) watchEvent(port uintptr) result {
	return o.watchHandle(port, uintptr(o.c.async.event))
}

// watchHandle has the port report when a handle is signalled.
func (o *coreOperation) watchHandle(port, handle uintptr) result {
	return result(C.lipc_watch_start(&o.c.watch, C.lipc_handle(port), C.lipc_handle(handle), C.uintptr_t(o.key())))
}

func (o *coreOperation) stopWatch() { C.lipc_watch_stop(&o.c.watch) }

func coreAsyncRead(handle uintptr, data unsafe.Pointer, size int, o *coreOperation) result {
	return result(C.ipc_async_read(C.lipc_handle(handle), (*C.char)(data), C.size_t(size), &o.c))
}

func coreAsyncReceive(handle uintptr, data unsafe.Pointer, size int, o *coreOperation) result {
	return result(C.ipc_async_receive(C.lipc_handle(handle), (*C.char)(data), C.size_t(size), &o.c))
}

func coreAsyncWrite(handle uintptr, data unsafe.Pointer, size int, o *coreOperation) result {
	return result(C.ipc_async_write(C.lipc_handle(handle), (*C.char)(data), C.size_t(size), &o.c))
}

func coreAsyncFinish(handle uintptr, o *coreOperation) result {
	return result(C.lipc_async_finish(C.lipc_handle(handle), &o.c.async))
}

func coreAsyncCancel(handle uintptr, o *coreOperation) {
	C.lipc_async_cancel(C.lipc_handle(handle), &o.c.async)
}

func corePort() (port uintptr, r result) {
	var h C.lipc_handle
	r = result(C.lipc_port(&h))
	return uintptr(h), r
}

// corePortAdd reports whether the handle has a port already.
func corePortAdd(port, handle uintptr) (taken bool, r result) {
	r = result(C.lipc_port_add(C.lipc_handle(port), C.lipc_handle(handle), 0))
	if r < 0 && r.code() == C.LIPC_EEXIST {
		return true, 0
	}
	return false, r
}

// corePortWait stores the keys of operations and watches that may be over.
func corePortWait(port uintptr, keys []uintptr) result {
	first := (*C.uintptr_t)(unsafe.Pointer(unsafe.SliceData(keys)))
	return result(C.ipc_port_wait(C.lipc_handle(port), C.size_t(len(keys)), first))
}

func coreListenerHandle(l *coreListener) uintptr { return uintptr(C.lipc_listener_handle(l)) }

func coreIsOverlapped(handle uintptr) result {
	return result(C.lipc_is_overlapped(C.lipc_handle(handle)))
}

func coreSetInherit(handle uintptr, on bool) result {
	return result(C.lipc_set_inherit(C.lipc_handle(handle), cint(on)))
}

// coreDuplicateInto gives a process a duplicate of a handle.
func coreDuplicateInto(handle uintptr, process int) (duplicate uintptr, r result) {
	var h C.lipc_handle
	r = result(C.lipc_duplicate_into(C.lipc_handle(handle), C.uint32_t(process), &h))
	return uintptr(h), r
}

// coreGive gives the peer of a connection a duplicate of a handle; coreTake fetches one. connected is the time of the
// connection, in nanoseconds since 1970.
func coreGive(connection uintptr, connected int64, handle uintptr) (duplicate uintptr, r result) {
	var h C.lipc_handle
	r = result(C.lipc_give(C.lipc_handle(connection), fileTime(connected), C.lipc_handle(handle), &h))
	return uintptr(h), r
}

func coreTake(connection uintptr, connected int64, number uintptr) (duplicate uintptr, r result) {
	var h C.lipc_handle
	r = result(C.lipc_take(C.lipc_handle(connection), fileTime(connected), C.lipc_handle(number), &h))
	return uintptr(h), r
}

// fileTime is a time as the system has it: in units of 100 ns since 1601.
func fileTime(nanoseconds int64) C.int64_t {
	const from1601to1970 = 11_644_473_600 * 10_000_000
	return C.int64_t(nanoseconds/100 + from1601to1970)
}

func coreFlush(handle uintptr, timeout time.Duration) result {
	return result(C.lipc_flush(C.lipc_handle(handle), C.int(timeout.Milliseconds())))
}

func coreDisconnect(handle uintptr) result  { return result(C.lipc_disconnect(C.lipc_handle(handle))) }
func coreImpersonate(handle uintptr) result { return result(C.lipc_impersonate(C.lipc_handle(handle))) }
func coreRevert() result                    { return result(C.lipc_revert()) }

// coreReadRest reads what is there of a message. It does not give up for lack of memory: a rest that is left would be
// taken for a message.
func coreReadRest(handle uintptr, b []byte) int {
	for {
		r := coreRead(handle, b)
		if r >= 0 || r.code() != C.LIPC_ENOMEM && r.code() != C.LIPC_EMFILE {
			return max(0, int(r))
		}
		time.Sleep(time.Millisecond)
	}
}

// coreDiscard takes what is left of a message, so much.
func coreDiscard(handle uintptr, left int) {
	rest := make([]byte, min(left, 64<<10))
	for left > 0 {
		n := coreReadRest(handle, rest[:min(left, len(rest))])
		if n == 0 {
			return
		}
		left -= n
	}
}

type coreIDs = C.lipc_pipe_ids

// idOf is one of a process or session: -1 on another machine.
func idOf(number C.uint32_t) int {
	if number == C.LIPC_REMOTE {
		return -1
	}
	return int(number)
}

func corePipeIsServer(handle uintptr) result {
	return result(C.lipc_pipe_is_server(C.lipc_handle(handle)))
}

func corePipeIDs(handle uintptr) (ids coreIDs, r result) {
	r = result(C.lipc_pipe_ids_get(C.lipc_handle(handle), &ids))
	return ids, r
}

// corePeerSID returns the security identifier of the peer's user, "" if that is not to be known.
func corePeerSID(handle uintptr) (string, result) {
	var text [C.LIPC_SID_CAPACITY]C.char
	r := result(C.lipc_peer_sid(C.lipc_handle(handle), &text[0], C.size_t(len(text))))
	if r < 0 && r.code() == C.LIPC_EACCES {
		return "", 0
	}
	return C.GoString(&text[0]), r
}

func (s *SysListen) core() (_ *C.struct_lipc_listen_windows, free func()) {
	if s == nil {
		return nil, func() {}
	}
	w := &C.struct_lipc_listen_windows{
		size: C.sizeof_struct_lipc_listen_windows, direction: C.int(s.Direction), instances: C.uint32_t(s.InstanceLimit),
		inbound_buffer: C.uint32_t(s.InboundBuffer), outbound_buffer: C.uint32_t(s.OutboundBuffer),
		default_wait_ms: C.uint32_t(s.DefaultWait.Milliseconds()), accept_remote: cint(s.AcceptRemote),
		write_through: cint(s.WriteThrough), inherit: cint(s.Inherit),
	}
	w.sddl, free = sddl(s.SecurityDescriptor)
	return w, free
}

// sddl is a security descriptor in C's memory, nil for none.
func sddl(text string) (_ *C.char, free func()) {
	if text == "" {
		return nil, func() {}
	}
	c := C.CString(text)
	return c, func() { C.free(unsafe.Pointer(c)) }
}

func (s *SysDial) core() *C.struct_lipc_connect_windows {
	if s == nil {
		return nil
	}
	return &C.struct_lipc_connect_windows{
		size: C.sizeof_struct_lipc_connect_windows, direction: C.int(s.Direction), impersonation: C.int(s.Impersonation),
		write_through: cint(s.WriteThrough), inherit: cint(s.Inherit),
	}
}

func (s *SysPipe) core() (_ *C.char, free func()) {
	if s == nil {
		return nil, func() {}
	}
	return sddl(s.SecurityDescriptor)
}
