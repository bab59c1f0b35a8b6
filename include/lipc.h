/* lipc: local inter-process communication.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * This header is the manual. A client begins like this:
 *
 *     lipc_name name;
 *     lipc_handle server;
 *     lipc_name_parse("user:greeter", LIPC_STRLEN, &name);
 *     int r = lipc_connect(&name, NULL, 1000, &server);
 *     if (r < 0)
 *         fprintf(stderr, "connect: %s\n", lipc_strerror(r));
 *
 * The sections from "Names" to "Errors" are enough for most programs. The sections after them are for programs that
 * need more. Four other headers describe more:
 *
 *  - lipc_channel.h: channels, through shared memory.
 *  - lipc_signal.h: signals and their senders.
 *  - lipc_unix.h: datagrams, control data, FIFOs, copying by the kernel, socket activation.
 *  - lipc_windows.h: the options of named pipes, impersonation, handles for other processes, completion ports.
 *
 * These conventions hold for every function:
 *
 *  - Results: a result >= 0 is success, and often a count. A negative result is an error; lipc_error_code() and
 *    lipc_error_os() return its two parts. The value of errno after a call is unspecified.
 *  - Out-parameters come last and are named ret_*. A function that fails leaves them unchanged. A pointer may be NULL
 *    only where the function's comment says so.
 *  - Options: a function that takes options fails with LIPC_EINVAL if their size is less than that of a size_t, and
 *    with LIPC_ENOTSUP if they ask for something that this version does not know.
 *  - Timeouts: timeout_ms is in milliseconds, measured by a monotonic clock. With 0 the call does not wait; it fails
 *    with LIPC_EAGAIN if it would have to. With a negative value it waits for ever. With a positive value it fails with
 *    LIPC_ETIMEDOUT when the time has run out. A wait that a signal interrupts (EINTR) goes on for the remaining time.
 *  - Waiting: a call without timeout_ms does not wait. A call with timeout_ms waits until it is done, the peer is gone,
 *    or the time is up. On Unix lipc_shutdown() from another thread also ends a wait to read or write, but not a wait
 *    in lipc_accept(). On Windows lipc_async_cancel() of all operations on the handle ends a wait with LIPC_EOTHER. A
 *    signal never ends a wait. A program that must be able to stop has two ways: it waits for a short time in each
 *    call, or it waits for the handle and a wake-up in poll(2) or the like, and then calls with a timeout_ms of 0.
 *  - The library has no global state, starts no thread and installs no signal handler, with one exception: the
 *    functions of lipc_signal.h. It allocates memory only for listeners, channels and watches of signals, and on Windows
 *    while it sends a message of several buffers that has more than 4 KiB.
 *  - Threads: any thread may call any function. One thread may read from a handle while another writes to it. Only one
 *    thread at a time may use a listener; on Unix, though, several may call lipc_accept(). Closing a handle that
 *    another thread uses is an error of the caller, as with close(2).
 *  - Ownership: memory passed by pointer is used only during the call, unless the function's comment says otherwise.
 *    Handles and listeners returned by ret_* belong to the caller, which closes them with lipc_close() and
 *    lipc_listener_close().
 *  - No write raises SIGPIPE. Every handle is created close-on-exec and non-blocking; on Windows it is not inherited,
 *    and is opened for overlapped operation. A handle received from another process is close-on-exec; whether it blocks
 *    is as in that process.
 */
#ifndef LIPC_H
#define LIPC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && defined(LIPC_BUILD_SHARED)
#define LIPC_API __declspec(dllexport)
#elif defined(_WIN32) && defined(LIPC_SHARED)
#define LIPC_API __declspec(dllimport)
#elif defined(__GNUC__)
#define LIPC_API __attribute__((visibility("default")))
#else
#define LIPC_API
#endif

/* ========================================== Names =========================================== */

/* A name identifies a listener, or a bound datagram socket. There are four types of name. A program that serves its own
 * user starts with LIPC_NAME_USER, a daemon of the machine with LIPC_NAME_SYSTEM: nobody else can pose as the server of
 * such a name.
 *
 *  - LIPC_NAME_USER: a name of the user's own. On Unix it is a file in the user's directory: RUNTIME/lipc, where
 *    RUNTIME is the runtime directory, or /tmp/lipc-UID if there is none. The runtime directory is $XDG_RUNTIME_DIR,
 *    and on Linux otherwise /run/user/UID. It counts only if the path is absolute, and leads to a directory, not a
 *    symbolic link, that belongs to the process's effective user and that nobody else can write to or replace. Others
 *    can replace it if a directory or link on the way belongs to another user, or if a directory there is writable to
 *    others and not sticky. /run and /var/run do not count, because the machine's names are there. The variable does
 *    not count in a program that is or was set-user-ID or set-group-ID: AT_SECURE, getauxval(3); issetugid(2).
 *    On Windows it is the pipe \\.\pipe\lipc-SID\name, where SID is the security identifier of the process's user,
 *    elevated or not. Another user can create a pipe of that name first. Then lipc_listen() fails with LIPC_EADDRINUSE,
 *    and lipc_connect() refuses that server, see lipc_connect_options.server.
 *  - LIPC_NAME_SYSTEM: a name of the machine, which only root or administrators can listen on. On Linux it is a file
 *    in /run/lipc, on other Unix systems in /var/run/lipc. On Windows it is the pipe
 *    \\.\pipe\ProtectedPrefix\Administrators\name.
 *  - LIPC_NAME_PATH: a path. On Unix it is that of a socket file. On Windows it is that of a pipe: \\.\pipe\x,
 *    \\?\pipe\x or \\host\pipe\x.
 *  - LIPC_NAME_NAMESPACED on Linux: a name in the abstract namespace, of exactly its length, without padding. Each kind
 *    of socket has its own names there.
 *  - LIPC_NAME_NAMESPACED on Windows: the pipe \\.\pipe\name.
 *  - LIPC_NAME_NAMESPACED on other systems: a file in the user's directory, the same as that of LIPC_NAME_USER.
 *
 * Programs of a user find each other only if they come to the same directory. On Linux a program without the variable,
 * such as one that cron(8) started, comes to that of the user's session if the variable has its usual value there.
 * XDG_RUNTIME_DIR is read whenever a user's name is used, so no other thread may call setenv(3) or putenv(3)
 * meanwhile.
 *
 * The first listener creates the directory, whatever the umask: the user's with mode 0700; the system's with mode
 * 0755, in /run or /var/run, which it creates too if it is missing. A function that uses the directory fails with
 * LIPC_EACCES if it is not a directory, if it belongs to another user (the system's: not to root), if others can enter
 * the user's or write to the system's, or if others can write to the directory that it is in, unless that is sticky. A
 * user's directory that keeps its own user out, as a crash may leave it, is given its mode by the next listener. The
 * system's keeps a mode that an administrator gave it.
 *
 * A daemon that does not run as root listens on a system's name by means of root: a service manager passes the socket,
 * see lipc_listener_adopt(). To its clients root is then the server.
 *
 * On Windows the name of a pipe may have several parts, separated by '\'. Programs in an AppContainer can create pipes
 * named LOCAL\x, and no others, so they cannot listen on a user's name. Only administrators can create pipes named
 * ProtectedPrefix\Administrators\x, so nobody else can take such a name first. Windows ignores case: two names that
 * differ only in case identify the same pipe, although their texts differ.
 *
 * The name of an unbound socket has type 0 and length 0. */
