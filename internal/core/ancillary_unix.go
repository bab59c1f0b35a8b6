//go:build unix

package core

/*
#include "core.h"
#include <lipc_channel.h>
#include <lipc_unix.h>
#include <stdbool.h>

// What travels with a payload. It contains no Go pointers, so cgo can pass it to C directly.
typedef struct ipc_ancillary {
	lipc_handle handles[LIPC_MESSAGE_HANDLES];
	size_t handle_count; // how many to send, or to accept; after a receive, how many arrived
	lipc_credentials credentials;
	bool with_credentials; // whether to send them
	lipc_name peer;
	bool with_peer;
	lipc_handle pidfd;
	size_t length; // of the payload that was received
	size_t control_length;
	char control[LIPC_CONTROL_SIZE];
} ipc_ancillary;

// A payload is whole, or if count is over 0 the buffers.

// What to send, with control as the memory for its control data.
static lipc_message ipc_outgoing(const lipc_buffer *whole, const lipc_buffer *buffers, size_t count, ipc_ancillary *a,
                                 lipc_control *control) {
	*control = (lipc_control){a->control, sizeof a->control, a->control_length, 0};
	lipc_message m = {.size = sizeof m, .buffers = count > 0 ? buffers : whole, .buffer_count = count > 0 ? count : 1,
	                  .handles = a->handles, .handle_count = a->handle_count};
	if (a->control_length > 0)
		m.control = control;
	if (a->with_credentials)
		m.credentials = &a->credentials;
	if (a->with_peer)
		m.peer = &a->peer;
	return m;
}

static int64_t ipc_send_message(lipc_handle handle, char *data, size_t size, const lipc_buffer *buffers, size_t count,
                                ipc_ancillary *a) {
	lipc_control control;
	const lipc_buffer whole = {data, size};
	lipc_message m = ipc_outgoing(&whole, buffers, count, a, &control);
	return lipc_send_message(handle, &m, 0);
}

static int64_t ipc_channel_send_message(lipc_channel *c, char *data, size_t size, const lipc_buffer *buffers,
                                        size_t count, ipc_ancillary *a, int timeout_ms) {
	lipc_control control;
	const lipc_buffer whole = {data, size};
	lipc_message m = ipc_outgoing(&whole, buffers, count, a, &control);
	return lipc_channel_send_message(c, &m, timeout_ms);
}

// Where to receive, without what only some connections have.
static lipc_message ipc_incoming(const lipc_buffer *whole, const lipc_buffer *buffers, size_t count, ipc_ancillary *a) {
	return (lipc_message){.size = sizeof(lipc_message), .buffers = count > 0 ? buffers : whole,
	                      .buffer_count = count > 0 ? count : 1, .handles = a->handles,
	                      .handle_capacity = a->handle_count, .credentials = &a->credentials};
}

static bool ipc_has_other_control(lipc_control control) {
	lipc_control_item item;
	while (lipc_control_next(&control, &item) > 0)
		if (item.kind == LIPC_CONTROL_OTHER)
			return true;
	return false;
}

static int64_t ipc_receive_message(lipc_handle handle, char *data, size_t size, const lipc_buffer *buffers,
                                   size_t count, ipc_ancillary *a, bool peek) {
	const lipc_buffer whole = {data, size};
	lipc_control control = {a->control, sizeof a->control, 0, 0};
	lipc_message m = ipc_incoming(&whole, buffers, count, a);
	m.peer = &a->peer;
	m.pidfd = &a->pidfd;
	m.control = &control;
	int64_t r = peek ? lipc_peek_message(handle, &m, 0) : lipc_receive_message(handle, &m, 0);
	if (r >= 0) // otherwise another attempt needs the old count
		a->handle_count = m.handle_count;
	a->length = m.length;
	a->control_length = ipc_has_other_control(control) ? control.length : 0;
	return r;
}

static int64_t ipc_channel_receive_message(lipc_channel *c, char *data, size_t size, const lipc_buffer *buffers,
                                           size_t count, ipc_ancillary *a, int timeout_ms) {
	const lipc_buffer whole = {data, size};
	lipc_message m = ipc_incoming(&whole, buffers, count, a);
	int64_t r = lipc_channel_receive_message(c, &m, timeout_ms);
	if (r >= 0)
		a->handle_count = m.handle_count;
	a->length = m.length;
	a->control_length = 0;
	a->pidfd = LIPC_INVALID_HANDLE;
	return r;
}

*/
import "C"

import (
	"fmt"
	"unsafe"
)

// An Ancillary is what travels with a payload.
type Ancillary struct{ c C.ipc_ancillary }

// Clear removes everything.
func (a *Ancillary) Clear() {
	a.c.handle_count, a.c.control_length, a.c.pidfd = 0, 0, C.LIPC_INVALID_HANDLE
	a.c.with_credentials, a.c.with_peer = false, false
}

