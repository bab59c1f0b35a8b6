/* lipc: signals and their senders.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A watch collects signals, which the program then takes one by one, like messages:
 *
 *     const int wanted[] = {SIGHUP, SIGTERM};
 *     lipc_signal_info info = {.size = sizeof info};
 *     lipc_handle watch;
 *     int r = lipc_signal_watch(wanted, 2, NULL, &watch);
 *     while (r >= 0 && (r = lipc_signal_next(watch, -1, &info)) >= 0)
 *         printf("signal %d from process %lld\n", info.signal, (long long)info.pid);
 *     lipc_signal_close(watch);
 *
 * The conventions of lipc.h hold here too, with these additions.
 *
 * Watches are the only global state of the library, since a process has only one handler for each signal:
 *
 *  - While a signal is watched, the library's handler is installed for it, and its default action does not happen:
 *    SIGTERM, say, no longer ends the process. The handler stores what the system reports about the signal, and makes
 *    the handle readable. It calls only functions that are async-signal-safe, takes no lock, allocates nothing and
 *    keeps errno. It runs on the alternate stack if the thread has one (SA_ONSTACK), with all signals blocked.
 *  - A process that watches nothing has no handler of the library.
 *  - Closing the last watch of a signal restores the disposition from before the first watch, sigaction(2), in whatever
 *    order watches are closed. If another part of the program installs a handler meanwhile, that handler stays, and
 *    gets the signals in place of the watches. A watch that is created later replaces it, and closing the last watch
 *    then restores it. Such a part must not install the library's handler again after the last watch is closed: no
 *    watch would get the signal. If its handler calls the library's, no watch that forwards may be created later,
 *    lipc_signal_options.forwards: the two handlers would call each other until the stack overflows.
 *  - A signal that all threads block is pending, and comes to no watch until a thread unblocks it, pthread_sigmask(3).
 *  - Threads: any thread may create watches, close them, and send signals, at any time. Only one thread at a time may
 *    call lipc_signal_next() for a watch, and no other may close the watch meanwhile. None of these functions may be
 *    called in a signal handler.
 *  - pthread_cancel(3): a thread that is cancelled while it runs the library's handler leaves the watch in use, and
 *    lipc_signal_close() then waits for ever. So a thread that watched signals can interrupt must not have asynchronous
 *    cancelability, pthread_setcanceltype(3). On systems other than Linux, and on 32-bit x86 before Linux 4.3, such a
 *    thread must not be cancelled, unless its cancelability is disabled, pthread_setcancelstate(3).
 *  - fork(2): the child inherits the handles of its parent's watches. It can do nothing with them but close them, with
 *    lipc_signal_close(). Signals that are sent to the child come neither to the parent's watches nor to these. Each
 *    signal has its disposition from before the first watch again, at the latest when it comes. The child may create
 *    watches of its own.
 *  - exec(3): signals that were watched have their default action afterwards, even if they were ignored before.
 *
 * The system merges standard signals, such as SIGHUP: if several come before the first is delivered, only the first is
 * delivered. The system queues real-time signals, lipc_signal_realtime(), and delivers each of them. They arrive in the
 * order in which they were queued if all threads of the process but one block them. Otherwise several threads are
 * interrupted at the same time, and no system reports in which order that happened.
 *
 * While signals come without a pause, a thread that does not block them does nothing but run the handler. So in a
 * program with one thread the queue of a watch needs room for the longest burst, see lipc_signal_options.queue_size. On
 * Linux fork(2) does not return either while signals come without a pause, because each makes it begin anew.
 */
#ifndef LIPC_SIGNAL_H
#define LIPC_SIGNAL_H

#include <signal.h>

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================= Watching signals ======================================= */

/* The events of consoles, which Windows has in place of signals. SIGINT stands for Ctrl-C there. No other system has
 * signals with these numbers. */
enum lipc_signal_console {
    LIPC_SIGNAL_BREAK = 1001,   /* Ctrl-Break */
    LIPC_SIGNAL_CLOSE = 1002,   /* the console is closed */
    LIPC_SIGNAL_LOGOFF = 1005,  /* a user logs off; only services get it */
    LIPC_SIGNAL_SHUTDOWN = 1006 /* the system shuts down; only services get it */
};

/* Limits of watches. */
enum {
    LIPC_SIGNAL_WATCHES = 64,          /* the watches that a process may have */
    LIPC_SIGNAL_QUEUE_DEFAULT = 16384, /* the default queue_size; takes up to 896 KiB */
    LIPC_SIGNAL_QUEUE_MAX = 1 << 24    /* the greatest queue_size */
};