enum lipc_name_type {
    LIPC_NAME_PATH = 1,      /* a path in the file system, or of a pipe */
    LIPC_NAME_NAMESPACED = 2, /* a name in the system's or the user's namespace */
    LIPC_NAME_USER = 4,      /* a name of the user's own */
    LIPC_NAME_SYSTEM = 8     /* a name of the machine */
};

/* The room for a name's text, in bytes, with its NUL. */
enum { LIPC_NAME_CAPACITY = 1016 };

/* A name, with its text in it. The functions below create one. Callers may read the text, which a NUL follows. */
typedef struct lipc_name {
    uint32_t type;   /* enum lipc_name_type, or 0 */
    uint32_t length; /* of text, in bytes */
    char text[LIPC_NAME_CAPACITY]; /* UTF-8 on Windows, elsewhere bytes as the system takes them */
} lipc_name;

/* Passed as the length of a text, it means that the text ends at its NUL. */
#define LIPC_STRLEN ((size_t)-1)

/* Create a name from a text of length bytes; LIPC_STRLEN is allowed. lipc_name_parse() reads "user:x" as the user's
 * name x, "system:x" as the system's, "@x" as the namespaced name x, and any other text as a path. Names are never
 * truncated.
 *
 * Errors:
 *  - LIPC_ENAMETOOLONG: the text is longer than lipc_name_limit(), or there is no room for any name.
 *  - LIPC_ENAME: the text is empty, or contains a NUL byte, which only namespaced names on Linux may contain.
 *  - LIPC_ENAME: a user's or the system's name contains '/' or '\\', begins with '.', or ends with '.', ' ' or ".lock".
 *    The rule is the same on every system.
 *  - LIPC_ENAME: a namespaced name that is a file contains '/', or is "." or "..".
 *  - LIPC_ENAME: on Windows, a path is not that of a pipe; or a namespaced name, or the text after \pipe\, contains '/'
 *    or a part that is empty or ends with '.' or ' '. Windows would take such a part for another name. It would not
 *    after \\?\, but such parts are refused there too.
 *  - LIPC_ENAME: on Windows, the text is not UTF-8. */
LIPC_API int lipc_name_user(const char *text, size_t length, lipc_name *ret_name);
LIPC_API int lipc_name_system(const char *text, size_t length, lipc_name *ret_name);
LIPC_API int lipc_name_path(const char *text, size_t length, lipc_name *ret_name);
LIPC_API int lipc_name_namespaced(const char *text, size_t length, lipc_name *ret_name);
LIPC_API int lipc_name_parse(const char *text, size_t length, lipc_name *ret_name);

/* ========================================= Handles ========================================== */

/* A file descriptor, (int)handle, on Unix, and a HANDLE on Windows. A connection is nothing but its handle: it works
 * with poll, epoll, kqueue, completion ports and event loops. */
typedef intptr_t lipc_handle;

/* A value that is not a handle on any system. */
#define LIPC_INVALID_HANDLE ((lipc_handle)-1)

/* The kinds of handle: a connection of some kind, a listener for such connections, or an end of a pipe. */
enum lipc_kind {
    LIPC_STREAM = 1,      /* bytes: SOCK_STREAM, or a named pipe in byte mode */
    LIPC_MESSAGE = 2,     /* messages, in order and with their boundaries: SOCK_SEQPACKET, or a named pipe in message
                           * mode. macOS has none: LIPC_ENOTSUP */
    LIPC_DATAGRAM = 4,    /* messages between sockets that need not be connected: SOCK_DGRAM, see lipc_unix.h. Windows
                           * has none: LIPC_ENOTSUP */
    LIPC_PIPE_READER = 32, /* the reading end of an unnamed pipe or a FIFO */
    LIPC_PIPE_WRITER = 64, /* the writing end */
    LIPC_PIPE_DUPLEX = LIPC_PIPE_READER | LIPC_PIPE_WRITER, /* open for both, as all pipes of FreeBSD and OpenBSD are */
    LIPC_LISTENER = 16,   /* added to LIPC_STREAM or LIPC_MESSAGE: accepts such connections */
    LIPC_STREAM_LISTENER = LIPC_STREAM | LIPC_LISTENER,   /* accepts streams */
    LIPC_MESSAGE_LISTENER = LIPC_MESSAGE | LIPC_LISTENER  /* accepts connections of messages */
};

/* Closes a handle. The peer still receives what was written before. Errors: LIPC_EBADF. */
LIPC_API int lipc_close(lipc_handle handle);

/* ===================================== Who may be the peer ====================================== */

/* Sets of users, combined with |. */
enum lipc_peers {
    LIPC_PEERS_ANY = 1,       /* everybody */
    LIPC_PEERS_SAME_USER = 2, /* the user of this process */
    LIPC_PEERS_ADMIN = 4      /* root; on Windows SYSTEM and the administrators */
};

/* The users that may be at the other end of a connection. It begins with its size, as options do; see
 * lipc_listen_options. What counts is the credentials that the kernel supplies, see lipc_peer_credentials(), and on
 * Windows lipc_peer_sid().
 *
 *  - Unix: the user of this process is its effective user, so in a program that sudo(8) runs it is root. In a user
 *    namespace that does not map all ids, one id stands for all others (65534, user_namespaces(7)). It is admitted
 *    only with LIPC_PEERS_ANY, even if it is this process's own or is listed. Without /proc, 65534
 *    is always taken for it.
 *  - Windows: the user of this process is that of its token, whether it is elevated or not, and whatever its integrity
 *    level. A server is the owner of its pipe. LIPC_PEERS_ADMIN admits a server whose pipe belongs to SYSTEM (S-1-5-18)
 *    or to the group of administrators (S-1-5-32-544), and a client that is SYSTEM or whose token has that group
 *    enabled. An administrator's token has it enabled only if it is elevated. A pipe that an administrator created
 *    without lipc may belong to the group of administrators: then LIPC_PEERS_ADMIN admits it, and LIPC_PEERS_SAME_USER
 *    does not. A server on another machine is not admitted, because its owner is only what that machine claims.
 *  - Windows: a client whose user is not known, see lipc_peer_sid(), is not admitted. lipc_accept() checks a client
 *    before anything was read from it. So it admits clients of other programs only if they connect with
 *    SECURITY_SQOS_PRESENT and without SECURITY_CONTEXT_TRACKING, as lipc_connect() does. */
typedef struct lipc_peer_policy {
    size_t size; /* of this struct */
    int peers;   /* enum lipc_peers; 0: only those that are listed */
    size_t uid_count;        /* how many uids there are */
    const uint32_t *uids;    /* more users on Unix; on other systems without effect */
    size_t sid_count;        /* how many sids there are */
    const char *const *sids; /* more users on Windows, as security identifiers: "S-1-5-18"; elsewhere without effect */
} lipc_peer_policy;

