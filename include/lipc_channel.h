/* lipc: channels, the fastest way between two processes: messages, and bytes, through shared memory.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A channel is made of a connection of the kind LIPC_STREAM. Both processes turn their end of it into a channel:
 *
 *     lipc_channel *channel;
 *     lipc_channel_options options = {.size = sizeof options, .accepting = 1};
 *     int r = lipc_accept(listener, -1, NULL, &connection);
 *     if (r >= 0)
 *         r = lipc_channel_open(connection, &options, 1000, &channel);
 *     if (r >= 0)
 *         n = lipc_channel_receive(channel, data, size, -1);
 *
 * Messages then go through rings in memory that both processes have mapped. The connection stays open. It says who the
 * peer is, carries open files, wakes a peer that sleeps, and reports the death of the peer. Where no memory can be
 * shared, the same messages go over the connection, and only the speed differs.
 *
 * A peer is not trusted. It can write to the shared memory at any time. Whatever it writes there, nothing outside of
 * that memory is read or written. If it breaks the protocol, the call fails with LIPC_EPROTO, and the channel carries
 * nothing from then on. docs/channel-protocol.md describes the protocol.
 *
 * The conventions of lipc.h hold here too, with these additions:
 *
 *  - Threads: one thread may send while another receives. The functions that send are lipc_channel_send(),
 *    _send_batch(), _send_message(), _reserve(), _commit(), _write(), _cancel() and _flush(), and with LIPC_WRITE
 *    _prepare() and _shutdown(). Those that receive are lipc_channel_receive() and its variants, _keep(),
 *    _message_size(), _peek(), _next(), _release() and _read(), and with LIPC_READ _prepare() and _shutdown(). Without
 *    I/O, see lipc_channel_start_sans_io(), the output functions send, and the input functions receive. Two functions
 *    of the same group must not run at the same time. Opening and closing a channel must not happen at the same time as
 *    any other call. To end the waits of other threads, call lipc_shutdown() with both handles of the channel, see
 *    lipc_channel_handle().
 *  - Memory: a channel is allocated when it is created. No operation allocates, with one exception: a message that was
 *    sent in parts needs memory of its size if lipc_channel_next() or lipc_channel_peek() is to return it, or if a call
 *    that receives it ends before all parts have come.
 *  - Timeouts: timeout_ms may also be LIPC_CHANNEL_ARM or LIPC_CHANNEL_SPIN. A call with one of these, or with 0, does
 *    not wait.
 *  - fork(2): a child process must not use its parent's channels. On Linux it does not get their memory.
 */
#ifndef LIPC_CHANNEL_H
#define LIPC_CHANNEL_H

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ====================================== Opening and closing ======================================= */

/* An end of a channel. */
typedef struct lipc_channel lipc_channel;

/* Whether a channel uses shared memory. */
enum lipc_channel_memory {
    LIPC_CHANNEL_PREFER = 0,  /* it does if both ends can, and the budget allows it */
    LIPC_CHANNEL_REQUIRE = 1, /* it does, or opening fails */
    LIPC_CHANNEL_NEVER = 2    /* it does not: all goes over the connection */
};

/* How much memory several channels, such as those of one listener, may share in all. The caller sets limit, and keeps
 * the struct until the last channel that was opened with it is closed. Several threads may open and close channels with
 * the same budget. */
typedef struct lipc_channel_budget {
    size_t limit; /* in bytes */
    size_t used;  /* the library's; start with 0 */
} lipc_channel_budget;

/* The limits of the options, and their defaults. */
enum {
    LIPC_CHANNEL_RING_MIN = 4096,               /* the smallest ring, in bytes */
    LIPC_CHANNEL_RING_MAX = 1 << 30,            /* the largest */
    LIPC_CHANNEL_RING_DEFAULT = 256 << 10,      /* 256 KiB */
    LIPC_CHANNEL_MESSAGE_MAX = 0x7fffffff,      /* the greatest max_message, in bytes */
    LIPC_CHANNEL_MESSAGE_DEFAULT = 16 << 20,    /* 16 MiB */
    LIPC_CHANNEL_SPIN_DEFAULT = 20,             /* microseconds */
    LIPC_CHANNEL_HANDLES_DEFAULT = 16           /* handles in a message */
};

