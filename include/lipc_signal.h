/* lipc: signals, with who sent them.
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
 *    SIGTERM, say, no longer ends the process. The handler stores what the system says of the signal, and wakes the
 *    reader. It calls only functions that are async-signal-safe, takes no lock, allocates nothing and keeps errno. It
 *    runs on the alternate stack, where the thread has one (SA_ONSTACK), with all signals blocked.
 *  - A process that watches nothing has no handler of the library.
 *  - What was there before the first watch of a signal comes back when the last watch of it is closed, in whatever
 *    order watches are closed. If another part of the program has installed another handler meanwhile, that one stays.
 *    Such a part must not put the library's handler back later: no watch would get the signal.
 *  - A signal that is blocked in all threads is not delivered. It waits in the system, see pthread_sigmask(3).
 *  - Threads: any thread may watch, close and send at any time, but none of these functions may be called in a signal
 *    handler. One thread at a time may call lipc_signal_next() for a watch.
 *  - fork(2): the child has the handles of its parent's watches, and can do nothing with them but close them with
 *    lipc_signal_close(). Its signals reach neither the parent's watches nor these: each has the handling of before the
 *    first watch again, at the latest when it comes. The child may create watches of its own. After exec(3) signals
 *    that were watched have their default action.
 *
 * The system merges ordinary signals: of several that come before the first is delivered, only the first is. It queues
 * real-time signals, lipc_signal_realtime(), and those all arrive. They arrive in the order in which they were queued
 * if only one thread of the process takes them, because the others have them blocked. Otherwise several threads are
 * interrupted at the same time, and no system says in which order that happened. While signals come without a pause, a
 * thread that takes them does nothing but run the handler. So in a program with one thread the queue of a watch has to
 * have room for the longest burst, see lipc_signal_options.queue_size. Nor does fork(2) end on Linux while signals come
 * without a pause, because each makes it begin anew.
 */
#ifndef LIPC_SIGNAL_H
#define LIPC_SIGNAL_H

#include <signal.h>

#include "lipc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================= Watching signals ======================================= */

/* What Windows has are the events of consoles. SIGINT stands for Ctrl-C there; these stand for the others. The numbers
 * are no signals of any other system. */
enum lipc_signal_console {
    LIPC_SIGNAL_BREAK = 1001,   /* Ctrl-Break */
    LIPC_SIGNAL_CLOSE = 1002,   /* the console is closed */
    LIPC_SIGNAL_LOGOFF = 1005,  /* a user logs off; only services get it */
    LIPC_SIGNAL_SHUTDOWN = 1006 /* the system shuts down; only services get it */
};

/* Limits of watches. */
enum {
    LIPC_SIGNAL_WATCHES = 64,          /* how many a process may have */
    LIPC_SIGNAL_QUEUE_DEFAULT = 16384, /* how many signals can wait to be taken from one; about 1 MiB */
    LIPC_SIGNAL_QUEUE_MAX = 1 << 24    /* the greatest queue_size */
};

/* The options of a watch. They begin with their size, as lipc_listen_options does. If several watches of a signal have
 * different options, one that asks for stops, for interruptions or for forwarding has its way. */
typedef struct lipc_signal_options {
    size_t size; /* of this struct */
    /* Whether SIGCHLD also reports children that stop or continue. By default it reports only their end
     * (SA_NOCLDSTOP). A watch that did not ask for this gets no stops, whatever others ask for. */
    int child_stops;
    /* Whether system calls of the program that a signal interrupts fail with EINTR. By default the system restarts them
     * where it can (SA_RESTART), see signal(7). Calls of this library go on in either case. */
    int interrupts;
    /* Whether the handler that was installed before the first watch is called, too, after the signal was stored. By
     * default it is not. A default action, and SIG_IGN, are never carried out. On Windows the event goes on to the
     * handlers that were installed before. The last of them is the system's, which ends the process. */
    int forwards;
    /* How many signals can wait to be taken, at most LIPC_SIGNAL_QUEUE_MAX; 0: the default. It is rounded up to a power
     * of two. Each takes 56 bytes, which the system provides when they are first used. */
    uint32_t queue_size;
} lipc_signal_options;

/* Watches signals: count of them, by their numbers. options may be NULL. The handle becomes readable when a signal can
 * be taken: it works with poll, epoll, kqueue and event loops. On Windows it is an event, for WaitForSingleObject() and
 * lipc_watch_start(). It may be readable when there is nothing to take. Nothing may be read from it or written to it,
 * and only lipc_signal_close() closes it.
 *
 * Several watches may watch the same signal: each gets all of them. On Unix a watch takes two descriptors.
 *
 * These signals cannot be watched:
 *
 *  - SIGKILL and SIGSTOP, which the system delivers to no handler: LIPC_EINVAL.
 *  - SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP and SIGSYS, because they report faults of the thread that they interrupt:
 *    it would run into the same fault again when the handler returns. LIPC_ENOTSUP.
 *  - Those that the C library keeps for itself, on Linux 32 and 33, with musl also 34: LIPC_EINVAL.
 *  - On Windows all but SIGINT and those of enum lipc_signal_console, and these on all other systems: LIPC_ENOTSUP.
 *
 * Windows: the system ends the process when its handler of LIPC_SIGNAL_CLOSE, LIPC_SIGNAL_LOGOFF or
 * LIPC_SIGNAL_SHUTDOWN returns. If these are watched, and not forwarded, the handler therefore does not return. The
 * program has a few seconds to clean up and exit; then the system ends it. HandlerRoutine(): 5 seconds for a console
 * that is closed, and for a service 20 when the system shuts down. A process that was started with
 * CREATE_NEW_PROCESS_GROUP receives no Ctrl-C unless it calls SetConsoleCtrlHandler(NULL, FALSE).
 *
 * Errors:
 *  - LIPC_EINVAL: also if count is 0, an option is out of range, or there is no such signal.
 *  - LIPC_EMFILE: also if there are LIPC_SIGNAL_WATCHES watches.
 *  - LIPC_ENOTSUP, LIPC_ENOMEM. */
