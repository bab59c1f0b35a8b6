/* lipc: local inter-process communication.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * This header is the manual.
 *
 *     lipc_name name;
 *     lipc_handle server;
 *     lipc_name_parse("@greeter", LIPC_STRLEN, &name);
 *     int r = lipc_connect(&name, NULL, 1000, &server);
 *     if (r < 0)
 *         fprintf(stderr, "connect: %s\n", lipc_strerror(r));
 *
 * Conventions, which hold for every function below:
 *
 *  - A result >= 0 is success (often a count). A negative result is an error; lipc_error_code() and
 *    lipc_error_os() take it apart. errno is neither read by the caller nor promised.
 *  - Out-parameters come last, are named ret_*, and stay untouched on failure. Pointers that may be NULL
 *    say so.
 *  - A function that takes options fails with LIPC_EINVAL if their size is less than a size_t, and with
 *    LIPC_ENOTSUP if they ask for what this version does not know.
 *  - timeout_ms is in milliseconds. 0 does not wait: what cannot be done at once is LIPC_EAGAIN. A
 *    negative value waits for ever. When a positive time has run out the result is LIPC_ETIMEDOUT. Time
 *    is taken from a monotonic clock. Interrupted waits (EINTR) are resumed with the time that is left.
 *  - A call that has no timeout_ms does not wait. One that has waits until it is done, the peer is gone, or the time is
 *    up. On Unix lipc_shutdown() from another thread ends a wait to read or write, too (not one in lipc_accept()); on
 *    Windows lipc_async_cancel() of all operations does (LIPC_EOTHER). A signal ends none: a program that must be able to
 *    stop waits for a moment at a time, or in poll(2) and its kin for the handle and a wake-up, and then calls with 0.
 *  - The library keeps no global state, starts no thread, installs no signal handler, and allocates
 *    memory for listeners only (on Windows also while a message of several buffers, over 4 KiB together, is sent).
 *  - All functions may be called from any thread. One handle may be read by one thread while another writes to it; a
 *    listener is for one thread at a time (on Unix several may accept). Closing what another thread uses is the
 *    caller's mistake, as it is with close(2).
 *  - What is passed by pointer is used for the call only, unless its comment says otherwise. Handles and listeners that
 *    come back by ret_* are the caller's, to be closed with lipc_close() and lipc_listener_close().
 *  - No write raises SIGPIPE. Every handle is born close-on-exec and non-blocking, on Windows not inherited and for
 *    overlapped operation. (One that was received from another process is close-on-exec, and as blocking as it is
 *    there.)
 *
 * What Unix alone has (datagrams, control data, FIFOs, socket activation) is in lipc_unix.h, what Windows alone has
 * (the options of named pipes, impersonation, completion ports) in lipc_windows.h.
 */
#ifndef LIPC_H
#define LIPC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================== Version ============================================= */

/* The version of these headers. Until 1.0 versions of one minor number can stand in for one another, from then on those
 * of one major number: the soname says so. */
#define LIPC_VERSION_MAJOR 0
#define LIPC_VERSION_MINOR 1
#define LIPC_VERSION_PATCH 0
#define LIPC_VERSION (LIPC_VERSION_MAJOR * 10000 + LIPC_VERSION_MINOR * 100 + LIPC_VERSION_PATCH)

#if defined(_WIN32) && defined(LIPC_BUILD_SHARED)
#define LIPC_API __declspec(dllexport)
#elif defined(_WIN32) && defined(LIPC_SHARED)
#define LIPC_API __declspec(dllimport)
#elif defined(__GNUC__)
#define LIPC_API __attribute__((visibility("default")))
#else
#define LIPC_API
#endif

/* The version of the library that is linked, in the form of LIPC_VERSION: 10203 is 1.2.3. */
LIPC_API int lipc_version(void);

/* For callers that cannot read these headers, as those by way of a foreign-function interface: the value of any
 * constant here, in lipc_unix.h on Unix and in lipc_windows.h on Windows, by its name ("LIPC_STREAM"), and the size of
 * any struct ("sizeof(lipc_name)"). Error: LIPC_ENOENT (this version has no such constant on this system). */
LIPC_API int lipc_constant(const char *name, int64_t *ret_value);

/* The names of all these constants, by an index from 0 on; NULL behind the last. Static strings. */
LIPC_API const char *lipc_constant_name(size_t index);

/* ======================================== Errors ============================================== */

/* Every error there is: code, frozen number, text. Define X(code, number, text) and expand. */
#define LIPC_ERRORS(X) \
    X(LIPC_EAGAIN, 1, "the call would have to wait") \
    X(LIPC_ETIMEDOUT, 2, "the time allowed for the call ran out") \
    X(LIPC_EINVAL, 3, "invalid argument") \
    X(LIPC_ENAME, 4, "invalid name") \
    X(LIPC_ENAMETOOLONG, 5, "name too long") \
    X(LIPC_ENOENT, 6, "no such name or directory") \
    X(LIPC_EACCES, 7, "permission denied") \
    X(LIPC_EADDRINUSE, 8, "name already in use") \
    X(LIPC_ECONNREFUSED, 9, "nobody is listening on this name") \
    X(LIPC_EPIPE, 10, "the peer is gone, or this direction was shut down") \
    X(LIPC_ENOTSUP, 11, "not supported by this system") \
    X(LIPC_EMFILE, 12, "too many open handles") \
    X(LIPC_ENOMEM, 13, "out of memory or buffer space") \
    X(LIPC_EBADF, 14, "bad handle") \
    X(LIPC_ENOTSOCK, 15, "not a local socket of the kind needed") \
    X(LIPC_ENOTCONN, 16, "not connected") \
    X(LIPC_EMSGSIZE, 17, "too large for the buffer or the system") \
    X(LIPC_EIO, 18, "input/output error") \
    X(LIPC_EEND, 19, "the end: the peer sends no more messages") \
    X(LIPC_ETRUNCATED, 20, "the message did not fit, its rest is lost") \
    X(LIPC_ETOOMANY, 21, "more handles than one message can carry") \
    X(LIPC_EHANDLES, 22, "handles came with the message and could not all be taken, so they were closed") \
    X(LIPC_EEXIST, 23, "a file of that name exists") \
    X(LIPC_ENOTFIFO, 24, "a file of that name exists and is no FIFO") \
    X(LIPC_EOTHER, 255, "system error")

