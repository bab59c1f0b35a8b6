/* lipc: what only Windows has. Conventions are those of lipc.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connections are named pipes, and so are the ends of unnamed ones. Handles are opened for overlapped operation
 * (FILE_FLAG_OVERLAPPED); lipc_read() and its kin wait on an event of their own, also when the handle belongs to a
 * completion port, to which they report nothing.
 */
#ifndef LIPC_WINDOWS_H
#define LIPC_WINDOWS_H

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================= Named pipes ========================================== */

/* Which way data goes. */
enum lipc_pipe_direction {
    LIPC_DIRECTION_DEFAULT = 0,          /* listening: LIPC_DIRECTION_DUPLEX. Connecting: as the server has it */
    LIPC_DIRECTION_DUPLEX = 1,           /* both */
    LIPC_DIRECTION_CLIENT_TO_SERVER = 2, /* the client only writes, the server only reads */
    LIPC_DIRECTION_SERVER_TO_CLIENT = 3  /* the client only reads, the server only writes */
};

/* For lipc_listen_options.windows; see there for how these grow. CreateNamedPipe tells more of each. */
typedef struct lipc_listen_windows {
    size_t size;              /* of this struct */
    int direction;            /* enum lipc_pipe_direction */
    uint32_t instances;       /* how many connections there may be at a time, those that wait to be accepted included:
                               * 1 to 254; 0: no limit. A client beyond it waits. The system counts one
                               * instance more, to which nobody can connect: it keeps the name while there is no
                               * connection */
    uint32_t inbound_buffer;  /* in bytes, a request to the system; 0: 64 KiB */
    uint32_t outbound_buffer; /* in bytes, a request to the system; 0: 64 KiB */
    uint32_t default_wait_ms; /* for clients that call WaitNamedPipe without a time; 0: the system's 50 ms */
    int accept_remote;        /* whether clients on other machines are let in; otherwise every instance has
                               * PIPE_REJECT_REMOTE_CLIENTS */
    int write_through;        /* FILE_FLAG_WRITE_THROUGH: a write to a remote client ends once it is there */
    int inherit;              /* whether child processes inherit the handles of connections */
    const char *sddl;         /* a security descriptor in SDDL, in place of what mode says; NULL: none */
} lipc_listen_windows;

/* What a server may do in the name of its client. */
enum lipc_impersonation {
    LIPC_IMPERSONATION_DEFAULT = 0,     /* LIPC_IMPERSONATION_IDENTIFY */
    LIPC_IMPERSONATION_ANONYMOUS = 1,   /* not even learn who it is */
    LIPC_IMPERSONATION_IDENTIFY = 2,    /* learn who it is, not act as it */
    LIPC_IMPERSONATION_IMPERSONATE = 3, /* act as it, on this machine */
    LIPC_IMPERSONATION_DELEGATE = 4     /* and on others */
};

/* For lipc_connect_options.windows. */
typedef struct lipc_connect_windows {
    size_t size;       /* of this struct */
    int direction;     /* enum lipc_pipe_direction */
    int impersonation; /* enum lipc_impersonation */
    int write_through; /* FILE_FLAG_WRITE_THROUGH: a write to a server on another machine ends once it is there */
    int inherit;       /* whether child processes inherit the handle */
} lipc_connect_windows;

/* What this end may do: LIPC_READ, LIPC_WRITE, or both. Errors: LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_pipe_access(lipc_handle handle);

/* Whether a handle of a file, of whatever kind, was opened for overlapped operation: 1 or 0. With a file that was not,
 * every call waits while an operation on it goes on, in whatever process; this call does, too. Errors: LIPC_EBADF
 * (also: it is no file, but an event, a process or the like). */
LIPC_API int lipc_is_overlapped(lipc_handle handle);