/* Checks the peer of a connection. A policy of NULL admits everybody, as LIPC_PEERS_ANY does; then the handle is not
 * looked at.
 *
 * Errors:
 *  - LIPC_EACCES: the policy does not admit the peer.
 *  - LIPC_EINVAL: peers has other bits, or a list is NULL and its count is not 0.
 *  - LIPC_ENOTSUP: the size is that of a later version, see lipc_listen_options.
 *  - LIPC_ENOTCONN: there is no peer, or the system does not report it, as of a datagram socket that was connected.
 *  - LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_peer_check(lipc_handle handle, const lipc_peer_policy *policy);

/* The same for a user whose credentials the caller has: uid on Unix, -1 if it is not known; sid on Windows, NULL if it
 * is not known. On Windows LIPC_PEERS_ADMIN admits only S-1-5-18 and S-1-5-32-544 here, because an identifier does not
 * show the groups of a user. A user that is not known is admitted only with LIPC_PEERS_ANY. Errors: LIPC_EACCES,
 * LIPC_EINVAL, LIPC_ENOTSUP. */
LIPC_API int lipc_peer_policy_check(const lipc_peer_policy *policy, int64_t uid, const char *sid);

/* ======================================== Listening ========================================= */

/* A listener owns a handle, and on Unix also the socket file and its lock file. Only lipc_listener_close() frees it. */
typedef struct lipc_listener lipc_listener;

/* The options of a listener. Options begin with their own size, so that later versions can add fields. Start with
 * zeroes, set size, and then set what you need: lipc_listen_options o = {.size = sizeof o, .mode = 0660}; in C++ start
 * with = {}. Zero means the default. Bytes beyond the size that the library knows must be zero; otherwise the call
 * fails with LIPC_ENOTSUP. */
struct lipc_listen_windows;
typedef struct lipc_listen_options {
    size_t size; /* of this struct */
    /* The users that may connect, as the permission bits of the socket file, 0001 to 0777. Connecting takes write
     * permission. Default 0600: only the owner, and root. The umask has no effect. Whatever the mode, nobody else than
     * root can reach the file of a user's name, because of its directory. If the directory has a default ACL, acl(5),
     * its named users and groups may connect, too, as far as the bits for the group go, and its entry for the group
     * limits the group.
     *
     * Namespaced names on Linux have no file. There lipc_accept() checks the write bits for group and for other. A peer
     * belongs to the group if it has the group of the listening process, as its own or as a supplementary one. A peer
     * that is not admitted is closed: its connect succeeds, and then it reads end of stream. In a user namespace that
     * does not map all ids, one id stands for all others (65534, user_namespaces(7)). That id admits nobody, not even
     * the listening process's own user if it has that id. Without /proc, 65534 is always taken for it.
     *
     * Windows: the owner, SYSTEM and the administrators may connect. With the write bit for other, everybody who has
     * logged in may connect, too, but cannot create instances of the pipe and so cannot pose as the server. The owner
     * is the user of this process, or for LIPC_NAME_SYSTEM the group of administrators. For a group see
     * lipc_listen_windows.group_sid. */
    uint32_t mode;
    /* How many connections may wait to be accepted. The default, and the upper limit, is what the system allows:
     * net.core.somaxconn on Linux, kern.ipc.somaxconn or kern.somaxconn on macOS and the BSDs. Windows: how many
     * instances of the pipe wait for clients, 2 to 64, default 32; the system asks further clients to try again. */
    int backlog;
    /* The kind of connection to accept: LIPC_STREAM (the default) or LIPC_MESSAGE. LIPC_DATAGRAM creates a
     * datagram socket instead. It is bound to the name, and its handle receives what anybody sends to it: see
     * lipc_unix.h. */
    int kind;
    /* Options that only Windows has, see lipc_windows.h. NULL means the defaults, and is the only value that other
     * systems take: LIPC_ENOTSUP. */
    const struct lipc_listen_windows *windows;
    /* The clients that lipc_accept() admits, of those that the mode lets connect. A client that is not admitted is
     * closed before a byte is read or written: its connect succeeds, and then it reads end of stream. A client whose
     * user the system does not report is not admitted either. NULL: all of them. The library keeps a copy of the
     * policy and its lists. Datagrams have no such check: LIPC_ENOTSUP. */
    const lipc_peer_policy *clients;
    /* Unix: the group of the socket file. With a mode of 0660 its members may connect. No other group may at any
     * moment. On macOS and the BSDs that holds for datagrams only in a directory that others cannot enter, see
     * lipc_unix.h. For namespaced names on Linux it takes the place of the listening process's group. A process that is
     * not root's may give a file only to a group that it has: LIPC_EACCES. NULL: the group that the system gives to a
     * new file. That is the process's; on macOS and the BSDs, and in a set-group-ID directory, it is the
     * directory's. Windows: LIPC_ENOTSUP, see lipc_listen_windows.group_sid. */
    const uint32_t *group;
} lipc_listen_options;

/* Listens on a name. options may be NULL.
 *
 * A lock file guards a socket file. It lies beside the socket file, is named after it with ".lock" added, is empty, and
 * is locked with flock(2) as long as the listener lives. If several processes listen at the same time, exactly one
 * succeeds. The socket file of a server that is gone (it crashed or was killed) is replaced. The file of a living
 * server is never replaced, whatever program created it. Only sockets of this process's own user are ever removed.
 * After fork(2) the processes share the lock; all but one of them must call lipc_listener_set_unlink(listener, 0)
 * before closing.
 *
 * Limits on Unix:
 *
 *  - A server counts as living if this kernel has its socket open. A server on another machine or in another virtual
 *    machine that shares the directory (NFS, 9p, virtiofs) looks dead. So does a server that reaches the file through
 *    another file system (the upper directory of an overlay). Its file is replaced unless its lock is visible here.
 *  - A server that does not use the lock may remove the file of this call and bind its own at the same moment. On Linux
 *    the other server's file is left alone, because sock_diag(7) shows which file is whose, and this call fails with
 *    LIPC_EADDRINUSE. On macOS and the BSDs, and in Linux sandboxes that refuse AF_NETLINK, the other server's file
 *    cannot be distinguished if it belongs to the same user: it may get the mode asked for here, and it may be removed
 *    when the listener is closed.
 *  - A file to be removed is first renamed: it gets the name ".lipc-" followed by numbers, in the same directory. After
 *    a crash at that moment it stays there. If it turns out to be another server's file, it gets its name back. If a
 *    third server has bound the path meanwhile, it stays there, too.
 *  - After lipc_listener_detach() on systems other than Linux, close the listener before the handle. Otherwise another
 *    file may have the inode number of the socket file by then.
 *
 * On Windows the name is taken as long as the listener or a connection that it accepted is open. The first server to
 * take it has it (FILE_FLAG_FIRST_PIPE_INSTANCE; Wine 8 lets others in, so there a mutex keeps servers of this library
 * apart). After a crash the system keeps the pipe while clients have their ends open; connecting to it then fails with
 * LIPC_ENOENT. This call takes over such a pipe if the pipe is what this call would create: it has the same owner,
 * descriptor, integrity label, kind, direction and limit of instances. The clients' ends count towards that limit. If
 * the pipe differs, this call waits 250 milliseconds for the clients to go, and then fails with LIPC_EADDRINUSE.
 * Meanwhile it holds a mutex, "Global\lipc." and the name in capitals. If another program holds that mutex, this call
 * waits for 2 seconds, and then takes over no pipe. Users that are not administrators cannot take a name below
 * ProtectedPrefix\Administrators first.
 *
 * Errors:
 *  - LIPC_EADDRINUSE: a living server has the name, or on Windows clients have the pipe open. Or the file is not a
 *    socket, or is another user's. Or the file with the lock's name is not empty, has other hard links, or is locked
 *    by another program with fcntl(2).
 *  - LIPC_ENOENT: there is no such directory.
 *  - LIPC_EACCES: also if the umask narrows the mode and others can write to the directory, on Linux before 6.6 without
 *    /proc; or if this process may not give the file to the group, or cannot listen on such a name, see
 *    LIPC_NAME_USER and LIPC_NAME_SYSTEM.
 *  - LIPC_EINVAL: mode, backlog, kind or group is out of range, the group is not one of this user namespace, or clients
 *    is invalid, see lipc_peer_check().
 *  - LIPC_ENAME, LIPC_ENAMETOOLONG, LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener);

/* What is in the way of a listener. */
enum lipc_obstacle {
    LIPC_OBSTACLE_NONE = 0,       /* nothing, any more: listening may succeed now */
    LIPC_OBSTACLE_SERVER = 1,     /* a living server */
    LIPC_OBSTACLE_FILE = 2,       /* a file that is not a socket, such as a symbolic link */
    LIPC_OBSTACLE_DIRECTORY = 3,  /* a directory */
    LIPC_OBSTACLE_OTHER_USER = 4, /* another user's socket file, whose server is not known to live, or lock file */
    LIPC_OBSTACLE_LOCK = 5        /* the lock file: a process holds it, as a server does that is just beginning or
                                   * ending; or it is not an empty file with one name */
};

