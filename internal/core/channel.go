package core

/*
#include "core.h"
#include <lipc_channel.h>
#include <stdbool.h>
#include <stdlib.h>

enum { IPC_PACKED = 64 };

static int64_t ipc_channel_send(lipc_channel *c, const char *data, size_t size, int timeout_ms) {
	return lipc_channel_send(c, data, size, timeout_ms);
}

static int64_t ipc_channel_receive(lipc_channel *c, char *data, size_t size, int timeout_ms) {
	return lipc_channel_receive(c, data, size, timeout_ms);
}

static int64_t ipc_channel_receive_whole(lipc_channel *c, char *data, size_t size, int timeout_ms) {
	return lipc_channel_receive_whole(c, data, size, timeout_ms);
}

static int64_t ipc_channel_peek(lipc_channel *c, char *data, size_t size, int timeout_ms) {
	return lipc_channel_peek(c, data, size, timeout_ms);
}

static int64_t ipc_channel_read(lipc_channel *c, char *data, size_t size, int timeout_ms) {
	return lipc_channel_read(c, data, size, timeout_ms);
}

static int64_t ipc_channel_write(lipc_channel *c, const char *data, size_t size, int timeout_ms) {
	return lipc_channel_write(c, data, size, timeout_ms);
}

static void ipc_channel_budget_limit(lipc_channel_budget *budget, uint64_t limit) {
	budget->limit = limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;
}

// Sends messages that lie one behind the other. An array of pointers to them would have to be pinned, which takes
// longer than sending them.
static int64_t ipc_channel_send_packed(lipc_channel *c, const char *data, const uint32_t *sizes, size_t count,
                                       int timeout_ms) {
	lipc_buffer messages[IPC_PACKED];
	for (size_t i = 0; i < count; i++) {
		messages[i] = (lipc_buffer){(char *)data, sizes[i]};
		data += sizes[i];
	}
	return lipc_channel_send_batch(c, messages, count, timeout_ms);
}

// Receives messages one behind the other, as many as fit and are there, up to one that is larger than the caller's
// buffer for it. sizes are those of the buffers, and then of the messages. Returns how many; 0: the first does not fit.
static int64_t ipc_channel_receive_packed(lipc_channel *c, char *data, size_t size, uint32_t *sizes, size_t count,
                                          int first_timeout_ms) {
	for (size_t i = 0; i < count; i++) {
		const int timeout_ms = i == 0 ? first_timeout_ms : 0;
		int64_t n = lipc_channel_receive_whole(c, data, size, timeout_ms);
		if (lipc_error_code(n) == LIPC_EMSGSIZE)
			return (int64_t)i;
		if (n < 0 && i > 0)
			lipc_channel_keep(c); // the next call begins elsewhere
		if (n < 0)
			return i > 0 ? (int64_t)i : n;
		const bool fits = n <= (int64_t)sizes[i];
		sizes[i] = (uint32_t)n;
		data += n;
		size -= (size_t)n;
		if (!fits)
			return (int64_t)i + 1;
	}
	return (int64_t)count;
}

#cgo noescape lipc_channel_start
#cgo nocallback lipc_channel_start
#cgo noescape lipc_channel_reserve
#cgo nocallback lipc_channel_reserve
#cgo noescape lipc_channel_next
#cgo nocallback lipc_channel_next
#cgo noescape lipc_channel_version
#cgo nocallback lipc_channel_version
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// A Channel is one of the C core. The calls that wait spin and ask the peer for a wake-up instead, and are busy. The
// zero Channel is NULL there.
type Channel struct {
	c   *C.lipc_channel
	try bool // the calls ask for no wake-up
}

// Trying returns the channel for calls that ask for no wake-up.
func (c Channel) Trying() Channel { return Channel{c.c, true} }

func (c Channel) timeout() C.int {
	if c.try {
		return C.LIPC_CHANNEL_SPIN
	}
	return C.LIPC_CHANNEL_ARM
}

// A ChannelMemory says whether a channel uses shared memory: enum lipc_channel_memory.
type ChannelMemory int

const (
	PreferMemory  ChannelMemory = C.LIPC_CHANNEL_PREFER
	RequireMemory ChannelMemory = C.LIPC_CHANNEL_REQUIRE
	NeverMemory   ChannelMemory = C.LIPC_CHANNEL_NEVER
)

// The limits of channels.
const (
	ChannelRingMin    = C.LIPC_CHANNEL_RING_MIN
	ChannelRingMax    = C.LIPC_CHANNEL_RING_MAX
	ChannelMessageMax = C.LIPC_CHANNEL_MESSAGE_MAX
)

// ChannelOptions are the options of a channel, see lipc_channel_options. Zero means the default.
type ChannelOptions struct {
	Accepting  bool
	Memory     ChannelMemory
	RingSize   int
	MaxMessage int
	Spin       int // in microseconds; under 0: none
	MaxFiles   int // under 0: none
	Budget     *ChannelBudget
}

func (o *ChannelOptions) c() C.lipc_channel_options {
	c := C.lipc_channel_options{accepting: cint(o.Accepting), memory: C.int(o.Memory),
		ring_size: C.uint32_t(o.RingSize), max_message: C.uint32_t(o.MaxMessage), spin_us: C.int32_t(o.Spin),
		max_handles: C.int32_t(max(-1, o.MaxFiles))}
	c.size = C.size_t(unsafe.Sizeof(c))
	if o.Budget != nil {
		c.budget = o.Budget.c
	}
	return c
}

// A ChannelBudget limits the memory of channels. It must be reachable as long as one of them is.
type ChannelBudget struct{ c *C.lipc_channel_budget }

// NewChannelBudget returns a budget of this many bytes.
func NewChannelBudget(limit int64) *ChannelBudget {
	b := &ChannelBudget{(*C.lipc_channel_budget)(C.calloc(1, C.sizeof_lipc_channel_budget))}
	C.ipc_channel_budget_limit(b.c, C.uint64_t(limit))
	runtime.AddCleanup(b, func(c *C.lipc_channel_budget) { C.free(unsafe.Pointer(c)) }, b.c)
	return b
}

// StartChannel returns a channel whose handshake is still to be performed. It uses the connection, which stays the
// caller's.
func StartChannel(connection uintptr, o ChannelOptions) (c Channel, r Result) {
	options := o.c()
	return c, Result(C.lipc_channel_start(C.lipc_handle(connection), &options, &c.c))
}

// Free frees the channel's memory. Its handles stay open.
func (c Channel) Free() { C.lipc_channel_detach(c.c) }

// Handshake performs what can be performed of the handshake.
func (c Channel) Handshake() Result {
	return creating(func() Result { return Result(C.lipc_channel_handshake(c.c, 0)) })
}

// HandshakeErr is Err for a Handshake. If there is no common version of the protocol, the error says which there are.
func (c Channel) HandshakeErr(r Result) error {
	var v C.lipc_channel_versions
	if r.Unsupported() {
		if C.lipc_channel_version(c.c, &v); v.peer_max != 0 && (v.peer_max < v.own_min || v.peer_min > v.own_max) {
			return fmt.Errorf("this side speaks versions %d to %d of the protocol, the peer %d to %d: %w",
				v.own_min, v.own_max, v.peer_min, v.peer_max, r.Err())
		}
	}
	return r.Err()
}

// Handle returns the handle to wait for.
func (c Channel) Handle(direction Direction) uintptr {
	return uintptr(C.lipc_channel_handle(c.c, C.int(direction)))
}

// Shared reports whether the channel uses shared memory.
func (c Channel) Shared() bool { return C.lipc_channel_shared(c.c) != 0 }

// MessageLimit returns the size of the largest message that the peer receives.
func (c Channel) MessageLimit() Result { return Result(C.lipc_channel_message_limit(c.c)) }

// FileLimit returns how many files a message to the peer may have.
func (c Channel) FileLimit() int { return int(C.lipc_channel_handle_limit(c.c)) }

// ReserveLimit returns how many bytes can be reserved.
func (c Channel) ReserveLimit() Result { return Result(C.lipc_channel_reserve_limit(c.c)) }

// Send sends a message. After a busy result the same message must follow, or Cancel.
func (c Channel) Send(b []byte) Result {
	return Result(C.ipc_channel_send(c.c, char(b), C.size_t(len(b)), c.timeout()))
}

// Keep takes over what a busy Receive or ReceiveWhole left in its buffer, which must be as it was then.
func (c Channel) Keep() { C.lipc_channel_keep(c.c) }

// Cancel gives up the message that was not sent whole.
func (c Channel) Cancel() { C.lipc_channel_cancel(c.c) }

// Shutdown shuts a direction down.
func (c Channel) Shutdown(direction Direction) Result {
	return Result(C.lipc_channel_shutdown(c.c, C.int(direction), c.timeout()))
}

// Receive receives a message.
func (c Channel) Receive(b []byte) Result {
	return Result(C.ipc_channel_receive(c.c, char(b), C.size_t(len(b)), c.timeout()))
}

// ReceiveWhole receives a message that fits. It is TooLarge for another, which stays.
func (c Channel) ReceiveWhole(b []byte) Result {
	return Result(C.ipc_channel_receive_whole(c.c, char(b), C.size_t(len(b)), c.timeout()))
}

// Peek receives a message, which stays.
func (c Channel) Peek(b []byte) Result {
	return Result(C.ipc_channel_peek(c.c, char(b), C.size_t(len(b)), c.timeout()))
}

// MessageSize returns the size of the next message.
func (c Channel) MessageSize() Result {
	return Result(C.lipc_channel_message_size(c.c, c.timeout()))
}

// A ChannelBatch is memory for messages one behind the other, which is how a call takes several at a time.
type ChannelBatch struct {
	data  [32 << 10]byte
	sizes [C.IPC_PACKED]C.uint32_t
	begun bool // the first slice has the beginning of a message
}

// Begin begins a batch. What a busy Receive left in the slices before must have been taken over by Keep.
func (b *ChannelBatch) Begin() { b.begun = false }

// Send sends as many messages as fit, and returns how many were sent.
func (b *ChannelBatch) Send(c Channel, messages [][]byte) Result {
	if len(messages[0]) > len(b.data)/8 { // to copy it once more would take longer than another call
		return min(c.Send(messages[0]), 1)
	}
	count, used := 0, 0
	for _, m := range messages[:min(len(messages), len(b.sizes))] {
		if len(m) > len(b.data)/8 || len(m) > len(b.data)-used {
			break
		}
		used += copy(b.data[used:], m)
		b.sizes[count] = C.uint32_t(len(m))
		count++
	}
	return Result(C.ipc_channel_send_packed(c.c, char(b.data[:]), &b.sizes[0], C.size_t(count),
		c.timeout()))
}

// Receive receives the messages that are there, and cuts the slices to their lengths. It returns how many there were,
// and whether the last one did not fit. After a busy result the same slices must follow, or Keep and Begin.
func (b *ChannelBatch) Receive(c Channel, messages [][]byte) (r Result, truncated bool) {
	if b.begun {
		return b.receiveFirst(c, messages)
	}
	count := min(len(messages), len(b.sizes))
	for i, m := range messages[:count] {
		b.sizes[i] = C.uint32_t(min(uint64(len(m)), math.MaxUint32))
	}
	r = Result(C.ipc_channel_receive_packed(c.c, char(b.data[:]), C.size_t(len(b.data)), &b.sizes[0], C.size_t(count),
		c.timeout()))
	if r == 0 {
		return b.receiveFirst(c, messages)
	}
	rest := b.data[:]
	for i := range max(int(r), 0) {
		size := int(b.sizes[i])
		n := copy(messages[i], rest[:size])
		truncated = n < size
		messages[i] = messages[i][:n]
		rest = rest[size:]
	}
	return r, truncated
}

// receiveFirst receives a message that does not fit b.data into its slice.
func (b *ChannelBatch) receiveFirst(c Channel, messages [][]byte) (r Result, truncated bool) {
	r = c.Receive(messages[0])
	b.begun = r.Busy()
	if r.Truncated() {
		return 1, true
	}
	if r >= 0 {
		messages[0] = messages[0][:r]
		r = 1
	}
	return r, false
}

// Reserve returns room for a message.
func (c Channel) Reserve(size int) (room unsafe.Pointer, r Result) {
	r = Result(C.lipc_channel_reserve(c.c, C.size_t(size), c.timeout(), &room))
	return room, r
}

// Commit sends the beginning of what was reserved.
func (c Channel) Commit(size int) Result {
	return Result(C.lipc_channel_commit(c.c, C.size_t(size), c.timeout()))
}

// Flush sends what a busy Commit left.
func (c Channel) Flush() Result { return Result(C.lipc_channel_flush(c.c, c.timeout())) }

// Next returns the next message, which stays until Release.
func (c Channel) Next() (message unsafe.Pointer, r Result) {
	r = Result(C.lipc_channel_next(c.c, c.timeout(), &message))
	return message, r
}

// Release removes the message that Next returned.
func (c Channel) Release() { C.lipc_channel_release(c.c) }

// Read reads the bytes that are there.
func (c Channel) Read(b []byte) Result {
	return Result(C.ipc_channel_read(c.c, char(b), C.size_t(len(b)), c.timeout()))
}

// Write writes as many bytes as there is room for.
func (c Channel) Write(b []byte) Result {
	return Result(C.ipc_channel_write(c.c, char(b), C.size_t(len(b)), c.timeout()))
}
