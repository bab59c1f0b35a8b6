/* lipc: what only Unix has. Conventions are those of lipc.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef LIPC_UNIX_H
#define LIPC_UNIX_H

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================== Datagrams =========================================== */

/* Datagrams are messages between sockets, SOCK_DGRAM: kept whole, in order, and never dropped, unix(7).
 *
 *     bound:      lipc_listen() with the kind LIPC_DATAGRAM, and lipc_listener_handle(). It receives from everybody who
 *                 may write to its socket file. Linux's namespaced names have no file, and nobody is kept from sending
 *                 to them: a receiver that cares asks for credentials. On macOS and the BSDs the file has the mode that
 *                 the umask leaves until it gets its own, and whoever connects or sends in that moment gets in: there
 *                 it belongs in a directory that others cannot enter.
 *     connected:  lipc_connect() with the kind LIPC_DATAGRAM, or lipc_datagram_connect(). lipc_send() goes to the peer.
 *     unbound:    lipc_datagram(), or connected and never bound. Nobody can answer it.
 *
 * lipc_receive(), lipc_peek(), lipc_message_size() and the batches work on all of them. A datagram socket does not
 * learn that its peer is gone until it sends: LIPC_ECONNREFUSED, after which Linux has it connected to none. The end,
 * LIPC_EEND, is what it receives on Linux after lipc_shutdown() with LIPC_READ, behind what had arrived; with a
 * timeout_ms of 0 that stays LIPC_EAGAIN, since Linux says no more. Other systems tell of no end. */

/* A socket that is neither bound nor connected. Errors: LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_datagram(lipc_handle *ret_handle);

/* Connects a datagram socket, or connects it to another peer; NULL: to none any more. From then on it receives from
 * that peer alone. Errors: those of lipc_connect(), but it never waits. */
LIPC_API int lipc_datagram_connect(lipc_handle handle, const lipc_name *peer);

/* lipc_send() to a name. Where the receiver's queue is full (Linux: net.unix.max_dgram_qlen datagrams) it is tried
 * again every 1 to 4 milliseconds, until the time runs out: no system tells when there is room. (As with
 * lipc_connect(), LIPC_ECONNREFUSED is also what Linux says of a namespaced name that does not exist.)
 *
 * Errors: those of lipc_send(); LIPC_ENOENT, LIPC_ECONNREFUSED, LIPC_EACCES (also: the receiver is connected to
 * another), LIPC_ENOTSOCK, LIPC_ENAME, LIPC_ENAMETOOLONG. */
LIPC_API int64_t lipc_send_to(lipc_handle handle, const void *data, size_t size, const lipc_name *peer, int timeout_ms);

/* lipc_receive() that tells who sent it: a name of type 0 if the sender is not bound. After LIPC_ETRUNCATED too. */
LIPC_API int64_t lipc_receive_from(lipc_handle handle, void *data, size_t size, int timeout_ms, lipc_name *ret_peer);

/* ===================================== Process handles ======================================== */

/* Whether messages are to come with a pidfd of their sender, from those sent after this call on: Linux 6.5 and later,
 * SO_PASSPIDFD. A pidfd becomes readable when the process ends, and never means another process that gets the same
 * process id later, pidfd_open(2). Errors: LIPC_ENOTSUP, LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_set_pass_pidfd(lipc_handle handle, int on);

/* A pidfd of the process whose credentials lipc_peer_credentials() tells: Linux 6.5 and later, SO_PEERPIDFD. Errors:
 * LIPC_ENOTSUP, LIPC_ENOTCONN, LIPC_EBADF, LIPC_ENOTSOCK, LIPC_EMFILE, LIPC_EOTHER (the process is gone). */
LIPC_API int lipc_peer_pidfd(lipc_handle handle, lipc_handle *ret_pidfd);

/* ======================================= Control data ========================================= */

/* Control data, cmsg(3), in a buffer of the caller's. Set data and size, and the rest to 0. The buffer needs no
 * alignment. It is written with lipc_control_add*() and sent, or received and read with lipc_control_next(), both by
 * way of lipc_message. Nothing here allocates. */