// AddHandle adds a handle to send. There must be no more than MaxFiles.
func (a *Ancillary) AddHandle(handle uintptr) {
	a.c.handles[a.c.handle_count] = C.lipc_handle(handle)
	a.c.handle_count++
}

// SetCredentials sets the credentials to send.
func (a *Ancillary) SetCredentials(c Credentials) error {
	a.c.credentials, a.c.with_credentials = cCredentials(c), true
	return nil
}

// SetPeer sets the receiver of a datagram.
func (a *Ancillary) SetPeer(name Name) error {
	if err := name.Check(); err != nil {
		return err
	}
	a.Peer().SetName(name)
	a.c.with_peer = true
	return nil
}

// HasPeer reports whether a peer was set.
func (a *Ancillary) HasPeer() bool { return bool(a.c.with_peer) }

// AddControl adds control data to send.
func (a *Ancillary) AddControl(level, typ int, data []byte) error {
	b := ControlBuffer{unsafe.Slice((*byte)(unsafe.Pointer(&a.c.control[0])), len(a.c.control)), int(a.c.control_length)}
	if r := b.Add(level, typ, data); r < 0 {
		return fmt.Errorf("control data: %w", r.Err())
	}
	a.c.control_length = C.size_t(b.Length)
	return nil
}

// LimitHandles sets how many handles a receive accepts.
func (a *Ancillary) LimitHandles(handles int) { a.c.handle_count = C.size_t(min(handles, MaxFiles)) }

// Length returns the length of the payload that was received, also after some errors.
func (a *Ancillary) Length() int { return int(a.c.length) }

// Handles returns the handles that were received.
func (a *Ancillary) Handles() []uintptr {
	return unsafe.Slice((*uintptr)(unsafe.Pointer(&a.c.handles[0])), a.c.handle_count)
}

// PIDFD returns the pidfd that was received.
func (a *Ancillary) PIDFD() (pidfd uintptr, came bool) { return uintptr(a.c.pidfd), a.c.pidfd >= 0 }

// Credentials returns the sender's credentials.
func (a *Ancillary) Credentials() Credentials { return goCredentials(&a.c.credentials) }

// Peer returns the memory for the name of the sender or receiver.
func (a *Ancillary) Peer() *SocketName { return (*SocketName)(unsafe.Pointer(&a.c.peer)) }

// Control calls f with each item of control data that was received and that the other methods do not return. data is
// valid only during the call.
func (a *Ancillary) Control(f func(level, typ int, data []byte)) {
	control := unsafe.Slice((*byte)(unsafe.Pointer(&a.c.control[0])), a.c.control_length)
	var item ControlItem
	for at := 0; NextControl(control, &at, &item) > 0; {
		if item.c.kind == C.LIPC_CONTROL_OTHER {
			f(item.Level(), item.Type(), item.Data(control))
		}
	}
}

// SendMessage sends a payload and what travels with it. The payload is b, or the buffers if there are any.
func SendMessage(handle uintptr, b []byte, buffers []Buffer, a *Ancillary) Result {
	return Result(C.ipc_send_message(C.lipc_handle(handle), char(b), C.size_t(len(b)), cbuffers(buffers),
		C.size_t(len(buffers)), &a.c))
}

// ReceiveMessage receives a payload and what travels with it. The payload goes to b, or the buffers if there are any.
func ReceiveMessage(handle uintptr, b []byte, buffers []Buffer, a *Ancillary) Result {
	return receiveMessage(handle, b, buffers, a, false)
}

// PeekMessage receives a message as ReceiveMessage does, without removing it.
func PeekMessage(handle uintptr, b []byte, buffers []Buffer, a *Ancillary) Result {
	return receiveMessage(handle, b, buffers, a, true)
}

func receiveMessage(handle uintptr, b []byte, buffers []Buffer, a *Ancillary, peek C.bool) Result {
	return creating(func() Result {
		return Result(C.ipc_receive_message(C.lipc_handle(handle), char(b), C.size_t(len(b)), cbuffers(buffers),
			C.size_t(len(buffers)), &a.c, peek))
	})
}

// SendMessage is [SendMessage] for a channel. After a busy result the same must follow, or Cancel.
func (c Channel) SendMessage(b []byte, buffers []Buffer, a *Ancillary) Result {
	return Result(C.ipc_channel_send_message(c.c, char(b), C.size_t(len(b)), cbuffers(buffers), C.size_t(len(buffers)),
		&a.c, c.timeout()))
}

// ReceiveMessage is [ReceiveMessage] for a channel.
func (c Channel) ReceiveMessage(b []byte, buffers []Buffer, a *Ancillary) Result {
	return creating(func() Result {
		return Result(C.ipc_channel_receive_message(c.c, char(b), C.size_t(len(b)), cbuffers(buffers),
			C.size_t(len(buffers)), &a.c, c.timeout()))
	})
}