/* The options of a channel. They begin with their size, as lipc_listen_options does. */
typedef struct lipc_channel_options {
    size_t size; /* of this struct */
    int accepting; /* 1 for the end that accepted the connection, 0 for the one that connected. One end must have 1 */
    int memory;    /* enum lipc_channel_memory */
    /* The size of the ring of each direction, in bytes; 0: the default. It is rounded up to a power of two. If the ends
     * have different sizes, both rings have the smaller one. The size limits how much can be under way, not how large a
     * message can be. Memory is used only as far as the receiver lags behind: two ends that wait for one another's
     * messages use about 12 KiB. */
    uint32_t ring_size;
    /* The size of the largest message that this end receives, in bytes; 0: the default. The peer learns it in the
     * handshake. If it sends a larger message, its call fails with LIPC_EMSGSIZE. */
    uint32_t max_message;
    /* How long a call spins before it waits, in microseconds, see lipc_spin; 0: the default; -1: it does not spin. A
     * spin performs no system call. */
    int32_t spin_us;
    /* The budget that the memory counts against; NULL: there is no limit. The accepting end creates the memory, 4096
     * bytes and twice ring_size; the connecting end ignores this option. If too little of the budget is left, the
     * channel goes without shared memory, or with LIPC_CHANNEL_REQUIRE opening fails with LIPC_ENOMEM.
     *
     * A channel takes its part once the connecting end's hello has come, and gives it back when it is closed, or when
     * the connecting end does without shared memory. A client that stalls before its hello takes nothing. A client that
     * stalls after it, or that keeps its channel open, holds the part until the server closes the channel: so a client
     * can use the budget up, and the channels of others then go without shared memory. To prevent that, limit the time
     * of the handshake, and how many connections a client may have. */
    lipc_channel_budget *budget;
    /* How many handles a message may have that this end receives, at most LIPC_MESSAGE_HANDLES; 0: the default; -1:
     * none. Handles that have arrived stay open until their message is received, also if that never happens. The peer
     * learns the number in the handshake. If it sends more, its call fails with LIPC_ETOOMANY. */
    int32_t max_handles;
} lipc_channel_options;

/* Turns a connection of the kind LIPC_STREAM into an end of a channel, and waits until the peer has done the same.
 * Nothing may have been read from the connection or written to it, unless both ends know of that. options may be NULL:
 * the connecting end with the defaults. If the call succeeds, the channel owns the connection. If it fails, the
 * connection still belongs to the caller. It is unchanged after LIPC_EINVAL, and after LIPC_ENOTSUP because of an
 * option; after any other error it can only be closed.
 *
 * Errors:
 *  - LIPC_ETIMEDOUT, LIPC_EAGAIN: the peer has not answered.
 *  - LIPC_EEND: the peer closed the connection.
 *  - LIPC_EPROTO: the peer is no channel or breaks the protocol, or neither end is accepting. (If both ends are
 *    accepting, the time runs out.)
 *  - LIPC_ENOTSUP: there is no version of the protocol that both ends speak, see lipc_channel_version(); or shared
 *    memory is required, and this system or the peer does not have it.
 *  - LIPC_ENOMEM: there is not enough memory, or memory is required and the budget has too little left.
 *  - LIPC_ENOTSOCK: the connection is not of the kind LIPC_STREAM.
 *  - LIPC_EINVAL: an option is out of range.
 *  - LIPC_EMFILE, those of lipc_read(), lipc_write() and lipc_receive_message(). */
LIPC_API int lipc_channel_open(lipc_handle connection, const lipc_channel_options *options, int timeout_ms,
                               lipc_channel **ret_channel);

/* lipc_channel_open() in two steps, for event loops. lipc_channel_start() creates the channel, and does nothing else.
 * The channel owns the connection from then on. lipc_channel_handshake() goes as far as it can, and returns 0 once the
 * channel is open. If it fails with LIPC_EAGAIN or LIPC_ETIMEDOUT, wait for the handle that lipc_channel_handle()
 * returns, and call it again. After any other error close the channel. Until the channel is open, only these functions,
 * lipc_channel_handle(), lipc_channel_version(), lipc_channel_close() and lipc_channel_detach() may be called. */
LIPC_API int lipc_channel_start(lipc_handle connection, const lipc_channel_options *options,
                                lipc_channel **ret_channel);
LIPC_API int lipc_channel_handshake(lipc_channel *channel, int timeout_ms);