/* Waits until the peer has read all that was written, FlushFileBuffers. Closing does not lose what the peer has not
 * read yet, but lipc_disconnect() does. On Wine a client's flush returns at once.
 *
 * Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EBADF (also: this end does not write), LIPC_EOTHER with
 * ERROR_OPERATION_ABORTED (lipc_async_cancel() of all operations). */
LIPC_API int lipc_flush(lipc_handle handle, int timeout_ms);

/* Ends the connection of a server's end at once, DisconnectNamedPipe: what has not been read is lost. Both sides find
 * the end when they read, and LIPC_EPIPE when they write. The handle has still to be closed. Errors: LIPC_EBADF,
 * LIPC_ENOTSOCK (the end of a client). */
LIPC_API int lipc_disconnect(lipc_handle handle);

/* Whether this is the end of the one that listened, or made the pipe: 1 or 0. Errors: LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_pipe_is_server(lipc_handle handle);

/* In place of the id of a process or session on another machine, which would mean nothing here and is only that
 * machine's word. */
#define LIPC_REMOTE UINT32_MAX

/* The two processes of a connection, GetNamedPipeClientProcessId and its kin. A peer on another machine has LIPC_REMOTE
 * for both ids. A process id can be reused once its process has ended. */
typedef struct lipc_pipe_ids {
    uint32_t client_process; /* process id of the one that connected */
    uint32_t client_session; /* its session, as Remote Desktop and fast user switching have them */
    uint32_t server_process; /* process id of the one that listens */
    uint32_t server_session; /* its session */
} lipc_pipe_ids;

/* Tells the two processes of a connection, from either end. Errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN. */
LIPC_API int lipc_pipe_ids_get(lipc_handle handle, lipc_pipe_ids *ret_ids);

/* The room for any security identifier as text, in bytes, with its NUL. */
enum { LIPC_SID_CAPACITY = 192 };

/* The security identifier of the peer's user as text, "S-1-5-…", and a NUL. Returns its length, or LIPC_EMSGSIZE if
 * size bytes are too few: LIPC_SID_CAPACITY always do.
 *
 * To a server this is the user as whom the client acts; its thread acts as the client for a moment to learn that. A
 * client that used lipc_connect() acts as the user who connected. One that asked for nothing acts as the user who wrote
 * what was read last (SECURITY_DYNAMIC_TRACKING, the system's default): before anything was read that is not known yet,
 * LIPC_EAGAIN. A client that does not let it be known (LIPC_IMPERSONATION_ANONYMOUS) is LIPC_EACCES.
 *
 * To a client this is the owner of the pipe in its security descriptor: the user who made the pipe's first instance, or
 * whom its descriptor named. lipc_listen() names the user of its process, unless it is given a descriptor. A pipe that
 * another program made as an administrator may be owned by all administrators, S-1-5-32-544. Only users whom the
 * descriptor allows it can make further instances. LIPC_EACCES: the handle is from elsewhere, and does not have
 * READ_CONTROL.
 *
 * Other errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN. */
LIPC_API int lipc_peer_sid(lipc_handle handle, char *buffer, size_t size);

/* Lets the calling thread act as the client, as far as the client allows (lipc_connect_windows.impersonation), until
 * lipc_revert(), ImpersonateNamedPipeClient. A thread that cannot revert must not go on. Errors: LIPC_EBADF,
 * LIPC_ENOTSOCK (the end of a client), LIPC_EINVAL (the thread acts as somebody already), LIPC_EAGAIN (the client is
 * not known before something was read from it, see lipc_peer_sid()), LIPC_EACCES. */
LIPC_API int lipc_impersonate(lipc_handle handle);
LIPC_API int lipc_revert(void);

/* Gives another process a duplicate of a handle, of whatever kind: ret_handle means something in that process alone,
 * which owns it; how it learns of it is up to the caller. lipc_duplicate_from() fetches one. Both need the right
 * PROCESS_DUP_HANDLE on the other process, which a user has on their own. Errors: LIPC_EBADF (also: a pseudo-handle,
 * which means something else to everybody), LIPC_ENOENT (no such process), LIPC_EACCES. */