/* Returns what is in the way of a listener of this kind, as an enum lipc_obstacle, for a message after LIPC_EADDRINUSE.
 * It says what is so now, and need not be what was so then. Stores the process id of the server or of the lock's
 * holder, or -1 if it is not known: Linux reports it for a server that locked the lock file, proc_locks(5), as those of
 * this library do, and only that of a file of this user's or root's counts. After fork(2) it is the process that
 * listened, even if it has ended. Nothing changes, and the server does not notice.
 *
 * Errors: LIPC_ENAME, LIPC_ENAMETOOLONG, LIPC_EINVAL, LIPC_ENOTSUP, LIPC_EACCES, LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_name_obstacle(const lipc_name *name, int kind, int64_t *ret_pid);

/* Accepts a connection. ret_peer may be NULL; it gets the name that the peer is bound to, usually none. A connection
 * that its client gave up is skipped. On Windows that is a connection whose client is gone at this moment and wrote
 * nothing. If timeout_ms is 0, the result is then LIPC_EAGAIN, even if other clients wait.
 *
 * Errors:
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT.
 *  - LIPC_EACCES, only with a timeout_ms of 0: a peer was not admitted (see mode and clients) and was closed. Others
 *    may wait, so call again. With another timeout_ms the call goes on to the next peer. On Unix clients are accepted
 *    in the order in which they connected, on Windows in the order of the pipe's instances, admitted or not.
 *  - LIPC_EMFILE, LIPC_ENOMEM: the connection still waits, and the listener goes on working.
 *  - LIPC_ENOTSOCK: this is a datagram socket, which has no connections. */
LIPC_API int lipc_accept(lipc_listener *listener, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection);

/* Removes the socket file, if it is still the one that this listener created, and then its lock file; closes the handle
 * and frees the listener. Connections that wait in the backlog are reset. Accepted connections stay open. NULL is
 * allowed. */
LIPC_API void lipc_listener_close(lipc_listener *listener);

/* ======================================== Connecting ======================================== */

/* The options of a connection. They begin with their size, as lipc_listen_options does. */
struct lipc_connect_windows;
typedef struct lipc_connect_options {
    size_t size; /* of this struct */
    int kind; /* the kind of the listener: LIPC_STREAM (the default), LIPC_MESSAGE or LIPC_DATAGRAM */
    const struct lipc_connect_windows *windows; /* as in lipc_listen_options */
    /* The servers to connect to. A connection to another is closed before a byte is read or written, and the call
     * fails with LIPC_EACCES. NULL is the default of the type of name: the same user for LIPC_NAME_USER, root or
     * administrators for LIPC_NAME_SYSTEM, and otherwise everybody. The server is the process that listened, also if
     * another accepts, so a socket that a service manager passes is that manager's. A server that is not admitted may
     * still keep a call waiting, up to its timeout, by a full backlog. Datagrams have no such check: it must be NULL
     * (LIPC_ENOTSUP), and anybody that can put a socket in the directory may be the receiver. */
    const lipc_peer_policy *server;
} lipc_connect_options;

/* Connects to a listener. options may be NULL. If the listener's backlog is full, the call tries again every 1 to 4
 * milliseconds until the time runs out. If nothing listens on the name, it fails at once.
 *
 * macOS and the BSDs report a full backlog like a socket file that nobody listens on. There the backlog counts as full
 * if any process has the socket open, so the call also waits for a socket that is bound and never listens.
 *
 * On Windows a full backlog is a pipe whose instances are all taken. The server may learn who the client is, but cannot
 * act as it. A stream can connect to a pipe of messages, and reads bytes from it; an empty message is end of stream,
 * see lipc_shutdown(). Whether a pipe is one of messages is only known after connecting, so a client that wants another
 * kind connects and leaves at once. Connecting to another machine, \\host\pipe\x, is cancelled when the time runs out
 * (CancelSynchronousIo). The system obeys once it has sent the request, but perhaps not while it looks up the host's
 * name. The result is LIPC_ENOENT if the system itself gives up on a machine that does not answer.
 *
 * Errors:
 *  - LIPC_ENOENT: there is no such name.
 *  - LIPC_ECONNREFUSED: nobody listens on the socket file. On Linux also: there is no such namespaced name, even if
 *    there is one for another kind.
 *  - LIPC_EAGAIN: the backlog is full, and timeout_ms is 0.
 *  - LIPC_ENOTSOCK: the socket is of another kind. On Windows also: the pipe has no halves, but
 *    lipc_connect_windows.half_close asks for them.
 *  - LIPC_EACCES: also if the server is not admitted, see lipc_connect_options, or the directory of the name is not
 *    safe, see enum lipc_name_type.
 *  - LIPC_ENOTCONN: with a policy, on macOS and the BSDs: the server closed the connection before it was checked.
 *  - LIPC_ETIMEDOUT, LIPC_EINVAL, LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_connect(const lipc_name *name, const lipc_connect_options *options, int timeout_ms,
                          lipc_handle *ret_connection);

/* Creates two connections of a kind, LIPC_STREAM, LIPC_MESSAGE or LIPC_DATAGRAM. Each is the other's peer. Errors:
 * LIPC_EINVAL, LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM. */
LIPC_API int lipc_pair(int kind, lipc_handle *ret_a, lipc_handle *ret_b);

/* =================================== Reading and writing ==================================== */

/* These functions are for connections of the kind LIPC_STREAM, and for pipes. They do not check that the handle is one
 * of these. A pipe that came from elsewhere must be adopted first, see lipc_adopt(): reading a pipe without waiting
 * takes non-blocking mode, whereas a socket can be asked in each call. */

/* Reads the bytes that are there, at most size, and waits if there are none. Returns their number. 0 means end of
 * stream: the peer closed, shut down its writing half, or died. That holds also if the peer left data unread, which
 * Linux reports as ECONNRESET. Reading 0 bytes returns 0 at once. Open files that arrive with the bytes, see
 * lipc_message, are closed.
 *
 * Errors: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_ENOTCONN, LIPC_EBADF (also: this is the writing end of a pipe). */