typedef struct lipc_control {
    char *data;      /* the buffer */
    size_t size;     /* of the buffer, in bytes */
    size_t length;   /* of what is in it */
    size_t position; /* of what lipc_control_next() reads next */
} lipc_control;

/* A buffer of this size takes whatever a message can bring: 253 handles, credentials, a pidfd, and some more. What does
 * not fit its buffer is LIPC_EHANDLES, even if it is no handle: Linux puts credentials first, and those of
 * LIPC_MESSAGE always come. */
enum { LIPC_CONTROL_SIZE = 2048 };

/* What a piece of control data is. */
enum lipc_control_kind {
    LIPC_CONTROL_OTHER = 0,       /* what lipc does not know: see level and type */
    LIPC_CONTROL_HANDLES = 1,     /* SCM_RIGHTS */
    LIPC_CONTROL_CREDENTIALS = 2, /* Linux: SCM_CREDENTIALS, FreeBSD: SCM_CREDS2, NetBSD: SCM_CREDS */
    LIPC_CONTROL_PIDFD = 3        /* Linux: SCM_PIDFD */
};

/* A piece of control data: within the buffer, aligned only as the buffer is. */
typedef struct lipc_control_item {
    int kind;    /* enum lipc_control_kind */
    int level;   /* cmsg_level, such as SOL_SOCKET */
    int type;    /* cmsg_type, such as SCM_RIGHTS */
    char *data;  /* what follows the header */
    size_t size; /* of data, in bytes */
} lipc_control_item;

/* Adds a piece behind what is there; handles (lent until the message is sent); credentials, -1 standing for what is so.
 * Errors: LIPC_EMSGSIZE (it does not fit; the buffer is as before), LIPC_ETOOMANY (more than LIPC_MESSAGE_HANDLES),
 * LIPC_ENOTSUP (credentials, except on Linux). */
LIPC_API int lipc_control_add(lipc_control *control, int level, int type, const void *data, size_t size);
LIPC_API int lipc_control_add_handles(lipc_control *control, const lipc_handle *handles, size_t count);
LIPC_API int lipc_control_add_credentials(lipc_control *control, const lipc_credentials *credentials);

/* The next piece. Returns 1, or 0 when there is none. Error: LIPC_EINVAL (what follows is no control data, which the
 * kernel never makes). */
LIPC_API int lipc_control_next(lipc_control *control, lipc_control_item *ret_item);

/* Takes at most capacity handles out of an item of the kind LIPC_CONTROL_HANDLES or LIPC_CONTROL_PIDFD: they are the
 * caller's now. Returns how many; called again, it gives those that are left. Of other items, 0. */
LIPC_API int lipc_control_take(const lipc_control_item *item, lipc_handle *ret_handles, size_t capacity);

/* What an item of the kind LIPC_CONTROL_CREDENTIALS says, -1 where not known. Error: LIPC_EINVAL (another kind). */
LIPC_API int lipc_control_credentials(const lipc_control_item *item, lipc_credentials *ret_credentials);

/* Closes the handles that nobody took, and empties the buffer. To be called after everything that was received, but not
 * for what was only sent, whose handles are lent. */
LIPC_API void lipc_control_close(lipc_control *control);

/* ========================================== FIFOs ============================================= */

/* Makes a FIFO, with that mode whatever the umask; 0 is 0600. On Linux before 6.6 without /proc, LIPC_EACCES if the
 * umask narrows the mode and others can write to the directory. Errors: LIPC_EEXIST (a FIFO), LIPC_ENOTFIFO (anything
 * else, a symbolic link included), LIPC_EINVAL (mode over 0777, empty path), LIPC_ENOENT, LIPC_EACCES,
 * LIPC_ENAMETOOLONG. */
LIPC_API int lipc_fifo_create(const char *path, uint32_t mode);

/* Opens the reading end, at once, whether somebody writes or not. Before lipc_fifo_wait_writer() has said that somebody
 * does, reading gives the end. Errors: LIPC_ENOTFIFO, LIPC_ENOENT, LIPC_EACCES, LIPC_EMFILE, LIPC_ENAMETOOLONG. */
LIPC_API int lipc_fifo_open_reader(const char *path, lipc_handle *ret_reader);