LIPC_API int lipc_duplicate_into(lipc_handle handle, uint32_t process, lipc_handle *ret_handle);
LIPC_API int lipc_duplicate_from(lipc_handle handle, uint32_t process, lipc_handle *ret_handle);

/* The same with the peer of a connection: lipc_give() is lipc_duplicate_into() its process, lipc_take() is
 * lipc_duplicate_from() it. connected is the time when this end was accepted or connected, GetSystemTimeAsFileTime() as
 * one number: a process that was created later is not the peer, but has got its id since (LIPC_ENOENT). 0: that is not
 * checked. The system does not report whether a client that waited to be accepted had ended by then, and its id been
 * reused.
 *
 * What lipc_take() brings may be any handle that the peer has, see lipc_is_overlapped(). The peer goes on using it: it
 * can read and write at the same place, and take the completion port from a file or put another in its place. An
 * operation with an event of its own, as lipc_read() has one and lipc_async.event is one, relies on no port.
 *
 * Errors besides: LIPC_ENOTSUP (the peer is on another machine), LIPC_ENOTSOCK, LIPC_ENOTCONN. */
LIPC_API int lipc_give(lipc_handle connection, int64_t connected, lipc_handle handle, lipc_handle *ret_handle);
LIPC_API int lipc_take(lipc_handle connection, int64_t connected, lipc_handle handle, lipc_handle *ret_handle);

/* ==================================== Asynchronous operations ================================= */

/* The form that event loops and language bindings need: an operation is started, a completion port tells when it is
 * over, and then it is finished.
 *
 *     lipc_port_add(port, connection, key);
 *     r = lipc_async_read(connection, data, size, &operation);
 *     if (lipc_error_code(r) == LIPC_EAGAIN)
 *         … lipc_port_wait() returns a completion with &operation …
 *         r = lipc_async_finish(connection, &operation);
 */

/* One operation. The caller's memory, zeroes before its first use; it and the buffer must stay where they are until the
 * operation is over. It can be used again then. All writes to an end are performed with one lipc_async, one after the
 * other, and all reads with another. The one for writes remembers that nothing more can be written, see
 * lipc_async_write(). */
typedef struct lipc_async {
    uintptr_t system[5]; /* an OVERLAPPED */
    lipc_handle event;   /* 0, or an event, see lipc_event(): it is signalled when the operation is over, and no port
                          * is told */
    uint32_t size;       /* this and what follows is the library's: how much is to be transferred */
    uint8_t operation;   /* what it does */
    uint8_t cut;         /* nothing more is written */
    uint8_t spared;      /* it receives into spare */
    char spare;          /* where a message goes for which there is no room */
} lipc_async;

/* A completion port, closed with lipc_close(). Errors: LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_port(lipc_handle *ret_port);

/* Makes a port the one that the operations on a handle report to, with a key of the caller's choice; it stays that
 * until the last duplicate of the handle, in whatever process, is closed. Errors: LIPC_EBADF; LIPC_EEXIST (the handle,
 * or another for the same end, has a port already, maybe in another process: then lipc_async.event and a watch of it
 * do). */
LIPC_API int lipc_port_add(lipc_handle port, lipc_handle handle, uintptr_t key);

/* What a port reports. */
typedef struct lipc_completion {
    uintptr_t key;     /* of lipc_port_add(), lipc_watch_start(), or lipc_port_post() */
    lipc_async *async; /* the operation that may be over, to be compared, see lipc_port_wait(); NULL: none */
} lipc_completion;

/* Waits for completions, takes at most capacity of them, and returns how many. A completion too many may come for an
 * operation that was over when it was started (the system's documentation leaves open whether ERROR_MORE_DATA at once
 * is reported): so whether one is over is for lipc_async_finish() to tell, and whether its memory is still there, for
 * the caller. Another process that has a duplicate of a handle of the port's can start operations on it, too. They are
 * reported here with addresses that it chooses: so async is to be compared, and never to be followed. Errors:
 * LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF. */
