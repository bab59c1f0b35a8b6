/* lipc: what only Unix has. The conventions of lipc.h hold here too.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef LIPC_UNIX_H
#define LIPC_UNIX_H

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================== Datagrams ========================================= */

/* Datagrams are messages between sockets of the type SOCK_DGRAM. They stay whole and in order, and are never dropped,
 * unix(7). There are three ways to get a datagram socket:
 *
 *  - Bound: lipc_listen() with the kind LIPC_DATAGRAM, then lipc_listener_handle(). It receives from everybody that may
 *    write to its socket file. Namespaced names on Linux have no file, so anybody can send to them: a receiver that
 *    must know its senders asks for credentials. On macOS and the BSDs the file first has the mode that the umask
 *    leaves, and then gets its own. A process that connects or sends in that moment is let in. There, put the file in a
 *    directory that others cannot enter.
 *  - Connected: lipc_connect() with the kind LIPC_DATAGRAM, or lipc_datagram_connect(). lipc_send() sends to the peer.
 *  - Unbound: lipc_datagram(), or a socket that was connected and never bound. Nobody can answer it.
 *
 * lipc_receive(), lipc_peek(), lipc_message_size() and the batches work on all of them.
 *
 * A datagram socket learns that its peer is gone only when it sends: LIPC_ECONNREFUSED. On Linux it is then no longer
 * connected. End of stream, LIPC_EEND, exists only on Linux: a socket receives it after lipc_shutdown() with LIPC_READ,
 * after what had arrived. With a timeout_ms of 0 the result remains LIPC_EAGAIN, because Linux does not report more. */

/* Creates a socket that is neither bound nor connected. Errors: LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_datagram(lipc_handle *ret_handle);

/* Connects a datagram socket to a peer, in place of the one that it is connected to, if any. NULL only dissolves the
 * connection. A connected socket receives only from its peer. The call never waits. Errors: those of lipc_connect(). */
LIPC_API int lipc_datagram_connect(lipc_handle handle, const lipc_name *peer);

/* Sends a message as lipc_send() does, to a name. If the receiver's queue is full (Linux: net.unix.max_dgram_qlen
 * datagrams), the call tries again every 1 to 4 milliseconds until the time runs out, because no system reports when
 * there is room.
 *
 * Errors:
 *  - LIPC_ENOENT: there is no such name.
 *  - LIPC_ECONNREFUSED: nobody has the name bound. On Linux also: there is no such namespaced name.
 *  - LIPC_EACCES: also if the receiver is connected to another peer.
 *  - LIPC_ENOTSOCK, LIPC_ENAME, LIPC_ENAMETOOLONG, those of lipc_send(). */
LIPC_API int64_t lipc_send_to(lipc_handle handle, const void *data, size_t size, const lipc_name *peer, int timeout_ms);

/* Receives a message as lipc_receive() does, and returns the name of its sender. The name has type 0 if the sender is
 * not bound. It is also set with LIPC_ETRUNCATED. Errors: those of lipc_receive(). */
LIPC_API int64_t lipc_receive_from(lipc_handle handle, void *data, size_t size, int timeout_ms, lipc_name *ret_peer);

/* Receives a message as lipc_receive_message() does, but does not remove it. So a program can look at what travels with
 * it before it decides what receives it. The handles that the caller asks for are duplicates, which the caller closes;
 * the next receive returns handles of its own for the same open files. Errors: those of lipc_receive_message(). */
LIPC_API int64_t lipc_peek_message(lipc_handle handle, lipc_message *message, int timeout_ms);

/* ===================================== Process handles ====================================== */

/* Sets whether messages are received with a pidfd of their sender, beginning with those sent after this call. Linux 6.5
 * and later: SO_PASSPIDFD. A pidfd becomes readable when its process ends. It never refers to another process that gets
 * the same process id later, pidfd_open(2). Errors: LIPC_ENOTSUP, LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_set_pass_pidfd(lipc_handle handle, int on);

/* Returns a pidfd of the process that lipc_peer_credentials() reports. Linux 6.5 and later: SO_PEERPIDFD. Errors:
 * LIPC_ENOTSUP, LIPC_ENOTCONN, LIPC_EBADF, LIPC_ENOTSOCK, LIPC_EMFILE, LIPC_EOTHER (the process is gone). */
LIPC_API int lipc_peer_pidfd(lipc_handle handle, lipc_handle *ret_pidfd);

/* ======================================= Control data ======================================= */

/* Control data, cmsg(3), in a buffer that the caller provides. Set data and size, and the rest to 0. The buffer needs
 * no alignment. To send control data, write it with lipc_control_add() and the like; after receiving it, read it with
 * lipc_control_next(). lipc_message carries it both ways. No function here allocates. */
