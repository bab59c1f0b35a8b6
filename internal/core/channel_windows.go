package core

/*
#include "core.h"
#include <lipc_channel.h>

static int64_t ipc_channel_send_buffers(lipc_channel *c, const lipc_buffer *buffers, size_t count, int timeout_ms) {
	lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = count};
	return lipc_channel_send_message(c, &m, timeout_ms);
}

static int64_t ipc_channel_receive_buffers(lipc_channel *c, const lipc_buffer *buffers, size_t count, int timeout_ms) {
	lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = count};
	return lipc_channel_receive_message(c, &m, timeout_ms);
}

#cgo noescape lipc_channel_start_sans_io
#cgo nocallback lipc_channel_start_sans_io
#cgo noescape lipc_channel_input
#cgo nocallback lipc_channel_input
#cgo noescape lipc_channel_output
#cgo nocallback lipc_channel_output
#cgo noescape ipc_channel_send_buffers
#cgo nocallback ipc_channel_send_buffers
#cgo noescape ipc_channel_receive_buffers
#cgo nocallback ipc_channel_receive_buffers
*/
import "C"

import "unsafe"

// StartChannelSansIO returns a channel whose bytes the caller moves, and whose handshake is still to be performed.
func StartChannelSansIO(o ChannelOptions) (c Channel, r Result) {
	options := o.c()
	return c, Result(C.lipc_channel_start_sans_io(&options, &c.c))
}

// Input returns room for bytes of the peer, after a busy call that receives. InputDone must follow.
func (c Channel) Input() (room unsafe.Pointer, r Result) {
	r = Result(C.lipc_channel_input(c.c, &room))
	return room, r
}

// InputDone says how many bytes came. 0 means the end.
func (c Channel) InputDone(n int) { C.lipc_channel_input_done(c.c, C.size_t(n)) }

// Output returns bytes for the peer, after a busy call that sends. OutputDone must follow if some were sent.
func (c Channel) Output() (data unsafe.Pointer, r Result) {
	r = Result(C.lipc_channel_output(c.c, &data))
	return data, r
}

// OutputDone says how many bytes were sent.
func (c Channel) OutputDone(n int) { C.lipc_channel_output_done(c.c, C.size_t(n)) }

// SendBuffers sends a message from several buffers.
func (c Channel) SendBuffers(buffers []Buffer) Result {
	return Result(C.ipc_channel_send_buffers(c.c, cbuffers(buffers), C.size_t(len(buffers)), c.timeout()))
}

// ReceiveBuffers receives a message into several buffers.
func (c Channel) ReceiveBuffers(buffers []Buffer) Result {
	return Result(C.ipc_channel_receive_buffers(c.c, cbuffers(buffers), C.size_t(len(buffers)), c.timeout()))
}