/* The portable codes of errors: LIPC_ERRORS expanded. */
enum lipc_error {
#define LIPC_ERROR_ENUM(code, number, text) code = (number),
    LIPC_ERRORS(LIPC_ERROR_ENUM)
#undef LIPC_ERROR_ENUM
};

/* An error is -(code << LIPC_ERROR_OS_BITS | os); it fits an int. */
enum { LIPC_ERROR_OS_BITS = 20 };

/* The portable code of a result: one of enum lipc_error, or 0 for a success. */
LIPC_API int lipc_error_code(int64_t result);

/* The system's own code in a result: an errno value, on Windows a GetLastError() value. Where the library
 * itself found the fault, the code that the system would have used, or 0 where it has none. 0 for a success. For a text
 * of it ask the system: strerror(lipc_error_os(r)). */
LIPC_API int lipc_error_os(int64_t result);

/* The name of a result's portable code ("LIPC_EAGAIN"), or "success". A static string. */
LIPC_API const char *lipc_error_name(int64_t result);

/* A text for a result's portable code, in English, without a full stop. A static string. */
LIPC_API const char *lipc_strerror(int64_t result);

/* ========================================= Names ============================================== */

/* A name says where a listener, or a bound datagram socket, is found. There are two types:
 *
 *  - LIPC_NAME_PATH: Unix: a socket file. Windows: a pipe path, \\.\pipe\x, \\?\pipe\x or \\host\pipe\x.
 *  - LIPC_NAME_NAMESPACED: Linux: the abstract namespace, in its exact length (no padding), where each kind of socket
 *    has names of its own. Windows: \\.\pipe\name. Other systems: a file in a private directory of the user,
 *    $XDG_RUNTIME_DIR/lipc, or /tmp/lipc-UID where that variable is unset. The directory is made with mode 0700 by the
 *    first listener; one that is not a directory, is another user's, or can be entered by others is LIPC_EACCES. The
 *    variable is read whenever such a name is used, which is not safe while another thread calls setenv(3).
 *
 * The name of a pipe may have several parts with '\' between: LOCAL\x is what programs in an AppContainer can make, and
 * ProtectedPrefix\Administrators\x what only administrators can, so that nobody else can have it first. Windows ignores
 * case: names that differ in nothing else mean the same pipe, though their texts differ.
 *
 * A name of type 0 and length 0 is no name: that of an unbound socket. */
enum lipc_name_type {
    LIPC_NAME_PATH = 1,      /* a place in the file system, or a pipe path */
    LIPC_NAME_NAMESPACED = 2 /* a name in the system's or the user's namespace */
};

/* The room for a name's text, in bytes, with its NUL. */
enum { LIPC_NAME_CAPACITY = 1016 };

/* A name by value. Make one with the functions below; text may be read, and is followed by a NUL. */
typedef struct lipc_name {
    uint32_t type;   /* enum lipc_name_type, or 0 */
    uint32_t length; /* of text, in bytes */
    char text[LIPC_NAME_CAPACITY]; /* UTF-8 on Windows, elsewhere bytes as the system takes them */
} lipc_name;

/* As a length: the text ends at its NUL. */
#define LIPC_STRLEN ((size_t)-1)

/* Names from their text, length bytes long (or LIPC_STRLEN). What lipc_name_parse() reads: "@x" is
 * namespaced, anything else is a path.
 *
 * Errors: LIPC_ENAME (empty; a NUL byte, which only Linux's namespaced names may hold; a '/' in, or "." or ".." as, a
 * namespaced name that becomes a file; on Windows a path that is no pipe path; there also, in a namespaced name or
 * behind \pipe\, a '/', or a part that is empty or ends with '.' or ' '), LIPC_ENAMETOOLONG (over lipc_name_limit();
 * names are never truncated). Windows would take such parts for another name, except behind \\?\, where they are
 * refused all the same. */
LIPC_API int lipc_name_path(const char *text, size_t length, lipc_name *ret_name);
LIPC_API int lipc_name_namespaced(const char *text, size_t length, lipc_name *ret_name);
LIPC_API int lipc_name_parse(const char *text, size_t length, lipc_name *ret_name);

/* Writes a name in the form that lipc_name_parse() reads, and a NUL. Returns its length, or LIPC_EMSGSIZE
 * if size bytes are too few: LIPC_NAME_CAPACITY + 2 always do. A path that begins with '@' gets "./" in
 * front; no name at all is the empty string. */
LIPC_API int lipc_name_format(const lipc_name *name, char *buffer, size_t size);