typedef struct lipc_control {
    char *data;      /* the buffer */
    size_t size;     /* of the buffer, in bytes */
    size_t length;   /* how much of the buffer is in use, in bytes */
    size_t position; /* where lipc_control_next() goes on */
} lipc_control;

/* A buffer of this size has room for all that one message can bring: 253 handles, credentials, a pidfd, and some more.
 * If control data does not fit its buffer, the result is LIPC_EHANDLES, even without handles: Linux puts credentials
 * first, and those of LIPC_MESSAGE always come. */
enum { LIPC_CONTROL_SIZE = 2048 };

/* The kinds of control data. */
enum lipc_control_kind {
    LIPC_CONTROL_OTHER = 0,       /* a type that lipc does not know: see level and type */
    LIPC_CONTROL_HANDLES = 1,     /* SCM_RIGHTS */
    LIPC_CONTROL_CREDENTIALS = 2, /* Linux: SCM_CREDENTIALS, FreeBSD: SCM_CREDS2, NetBSD: SCM_CREDS */
    LIPC_CONTROL_PIDFD = 3        /* Linux: SCM_PIDFD */
};

/* One item of control data. It lies within the buffer, and is aligned only as the buffer is. */
typedef struct lipc_control_item {
    int kind;    /* enum lipc_control_kind */
    int level;   /* cmsg_level, such as SOL_SOCKET */
    int type;    /* cmsg_type, such as SCM_RIGHTS */
    char *data;  /* what follows the header */
    size_t size; /* of data, in bytes */
} lipc_control_item;

/* Add an item after those that are there: any item; handles, which stay the caller's and must stay open until the
 * message is sent; credentials, where -1 stands for the actual value. Errors: LIPC_EMSGSIZE (it does not fit; the
 * buffer is unchanged), LIPC_ETOOMANY (more than LIPC_MESSAGE_HANDLES), LIPC_ENOTSUP (credentials, except on Linux). */
LIPC_API int lipc_control_add(lipc_control *control, int level, int type, const void *data, size_t size);
LIPC_API int lipc_control_add_handles(lipc_control *control, const lipc_handle *handles, size_t count);
LIPC_API int lipc_control_add_credentials(lipc_control *control, const lipc_credentials *credentials);

/* Reads the next item. Returns 1, or 0 if there is none. Errors: LIPC_EINVAL (what follows is not control data; the
 * kernel never produces that). */
LIPC_API int lipc_control_next(lipc_control *control, lipc_control_item *ret_item);

/* Takes at most capacity handles out of an item of the kind LIPC_CONTROL_HANDLES or LIPC_CONTROL_PIDFD. They then
 * belong to the caller. Returns how many it took. Called again, it takes from those that are left. From other kinds of
 * item it takes none. */
LIPC_API int lipc_control_take(const lipc_control_item *item, lipc_handle *ret_handles, size_t capacity);

/* Returns the credentials in an item of the kind LIPC_CONTROL_CREDENTIALS. A field is -1 if it is not known. Errors:
 * LIPC_EINVAL (the item is of another kind). */
LIPC_API int lipc_control_credentials(const lipc_control_item *item, lipc_credentials *ret_credentials);

/* Closes the handles that were not taken, and empties the buffer. Call it after each message that was received. Do not
 * call it for control data that was only sent: its handles are the caller's. */
LIPC_API void lipc_control_close(lipc_control *control);

/* ========================================== FIFOs =========================================== */

/* Creates a FIFO with this mode, whatever the umask. A mode of 0 stands for 0600.
 *
 * Errors:
 *  - LIPC_EEXIST: a FIFO of that name exists.
 *  - LIPC_ENOTFIFO: something else of that name exists, such as a symbolic link.
 *  - LIPC_EINVAL: the mode is over 0777, or the path is empty.
 *  - LIPC_EACCES: also if the umask narrows the mode and others can write to the directory, on Linux before 6.6 without
 *    /proc.
 *  - LIPC_ENOENT, LIPC_ENAMETOOLONG. */
LIPC_API int lipc_fifo_create(const char *path, uint32_t mode);

/* Opens the reading end. It does not wait for a writer. Until lipc_fifo_wait_writer() has succeeded, reading returns
 * end of stream. Errors: LIPC_ENOTFIFO, LIPC_ENOENT, LIPC_EACCES, LIPC_EMFILE, LIPC_ENAMETOOLONG. */
LIPC_API int lipc_fifo_open_reader(const char *path, lipc_handle *ret_reader);