/* Waits until somebody has opened the other end for writing, looking every 1 to 4 milliseconds since no system tells;
 * one that has come and gone counts, if it left something to read. Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF
 * (also: the writing end), LIPC_ENOTSOCK (no pipe). */
LIPC_API int lipc_fifo_wait_writer(lipc_handle reader, int timeout_ms);

/* Opens the writing end once somebody reads, looking every 1 to 4 milliseconds. Errors: LIPC_EAGAIN (nobody reads, and
 * timeout_ms is 0), LIPC_ETIMEDOUT, and those of lipc_fifo_open_reader(). */
LIPC_API int lipc_fifo_open_writer(const char *path, int timeout_ms, lipc_handle *ret_writer);

/* ========================================= Copying ============================================ */

/* What the system moves by itself, past the caller's memory. Linux alone; elsewhere LIPC_ENOTSUP.
 *
 * The handle that is written to must be non-blocking, as every handle is born and lipc_adopt() makes others. A blocking
 * one is LIPC_EINVAL, since writing to it could take longer than timeout_ms. The handle that is read may be blocking.
 * Reading a file takes as long as its disk or server does, as with read(2): timeout_ms does not bound that. */

/* Writes at most size bytes of a file that can seek, such as a regular one, from its position on, which moves by what
 * was written; to a connection of bytes or a pipe, waiting for room as often as needed, sendfile(2). Returns how many:
 * fewer if the file ends before, 0 at its end; or if an error, or the end of the time, came after a part of them. What
 * is changed in the file before the peer has read it may reach the peer changed.
 *
 * Errors: those of lipc_write(); LIPC_EINVAL (handle is blocking, or the system does not do this with the file: then
 * read it and write it), LIPC_EBADF (also: not open for reading), LIPC_EIO. */
LIPC_API int64_t lipc_send_file(lipc_handle handle, lipc_handle file, size_t size, int timeout_ms);

/* Moves at most size bytes: what is there, and what there is room for. Waits until that is something. One of the two
 * is a pipe, the other a connection of bytes, another pipe, or a file that is read, whose position moves by what was
 * moved, splice(2). Returns how many, 0 at the end of from. Each page of the pipe's buffer takes a part of one write
 * alone, so a pipe that has as many bytes as fit may be as full with fewer. Handles that come with the bytes are
 * closed. What is changed in the file before somebody has read it, from the pipe or behind it, may be read changed.
 *
 * Errors: LIPC_EINVAL (to is blocking, neither is a pipe, or the system does not do this with the other),
 * LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE (nobody reads what goes to to), LIPC_EBADF, LIPC_ENOMEM, LIPC_EIO. */
LIPC_API int64_t lipc_splice(lipc_handle from, lipc_handle to, size_t size, int timeout_ms);

/* ==================================== Socket activation ======================================= */

/* A handle that a service manager passed to this process. */
typedef struct lipc_activated {
    lipc_handle handle; /* the caller's */
    int kind;           /* enum lipc_kind, or 0 for what is neither a local socket nor a pipe */
    char name[256];     /* as in the service's description; "unknown" if it has none */
} lipc_activated;

/* The handles that a service manager passed, as sd_listen_fds(3) describes it: LISTEN_FDS of them from 3 on, named by
 * LISTEN_FDNAMES, if LISTEN_PID is this process. Returns how many there are, 0 without a service manager, and stores
 * them if they are no more than capacity, otherwise none; ret_activated may be NULL if that is 0. When they are stored
 * they are close-on-exec. They are the caller's, who makes them ours:
 *
 *     lipc_activated all[16];
 *     int n = lipc_activation(16, all);
 *     for (int i = 0; i < n && n <= 16; i++)
 *         if (all[i].kind & LIPC_LISTENER)
 *             r = lipc_listener_adopt(all[i].handle, NULL, &listeners[i]);
 *         else if (all[i].kind != 0)
 *             r = lipc_adopt(all[i].handle);
 *
 * The environment stays as it is, so one part of a program should ask, once, and then clear the three variables.
 *
 * Errors: LIPC_EINVAL (a variable is malformed, or there are more or fewer names than handles), LIPC_EBADF (one of
 * them is not open). */
LIPC_API int lipc_activation(size_t capacity, lipc_activated *ret_activated);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_UNIX_H */