/* The types of name that this system has, as a bit set of enum lipc_name_type. */
LIPC_API int lipc_name_types(void);

/* The greatest length of a name's text, in bytes; on Windows in UTF-16 code units, of which a byte of
 * UTF-8 never makes more than one. LIPC_EINVAL if there is no such type.
 *
 *  Path: the size of sun_path, unix(7), which may be filled to the last byte: 108 on Linux, 104 on macOS and the
 *  BSDs, but 103 on OpenBSD; Windows: 256, CreateNamedPipe. Namespaced: 107 on Linux (a NUL comes first), 247 on
 *  Windows, else what the directory leaves. */
LIPC_API int lipc_name_limit(int type);

/* ========================================= Handles ============================================ */

/* A file descriptor, (int)handle, or a HANDLE. A connection is nothing but its handle: it works with poll, epoll,
 * kqueue, completion ports and event loops. */
typedef intptr_t lipc_handle;

/* What is no handle, on any system. */
#define LIPC_INVALID_HANDLE ((lipc_handle)-1)

/* What a handle is: a kind of connection, a listener for one, or an end of a pipe. */
enum lipc_kind {
    LIPC_STREAM = 1,      /* bytes: SOCK_STREAM, a named pipe in byte mode */
    LIPC_MESSAGE = 2,     /* messages, in order and with their boundaries: SOCK_SEQPACKET, a named pipe in message mode.
                           * Not on macOS: LIPC_ENOTSUP */
    LIPC_DATAGRAM = 4,    /* messages between sockets that need not be connected, SOCK_DGRAM: lipc_unix.h. Not on
                           * Windows */
    LIPC_PIPE_READER = 32, /* the reading end of an unnamed pipe or a FIFO */
    LIPC_PIPE_WRITER = 64, /* the writing end */
    LIPC_PIPE_DUPLEX = LIPC_PIPE_READER | LIPC_PIPE_WRITER, /* open for both, as FreeBSD and OpenBSD have all pipes */
    LIPC_LISTENER = 16,   /* added to LIPC_STREAM or LIPC_MESSAGE: accepts such connections */
    LIPC_STREAM_LISTENER = LIPC_STREAM | LIPC_LISTENER,   /* accepts streams */
    LIPC_MESSAGE_LISTENER = LIPC_MESSAGE | LIPC_LISTENER  /* accepts connections of messages */
};

/* The kind of a handle, as in enum lipc_kind. On macOS and OpenBSD, which do not tell, a connection whose peer is gone
 * may count as a listener. On Windows an end that only reads or only writes bytes is one of a pipe, whether that has a
 * name or not. Errors: LIPC_EBADF, LIPC_ENOTSOCK (neither a local socket nor a pipe). */
LIPC_API int lipc_kind(lipc_handle handle);

/* Makes a handle that came from elsewhere (inherited, socket activation, another library) one of ours:
 * close-on-exec, non-blocking, never raising SIGPIPE. Returns its lipc_kind(). Non-blocking mode is a
 * property of the open file description: every process that shares it sees the change, and none may change it
 * back while this one uses it. On Windows it must have been opened for overlapped operation, which the ends that other
 * programs use as standard input and output are not: LIPC_ENOTSUP. The handle stays the caller's, on failure unchanged.
 * Other errors: those of lipc_kind(). */
LIPC_API int lipc_adopt(lipc_handle handle);

/* A second handle for the same object. It shares non-blocking mode and position. Errors: LIPC_EBADF,
 * LIPC_EMFILE. */
LIPC_API int lipc_duplicate(lipc_handle handle, lipc_handle *ret_handle);

/* Closes a handle; what was written before still reaches the peer. Error: LIPC_EBADF. */
LIPC_API int lipc_close(lipc_handle handle);

/* The name that the handle, or its peer, is bound to; of type 0 where it has none, as connecting sockets
 * usually do. On systems where a namespaced name is a file it is reported as a path.
 *
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK; lipc_peer_name() also LIPC_ENOTCONN. */
LIPC_API int lipc_local_name(lipc_handle handle, lipc_name *ret_name);
LIPC_API int lipc_peer_name(lipc_handle handle, lipc_name *ret_name);

/* A direction of a connection, or both: LIPC_READ | LIPC_WRITE. */
enum lipc_direction {
    LIPC_READ = 1, /* what this end reads */
    LIPC_WRITE = 2 /* what this end writes */
};

/* The size of the system's send (LIPC_WRITE) or receive (LIPC_READ) buffer in bytes. Setting is a request: the system
 * rounds and limits it (Linux doubles it, limits it to net.core.wmem_max, and has a send buffer only for streams,
 * socket(7), unix(7)). Getting returns what is in force. On Linux lipc_write() and lipc_writev() double a send buffer
 * that is still of the system's own size, 212992, when there is no room in it for 32 KiB of what they write, since that
 * goes through faster then. size must be over 0, otherwise LIPC_EINVAL. A pipe has one buffer, which either direction
 * means: on Linux F_SETPIPE_SZ, fcntl(2), which rounds up to a power of two of pages and allows no more than
 * fs.pipe-max-size (LIPC_EACCES); elsewhere LIPC_ENOTSUP. Other errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOMEM,
 * LIPC_EOTHER with EBUSY (a pipe that holds more than size). Windows: the server sets the sizes when it listens,
 * lipc_listen_windows; setting is LIPC_ENOTSUP. */