LIPC_API int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms);

/* Writes size bytes, and waits for room as often as needed. Returns the number of bytes written. It is less than size
 * if the time runs out or an error occurs after some bytes were written; the next call reports the error. The time
 * counts from the first wait, and is checked only when there is no room.
 *
 * Windows does not report how much of a piece the peer had read when the time ran out. The library therefore writes
 * pieces that are no larger than the pipe's buffer: each is written as a whole or not at all. If the buffer is smaller
 * than 4096 bytes, the peer may have read a part that is not counted; nothing more may be written then.
 *
 * Errors, only if nothing was written: LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EBADF, LIPC_ENOTCONN,
 * LIPC_ENOMEM. */
LIPC_API int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms);

/* A direction of a connection. LIPC_READ | LIPC_WRITE is both. */
enum lipc_direction {
    LIPC_READ = 1, /* what this end reads */
    LIPC_WRITE = 2 /* what this end writes */
};

/* Shuts down one direction or both, for every process that shares the connection. After LIPC_WRITE the peer reads what
 * was written before, and then end of stream. After LIPC_READ this end reads end of stream. On Linux it first reads
 * what had arrived, and the peer's writes fail with LIPC_EPIPE. But a write of the peer that waits for room already
 * goes on to wait: the kernel wakes it only when this end has read enough of what had arrived, or closes. On other
 * systems what had arrived, and what the peer writes, may be discarded.
 *
 * On Windows only LIPC_WRITE can be shut down, and only on a connection of the kind LIPC_STREAM over a pipe of
 * messages: to a listener with lipc_listen_windows.half_close, or to a server of another program, such as one of
 * go-winio's in message mode. The call sends an empty message, which a reader of bytes takes for end of stream. It
 * never waits. If the peer has not read all that was written, the result is LIPC_EAGAIN: many readers would read the
 * empty message together with what is before it, and not notice it. lipc_flush() waits until the call can succeed. The
 * system keeps no record of an end. lipc_read() returns the end once, and a further lipc_read() waits. What is written
 * after the end is never read. So do not read or write after an end.
 *
 * Errors: LIPC_EINVAL, LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN, LIPC_ENOTSUP (for pipes; on Windows see above);
 * LIPC_EAGAIN, LIPC_EPIPE (on Windows). */
LIPC_API int lipc_shutdown(lipc_handle handle, int direction);

/* ========================================= Messages ========================================= */

/* These functions are for connections of the kinds LIPC_MESSAGE and LIPC_DATAGRAM. Each call moves whole messages. They
 * do not check for streams, which do not keep messages apart. An empty message is a message, and never reported as end
 * of stream. To tell the two apart on Linux, the library sets SO_PASSCRED on these connections; for that the kernel
 * gives the socket a name that it chooses, unix(7). */

/* Sends one message: all of it, or nothing. Waits for room. Returns size.
 *
 * On Windows, if a message is larger than the pipe's buffer, lipc_buffer_size() of LIPC_WRITE, the peer may have read a
 * part of it when a positive time runs out. The peer then gets LIPC_ETRUNCATED. Nothing more may be sent from this end,
 * because the peer could take it for the rest. With a timeout_ms of 0 such a message is never begun: the result is
 * LIPC_EAGAIN, even if the peer waits for the message. A message that is no larger than the buffer leaves nothing
 * behind when the time runs out.
 *
 * Errors: LIPC_EMSGSIZE (over lipc_message_limit()), LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EPIPE, LIPC_EBADF,
 * LIPC_ENOTSOCK, LIPC_ENOTCONN, LIPC_ENOMEM. */
LIPC_API int64_t lipc_send(lipc_handle handle, const void *data, size_t size, int timeout_ms);

/* Receives one message. Returns its size, which may be 0.
 *
 * Errors:
 *  - LIPC_EEND: end of stream. The peer closed, shut down its writing half, or died.
 *  - LIPC_ETRUNCATED: the message did not fit. data has the beginning of it, and the rest is lost.
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT, LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN. */
LIPC_API int64_t lipc_receive(lipc_handle handle, void *data, size_t size, int timeout_ms);

/* Receives a message as lipc_receive() does, without removing it: the next call returns it again. Windows does not
 * report when a message arrives, so there the call looks every 1 to 4 milliseconds. (Wine 8 shows an empty message only
 * when another follows it.) Errors: those of lipc_receive(). */
LIPC_API int64_t lipc_peek(lipc_handle handle, void *data, size_t size, int timeout_ms);

/* Returns the size of the next message, without removing it. Waits as lipc_peek() does. Errors: those of lipc_receive()
 * except LIPC_ETRUNCATED; LIPC_ENOTSUP on systems other than Linux and Windows, which do not report the size. */
LIPC_API int64_t lipc_message_size(lipc_handle handle, int timeout_ms);

/* Returns the size of the largest message that the connection can send, in bytes. Linux: 32 less than the send buffer
 * (unix_dgram_sendmsg() in net/unix/af_unix.c). Windows: 1 GiB, but the system may lack the memory for a
 * smaller one, too (LIPC_ENOMEM). Other systems: the send buffer. Errors: LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int64_t lipc_message_limit(lipc_handle handle);

/* ========================================== Errors ========================================== */

/* Returns a text for a result's portable code, in English, without a full stop. It is a static string. */
LIPC_API const char *lipc_strerror(int64_t result);

/* Returns the name of a result's portable code ("LIPC_EAGAIN"), or "success". It is a static string. */
LIPC_API const char *lipc_error_name(int64_t result);

/* Returns the portable code of a result: one of enum lipc_error, or 0 for a success. */
LIPC_API int lipc_error_code(int64_t result);

/* Returns the system's own code of a result: a value of errno, or on Windows of GetLastError(). If the library itself
 * found the fault, this is the code that the system would have used, or 0 if it has none. 0 for a success. The system
 * has a text for it: strerror(lipc_error_os(r)). */
LIPC_API int lipc_error_os(int64_t result);

/* All errors: code, number, text. The numbers never change. Define X(code, number, text) and expand. */
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
    X(LIPC_EPROTO, 25, "the peer broke the protocol of channels") \
    X(LIPC_EOTHER, 255, "system error")

/* The portable codes of errors: LIPC_ERRORS expanded. */
enum lipc_error {
#define LIPC_ERROR_ENUM(code, number, text) code = (number),
    LIPC_ERRORS(LIPC_ERROR_ENUM)
#undef LIPC_ERROR_ENUM
};

/* An error is -(code << LIPC_ERROR_OS_BITS | os), where os is the system's own code. It fits an int. */
enum { LIPC_ERROR_OS_BITS = 20 };

/* ===================================== More about names ===================================== */

/* Writes a name in the form that lipc_name_parse() reads, and a NUL. Returns its length without the NUL. A path that
 * begins like another type of name, with '@', "user:" or "system:", gets "./" in front. The name of an unbound socket
 * is the empty string. Errors: LIPC_EMSGSIZE (size is too small; LIPC_NAME_CAPACITY + 7 bytes are always enough). */
LIPC_API int lipc_name_format(const lipc_name *name, char *buffer, size_t size);

