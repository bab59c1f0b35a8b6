/* lipc: what only Windows has. The conventions of lipc.h hold here too.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections are named pipes, and so are the ends of unnamed pipes. Handles are opened for overlapped operation
 * (FILE_FLAG_OVERLAPPED). lipc_read() and the like wait for an event of their own. If the handle belongs to a
 * completion port, they report nothing to the port.
 */
#ifndef LIPC_WINDOWS_H
#define LIPC_WINDOWS_H

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================= Named pipes ======================================== */

/* The directions in which a pipe carries data. */
enum lipc_pipe_direction {
    LIPC_DIRECTION_DEFAULT = 0,          /* listening: LIPC_DIRECTION_DUPLEX. Connecting: the server's direction */
    LIPC_DIRECTION_DUPLEX = 1,           /* both */
    LIPC_DIRECTION_CLIENT_TO_SERVER = 2, /* the client only writes, the server only reads */
    LIPC_DIRECTION_SERVER_TO_CLIENT = 3  /* the client only reads, the server only writes */
};

/* The options of a listener, for lipc_listen_options.windows. They begin with their size, as lipc_listen_options does.
 * The system's documentation of CreateNamedPipe describes them in more detail. */
typedef struct lipc_listen_windows {
    size_t size;              /* of this struct */
    int direction;            /* enum lipc_pipe_direction */
    uint32_t instances;       /* how many connections may exist at a time, including those that wait to be accepted: 1
                               * to 254; 0: no limit. Further clients wait. The system counts one instance more, to
                               * which nobody can connect: it keeps the name while there is no connection */
    uint32_t inbound_buffer;  /* in bytes, a request to the system; 0: 64 KiB */
    uint32_t outbound_buffer; /* in bytes, a request to the system; 0: 64 KiB */
    uint32_t default_wait_ms; /* for clients that call WaitNamedPipe without a time; 0: the system's 50 ms */
    int accept_remote;        /* whether clients on other machines may connect; otherwise every instance has
                               * PIPE_REJECT_REMOTE_CLIENTS */
    int write_through;        /* FILE_FLAG_WRITE_THROUGH: a write to a remote client waits until the data is there */
    int inherit;              /* whether child processes inherit the handles of connections */
    const char *sddl;         /* a security descriptor in SDDL, which replaces the one of mode; NULL: none. An owner in
                               * it that this process may not name: LIPC_EACCES */
    const char *group_sid;    /* a security identifier in the form of lipc_peer_sid(). Whoever has it in the token may
                               * connect, too, whatever the mode, but cannot create instances of the pipe. NULL: none.
                               * LIPC_EINVAL: it is not one, or there is sddl, too */
    int half_close;           /* whether connections of bytes have halves, see lipc_shutdown(). The pipe is then one of
                               * messages. With a direction of one way: LIPC_EINVAL */
} lipc_listen_windows;

/* What a server may do as its client. A server that lipc_connect_options.server does not admit may do it, too, until
 * lipc_connect() returns. */
enum lipc_impersonation {
    LIPC_IMPERSONATION_DEFAULT = 0,     /* LIPC_IMPERSONATION_IDENTIFY */
    LIPC_IMPERSONATION_ANONYMOUS = 1,   /* not even learn who the client is */
    LIPC_IMPERSONATION_IDENTIFY = 2,    /* learn who the client is, but not act as the client */
    LIPC_IMPERSONATION_IMPERSONATE = 3, /* act as the client on this machine */
    LIPC_IMPERSONATION_DELEGATE = 4     /* act as the client on other machines, too */
};

/* The options of a connection, for lipc_connect_options.windows. */
typedef struct lipc_connect_windows {
    size_t size;       /* of this struct */
    int direction;     /* enum lipc_pipe_direction */
    int impersonation; /* enum lipc_impersonation */
    int write_through; /* FILE_FLAG_WRITE_THROUGH: a write to a remote server waits until the data is there */
    int inherit;       /* whether child processes inherit the handle */
    int half_close;    /* whether the connection must have halves. A pipe of bytes is then LIPC_ENOTSOCK. A connection
                        * of bytes has halves whenever the pipe is one of messages, also without this option. With a
                        * direction of one way: LIPC_EINVAL */
} lipc_connect_windows;