/* The options of a watch. They begin with their size, as lipc_listen_options does; zeroes are the defaults. A signal
 * has one handler for all its watches, so child_stops, interrupts and forwards take effect if any of these watches sets
 * them. */
typedef struct lipc_signal_options {
    size_t size; /* of this struct */
    /* Whether SIGCHLD also reports children that stop or continue. By default it reports only children that end
     * (SA_NOCLDSTOP). Stops come only to watches that set this. */
    int child_stops;
    /* Whether system calls of the program fail with EINTR when the signal interrupts them. By default the system
     * restarts them where it can (SA_RESTART), see signal(7). Calls of this library go on in either case. */
    int interrupts;
    /* Whether the library's handler also calls the handler that it replaced, after it has stored the signal. By default
     * it does not. If it replaced the default action or SIG_IGN, it calls nothing. On Windows the event goes on to the
     * handlers that were installed before. The last of them is the system's, which ends the process. */
    int forwards;
    /* How many signals can wait to be taken, at most LIPC_SIGNAL_QUEUE_MAX; 0 means LIPC_SIGNAL_QUEUE_DEFAULT. It is
     * rounded up to a power of two. Each place takes 56 bytes, which the system provides when it is first used. A
     * signal that finds no place is lost, and counted, see lipc_signal_info.dropped. */
    uint32_t queue_size;
} lipc_signal_options;

/* Watches signals: an array of their numbers, with count elements. options may be NULL. The watch gets each of these
 * signals that comes after the call has returned. If any of them cannot be watched, the call fails and watches none.
 * Several watches may watch the same signal: each gets every one.
 *
 * The handle becomes readable when a signal can be taken: it works with poll, epoll, kqueue and event loops. On Windows
 * it is an event, for WaitForSingleObject() and lipc_watch_start(). It may be readable when there is nothing to take;
 * lipc_signal_next() then waits, or fails with LIPC_EAGAIN. A program must not read from the handle or write to it, and
 * must close it only with lipc_signal_close(). On Unix a watch takes two descriptors.
 *
 * These signals cannot be watched:
 *
 *  - SIGKILL and SIGSTOP, which the system delivers to no handler: LIPC_EINVAL.
 *  - SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP and SIGSYS, because they report faults of the thread that they interrupt:
 *    it would run into the same fault again after the handler returns. LIPC_ENOTSUP.
 *  - Those that the C library keeps for itself, on Linux 32 and 33, with musl also 34: LIPC_EINVAL.
 *  - On Windows all but SIGINT and those of enum lipc_signal_console: LIPC_ENOTSUP.
 *  - On all other systems those of enum lipc_signal_console: LIPC_ENOTSUP.
 *
 * Windows: the system ends the process when a handler of LIPC_SIGNAL_CLOSE, LIPC_SIGNAL_LOGOFF or LIPC_SIGNAL_SHUTDOWN
 * returns. So the library's handler does not return if the event is watched and not forwarded. The program then has a
 * few seconds to clean up and exit before the system ends it: 5 seconds after a console was closed, and a service 20
 * seconds when the system shuts down, HandlerRoutine(). A process that was started with CREATE_NEW_PROCESS_GROUP
 * receives no Ctrl-C unless it calls SetConsoleCtrlHandler(NULL, FALSE).
 *
 * Errors:
 *  - LIPC_EINVAL: also if count is 0, queue_size is out of range, or there is no such signal.
 *  - LIPC_EMFILE: also if the process has LIPC_SIGNAL_WATCHES watches.
 *  - LIPC_ENOTSUP, LIPC_ENOMEM. */
LIPC_API int lipc_signal_watch(const int *signals, size_t count, const lipc_signal_options *options,
                               lipc_handle *ret_handle);

/* A signal that came. */
typedef struct lipc_signal_info {
    size_t size; /* of this struct; set by the caller */
    int signal;  /* its number */
    /* How it was sent: si_code, sigaction(2). SI_USER: by kill(2). SI_QUEUE: by lipc_signal_queue(). CLD_EXITED,
     * CLD_KILLED and the like: by the system, for a child. These belong to SIGCHLD; other signals may have other codes
     * with the same numbers. 0 on Windows. */
    int code;
    /* The process that sent it, which may have ended since; with SIGCHLD and CLD_EXITED or the like the child. It is
     * -1 if the process is outside of this one's namespace of processes, pid_namespaces(7), if the system had no memory
     * to note it, or if the system itself sent the signal. On Windows it is always -1. */
    int64_t pid;
    /* The real user of that process, or -1 if pid is -1. The kernel vouches for the process and user that called
     * kill(2) or tgkill(2). With SI_QUEUE the sender itself states them: on Linux a process that may send a signal may
     * put any pid and uid into it, rt_sigqueueinfo(2). */
    int64_t uid;
    int value;  /* the value, sival_int, that came with the signal; 0 if none did */
    int status; /* with CLD_EXITED the exit status; with CLD_KILLED and the like the signal that killed, stopped or
                 * continued the child; otherwise 0 */
    uint32_t dropped;  /* how many signals were lost since the one before was taken, because the queue was full */
    uint32_t reserved; /* 0 */
} lipc_signal_info;

