package core

/*
#include "core.h"

#cgo noescape lipc_pipe_ids_get
#cgo nocallback lipc_pipe_ids_get
*/
import "C"

import "time"

// Handle returns an event that is signalled when a connection can be accepted.
func (l Listener) Handle() uintptr { return uintptr(C.lipc_listener_handle(l.c)) }

// IsOverlapped returns 1 if a file was opened for overlapped operation, otherwise 0.
func IsOverlapped(handle uintptr) Result { return Result(C.lipc_is_overlapped(C.lipc_handle(handle))) }

// SetInherit sets whether child processes inherit a handle.
func SetInherit(handle uintptr, on bool) Result {
	return Result(C.lipc_set_inherit(C.lipc_handle(handle), cint(on)))
}

// DuplicateInto gives a process a duplicate of a handle.
func DuplicateInto(handle uintptr, process int) (duplicate uintptr, r Result) {
	var h C.lipc_handle
	r = Result(C.lipc_duplicate_into(C.lipc_handle(handle), C.uint32_t(process), &h))
	return uintptr(h), r
}

// Give gives the peer of a connection a duplicate of a handle. connected is the time of the connection, in nanoseconds
// since 1970.
func Give(connection uintptr, connected int64, handle uintptr) (duplicate uintptr, r Result) {
	var h C.lipc_handle
	r = Result(C.lipc_give(C.lipc_handle(connection), fileTime(connected), C.lipc_handle(handle), &h))
	return uintptr(h), r
}

// Take returns a duplicate of a handle of the peer's. connected is as in Give.
func Take(connection uintptr, connected int64, number uintptr) (duplicate uintptr, r Result) {
	var h C.lipc_handle
	r = Result(C.lipc_take(C.lipc_handle(connection), fileTime(connected), C.lipc_handle(number), &h))
	return uintptr(h), r
}

// fileTime converts a time to the system's form: units of 100 ns since 1601.
func fileTime(nanoseconds int64) C.int64_t {
	const from1601to1970 = 11_644_473_600 * 10_000_000
	return C.int64_t(nanoseconds/100 + from1601to1970)
}

// Flush waits until the peer has read all that was written.
func Flush(handle uintptr, timeout time.Duration) Result {
	return Result(C.lipc_flush(C.lipc_handle(handle), C.int(timeout.Milliseconds())))
}

// Disconnect ends a connection at once.
func Disconnect(handle uintptr) Result { return Result(C.lipc_disconnect(C.lipc_handle(handle))) }

// Impersonate lets the calling thread act as the client, until Revert.
func Impersonate(handle uintptr) Result { return Result(C.lipc_impersonate(C.lipc_handle(handle))) }

// Revert ends Impersonate.
func Revert() Result { return Result(C.lipc_revert()) }

// IsServer returns 1 for the end that was accepted, and 0 for the one that dialled.
func IsServer(handle uintptr) Result { return Result(C.lipc_pipe_is_server(C.lipc_handle(handle))) }

// PipeIDs are the processes and sessions at the ends of a pipe. Those on another machine are -1.
type PipeIDs struct{ ClientProcess, ClientSession, ServerProcess, ServerSession int }

// GetPipeIDs returns the processes and sessions at the ends of a pipe.
func GetPipeIDs(handle uintptr) (PipeIDs, Result) {
	var ids C.lipc_pipe_ids
	r := Result(C.lipc_pipe_ids_get(C.lipc_handle(handle), &ids))
	return PipeIDs{goID(ids.client_process), goID(ids.client_session), goID(ids.server_process),
		goID(ids.server_session)}, r
}

func goID(number C.uint32_t) int {
	if number == C.LIPC_REMOTE {
		return -1
	}
	return int(number)
}