/* Creates a channel without I/O (sans-I/O): it has no connection, and no call waits. The caller moves the bytes between
 * the channel and a connection to the peer, see lipc_channel_input() and lipc_channel_output(). So a channel can be
 * used with completion ports, io_uring, and any other way to read and write. The peer needs not know: its end can be of
 * either sort. lipc_channel_handshake() must follow.
 *
 * Where a channel with a connection would wait, the call fails with LIPC_EAGAIN, whatever its timeout_ms is. Without
 * I/O there is no shared memory, no spinning, and no message has handles or credentials: lipc_channel_send_message()
 * with either fails with LIPC_ENOTSUP, and the peer learns that this end takes no handles. The rest is as with
 * LIPC_CHANNEL_NEVER. lipc_channel_handle() returns LIPC_INVALID_HANDLE. The caller closes the connection, in
 * particular after LIPC_EPROTO, and after lipc_channel_shutdown() with LIPC_READ if the peer is to learn of that before
 * the channel is closed.
 *
 * Errors: LIPC_EINVAL: an option is out of range. LIPC_ENOTSUP: shared memory is required. LIPC_ENOMEM. */
LIPC_API int lipc_channel_start_sans_io(const lipc_channel_options *options, lipc_channel **ret_channel);

/* Creates both ends of a channel in this process. options may be NULL. Its field accepting is ignored. Errors: those of
 * lipc_pair() and lipc_channel_open(). */
LIPC_API int lipc_channel_pair(const lipc_channel_options *options, lipc_channel **ret_a, lipc_channel **ret_b);

/* Closes the channel, its connection and its other handle, and frees it. The peer still receives what was sent before.
 * Without shared memory a call that failed with LIPC_EAGAIN or LIPC_ETIMEDOUT may have left something to be sent, see
 * lipc_channel_flush(): that is lost. Handles that arrived and were not taken are closed. NULL is allowed. */
LIPC_API void lipc_channel_close(lipc_channel *channel);

/* Frees the channel, but not the handles that lipc_channel_handle() returned. They belong to the caller then, which may
 * have closed them already. So that the peer receives what was sent before, call lipc_channel_shutdown() with LIPC_READ
 * | LIPC_WRITE first. This function is for runtimes that have to close handles themselves. */
LIPC_API void lipc_channel_detach(lipc_channel *channel);

/* Shuts down LIPC_READ, LIPC_WRITE, or both. After LIPC_WRITE the peer receives what was sent before, and then the end.
 * The call waits only for what is still to be sent without shared memory, see lipc_channel_flush(). After LIPC_READ
 * this end receives the end at once, and the peer's calls that send fail with LIPC_EPIPE, at the latest when the ring
 * is full. Errors: LIPC_EINVAL, LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EPROTO. */
LIPC_API int lipc_channel_shutdown(lipc_channel *channel, int direction, int timeout_ms);

/* Returns 1 if the channel uses shared memory, and 0 if messages go over the connection. */
LIPC_API int lipc_channel_shared(const lipc_channel *channel);

/* The versions of the protocol that an end speaks. */
typedef struct lipc_channel_versions {
    uint32_t own_min;  /* the lowest that this library speaks */
    uint32_t own_max;  /* the highest */
    uint32_t peer_min; /* the lowest that the peer speaks; 0: not known yet */
    uint32_t peer_max; /* the highest; 0: not known yet */
} lipc_channel_versions;

/* Stores the versions that each end speaks, for a message after LIPC_ENOTSUP. The highest version that both speak is in
 * use. */
LIPC_API void lipc_channel_version(const lipc_channel *channel, lipc_channel_versions *ret_versions);

/* Returns the size of the largest message that the peer receives. */
LIPC_API int64_t lipc_channel_message_limit(const lipc_channel *channel);

/* Returns how many handles a message to the peer may have. */
LIPC_API int64_t lipc_channel_handle_limit(const lipc_channel *channel);

/* ============================================ Messages ============================================ */

/* Values of timeout_ms for event loops and language runtimes. With them a call that would wait spins as the options
 * say, and fails with LIPC_EAGAIN. It may be called again at any time without waiting.
 *
 * With LIPC_CHANNEL_ARM it has also asked the peer for a wake-up: wait for the handle, see lipc_channel_handle(), and
 * call again. With LIPC_CHANNEL_SPIN, and with a timeout_ms of 0, when it does not spin either, the handle need not
 * become readable when there is something to receive. */
enum {
    LIPC_CHANNEL_ARM = -2, /* spin, and ask for a wake-up */
    LIPC_CHANNEL_SPIN = -3 /* spin */
};

