package core

/*
#include "core.h"

static int64_t ipc_send(lipc_handle handle, const char *data, size_t size) {
	return lipc_send(handle, data, size, 0);
}

static int64_t ipc_receive(lipc_handle handle, char *data, size_t size) {
	return lipc_receive(handle, data, size, 0);
}

static int64_t ipc_peek(lipc_handle handle, char *data, size_t size) {
	return lipc_peek(handle, data, size, 0);
}
*/
import "C"

// Send sends a message.
func Send(handle uintptr, b []byte) Result {
	return Result(C.ipc_send(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}

// Receive receives a message.
func Receive(handle uintptr, b []byte) Result {
	return Result(C.ipc_receive(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}

// Peek receives a message as Receive does, without removing it.
func Peek(handle uintptr, b []byte) Result {
	return Result(C.ipc_peek(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}

// MessageSize returns the size of the next message.
func MessageSize(handle uintptr) Result {
	return Result(C.lipc_message_size(C.lipc_handle(handle), 0))
}

// MessageLimit returns the size of the largest message that can be sent.
func MessageLimit(handle uintptr) Result {
	return Result(C.lipc_message_limit(C.lipc_handle(handle)))
}