/* Waits for a signal of a watch, and takes it. The caller sets the size in *ret_info.
 *
 * SIGCHLD is a standard signal, so one may stand for several children. Taking it does not wait for the child: a program
 * has to call waitpid(2) with WNOHANG after each SIGCHLD, until that reports no more children.
 *
 * Errors:
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT: no signal has come.
 *  - LIPC_EINVAL: the size in *ret_info is too small.
 *  - LIPC_EBADF: the handle is not that of a watch, or it was inherited from the parent process. On Unix also: there is
 *    nothing to take, and the program has closed one of the watch's descriptors by mistake, close(2). */
LIPC_API int lipc_signal_next(lipc_handle handle, int timeout_ms, lipc_signal_info *ret_info);

/* Closes a watch and its handle. Signals that were not taken are lost. The call waits until no thread runs a handler
 * that uses the watch. Errors: LIPC_EBADF. */
LIPC_API int lipc_signal_close(lipc_handle handle);

/* ======================================== Sending signals ======================================= */

/* Returns the number of a real-time signal, SIGRTMIN + n, signal(7). The first that the C library leaves to programs
 * has n = 0. Errors: LIPC_EINVAL (there is no such signal), LIPC_ENOTSUP (the system has none: macOS, OpenBSD,
 * Windows). */
LIPC_API int lipc_signal_realtime(int n);

/* Send a signal to a process: kill(2), on all systems but Windows. If the signal is 0, nothing is sent, and the call
 * only checks whether a signal could be. The functions with "queue" in their names send a value, too: sigqueue(3), on
 * Linux, FreeBSD and NetBSD. The functions with "pidfd" in their names: pidfd_send_signal(2), on Linux from 5.1 on.
 *
 * After a process has ended and its parent has waited for it, another process may get its process id. A pidfd never
 * refers to another process, pidfd_open(2); see lipc_peer_pidfd() and lipc_set_pass_pidfd() in lipc_unix.h. Until the
 * parent has waited for it, a process that has ended can be sent signals, which have no effect.
 *
 * Errors:
 *  - LIPC_ENOENT: there is no such process, thread or group.
 *  - LIPC_EACCES: this process may not send it a signal.
 *  - LIPC_EAGAIN: too many signals are queued. On Linux RLIMIT_SIGPENDING limits them for all processes of the
 *    receiver's user.
 *  - LIPC_EINVAL: there is no such signal, or pid or thread is not from 1 to INT_MAX.
 *  - LIPC_EBADF: pidfd is not a pidfd.
 *  - LIPC_ENOTSUP: the system does not have this. */
LIPC_API int lipc_signal_send(int64_t pid, int signal);
LIPC_API int lipc_signal_queue(int64_t pid, int signal, int value);
LIPC_API int lipc_signal_send_pidfd(lipc_handle pidfd, int signal);
LIPC_API int lipc_signal_queue_pidfd(lipc_handle pidfd, int signal, int value);

/* Send a signal to one thread of a process, gettid(2): tgkill(2) and rt_tgsigqueueinfo(2), on Linux. Only that thread
 * takes it, so real-time signals arrive in the order in which they were queued. Errors: those of lipc_signal_send(). */
LIPC_API int lipc_signal_send_thread(int64_t pid, int64_t thread, int signal);
LIPC_API int lipc_signal_queue_thread(int64_t pid, int64_t thread, int signal, int value);

/* Sends a signal to all processes of a group, killpg(3); 0 is this process's own group. It succeeds if at least one of
 * them may be sent the signal.
 *
 * Windows: group is the process id of a process that was started with CREATE_NEW_PROCESS_GROUP, or 0 for all processes
 * of the console. LIPC_SIGNAL_BREAK can be sent to either, SIGINT only to 0, and no other signal to any.
 *
 * Errors: those of lipc_signal_send(); LIPC_EINVAL also for a negative group, for group 1, with which kill(2) would
 * mean every process, and on Windows for signal 0. */
LIPC_API int lipc_signal_send_group(int64_t group, int signal);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_SIGNAL_H */