/* Sends one message. Returns size. A message of up to lipc_channel_reserve_limit() bytes is sent as a whole or not at
 * all. A larger one is sent in parts, as the receiver makes room:
 *
 *  - A call that does not wait, and fails with LIPC_EAGAIN, may have sent some parts: the message is under way. Call
 *    again with the same message to go on, or give it up with lipc_channel_cancel().
 *  - A call that waits gives the message up when the time has run out.
 *
 * The receiver drops the parts of a message that was given up. Without shared memory a message of any size may be under
 * way. One that is given up may then still arrive as a whole, with the next message, lipc_channel_flush() or
 * lipc_channel_shutdown().
 *
 * A sender learns that the peer has died at the latest when the ring is full. Messages that the peer has not received
 * by then are lost.
 *
 * Errors:
 *  - LIPC_EMSGSIZE: the message is larger than lipc_channel_message_limit().
 *  - LIPC_EPIPE: the peer is gone or receives no more, or this direction was shut down.
 *  - LIPC_EINVAL: another message is under way, which the different size shows.
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPROTO. */
LIPC_API int64_t lipc_channel_send(lipc_channel *channel, const void *data, size_t size, int timeout_ms);

/* Gives up the message that is under way, if there is one. */
LIPC_API void lipc_channel_cancel(lipc_channel *channel);

/* Sends what earlier calls have left to be sent, and returns 0 when nothing is left. Only without shared memory can
 * anything be left. Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EPROTO. */
LIPC_API int lipc_channel_flush(lipc_channel *channel, int timeout_ms);

/* Receives one message. Returns its size, which may be 0. A call may end before all parts of a message have come:
 *
 *  - If the call does not wait, the parts that have come stay in data. To go on, call again with the same data and
 *    size. Before any other call that receives, call lipc_channel_keep(): otherwise that call fails with LIPC_EINVAL.
 *  - If the call waits, the channel keeps the parts that have come. The next call goes on, with any buffer.
 *
 * Errors:
 *  - LIPC_EEND: the peer closed the channel, shut down its writing half, or died. All that it had sent was received.
 *  - LIPC_ETRUNCATED: the message did not fit. data has the beginning of it, and the rest is lost.
 *  - LIPC_EPROTO: the peer broke the protocol.
 *  - LIPC_EINVAL: another buffer has the beginning of the message, or lipc_channel_next() has lent one.
 *  - LIPC_ENOMEM: there is no memory to keep the parts that have come. The message is lost.
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT: there is no message, or not all of it has come.
 *
 * With a timeout_ms of 0 and an empty ring, only every 256th call looks whether the peer has died. */
LIPC_API int64_t lipc_channel_receive(lipc_channel *channel, void *data, size_t size, int timeout_ms);

/* Copies the parts of a message that a call has left in the caller's buffer, see lipc_channel_receive(), so that the
 * buffer is no longer needed. The buffer must still have the parts. If no parts were left, nothing happens. Errors:
 * LIPC_ENOMEM: the message is lost. */
LIPC_API int lipc_channel_keep(lipc_channel *channel);

/* Receives a message as lipc_channel_receive() does. If the message does not fit, the call fails with LIPC_EMSGSIZE
 * instead of LIPC_ETRUNCATED, and the message stays. lipc_channel_message_size() then returns its size at once. */
LIPC_API int64_t lipc_channel_receive_whole(lipc_channel *channel, void *data, size_t size, int timeout_ms);

/* Receives a message as lipc_channel_receive() does, and keeps it: the next call receives it again. It waits until all
 * parts of the message have come. After LIPC_ETRUNCATED the message stays, too. */
LIPC_API int64_t lipc_channel_peek(lipc_channel *channel, void *data, size_t size, int timeout_ms);

/* Waits for a message, and returns its size. The message stays. Its sender says the size, which is at most the option
 * max_message; some of its parts may still have to come. Errors: those of lipc_channel_receive() except
 * LIPC_ETRUNCATED. */
LIPC_API int64_t lipc_channel_message_size(lipc_channel *channel, int timeout_ms);

/* Send messages one after the other, and receive those that are there, as lipc_send_batch() and lipc_receive_batch()
 * do. They return how many.
 *
 * lipc_channel_send_batch() wakes the receiver once for the messages that it sends without waiting. If a message is
 * under way when it returns, that is the first one that was not counted. Without shared memory lipc_channel_flush() may
 * still have to send some of those that were counted.
 *
 * lipc_channel_receive_batch() sets the size of each buffer to that of its message. A message that did not fit is
 * counted, and ends the batch; its size shows that it did not fit. A message that was sent in parts is received only as
 * the first of a batch.
 *
 * Errors, only if no message was sent or received: those of lipc_channel_send(), and those of lipc_channel_receive()
 * except LIPC_ETRUNCATED. lipc_channel_send_batch() fails with LIPC_EPIPE or LIPC_EPROTO also after it has sent some
 * messages, if the peer receives no more. */