/* Writes the path by which programs that do not use lipc reach a name, and a NUL: that of the socket file, or on
 * Windows of the pipe. Returns its length without the NUL. An abstract name on Linux has no path; it is written with
 * '@' in front, as ss(8) and socat(1) do. Nothing is created, and the file need not exist. The location of a user's
 * name changes with the user's directory.
 *
 * Errors: LIPC_ENAME, LIPC_ENAMETOOLONG, LIPC_EINVAL, LIPC_EMSGSIZE (size is too small; LIPC_NAME_CAPACITY bytes are
 * always enough). */
LIPC_API int lipc_name_location(const lipc_name *name, char *buffer, size_t size);

/* Returns the types of name that this system has, as a bit set of enum lipc_name_type. */
LIPC_API int lipc_name_types(void);

/* Returns the greatest length of the text of a name of this type. It is in bytes; on Windows it is in UTF-16 code
 * units, of which a text never has more than it has bytes of UTF-8. Errors: LIPC_EINVAL (there is no such type),
 * LIPC_ENAMETOOLONG (XDG_RUNTIME_DIR leaves no room for a name).
 *
 *  - Paths: the size of sun_path, unix(7), which may be filled to the last byte: 108 on Linux, 104 on macOS and the
 *    BSDs, except 103 on OpenBSD. Windows: 256, CreateNamedPipe.
 *  - Namespaced names: 107 on Linux, where a NUL comes first, and 247 on Windows. On other systems as users' names.
 *  - Users' and the system's names: what the path of the directory leaves, on Linux 98 for the system's. On Windows,
 *    what the beginning of the pipe's name leaves, 216 for the system's. */
LIPC_API int lipc_name_limit(int type);

/* Return the name that the handle, or its peer, is bound to. It has type 0 if there is none, which is usual for sockets
 * that connect. A name that is a file, of whatever type, is reported as a path.
 *
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK; for lipc_peer_name() also LIPC_ENOTCONN. */
LIPC_API int lipc_local_name(lipc_handle handle, lipc_name *ret_name);
LIPC_API int lipc_peer_name(lipc_handle handle, lipc_name *ret_name);

/* ==================================== More about handles ==================================== */

/* Returns the kind of a handle, as in enum lipc_kind. macOS and OpenBSD do not report whether a socket listens; there a
 * connection whose peer is gone may count as a listener. On Windows an end that only reads or only writes bytes counts
 * as an end of a pipe, whether the pipe has a name or not. Errors: LIPC_EBADF, LIPC_ENOTSOCK (neither a local socket
 * nor a pipe). */
LIPC_API int lipc_kind(lipc_handle handle);

/* Prepares a handle that came from elsewhere (inherited, from socket activation, from another library) for this
 * library: it becomes close-on-exec and non-blocking, and never raises SIGPIPE. Returns its lipc_kind(). The handle
 * stays the caller's. On failure it is unchanged.
 *
 * Non-blocking mode belongs to the open file description: every process that shares it sees the change, and none may
 * change it back while this one uses it. On Windows the handle must have been opened for overlapped operation. The ends
 * that other programs use as standard input and output were not: LIPC_ENOTSUP.
 *
 * Other errors: those of lipc_kind(). */
LIPC_API int lipc_adopt(lipc_handle handle);

/* Creates a second handle for the same object. Both share non-blocking mode and position. Errors: LIPC_EBADF,
 * LIPC_EMFILE. */
LIPC_API int lipc_duplicate(lipc_handle handle, lipc_handle *ret_handle);

/* Sets whether child processes inherit a handle. If on is not 0, the handle becomes blocking, as programs expect it,
 * and is not close-on-exec. If on is 0, it is non-blocking and close-on-exec again. On Windows only inheritance
 * changes. All processes that have this end share its blocking mode; the other end has its own. Errors: LIPC_EBADF. */
LIPC_API int lipc_set_inherit(lipc_handle handle, int on);

/* Set or return the size of the system's send buffer (LIPC_WRITE) or receive buffer (LIPC_READ), in bytes. Setting is a
 * request, which the system rounds and limits; lipc_buffer_size() returns the size in use.
 *
 *  - Linux doubles the request, limits it to net.core.wmem_max, and has a send buffer only for streams, socket(7),
 *    unix(7). lipc_write() and lipc_writev() double a send buffer that still has the system's own size, 212992, if it
 *    has no room for 32 KiB of what they write, because that is faster then.
 *  - A pipe has one buffer, for both directions. On Linux the size is F_SETPIPE_SZ, fcntl(2), which rounds up to a
 *    power of two of pages and is limited to fs.pipe-max-size (LIPC_EACCES). Other systems: LIPC_ENOTSUP.
 *  - Windows: the server sets the sizes when it listens, see lipc_listen_windows. Setting is LIPC_ENOTSUP.
 *
 * Other errors: LIPC_EINVAL (size is not over 0), LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOMEM, LIPC_EOTHER with EBUSY (the
 * pipe holds more than size). */
LIPC_API int lipc_set_buffer_size(lipc_handle handle, int direction, int size);
LIPC_API int lipc_buffer_size(lipc_handle handle, int direction);

/* =================================== More about listeners =================================== */

/* Creates a listener from a handle that already listens. The listener owns the handle, and removes no file. Its name is
 * lipc_local_name(). options may be NULL. Of their fields clients has an effect, and for namespaced names on Linux also
 * mode and group. Non-blocking mode is shared as lipc_adopt() describes.
 *
 * On Windows this is LIPC_ENOTSUP. There a listener is not one handle: it is instances of a pipe, each with an
 * operation by which this process waits for one client. Two processes could not share the clients that wait: each would
 * have its own, and closing one listener would turn its clients away. A connection that was accepted can be passed on,
 * see lipc_duplicate_into().
 *
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_EINVAL, LIPC_ENOMEM. The handle then still belongs to the caller. */
LIPC_API int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options,
                                 lipc_listener **ret_listener);

/* Returns the handle, for waiting in an event loop until a connection can be accepted. It is readable then. On Windows
 * it is an event, which is signalled then. lipc_accept() resets the event when it returns LIPC_EAGAIN, so wait after
 * that. The handle stays the listener's. */
LIPC_API lipc_handle lipc_listener_handle(const lipc_listener *listener);

/* Returns the handle and gives it to the caller, for event loops that close what they watch. lipc_listener_close() will
 * not close it. lipc_accept() goes on using it, so close it only after the last call of lipc_accept(). On Windows it
 * may be closed at any time, because the listener has another one. */
LIPC_API lipc_handle lipc_listener_detach(lipc_listener *listener);

/* Returns the name that the listener listens on. */
LIPC_API void lipc_listener_name(const lipc_listener *listener, lipc_name *ret_name);

/* Sets whether closing removes the socket file and its lock file. That is the default for a listener that created
 * them. */
LIPC_API void lipc_listener_set_unlink(lipc_listener *listener, int unlink);

/* ================================= Several buffers at once ================================== */

/* A piece of memory. On Unix it has the layout of struct iovec. */
typedef struct lipc_buffer {
    void *data;  /* NULL only with size 0 */
    size_t size; /* in bytes */
} lipc_buffer;

/* Read as lipc_read() does into count buffers, and write as lipc_write() does from them, in order. Windows does not
 * scatter: there lipc_readv() performs one system call for each buffer. Errors: those of lipc_read() and lipc_write().
 * */