LIPC_API int lipc_set_buffer_size(lipc_handle handle, int direction, int size);
LIPC_API int lipc_buffer_size(lipc_handle handle, int direction);

/* ====================================== Listening ============================================= */

/* A listener owns a handle, and on Unix the socket file and its lock file. It is freed by
 * lipc_listener_close() alone. */
typedef struct lipc_listener lipc_listener;

/* Options begin with their own size, so that later versions can add to them: start with zeroes, set size, and
 * what you need: lipc_listen_options o = {.size = sizeof o, .mode = 0660}, in C++ = {} first. Zero means the
 * default. Bytes beyond the size that the library knows must be zero, otherwise the call fails with
 * LIPC_ENOTSUP. */
struct lipc_listen_windows;
typedef struct lipc_listen_options {
    size_t size; /* of this struct */
    /* Who may connect, as the permission bits 0001 to 0777 of the socket file (connecting takes write permission).
     * Default 0600: the owner alone, and root. The umask plays no part. Linux's namespaced names have no file: there
     * lipc_accept() goes by the write bits for group (the peer has the group of the listening process, as its own or a
     * supplementary one) and other, and closes whoever is not admitted: they connect, and then read the end. In a user
     * namespace that does not map all ids, the id that stands for the others (65534, user_namespaces(7)) admits nobody,
     * not even the listening process's own user if that has it. The same goes where /proc is missing. Windows: the
     * owner, SYSTEM and the administrators; with the write bit for other everybody who has logged in, who may not pose
     * as the server, though. */
    uint32_t mode;
    /* How many connections may wait to be accepted. Default and upper limit: what the system allows
     * (net.core.somaxconn on Linux, kern.ipc.somaxconn or kern.somaxconn on macOS and the BSDs). Windows: how many
     * instances of the pipe wait for clients, 2 to 64, default 8; more clients are told to come back. */
    int backlog;
    /* What to accept: LIPC_STREAM (the default) or LIPC_MESSAGE. Or LIPC_DATAGRAM, for a socket that is bound to the
     * name, and whose handle receives what anybody sends to it: see lipc_unix.h. */
    int kind;
    /* What Windows alone has, see lipc_windows.h. NULL: the defaults. Elsewhere anything else is LIPC_ENOTSUP. */
    const struct lipc_listen_windows *windows;
} lipc_listen_options;

/* Listens on a name. options may be NULL.
 *
 * A socket file is guarded by a lock file beside it: its path with ".lock" added, empty, locked with flock(2)
 * for as long as the listener lives. A socket file whose server is gone (it crashed or was killed) is replaced;
 * the file of a living server, whoever wrote it, never is. Only a socket of our own user is ever removed.
 * Of several processes that listen at once exactly one succeeds. After fork(2) the processes share the
 * lock; all but one of them must call lipc_listener_set_unlink(listener, 0) before closing.
 *
 * Limits of this:
 *  - A server counts as alive if this kernel has its socket open. One on another machine, or in another virtual
 *    machine, that shares the directory (NFS, 9p, virtiofs) looks dead, and so does one that reaches the file through
 *    another file system (the upper directory of an overlay). Its file is replaced unless its lock is seen here.
 *  - A server that knows of no locks may remove our file and bind its own in the same moment. On Linux its file is left
 *    alone (sock_diag(7) shows which file is ours), and this call fails with LIPC_EADDRINUSE. On macOS and the BSDs,
 *    and in sandboxes of Linux that refuse AF_NETLINK, its file cannot be told from ours if it is of the same user: it
 *    may get our mode, and be removed when the listener is closed.
 *  - A file to be removed is first renamed to ".lipc-" and numbers, beside it. A crash in that moment leaves it there.
 *    If it turns out to be another server's file, it gets its own name back, unless a third server has bound the path
 *    meanwhile: then it stays there, too.
 *  - After lipc_listener_detach() on systems other than Linux, close the listener before the handle: otherwise another
 *    file may have the inode number of ours by then.
 *
 * On Windows the name is taken as long as the listener or a connection that it accepted is open. Whoever takes it first
 * has it (FILE_FLAG_FIRST_PIPE_INSTANCE; on Wine 8, which lets others in, a mutex keeps servers of this library apart).
 * After a crash the system keeps the pipe while clients have their ends open, and connecting to it is LIPC_ENOENT. Such
 * a pipe is taken over if it is as this call would make it: the same owner, descriptor, integrity label, kind,
 * direction and limit of instances, which the clients' ends count towards. Otherwise this call waits for the clients to
 * go, for 250 milliseconds, and then fails with LIPC_EADDRINUSE. Meanwhile it holds a mutex, "Global\lipc." and the
 * name in capitals; a program that holds that delays this call by 2 seconds, and then no pipe is taken over. A name
 * below ProtectedPrefix\Administrators keeps users who are no administrators from taking it first.
 *
 * Errors: LIPC_EADDRINUSE (a living server, on Windows also somebody's clients, a file that is no socket or another
 * user's, or one with the lock's name that is not an empty file, or has other names, or that another program holds by fcntl(2)),
 * LIPC_ENOENT (no such directory), LIPC_EACCES (also: the umask narrows the mode, on Linux before 6.6 without /proc, and
 * others can write to the directory), LIPC_ENAME, LIPC_ENAMETOOLONG, LIPC_EINVAL (mode, backlog or kind out
 * of range), LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener);

/* Makes a listener of a handle that already listens. The listener owns the handle; it removes no file. Its name is
 * lipc_local_name(). Of the options (NULL: the default) mode counts, and for Linux's namespaced names only. What
 * lipc_adopt() says of sharing holds here too. Not on Windows: LIPC_ENOTSUP. There a listener is not one handle but
 * instances of a pipe, each with an operation by which this process waits for one client. Two processes could not share
 * the clients that wait: each would have its own, and closing one listener would turn its clients away. What can be
 * passed on is a connection that was accepted, lipc_duplicate_into(). Errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_EINVAL,
 * LIPC_ENOMEM; the handle is still the caller's then. */