/* Waits until a process has opened the other end for writing. It looks every 1 to 4 milliseconds, because no system
 * reports it. A writer that has come and gone counts if it left something to read. Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT,
 * LIPC_EBADF (also: this is the writing end), LIPC_ENOTSOCK (not a pipe). */
LIPC_API int lipc_fifo_wait_writer(lipc_handle reader, int timeout_ms);

/* Waits until a process has the other end open for reading, and opens the writing end. It looks every 1 to 4
 * milliseconds. Errors: LIPC_EAGAIN (there is no reader, and timeout_ms is 0), LIPC_ETIMEDOUT, those of
 * lipc_fifo_open_reader(). */
LIPC_API int lipc_fifo_open_writer(const char *path, int timeout_ms, lipc_handle *ret_writer);

/* ========================================= Copying ========================================== */

/* The kernel moves these bytes itself, without a buffer of the caller's. Only Linux does; elsewhere the result is
 * LIPC_ENOTSUP.
 *
 * The handle that is written to must be non-blocking. All handles that lipc creates are, and lipc_adopt() makes others
 * so. A blocking one is LIPC_EINVAL, because writing to it could take longer than timeout_ms. The handle that is read
 * may be blocking. Reading a file takes as long as its disk or server does, as with read(2): timeout_ms does not limit
 * that. */

/* Writes at most size bytes of a file to a connection of bytes or a pipe, and waits for room as often as needed,
 * sendfile(2). The file must be able to seek, as a regular file is. The call begins at the file's position, and moves
 * the position by the number of bytes written. Returns that number. It is less than size if the file ends before, or if
 * an error occurs or the time runs out after some bytes were written; it is 0 at the end of the file. If the file is
 * changed before the peer has read the bytes, the peer may read the changed ones.
 *
 * Errors:
 *  - LIPC_EINVAL: handle is blocking, or the system cannot do this with the file. In the latter case read it and write
 *    the bytes.
 *  - LIPC_EBADF: also if the file is not open for reading.
 *  - LIPC_EIO, those of lipc_write(). */
LIPC_API int64_t lipc_send_file(lipc_handle handle, lipc_handle file, size_t size, int timeout_ms);

/* Moves at most size bytes from one handle to the other, splice(2): the bytes that are there and that there is room
 * for. Waits until that is at least one. Returns how many it moved, or 0 at the end of from.
 *
 * One of the two handles is a pipe. The other is a connection of bytes, another pipe, or a file to be read, whose
 * position moves by the number of bytes. A page of a pipe's buffer has bytes of one write only, so a pipe may be full
 * with fewer bytes than its size. Handles that arrive with the bytes are closed. If the file is changed before the
 * bytes are read, from the pipe or beyond it, the reader may get the changed ones.
 *
 * Errors:
 *  - LIPC_EINVAL: to is blocking, neither is a pipe, or the system cannot do this with the other handle.
 *  - LIPC_EPIPE: nobody reads what this call writes.
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF, LIPC_ENOMEM, LIPC_EIO. */
LIPC_API int64_t lipc_splice(lipc_handle from, lipc_handle to, size_t size, int timeout_ms);

/* ==================================== Socket activation ===================================== */

/* A handle that a service manager passed to this process. */
typedef struct lipc_activated {
    lipc_handle handle; /* the caller's */
    int kind;           /* enum lipc_kind; 0: neither a local socket nor a pipe */
    char name[256];     /* as in the service's description; "unknown" if it has none */
} lipc_activated;

/* Returns the number of handles that a service manager passed, and stores them if they are no more than capacity. It
 * follows sd_listen_fds(3): there are LISTEN_FDS handles, beginning with 3, and LISTEN_FDNAMES has their names, if
 * LISTEN_PID is this process. Returns 0 without a service manager. ret_activated may be NULL if capacity is 0.
 *
 * Handles that are stored are close-on-exec, and belong to the caller. The caller still has to adopt them:
 *
 *     lipc_activated all[16];
 *     int n = lipc_activation(16, all);
 *     for (int i = 0; i < n && n <= 16; i++)
 *         if (all[i].kind & LIPC_LISTENER)
 *             r = lipc_listener_adopt(all[i].handle, NULL, &listeners[i]);
 *         else if (all[i].kind != 0)
 *             r = lipc_adopt(all[i].handle);
 *
 * The environment does not change. Only one part of a program should call this, once, and then clear the three
 * variables.
 *
 * Errors: LIPC_EINVAL (a variable is malformed, or there are more or fewer names than handles), LIPC_EBADF (one of the
 * handles is not open). */
LIPC_API int lipc_activation(size_t capacity, lipc_activated *ret_activated);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_UNIX_H */