LIPC_API int64_t lipc_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);
LIPC_API int64_t lipc_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);

/* Sends messages one after the other. Returns how many were sent. That is less than count if the time runs out or an
 * error occurs after the first; the next call reports the error. Errors, only if none was sent: those of
 * lipc_send(). */
LIPC_API int64_t lipc_send_batch(lipc_handle handle, const lipc_buffer *messages, size_t count, int timeout_ms);

/* Waits for a message, and receives all messages that are there, at most count. Returns how many, and sets the size of
 * each buffer to that of its message. A message that did not fit ends the batch: its buffer has the beginning, and its
 * size is set to more than the buffer had. (If the system does not report the true size, it is one more.)
 *
 * Errors, only if none was received: those of lipc_receive() except LIPC_ETRUNCATED. */
LIPC_API int64_t lipc_receive_batch(lipc_handle handle, lipc_buffer *messages, size_t count, int timeout_ms);

/* ================================ Open files with a payload ================================= */

/* The most handles that one message carries. Linux: SCM_MAX_FD, include/net/scm.h. Other systems may allow fewer. */
enum { LIPC_MESSAGE_HANDLES = 253 };

struct lipc_credentials;
struct lipc_control;

/* A payload, and what travels with it: above all open files. It is for streams, messages and datagrams alike. Start
 * with zeroes, set size, and then set what you need.
 *
 * On Windows nothing travels with a payload. A message to be sent may have nothing but a payload, and control must be
 * NULL (LIPC_ENOTSUP); a received message shows that nothing else came. For handles use lipc_duplicate_into() and
 * lipc_duplicate_from(). */
typedef struct lipc_message {
    size_t size; /* of this struct */
    /* The payload, gathered from or scattered into these buffers. At most IOV_MAX (1024 on all systems). */
    const lipc_buffer *buffers;
    size_t buffer_count; /* how many buffers there are */
    /* Open files, as handles. Sending: handle_count handles, which stay the caller's. Receiving: room for
     * handle_capacity handles. handle_count is set to the number that arrived; they belong to the caller, and are
     * close-on-exec. If this is NULL, handles that arrive are closed, or left in control if it has room for them. */
    lipc_handle *handles;
    size_t handle_count;    /* sending: how many there are; set on receiving: how many came */
    size_t handle_capacity; /* receiving: how many there is room for */
    /* Set on receiving: the sender's credentials, supplied by the kernel, if lipc_set_pass_credentials() asked for them
     * before the message was sent. On Linux they are the real ids, not the effective ones. A field is -1 if it is not
     * known. They are also set with LIPC_ETRUNCATED and LIPC_EHANDLES.
     *
     * Sending: the credentials to claim; only Linux can send them. -1 stands for the actual value. The kernel refuses
     * (LIPC_EACCES) ids that are not this process's own, unless the process may change its ids. A pid of 0 is
     * LIPC_EINVAL. */
    struct lipc_credentials *credentials;
    /* For datagrams. Sending: the receiver; NULL for the peer that the socket is connected to. Set on receiving: the
     * sender, of type 0 if it is not bound; also set with LIPC_ETRUNCATED and LIPC_EHANDLES. */
    lipc_name *peer;
    /* Set on receiving: a pidfd of the sending process, pidfd_open(2), which belongs to the caller, if
     * lipc_set_pass_pidfd() asked for it before the message was sent; otherwise LIPC_INVALID_HANDLE. */
    lipc_handle *pidfd;
    /* Control data of other types: see lipc_control in lipc_unix.h.
     *
     * Sending: its contents go first. Handles and credentials are added behind them, in its buffer, which must have
     * room for them (LIPC_EMSGSIZE) and must not be in other use.
     *
     * Receiving: gets all control data that came, except the handles and the pidfd that were stored above. If handles
     * is NULL, the handles are here, for lipc_control_take() and lipc_control_close(). */
    struct lipc_control *control;
    /* Set on receiving: the size of the payload in the buffers; also set with LIPC_ETRUNCATED and LIPC_EHANDLES. */
    size_t length;
} lipc_message;

/* Sends a message. Its fields do not change. Returns the size of the payload that was sent. On a stream it may be less
 * than the whole, as with lipc_write(). Handles and credentials have then gone with the first byte, and must not be
 * sent again with the rest. On a stream with an empty payload they go with one byte of value 0, which the peer receives
 * as payload. Package net of Go does the same.
 *
 * Errors, only if nothing was sent:
 *  - LIPC_ETOOMANY: there are more than LIPC_MESSAGE_HANDLES handles, counting those in control.
 *  - LIPC_EMFILE: too many handles are on their way. The system takes more when some have been received: ETOOMANYREFS,
 *    unix(7).
 *  - LIPC_EBADF: also for a handle to be sent.
 *  - LIPC_EACCES, LIPC_ENOTSUP, those of lipc_send(), and with peer those of lipc_connect(). */
LIPC_API int64_t lipc_send_message(lipc_handle handle, const lipc_message *message, int timeout_ms);

/* Receives a message. Returns the size of its payload. On a stream the payload is the bytes that are there, and it ends
 * with the bytes that handles came with.
 *
 * No handle leaks. Handles that the caller did not ask for (handle_capacity is 0, and control is NULL or handles is not
 * NULL) are closed. On any error all handles are closed, and handle_count and the like are unchanged.
 *
 * Errors:
 *  - LIPC_EEND: end of stream, on connections of all kinds.
 *  - LIPC_ETRUNCATED: the message did not fit, see lipc_receive().
 *  - LIPC_EHANDLES: there was no room for all handles, or, if the caller takes them out of control, for all control
 *    data. Or the process may open no more handles; lipc_error_os() is EMFILE or ENFILE then. The payload has been
 *    received.
 *  - LIPC_EINVAL: on a stream, also if there is no room for a payload.
 *  - LIPC_EMSGSIZE: there are too many buffers.
 *  - Those of lipc_receive(). */
LIPC_API int64_t lipc_receive_message(lipc_handle handle, lipc_message *message, int timeout_ms);

/* ======================================= Credentials ======================================== */

/* The identity of a peer, supplied by the kernel. A field is -1 if the system does not report it. The credentials of a
 * connection are those of one moment, and do not follow later changes. A server gets those of the moment when the
 * client connected. A client gets those of the moment when the server began to listen, on OpenBSD when it was bound.
 * Each end of a pair gets those of the moment when the pair was created. The credentials of a message are those of the
 * moment when it was sent. A process id can be reused once its process has ended. */
typedef struct lipc_credentials {
    int64_t pid; /* process id. DragonFly BSD, and FreeBSD before 13, do not report it */
    int64_t uid; /* effective user id; of a message on Linux the real one */
    int64_t gid; /* effective group id; of a message on Linux the real one */
    int64_t reserved[5]; /* set to -1 */
} lipc_credentials;

/* Returns the peer's credentials. Linux and OpenBSD: SO_PEERCRED, unix(7). NetBSD: LOCAL_PEEREID. macOS, FreeBSD,
 * DragonFly BSD: LOCAL_PEERCRED; on macOS also LOCAL_PEERPID. Windows: only the process id, from
 * GetNamedPipeClientProcessId or GetNamedPipeServerProcessId, and -1 for a peer on another machine; lipc_peer_sid()
 * returns the user.
 *
 * Errors: LIPC_EBADF, LIPC_ENOTSOCK, LIPC_ENOTCONN, LIPC_ENOTSUP. */