LIPC_API int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options,
                                 lipc_listener **ret_listener);

/* Accepts a connection. ret_peer may be NULL; it gets the name that the peer is bound to, usually none.
 *
 * Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT; LIPC_EACCES, with a timeout_ms of 0 only: one that is not admitted (see
 * mode) was turned away, and others may wait, so call again; LIPC_EMFILE and LIPC_ENOMEM, after which the
 * connection still waits and the listener goes on working; LIPC_ENOTSOCK (datagrams have no connections). A connection
 * that its client gave up is passed over in silence. */
LIPC_API int lipc_accept(lipc_listener *listener, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection);

/* The handle, for waiting until a connection can be accepted: readable; on Windows an event that is set then, to be
 * waited for after lipc_accept() said LIPC_EAGAIN, which resets it. It stays the listener's. */
LIPC_API lipc_handle lipc_listener_handle(const lipc_listener *listener);

/* Hands the handle over to the caller, for event loops that close what they watch. lipc_accept() goes on
 * using it, so it must be closed no sooner than the last call to that; lipc_listener_close() leaves it
 * alone. On Windows it may be closed at any time, since the listener has one of its own. */
LIPC_API lipc_handle lipc_listener_detach(lipc_listener *listener);

/* The name that it listens on. */
LIPC_API void lipc_listener_name(const lipc_listener *listener, lipc_name *ret_name);

/* Whether closing removes the socket file and its lock file (the default for a listener that made them). */
LIPC_API void lipc_listener_set_unlink(lipc_listener *listener, int unlink);

/* Removes the socket file, if it is still the one that this listener made, then its lock, closes the handle
 * and frees the listener. Connections that wait in the backlog are reset; accepted ones live on. NULL is
 * allowed. */
LIPC_API void lipc_listener_close(lipc_listener *listener);

/* ====================================== Connecting ============================================ */

/* What a connection is to be. See lipc_listen_options for how these grow. */
struct lipc_connect_windows;
typedef struct lipc_connect_options {
    size_t size; /* of this struct */
    int kind; /* LIPC_STREAM (the default), LIPC_MESSAGE or LIPC_DATAGRAM, as the listener has it */
    const struct lipc_connect_windows *windows; /* as in lipc_listen_options */
} lipc_connect_options;

/* Connects to a listener. options may be NULL. A listener whose backlog is full is tried again, every 1 to 4
 * milliseconds, until the time runs out. macOS and the BSDs tell a full backlog from a socket file that nobody listens
 * on only by whether any process has the socket open; there a socket that is bound and never listens is waited for,
 * too. On Windows that is a pipe whose instances are all taken, and the server may know who the client is, but not act
 * as it. A stream connects to a pipe of messages, too, and reads bytes. Connecting to another machine, \\host\pipe\x,
 * is cancelled when the time runs out (CancelSynchronousIo). The system stops then if it has sent the request, but
 * maybe not while it looks up the host's name. It is LIPC_ENOENT if the system gives up by itself, since the machine
 * does not answer.
 *
 * Errors: LIPC_ENOENT (no such name: at once), LIPC_ECONNREFUSED (a socket file that nobody listens on, or on Linux a
 * namespaced name that does not exist, whether or not it does for another kind), LIPC_EAGAIN (timeout_ms is 0 and the
 * backlog is full), LIPC_ETIMEDOUT, LIPC_EACCES, LIPC_ENOTSOCK (a socket of another kind), LIPC_EINVAL, LIPC_ENOTSUP,
 * LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_connect(const lipc_name *name, const lipc_connect_options *options, int timeout_ms,
                          lipc_handle *ret_connection);

/* Two connections of a kind, LIPC_STREAM, LIPC_MESSAGE or LIPC_DATAGRAM, each the other's peer. Errors: LIPC_EINVAL,
 * LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_pair(int kind, lipc_handle *ret_a, lipc_handle *ret_b);

/* ==================================== Reading and writing ===================================== */

/* A piece of memory. On Unix it has the layout of struct iovec. */
typedef struct lipc_buffer {
    void *data;  /* NULL only with size 0 */
    size_t size; /* in bytes */
} lipc_buffer;

/* For connections of the kind LIPC_STREAM, and for pipes. (A pipe that came from elsewhere has to be adopted first:
 * unlike a socket, it can be asked not to wait only by its non-blocking mode.)
 *
 * Reads what is there, at most size bytes (lipc_readv(): into count buffers, in order). Returns the number
 * of bytes; 0 is the end: the peer closed, shut down its writing half, or died (also when it left data of
 * ours unread, which Linux would call ECONNRESET). Reading 0 bytes returns 0 at once. Files that come with the bytes,
 * see lipc_message, are closed. What is neither a stream nor a pipe is not guarded against. Windows does not scatter:
 * lipc_readv() makes one system call for each buffer.
 *
 * Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF (also: this is the other end of a pipe), LIPC_ENOTCONN. */