LIPC_API int64_t lipc_channel_send_batch(lipc_channel *channel, const lipc_buffer *messages, size_t count,
                                         int timeout_ms);
LIPC_API int64_t lipc_channel_receive_batch(lipc_channel *channel, lipc_buffer *messages, size_t count,
                                            int timeout_ms);

/* ======================================= Without copying ========================================= */

/* Returns how many bytes lipc_channel_reserve() can reserve: half of the ring's size less 16, or 32752 without shared
 * memory, but at most lipc_channel_message_limit(). */
LIPC_API int64_t lipc_channel_reserve_limit(const lipc_channel *channel);

/* Waits for room for a message of size bytes, stores where the room is, and returns size. The room is aligned to 8
 * bytes. Fill it, and call lipc_channel_commit(). Until then nothing is sent. Sending anything else takes the room
 * back. If a message is under way, this call gives it up.
 *
 * Errors: LIPC_EMSGSIZE (over lipc_channel_reserve_limit() or lipc_channel_message_limit()), LIPC_EAGAIN,
 * LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EPROTO. */
LIPC_API int64_t lipc_channel_reserve(lipc_channel *channel, size_t size, int timeout_ms, void **ret_data);

/* Sends the first size bytes of what was reserved, as one message. Returns size. The call waits only without shared
 * memory. If it then fails with LIPC_EAGAIN or LIPC_ETIMEDOUT, lipc_channel_flush() or the next call that sends still
 * sends the message. Errors: LIPC_EINVAL (nothing was reserved, or less than size), LIPC_EAGAIN, LIPC_ETIMEDOUT,
 * LIPC_EPIPE (also if this direction was shut down after the room was reserved), LIPC_EPROTO. */
LIPC_API int64_t lipc_channel_commit(lipc_channel *channel, size_t size, int timeout_ms);

/* Waits for a message, stores where it is, and returns its size. It is aligned to 8 bytes. It stays there until
 * lipc_channel_release(), also after lipc_channel_shutdown(), but not after lipc_channel_close(). Until then this
 * function returns the same message again, and every other call that receives, and lipc_channel_prepare() with
 * LIPC_READ, fails with LIPC_EINVAL. A message that was sent in one part lies in the shared memory, where the peer can
 * change it at any time: copy what you check before you check it. Errors: those of lipc_channel_receive() except
 * LIPC_ETRUNCATED. */
LIPC_API int64_t lipc_channel_next(lipc_channel *channel, int timeout_ms, const void **ret_data);

/* Removes the message that lipc_channel_next() returned. Without such a message it does nothing. */
LIPC_API void lipc_channel_release(lipc_channel *channel);

/* ======================================= With open files ========================================= */

/* Sends and receives a message with what travels with it, in order with all other messages. The fields buffers, handles
 * and credentials work as lipc_message describes, with these differences:
 *
 *  - peer, pidfd and control must be NULL; otherwise the call fails with LIPC_ENOTSUP.
 *  - Credentials arrive only with a message that was sent with handles or credentials, and only if the receiver called
 *    lipc_set_pass_credentials() with lipc_channel_handle() of LIPC_READ before that. Otherwise, and where the system
 *    has no credentials of messages, all are -1. To learn who the peer of a channel is, call lipc_peer_credentials()
 *    with the same handle.
 *  - At most one message with handles or credentials is on its way: before the next one, lipc_channel_send_message()
 *    waits until the receiver has taken it.
 *  - A message has at most lipc_channel_handle_limit() handles. With more the call fails with LIPC_ETOOMANY.
 *  - An empty message may have handles.
 *  - If a message is under way, see lipc_channel_send(), its handles have gone with its first part. Call again with the
 *    same message, including the handles.
 *
 * Another function that receives a message with handles closes these.
 *
 * Errors: those of lipc_channel_send() and lipc_send_message(); those of lipc_channel_receive() and
 * lipc_receive_message(). */
LIPC_API int64_t lipc_channel_send_message(lipc_channel *channel, const lipc_message *message, int timeout_ms);
LIPC_API int64_t lipc_channel_receive_message(lipc_channel *channel, lipc_message *message, int timeout_ms);

/* ============================================= Bytes ============================================= */