LIPC_API int lipc_peer_credentials(lipc_handle handle, lipc_credentials *ret_credentials);

/* Stores the credentials of the client that lipc_accept() refused last, for a log. On Windows they are those that
 * lipc_peer_credentials() reports of it. All are -1 before the first. */
LIPC_API void lipc_listener_refused(const lipc_listener *listener, lipc_credentials *ret_credentials);

/* Returns the number of the peer's supplementary groups, and stores them if they are no more than capacity. ret_groups
 * may be NULL if capacity is 0. Linux 4.13 and later: SO_PEERGROUPS. macOS, FreeBSD, DragonFly BSD: the groups after
 * the first of LOCAL_PEERCRED, at most 15.
 *
 * Errors: those of lipc_peer_credentials(); LIPC_ENOTSUP on other systems. */
LIPC_API int lipc_peer_groups(lipc_handle handle, size_t capacity, uint32_t *ret_groups);

/* Sets whether messages are received with their sender's credentials, beginning with those sent after this call. A
 * connection that a listener accepts has the listener's setting, even if it connected before the listener was set.
 * Linux: SO_PASSCRED, unix(7), which is always on for LIPC_MESSAGE. FreeBSD: LOCAL_CREDS_PERSISTENT. NetBSD:
 * LOCAL_CREDS. Errors: LIPC_ENOTSUP, LIPC_EBADF, LIPC_ENOTSOCK. */
LIPC_API int lipc_set_pass_credentials(lipc_handle handle, int on);

/* ========================================== Pipes =========================================== */

/* The options of a pipe. They begin with their size, as lipc_listen_options does. */
typedef struct lipc_pipe_options {
    size_t size;     /* of this struct */
    int inherit;     /* the ends that child processes inherit: LIPC_READ, LIPC_WRITE or both; see lipc_set_inherit() */
    int buffer_size; /* in bytes, see lipc_set_buffer_size(); 0: the default, 64 KiB on Linux, pipe(7), and Windows */
    const char *sddl; /* Windows: its security descriptor; NULL: only the user has access. Elsewhere it must be NULL:
                       * LIPC_ENOTSUP */
} lipc_pipe_options;

/* Creates an unnamed pipe. What is written to one end with lipc_write() is read from the other with lipc_read().
 * options may be NULL.
 *
 * On Windows it is a named pipe with a random name, whose only instance is taken. Its inherited ends are not opened for
 * overlapped operation, because most programs could not use them otherwise; lipc_read() and the like cannot use them.
 *
 * Errors: LIPC_EINVAL, LIPC_ENOTSUP, LIPC_EMFILE, LIPC_ENOMEM, those of lipc_set_buffer_size(). */
LIPC_API int lipc_pipe(const lipc_pipe_options *options, lipc_handle *ret_read, lipc_handle *ret_write);

/* lipc_readv() and lipc_writev() for a handle that the caller knows to be a pipe. On Unix they save one system call:
 * lipc_readv() and lipc_writev() first try a call for sockets each time, which fails for a pipe. The handle is not
 * checked. */
LIPC_API int64_t lipc_pipe_readv(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);
LIPC_API int64_t lipc_pipe_writev(lipc_handle handle, const lipc_buffer *buffers, size_t count, int timeout_ms);

/* ========================================= Spinning ========================================= */

/* To spin is to repeat a call with a timeout_ms of 0 for a short time, before waiting. Waking a process takes the
 * system several times as long as moving a small message. A caller whose answer comes within microseconds gets it
 * sooner by spinning. The price is a processor that is busy meanwhile.
 *
 * lipc_spin has the limit of a spin, and learns when spinning is of use. After a spin in vain, the next wait does not
 * spin; after further ones the next 3, 7 and so on, up to 255. A spin that brings the result halves that number. A spin
 * that takes at least twice its limit counts as in vain even if it brings the result, once for each limit that it took:
 * the system took the processor away meanwhile. A spin never yields the processor (sched_yield(2), SwitchToThread()),
 * because that costs milliseconds beside programs that do not wait. With one processor there is no spin (Linux:
 * sched_getaffinity(2), called once).
 *
 * A lipc_spin is for one handle and one direction. One thread at a time may use it. Start with zeroes, and set
 * limit_us.
 *
 *     lipc_spin spin = {.limit_us = 50};
 *     while (lipc_spin_again(&spin, n = lipc_read(server, data, size, 0)))
 *         ;
 *     if (lipc_error_code(n) == LIPC_EAGAIN)
 *         n = lipc_read(server, data, size, 1000);
 */
typedef struct lipc_spin {
    uint32_t limit_us;    /* the longest spin, in microseconds: 20 to 100 is of use; 0: no spin. May be changed between
                           * calls */
    uint32_t skip;        /* this and what follows belongs to the library: how many waits will not spin */
    uint32_t penalty;     /* what skip was set to after the last spin */
    uint32_t processors;  /* how many there are; 0: not known yet */
    int64_t start_us;     /* when this spin began; 0: there is none */
    uint32_t reserved[4]; /* 0 */
} lipc_spin;

/* Reports whether to repeat a call at once. result is that of a call with a timeout_ms of 0. Returns 1 if result is
 * LIPC_EAGAIN and the spin goes on, otherwise 0. A caller must ask until it returns 0. After the last LIPC_EAGAIN the
 * caller may wait in any way, in an event loop too.
 *
 * This works with every call that has a timeout_ms, and with lipc_async_finish(). On Windows spin with the latter: it
 * performs no system call, whereas a call with a timeout_ms of 0 that finds nothing performs several. The port still
 * reports an operation that lipc_async_finish() has found to be over, perhaps while the next one is under way. Take
 * that report before you free the operation's lipc_async. Do not spin on an operation that has an event. */
LIPC_API int lipc_spin_again(lipc_spin *spin, int64_t result);

/* ================================== Version and constants =================================== */

/* The version of these headers. Until 1.0, versions with the same minor number can replace one another; from then on,
 * versions with the same major number. The soname says which. */
#define LIPC_VERSION_MAJOR 0
#define LIPC_VERSION_MINOR 1
#define LIPC_VERSION_PATCH 0
#define LIPC_VERSION (LIPC_VERSION_MAJOR * 10000 + LIPC_VERSION_MINOR * 100 + LIPC_VERSION_PATCH)

/* Returns the version of the linked library, in the form of LIPC_VERSION: 10203 is 1.2.3. */
LIPC_API int lipc_version(void);

/* Returns the value of a constant by its name ("LIPC_STREAM"), or the size of a struct ("sizeof(lipc_name)"). It is for
 * callers that cannot read these headers, such as those that use a foreign-function interface. It knows all constants
 * and structs of this header, of lipc_channel.h and of lipc_signal.h, on Unix also of lipc_unix.h, and on Windows also
 * of lipc_windows.h. Errors: LIPC_ENOENT (this version has no such constant on this system). */
LIPC_API int lipc_constant(const char *name, int64_t *ret_value);

/* Returns the name of the constant with this index, beginning with 0, or NULL after the last. It is a static string. */
LIPC_API const char *lipc_constant_name(size_t index);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_H */