/* Returns what this end may do: LIPC_READ, LIPC_WRITE, or both. Errors: LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_pipe_access(lipc_handle handle);

/* Waits until the peer has read all that was written, FlushFileBuffers. A program need not flush before it closes,
 * because closing does not lose what the peer has not read yet. It must flush before lipc_disconnect(), which does. On
 * Wine a client's flush returns at once.
 *
 * Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EBADF (also: this end does not write), LIPC_EOTHER with
 * ERROR_OPERATION_ABORTED (lipc_async_cancel() of all operations). */
LIPC_API int lipc_flush(lipc_handle handle, int timeout_ms);

/* Ends the connection at once, from the server's end, DisconnectNamedPipe. Data that has not been read is lost. On both
 * sides reads return end of stream and writes fail with LIPC_EPIPE. The handle must still be closed. Errors:
 * LIPC_EBADF, LIPC_ENOTSOCK (this is the client's end). */
LIPC_API int lipc_disconnect(lipc_handle handle);

/* Reports whether this is the server's end: that of the process that listened, or created the pipe. Returns 1 or 0.
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_pipe_is_server(lipc_handle handle);

/* ========================================= The peer ========================================= */

/* The id of a process or a session on another machine. The real id would mean nothing here, and is only that machine's
 * claim. */
#define LIPC_REMOTE UINT32_MAX

/* The two processes of a connection, from GetNamedPipeClientProcessId and the like. Both ids of a peer on another
 * machine are LIPC_REMOTE. A process id can be reused once its process has ended. */
typedef struct lipc_pipe_ids {
    uint32_t client_process; /* process id of the client, which connected */
    uint32_t client_session; /* its session; Remote Desktop and fast user switching create sessions */
    uint32_t server_process; /* process id of the server, which listens */
    uint32_t server_session; /* its session */
} lipc_pipe_ids;

/* Returns the two processes of a connection. It works from either end. Errors: LIPC_EBADF, LIPC_ENOTSOCK,
 * LIPC_ENOTCONN. */
LIPC_API int lipc_pipe_ids_get(lipc_handle handle, lipc_pipe_ids *ret_ids);

/* The room for any security identifier as text, in bytes, with its NUL. */
enum { LIPC_SID_CAPACITY = 192 };

/* Writes the security identifier of the peer's user as text, "S-1-5-…", and a NUL. Returns its length without the NUL.
 *
 * For a server this is the user that the client acts as. To learn it, the calling thread acts as the client for a
 * moment. A client that used lipc_connect() acts as the user that connected. A client that did not ask for that acts as
 * the user that wrote what was read last (SECURITY_DYNAMIC_TRACKING, the system's default); before anything was read
 * the user is not known yet, LIPC_EAGAIN. A client may hide its user (LIPC_IMPERSONATION_ANONYMOUS): LIPC_EACCES.
 *
 * For a client this is the owner of the pipe in its security descriptor: the user that created the pipe's first
 * instance, or the one that the descriptor named. lipc_listen() names the user of its process, or for LIPC_NAME_SYSTEM
 * the group of administrators, S-1-5-32-544, unless it is given a descriptor. A pipe that another program created as an
 * administrator may be owned by that group, too. Only users to whom the descriptor permits it can create further
 * instances. The result is LIPC_EACCES if the handle came from elsewhere and does not have READ_CONTROL, or if the
 * server is on another machine: the owner is only what that machine claims.
 *
 * Errors: LIPC_EMSGSIZE (size is too small; LIPC_SID_CAPACITY bytes are always enough), LIPC_EAGAIN, LIPC_EACCES,
 * LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN. */
LIPC_API int lipc_peer_sid(lipc_handle handle, char *buffer, size_t size);

/* lipc_impersonate() lets the calling thread act as the client until lipc_revert(), ImpersonateNamedPipeClient. The
 * client decides how far, see lipc_connect_windows.impersonation. If lipc_revert() fails, the thread must not go on.
 *
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK (this is the client's end), LIPC_EINVAL (the thread already acts as somebody),
 * LIPC_EAGAIN (the client is not known before something was read from it, see lipc_peer_sid()), LIPC_EACCES. */
LIPC_API int lipc_impersonate(lipc_handle handle);
LIPC_API int lipc_revert(void);

/* =============================== Handles for other processes ================================ */