LIPC_API int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms);
LIPC_API int64_t lipc_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);

/* Writes all of it, waiting for room as often as needed. Returns the number of bytes written: fewer than size if the
 * time ran out or an error came after part of them was written (the next call reports it). The time counts from the
 * first wait, and is looked at only when there is no room. Windows does not report how much of a piece the peer had
 * read when the time ran out. Pieces are no larger than the pipe's buffer, so that it is all or nothing. But where that
 * buffer is smaller than 4096 bytes a part may have been read that is not counted; then nothing more may be written.
 *
 * Errors, when nothing was written: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EBADF, LIPC_ENOTCONN,
 * LIPC_ENOMEM. */
LIPC_API int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms);
LIPC_API int64_t lipc_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);

/* Shuts down one half, or both (LIPC_READ | LIPC_WRITE), for every process that shares the connection. After
 * LIPC_WRITE the peer reads the end, behind what was written before. After LIPC_READ this side reads the end: on
 * Linux behind what had arrived, and the peer's writes are LIPC_EPIPE; elsewhere what arrived and what the peer
 * writes may be discarded. Errors: LIPC_EINVAL, LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN, LIPC_ENOTSUP (pipes, and
 * everything on Windows). */
LIPC_API int lipc_shutdown(lipc_handle handle, int direction);

/* ========================================= Messages =========================================== */

/* For connections of the kind LIPC_MESSAGE, and LIPC_DATAGRAM. Each call moves whole messages. (A stream is not guarded
 * against, and does not keep them apart.) An empty message is a
 * message, and is never taken for the end. So that the two can be told apart, these connections have SO_PASSCRED set on
 * Linux, for which the kernel gives the socket a name of its own choice, unix(7). */

/* Sends one message: all of it, or none. Waits for room. Returns size.
 *
 * On Windows the peer may have read a part of a message that is larger than the pipe's buffer, lipc_buffer_size() of
 * LIPC_WRITE, when a positive time runs out. It gets LIPC_ETRUNCATED then. Nothing more may be sent from that end,
 * since the peer could take it for the rest. With a timeout_ms of 0 such a message is never begun: it is LIPC_EAGAIN,
 * whether the peer waits for it or not. Of a message that is no larger than the buffer nothing is left when the time
 * runs out.
 *
 * Errors: LIPC_EMSGSIZE (over lipc_message_limit()), LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EBADF,
 * LIPC_ENOTSOCK, LIPC_ENOTCONN, LIPC_ENOMEM. */
LIPC_API int64_t lipc_send(lipc_handle handle, const void *data, size_t size, int timeout_ms);

/* Receives one message. Returns its size, which may be 0.
 *
 * Errors: LIPC_EEND (the peer closed, shut down its writing half, or died), LIPC_ETRUNCATED (data is filled with
 * the beginning of the message, its rest is lost), LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF, LIPC_ENOTSOCK,
 * LIPC_ENOTCONN. */
LIPC_API int64_t lipc_receive(lipc_handle handle, void *data, size_t size, int timeout_ms);

/* lipc_receive() without taking the message: the next call finds it again. Windows does not tell when one comes, so
 * there this looks every 1 to 4 milliseconds. (Wine 8 shows an empty message only when another is behind it.) */
LIPC_API int64_t lipc_peek(lipc_handle handle, void *data, size_t size, int timeout_ms);

/* The size of the next message, without taking it; it waits as lipc_peek() does. Errors: those of lipc_receive() but
 * LIPC_ETRUNCATED. On systems other than Linux and Windows, which do not tell the size, LIPC_ENOTSUP. */
LIPC_API int64_t lipc_message_size(lipc_handle handle, int timeout_ms);

/* The size of the largest message that the connection can send, in bytes. Linux: 32 less than the send buffer
 * (unix_dgram_sendmsg() in net/unix/af_unix.c); Windows: 1 GiB, but the system may lack the memory
 * for less (LIPC_ENOMEM); elsewhere the send buffer. Errors: LIPC_EBADF,
 * LIPC_ENOTSOCK. */
LIPC_API int64_t lipc_message_limit(lipc_handle handle);

/* Sends messages one after the other. Returns how many were sent: fewer than count if the time ran out or an error
 * came after the first (the next call reports it). Errors, when none was sent: those of lipc_send(). */
LIPC_API int64_t lipc_send_batch(lipc_handle handle, const lipc_buffer *messages, size_t count, int timeout_ms);

/* Receives the messages that are there, at most count, after waiting for the first. Returns how many, and sets the
 * size of each to that of its message. A message that did not fit ends the batch, with a size greater than the
 * buffer had: its beginning is there (where the system does not tell the true size, it is one more than the
 * buffer's). Errors, when none was received: those of lipc_receive() but LIPC_ETRUNCATED. */
LIPC_API int64_t lipc_receive_batch(lipc_handle handle, lipc_buffer *messages, size_t count, int timeout_ms);

/* ================================ What travels with a payload ================================= */

/* The most handles that one message carries. Linux: SCM_MAX_FD, include/net/scm.h. Others may allow fewer. */
enum { LIPC_MESSAGE_HANDLES = 253 };

struct lipc_credentials;
struct lipc_control;