LIPC_API int lipc_signal_watch(const int *signals, size_t count, const lipc_signal_options *options,
                               lipc_handle *ret_handle);

/* A signal that came. A field is -1 if the system did not report it. */
typedef struct lipc_signal_info {
    size_t size; /* of this struct; set by the caller */
    int signal;  /* its number */
    /* How it was sent, as in si_code, sigaction(2): SI_USER by kill(2), SI_QUEUE by lipc_signal_queue(), CLD_EXITED and
     * the like with SIGCHLD. 0 on Windows. */
    int code;
    /* The process that sent it; with CLD_EXITED and the like the child. It is not known if the process is outside of
     * this one's namespace of processes, pid_namespaces(7), or if the system had no memory to note it. It is never
     * known if the system itself sent the signal, and on Windows. */
    int64_t pid;
    /* The real user of that process; known if pid is. The kernel says which process and user called kill(2). With
     * SI_QUEUE the sender itself says it: on Linux a process that may send a signal may put any pid and uid into it,
     * rt_sigqueueinfo(2). */
    int64_t uid;
    int value;  /* the value, sival_int, that came with the signal; 0 if none did */
    int status; /* the exit status if code is CLD_EXITED; with CLD_KILLED and the like the signal that the child was
                 * killed, stopped or continued by; otherwise 0 */
    uint32_t dropped;  /* how many signals were lost since the one before was taken, because too many waited */
    uint32_t reserved; /* 0 */
} lipc_signal_info;

/* Waits for a signal of a watch, and takes it. The caller sets the size in *ret_info.
 *
 * SIGCHLD is an ordinary signal, so one may stand for several children. A program that waits for its children calls
 * waitpid(2) with WNOHANG after each until it reports no more.
 *
 * Errors:
 *  - LIPC_EAGAIN, LIPC_ETIMEDOUT: none has come.
 *  - LIPC_EINVAL: the size in *ret_info is too small.
 *  - LIPC_EBADF: the handle is not that of a watch, or is that of the parent process. */
LIPC_API int lipc_signal_next(lipc_handle handle, int timeout_ms, lipc_signal_info *ret_info);

/* Closes a watch and its handle. Signals that were not taken are lost. Once this has returned, no handler uses the
 * watch any more: it waits for those that other threads are running. Errors: LIPC_EBADF. */
LIPC_API int lipc_signal_close(lipc_handle handle);

/* ======================================== Sending signals ======================================= */

/* Returns the number of a real-time signal, SIGRTMIN + n, signal(7): 0 is the first of those that the C library leaves
 * to programs. Errors: LIPC_EINVAL (there is no such signal), LIPC_ENOTSUP (the system has none: macOS, OpenBSD,
 * Windows). */
LIPC_API int lipc_signal_realtime(int n);

/* Send a signal to a process. A signal of 0 is not sent; the call only checks whether it could be.
 * lipc_signal_queue() sends a value with it: Linux, FreeBSD and NetBSD, sigqueue(3). So does every function here that
 * has "queue" in its name.
 *
 * A process id may be in use again for another process, after its process has ended and its parent has waited for it. A
 * pidfd never refers to another, pidfd_open(2); see lipc_peer_pidfd() and lipc_set_pass_pidfd() in lipc_unix.h. Linux
 * 5.1: pidfd_send_signal(2).
 *
 * Errors:
 *  - LIPC_ENOENT: there is no such process, or thread.
 *  - LIPC_EACCES: this process may not send it a signal.
 *  - LIPC_EAGAIN: too many signals are queued, on Linux for all processes of the receiver's user: RLIMIT_SIGPENDING.
 *  - LIPC_EINVAL: there is no such signal; or pid or thread is not over 0.
 *  - LIPC_EBADF: pidfd is not one.
 *  - LIPC_ENOTSUP: the system does not have this. */
LIPC_API int lipc_signal_send(int64_t pid, int signal);
LIPC_API int lipc_signal_queue(int64_t pid, int signal, int value);
LIPC_API int lipc_signal_send_pidfd(lipc_handle pidfd, int signal);
LIPC_API int lipc_signal_queue_pidfd(lipc_handle pidfd, int signal, int value);

/* Send a signal to one thread of a process, gettid(2). Only that thread takes it, so that real-time signals arrive in
 * the order in which they were queued. Only Linux: tgkill(2), rt_tgsigqueueinfo(2). Errors: those of
 * lipc_signal_send(). */
LIPC_API int lipc_signal_send_thread(int64_t pid, int64_t thread, int signal);
LIPC_API int lipc_signal_queue_thread(int64_t pid, int64_t thread, int signal, int value);

/* Sends a signal to all processes of a group, killpg(3); 0 is this process's own. On Windows the group is the process
 * id of the one that was started with CREATE_NEW_PROCESS_GROUP, and 0 stands for all processes of the console:
 * LIPC_SIGNAL_BREAK can be sent to either, SIGINT only to 0, and nothing else to any.
 *
 * Errors: those of lipc_signal_send(); LIPC_EINVAL also for group 1, which stands for every process. */
LIPC_API int lipc_signal_send_group(int64_t group, int signal);

#ifdef __cplusplus
}
#endif

#endif /* LIPC_SIGNAL_H */