/* lipc_duplicate_into() gives another process a duplicate of a handle of any kind. ret_handle is valid only in that
 * process, which owns it. The caller has to tell that process its value. lipc_duplicate_from() takes a duplicate of
 * another process's handle. Both need the right PROCESS_DUP_HANDLE on the other process, which users have on their own
 * processes. Errors: LIPC_EBADF (also: a pseudo-handle, which means something else in each process), LIPC_ENOENT (there
 * is no such process), LIPC_EACCES. */
LIPC_API int lipc_duplicate_into(lipc_handle handle, uint32_t process, lipc_handle *ret_handle);
LIPC_API int lipc_duplicate_from(lipc_handle handle, uint32_t process, lipc_handle *ret_handle);

/* The same for the process of a connection's peer: lipc_give() is lipc_duplicate_into(), and lipc_take() is
 * lipc_duplicate_from(). connected is the time when this end was accepted or connected, which is
 * GetSystemTimeAsFileTime() as one number. A process that was created later is not the peer, but got its process id
 * since: LIPC_ENOENT. 0 leaves out this check. The system does not report whether a client that waited to be accepted
 * had ended by then and its id had been reused.
 *
 * The peer chooses which of its handles lipc_take() brings, see lipc_is_overlapped(). The peer goes on using the
 * handle: it reads and writes at the same position, and it can remove the completion port from a file, or replace it.
 * An operation with an event of its own does not rely on a port; lipc_read() has one, and lipc_async.event is one.
 *
 * Errors: those of lipc_duplicate_into(), LIPC_ENOTSUP (the peer is on another machine), LIPC_ENOTSOCK,
 * LIPC_ENOTCONN. */
LIPC_API int lipc_give(lipc_handle connection, int64_t connected, lipc_handle handle, lipc_handle *ret_handle);
LIPC_API int lipc_take(lipc_handle connection, int64_t connected, lipc_handle handle, lipc_handle *ret_handle);

/* Reports whether a handle of a file, of any kind, was opened for overlapped operation. Returns 1 or 0. For a file that
 * was not, every call waits while an operation on it is under way in any process. That includes this call. Errors:
 * LIPC_EBADF (also: it is not a file, but an event, a process or the like). */
LIPC_API int lipc_is_overlapped(lipc_handle handle);

/* ================================= Asynchronous operations ================================== */

/* Event loops and language bindings need this form: the caller starts an operation, a completion port reports when it
 * is over, and the caller finishes it.
 *
 *     lipc_port_add(port, connection, key);
 *     r = lipc_async_read(connection, data, size, &operation);
 *     if (lipc_error_code(r) == LIPC_EAGAIN)
 *         … lipc_port_wait() returns a completion with &operation …
 *         r = lipc_async_finish(connection, &operation);
 */

/* One operation. The caller provides the memory, with zeroes before the first use. The memory and the buffer must stay
 * where they are until the operation is over. After that both can be used again. Use one lipc_async for all writes to
 * an end, one write after the other, and another for all reads. The one for writes remembers that nothing more can be
 * written, see lipc_async_write(), and the one for reads that a half has ended. */
typedef struct lipc_async {
    uintptr_t system[5]; /* an OVERLAPPED */
    lipc_handle event;   /* 0, or an event, see lipc_event(), which is signalled when the operation is over; no port
                          * reports it then */
    uint32_t size;       /* this and what follows belongs to the library: how much is to be transferred */
    uint8_t operation;   /* what it does */
    uint8_t cut;         /* the directions in which nothing more is transferred */
    uint8_t spared;      /* it receives into spare */
    char spare;          /* receives a message for which there is no room */
} lipc_async;

/* Creates a completion port, which lipc_close() closes. Errors: LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_port(lipc_handle *ret_port);

/* Lets a port report the operations on a handle, with a key that the caller chooses. This lasts until the last
 * duplicate of the handle, in any process, is closed.
 *
 * Errors: LIPC_EBADF; LIPC_EEXIST (the handle, or another for the same end, already has a port, perhaps in another
 * process; use lipc_async.event and a watch of it then). */
LIPC_API int lipc_port_add(lipc_handle port, lipc_handle handle, uintptr_t key);

/* A report of a port. */
typedef struct lipc_completion {
    uintptr_t key;     /* from lipc_port_add(), lipc_watch_start() or lipc_port_post() */
    lipc_async *async; /* the operation that may be over; only compare it, see lipc_port_wait(); NULL: none */
} lipc_completion;