/* A payload, and what travels with it: open files above all. Start with zeroes, set size, and what you need. It
 * is for streams, messages and datagrams alike. On Windows nothing travels with a payload: what is sent must be no more
 * than that, and so must control be NULL (LIPC_ENOTSUP); what is received tells so. For handles there are
 * lipc_duplicate_into() and lipc_duplicate_from(). */
typedef struct lipc_message {
    size_t size; /* of this struct */
    /* The payload, gathered from or scattered into so many buffers, at most IOV_MAX (1024 on all systems). */
    const lipc_buffer *buffers;
    size_t buffer_count; /* how many there are */
    /* Handles. Sent: handle_count of them, lent for the call. Received: room for handle_capacity, of which handle_count
     * becomes the number that arrived; they are the caller's then, close-on-exec. NULL: none are wanted, or those that
     * control has room for are. */
    lipc_handle *handles;
    size_t handle_count;    /* sent: how many there are; received: how many came */
    size_t handle_capacity; /* received: how many there is room for */
    /* Credentials. Received: the sender's, as the kernel vouches for them, if lipc_set_pass_credentials() asked for
     * them before the message was sent (Linux: its real ids, not the effective ones); -1 where not known; also after
     * LIPC_ETRUNCATED and LIPC_EHANDLES. Sent: what the kernel is to vouch for, -1 standing for what is so; it refuses
     * (LIPC_EACCES) what is not this process's own unless it may change its ids. A pid of 0 is LIPC_EINVAL. Linux alone
     * can send them. */
    struct lipc_credentials *credentials;
    /* Of a datagram. Sent: where to; NULL for the peer it is connected to. Received: where from, of type 0 if unbound;
     * also after LIPC_ETRUNCATED and LIPC_EHANDLES. */
    lipc_name *peer;
    /* Received: a pidfd of the sending process, pidfd_open(2), which is the caller's, if lipc_set_pass_pidfd() asked
     * for it before; otherwise LIPC_INVALID_HANDLE. */
    lipc_handle *pidfd;
    /* Control data of other types: see lipc_control in lipc_unix.h.
     * Sent: what is in it goes first. Handles and credentials are put behind that, into its buffer, which must have
     * room for them (LIPC_EMSGSIZE) and be in no other use.
     * Received: all that came, but for the handles and the pidfd that were delivered above. Where handles is NULL, the
     * handles are here, for lipc_control_take() and lipc_control_close(). */
    struct lipc_control *control;
    size_t length; /* received: the size of the payload in the buffers, also after LIPC_ETRUNCATED and LIPC_EHANDLES */
} lipc_message;

/* Sends a message; its fields stay as they are. Returns the size of the payload. Of a stream it may be less, as with
 * lipc_write(): handles and credentials have gone with the first byte then, and must not be sent again with the rest.
 * On a stream they need a payload of at least one byte.
 *
 * Errors, when nothing was sent: LIPC_ETOOMANY (over LIPC_MESSAGE_HANDLES, with those in control), LIPC_EINVAL (no
 * payload on a stream), LIPC_EMFILE (so many handles are on their way already that the system takes no more until some
 * are received: ETOOMANYREFS, unix(7)), LIPC_EBADF (also for a handle lent), LIPC_EACCES, LIPC_ENOTSUP, those of
 * lipc_send(), and those of lipc_connect() for a peer that is named. */
LIPC_API int64_t lipc_send_message(lipc_handle handle, const lipc_message *message, int timeout_ms);

/* Receives a message. Returns the size of its payload. On a stream that is what is there, and never goes beyond the
 * bytes that handles came with.
 *
 * No handle is ever lost sight of. Those that nobody asked for (handle_capacity is 0, and control NULL or handles not
 * NULL) are closed. After any error all are: there is nothing to close then, and handle_count and the like are as
 * before.
 *
 * Errors: LIPC_EEND (the end, on a stream too), LIPC_ETRUNCATED (see lipc_receive()), LIPC_EHANDLES (more handles, or
 * for who takes them out of control more control data, than there was room for; or more handles than this process may
 * open, which lipc_error_os() then tells as EMFILE or ENFILE; the payload has been received), LIPC_EINVAL (also: no
 * room for a payload on a stream), LIPC_EMSGSIZE (too many buffers), and those of lipc_receive(). */
LIPC_API int64_t lipc_receive_message(lipc_handle handle, lipc_message *message, int timeout_ms);

/* Whether messages are to come with their sender's credentials, from those sent after this call on. What a listener
 * accepts has it if the listener has, whenever it connected. Linux: SO_PASSCRED, unix(7), which is always on for
 * LIPC_MESSAGE. FreeBSD: LOCAL_CREDS_PERSISTENT, NetBSD: LOCAL_CREDS. Errors: LIPC_ENOTSUP, LIPC_EBADF,
 * LIPC_ENOTSOCK. */
LIPC_API int lipc_set_pass_credentials(lipc_handle handle, int on);

/* ======================================= Credentials ========================================== */

/* Who a peer is, as the kernel vouches for it; -1 where the system does not tell. Those of a connection were taken when
 * the peer connected (for a client: when the server began to listen, on OpenBSD when it was bound; for a pair:
 * when it was made) and do not follow later changes; those of a message when it was sent. A process id can be reused
 * once its process has ended. */
typedef struct lipc_credentials {
    int64_t pid; /* process id. Not told by DragonFly BSD, FreeBSD before 13 */
    int64_t uid; /* effective user id; of a message on Linux the real one */
    int64_t gid; /* effective group id; of a message on Linux the real one */
    int64_t reserved[5]; /* set to -1 */
} lipc_credentials;