/* Read and write bytes as lipc_read() and lipc_write() do. Both ends should use bytes, or both should use messages:
 * bytes that were written arrive as messages whose boundaries have no meaning, and messages are read as bytes.
 * lipc_channel_read() returns 0 at the end, and passes over empty messages. If a message is under way,
 * lipc_channel_write() gives it up.
 *
 * Without shared memory, lipc_channel_write() may count bytes that lipc_channel_flush() or the next call that sends
 * still has to send: if the call does not wait, or if the time has run out.
 *
 * Errors, only if nothing was read or written: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPROTO. Also, of lipc_channel_read(),
 * LIPC_EINVAL and LIPC_ENOMEM as in lipc_channel_receive(), and of lipc_channel_write(), LIPC_EPIPE. */
LIPC_API int64_t lipc_channel_read(lipc_channel *channel, void *data, size_t size, int timeout_ms);
LIPC_API int64_t lipc_channel_write(lipc_channel *channel, const void *data, size_t size, int timeout_ms);

/* ========================================== Event loops =========================================== */

/* Returns the handle to wait for, after LIPC_EAGAIN with LIPC_CHANNEL_ARM, or after lipc_channel_prepare(). It belongs
 * to the channel. From the end of the handshake on it stays the same for each direction:
 *
 *  - LIPC_READ, for calls that receive: the connection. Wait until it is readable.
 *  - LIPC_WRITE, for calls that send. With shared memory, another handle: wait until it is readable. Without shared
 *    memory, the connection: wait until it is writable. lipc_channel_shared() says which of the two it is.
 *
 * For lipc_channel_handshake() wait until the connection, LIPC_READ, is readable.
 *
 * On Windows the connection is a pipe, for which event loops cannot wait in this way. There use
 * lipc_channel_start_sans_io(), or timeout_ms and a thread for each direction. */
LIPC_API lipc_handle lipc_channel_handle(const lipc_channel *channel, int direction);

/* Asks the peer for a wake-up, after a spin as the options say. With LIPC_READ, the peer wakes this end when there is
 * something to receive, or the end; size is ignored. With LIPC_WRITE, it does so when there is room for size bytes.
 * Without shared memory the handle is writable when more of what earlier calls left can be sent. Returns 1 if the
 * caller has to wait for the handle, and 0 if it can call at once. Errors: LIPC_EINVAL, LIPC_EPIPE, LIPC_EPROTO, those
 * of lipc_read(). */
LIPC_API int lipc_channel_prepare(lipc_channel *channel, int direction, size_t size);

/* ========================================== Without I/O =========================================== */

/* For channels of lipc_channel_start_sans_io(). When a call that receives has failed with LIPC_EAGAIN, receive bytes
 * from the peer to where lipc_channel_input() says, and call again. When a call that sends has failed with LIPC_EAGAIN,
 * send the bytes that lipc_channel_output() returns, and call again; after lipc_channel_commit(), call
 * lipc_channel_flush(). lipc_channel_handshake() needs both: if there is nothing to send, it waits to receive.
 *
 *     while (lipc_error_code(r = lipc_channel_receive(channel, data, size, 0)) == LIPC_EAGAIN) {
 *         int64_t room = lipc_channel_input(channel, &input);
 *         int64_t n = lipc_read(connection, input, (size_t)room, -1);
 *         if (n < 0)
 *             break;
 *         lipc_channel_input_done(channel, (size_t)n);
 *     }
 *
 * lipc_channel_input() stores where bytes that come from the peer are to be put, and returns how many fit there. It
 * returns 0 if the channel takes none now: a message must be received first, the handshake must go on, or the end has
 * come. After LIPC_EAGAIN of a call that receives there is room. Until lipc_channel_input_done() says how many bytes
 * came, no other call that receives may be made; it is left out if none came. A size of 0 is the end: the peer has
 * closed the connection.
 *
 * lipc_channel_output() stores where bytes that are to be sent to the peer are, and returns how many. It returns 0 if
 * there are none. Until lipc_channel_output_done() says how many of them were sent, no other call that sends may be
 * made.
 *
 * During the handshake only one of the four may run at a time.
 *
 * Errors: LIPC_EPROTO: the peer broke the protocol. LIPC_EINVAL: the channel has a connection. */
LIPC_API int64_t lipc_channel_input(lipc_channel *channel, void **ret_data);
LIPC_API void lipc_channel_input_done(lipc_channel *channel, size_t size);
LIPC_API int64_t lipc_channel_output(lipc_channel *channel, const void **ret_data);
LIPC_API void lipc_channel_output_done(lipc_channel *channel, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_CHANNEL_H */