/* Waits for completions, takes at most capacity of them, and returns how many.
 *
 * A completion does not prove that its operation is over, or that its memory still exists. There may be a surplus one
 * for an operation that was over when it was started: the system's documentation does not say whether an immediate
 * ERROR_MORE_DATA is reported. lipc_async_finish() reports whether an operation is over; the caller must know whether
 * its memory still exists. Another process that has a duplicate of a handle of this port can start operations on it.
 * These are reported here, with addresses that the other process chooses. So compare async, and never dereference it.
 *
 * Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF. */
LIPC_API int lipc_port_wait(lipc_handle port, int timeout_ms, size_t capacity, lipc_completion *ret_completions);

/* Makes lipc_port_wait() return a completion with this key, and no operation. Errors: LIPC_EBADF, LIPC_ENOMEM. */
LIPC_API int lipc_port_post(lipc_handle port, uintptr_t key);

/* Start an operation. LIPC_EAGAIN means that it is under way, and that the port will report it. Any other result is
 * that of the whole operation; it is over, and the port does not report it. size is at most 1 GiB, otherwise
 * LIPC_EMSGSIZE.
 *
 *  - lipc_async_read() reads the bytes that are there. size is at least 1, otherwise LIPC_EINVAL. LIPC_EEND is end of
 *    stream, also that of one half, see lipc_shutdown(); this lipc_async then reads nothing more: LIPC_EEND. 0 is an
 *    empty message, or on a pipe of bytes a write of no bytes, which means nothing. If a message does not fit, the
 *    result is LIPC_ETRUNCATED, and the next read returns more of it.
 *  - lipc_async_receive() does the same, but discards what does not fit.
 *  - lipc_async_write() writes one message. On a stream it writes as much as the pipe's buffer can take (at least 4096
 *    bytes), and returns how much. LIPC_EPIPE is also the result after a write that was cancelled and may have left a
 *    part with the peer, see lipc_async_finish(). */
LIPC_API int64_t lipc_async_read(lipc_handle handle, void *data, size_t size, lipc_async *async);
LIPC_API int64_t lipc_async_receive(lipc_handle handle, void *data, size_t size, lipc_async *async);
LIPC_API int64_t lipc_async_write(lipc_handle handle, const void *data, size_t size, lipc_async *async);

/* Returns the result of an operation, or LIPC_EAGAIN if it is not over. An operation that was cancelled before it
 * succeeded is LIPC_EOTHER with ERROR_OPERATION_ABORTED.
 *
 * A cancelled write that is no larger than the pipe's buffer, lipc_buffer_size() of LIPC_WRITE, leaves nothing behind.
 * The peer may have read a part of a larger one, which the system does not report. The peer could take what is written
 * next for the rest, so this lipc_async writes nothing more: LIPC_EPIPE. That does not stop others that have the same
 * end, by a duplicate or with another lipc_async. They must not write any more either. */
LIPC_API int64_t lipc_async_finish(lipc_handle handle, lipc_async *async);

/* Asks the system to end an operation. If async is NULL, it asks to end all operations that this process has under way
 * on the handle. The port reports them as usual. Calls with a timeout_ms end as lipc_async_finish() describes. Any
 * thread may call this. Errors: LIPC_EBADF; LIPC_ENOENT (none is under way). */
LIPC_API int lipc_async_cancel(lipc_handle handle, lipc_async *async);

/* Creates an event for lipc_async.event. It is not signalled; lipc_close() closes it. Errors: LIPC_EMFILE, LIPC_ENOMEM.
 * */
LIPC_API int lipc_event(lipc_handle *ret_event);

/* A watch lets a port report once that a handle was signalled: that of a listener, see lipc_listener_handle(), an
 * event, or a process. The caller provides the memory, with zeroes before the first use. A thread of the system's pool
 * waits for up to 63 watches, RegisterWaitForSingleObject. */
typedef struct lipc_watch {
    uintptr_t system; /* this and what follows belongs to the library */
    lipc_handle port; /* the port that reports */
    uintptr_t key;    /* of the completion */
} lipc_watch;

/* Starts a watch. port will report a completion with this key and no operation. Errors: LIPC_EBADF, LIPC_ENOMEM. */
LIPC_API int lipc_watch_start(lipc_watch *watch, lipc_handle port, lipc_handle handle, uintptr_t key);

/* Ends a watch, whether it has fired or not. Nothing uses its memory after that. A watch that was never started is
 * ignored. */
LIPC_API void lipc_watch_stop(lipc_watch *watch);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_WINDOWS_H */