/* The peer's credentials. Linux: SO_PEERCRED, unix(7). OpenBSD: SO_PEERCRED. NetBSD: LOCAL_PEEREID. macOS, FreeBSD,
 * DragonFly BSD: LOCAL_PEERCRED; macOS adds LOCAL_PEERPID. Windows: the process id, GetNamedPipeClientProcessId and
 * GetNamedPipeServerProcessId, -1 for a peer on another machine; for the user see lipc_peer_sid().
 *
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN, LIPC_ENOTSUP. */
LIPC_API int lipc_peer_credentials(lipc_handle handle, lipc_credentials *ret_credentials);

/* The peer's supplementary groups (Linux 4.13 and later: SO_PEERGROUPS; macOS, FreeBSD, DragonFly BSD: the
 * groups after the first of LOCAL_PEERCRED, at most 15). Returns how many there are, and stores them if they are
 * no more than capacity; ret_groups may be NULL if that is 0.
 *
 * Errors: those of lipc_peer_credentials(); LIPC_ENOTSUP on other systems. */
LIPC_API int lipc_peer_groups(lipc_handle handle, size_t capacity, uint32_t *ret_groups);

/* ========================================== Pipes ============================================= */

/* What a pipe is to be. See lipc_listen_options for how these grow. */
typedef struct lipc_pipe_options {
    size_t size;     /* of this struct */
    int inherit;     /* LIPC_READ, LIPC_WRITE or both: the ends that child processes get, see lipc_set_inherit() */
    int buffer_size; /* in bytes, see lipc_set_buffer_size(); 0: the default, 64 KiB on Linux, pipe(7), and Windows */
    const char *sddl; /* Windows: its security descriptor; NULL: the user's alone. Elsewhere others are LIPC_ENOTSUP */
} lipc_pipe_options;

/* An unnamed pipe: what is written to one end is read from the other, with lipc_read() and lipc_write(). options may be
 * NULL. On Windows it is a named one, whose name is random and whose only instance is taken; ends that are inherited
 * are not opened for overlapped operation, since most programs cannot use them then, and are not for lipc_read() and
 * its kin. Errors: LIPC_EINVAL, LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM, those of lipc_set_buffer_size(). */
LIPC_API int lipc_pipe(const lipc_pipe_options *options, lipc_handle *ret_read, lipc_handle *ret_write);

/* lipc_readv() and lipc_writev() of what is known to be a pipe. On Unix those find it out by a call for sockets that fails,
 * each time, so these take one system call less. What is no pipe is not guarded against. */
LIPC_API int64_t lipc_pipe_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);
LIPC_API int64_t lipc_pipe_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);

/* Makes a handle one that child processes get (on): not close-on-exec, and blocking, as programs expect it; or one of
 * ours again (off). On Windows only whether it is inherited changes. Blocking mode is shared by all who have this end,
 * but not by the other end. Errors: LIPC_EBADF. */
LIPC_API int lipc_set_inherit(lipc_handle handle, int on);

/* ================================== Polling before waiting ==================================== */

/* Waking a process takes the system several times as long as moving a small message. A caller whose answer comes within
 * microseconds gets it sooner by asking again and again for a moment, at the price of a processor that is busy in that
 * moment. lipc_spin says for how long, and learns. Polling in vain is left out at the next wait, then at the next 3, 7,
 * and so on up to 255. Polling that brings the result halves that number. Polling never yields the processor
 * (sched_yield(2), SwitchToThread()): beside programs that do not wait, that costs milliseconds. If the system takes
 * the processor away meanwhile, so that polling takes at least twice its limit, it counts as in vain even if it brings
 * the result, once for each limit that it took. There is no polling with one processor (Linux: sched_getaffinity(2),
 * looked at once). A lipc_spin is for one handle and direction, used by one thread at a time; it starts with zeroes and
 * limit_us.
 *
 *     lipc_spin spin = {.limit_us = 50};
 *     while (lipc_spin_again(&spin, n = lipc_read(server, data, size, 0)))
 *         ;
 *     if (lipc_error_code(n) == LIPC_EAGAIN)
 *         n = lipc_read(server, data, size, 1000);
 */
typedef struct lipc_spin {
    uint32_t limit_us;    /* how long to poll, in microseconds: 20 to 100 is of use; 0: not at all. May be changed
                           * between calls */
    uint32_t skip;        /* the library's, as all that follows: how many waits pass without polling */
    uint32_t penalty;     /* how many were to pass when polling last ended */
    uint32_t processors;  /* how many there are; 0: not known yet */
    int64_t start_us;     /* when polling began; 0: it has not */
    uint32_t reserved[4]; /* 0 */
} lipc_spin;

/* Whether to make a call once more, at once: it had a timeout_ms of 0, its result was LIPC_EAGAIN, and polling goes on. It
 * has to be asked until it says 0, which any other result makes it do. It goes with every call that has a timeout_ms, and
 * with lipc_async_finish(); what comes after the last LIPC_EAGAIN may be any way to wait, an event loop too. On Windows,
 * where a call with a timeout_ms of 0 that finds nothing takes several system calls, lipc_async_finish() is the one to poll
 * with: it takes none. The port still reports an operation that was found to be over so, perhaps when the next is under way;
 * before its lipc_async is freed, that report has to be taken. One that has an event is not to be polled. */
LIPC_API int lipc_spin_again(lipc_spin *spin, int64_t result);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_H */