LIPC_API int lipc_port_wait(lipc_handle port, int timeout_ms, size_t capacity, lipc_completion *ret_completions);

/* Makes lipc_port_wait() return a completion with this key, and no operation. Errors: LIPC_EBADF, LIPC_ENOMEM. */
LIPC_API int lipc_port_post(lipc_handle port, uintptr_t key);

/* Start an operation. A result other than LIPC_EAGAIN is that of the whole operation, which is over, and not reported
 * to the port. LIPC_EAGAIN says that it goes on, and that the port will report it. size is at most 1 GiB, otherwise
 * LIPC_EMSGSIZE.
 *
 * lipc_async_read() reads what is there, at least 1 byte (otherwise LIPC_EINVAL). The end is LIPC_EEND; 0 is an empty
 * message, which means nothing to who reads bytes. Of a message that does not fit the result is LIPC_ETRUNCATED, and
 * the next read gives more of it. lipc_async_receive() is the same, but discards what does not fit. lipc_async_write()
 * writes one message, or of a stream as much as the pipe's buffer can take (at least 4096 bytes), and returns how much.
 * After a write that was cancelled, and may have left a part with the peer, see lipc_async_finish(), it is
 * LIPC_EPIPE. */
LIPC_API int64_t lipc_async_read(lipc_handle handle, void *data, size_t size, lipc_async *async);
LIPC_API int64_t lipc_async_receive(lipc_handle handle, void *data, size_t size, lipc_async *async);
LIPC_API int64_t lipc_async_write(lipc_handle handle, const void *data, size_t size, lipc_async *async);

/* The result of an operation, LIPC_EAGAIN if it is not over. One that was cancelled and had not succeeded before is
 * LIPC_EOTHER with ERROR_OPERATION_ABORTED. Of a write that is no larger than the pipe's buffer, lipc_buffer_size() of
 * LIPC_WRITE, nothing is left then. Of a larger one the peer may have read a part: the system does not tell. The peer
 * could take what is written next for the rest, so nothing more is written with this lipc_async: LIPC_EPIPE. That does
 * not stop others who have the same end, by a duplicate or another lipc_async; they must not write any more either. */
LIPC_API int64_t lipc_async_finish(lipc_handle handle, lipc_async *async);

/* Asks the system to end an operation, or if async is NULL all that this process has under way on the handle. They are
 * reported to the port as any others, and calls with a timeout_ms end as lipc_async_finish() says. May be called from
 * any thread. Errors: LIPC_EBADF; LIPC_ENOENT (none is under way). */
LIPC_API int lipc_async_cancel(lipc_handle handle, lipc_async *async);

/* An event that is not signalled, for lipc_async.event, closed with lipc_close(). Errors: LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_event(lipc_handle *ret_event);

/* A watch has a port report, once, that a handle became signalled: the one of a listener, see lipc_listener_handle(),
 * an event, a process. The caller's memory, zeroes before its first use. A thread of the system's pool waits for up to
 * 63 watches, RegisterWaitForSingleObject. */
typedef struct lipc_watch {
    uintptr_t system; /* this and what follows is the library's */
    lipc_handle port; /* which gets the completion */
    uintptr_t key;    /* of the completion */
} lipc_watch;

/* Starts a watch; port gets a completion with this key and no operation. Errors: LIPC_EBADF, LIPC_ENOMEM. */
LIPC_API int lipc_watch_start(lipc_watch *watch, lipc_handle port, lipc_handle handle, uintptr_t key);

/* Ends a watch, whether it has fired or not; nothing refers to its memory then. One that was never started is ignored.
 * */
LIPC_API void lipc_watch_stop(lipc_watch *watch);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_WINDOWS_H */
