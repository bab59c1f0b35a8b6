/* What the tests of signals share. (A file named signal.h would stand for the system's.) */
#ifndef LIPC_TEST_SIGNALS_H
#define LIPC_TEST_SIGNALS_H

#include "fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/time.h>

#include "lipc_signal.h"

/* Whether signals can be queued with a value, and there are real-time signals; whether they can be sent to a thread and
 * to a pidfd. */
#if (defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)) && !defined(LIPC_PLAIN_POSIX)
#define QUEUES_SIGNALS 1
#endif
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define SENDS_TO_THREADS 1
#endif

/* The thread sanitizer keeps one signal of each number, and calls the handler later. */
#if defined(__SANITIZE_THREAD__)
#define MERGES_SIGNALS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MERGES_SIGNALS 1
#endif
#endif

static inline lipc_handle watch_with(int signal, const lipc_signal_options *options) {
    lipc_handle watch = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_signal_watch(&signal, 1, options, &watch));
    return watch;
}

static inline lipc_handle watch_for(int signal) {
    return watch_with(signal, NULL);
}

/* Takes the next signal, which must come. */
static inline lipc_signal_info take(lipc_handle watch) {
    lipc_signal_info info = {.size = sizeof info};
    CHECK_OK(lipc_signal_next(watch, WAIT, &info));
    CHECK_INT(sizeof info, (int64_t)info.size);
    return info;
}

/* Checks that there is nothing to take. */
static inline void check_none(lipc_handle watch) {
    lipc_signal_info info = {.size = sizeof info};
    CHECK_ERROR(LIPC_EAGAIN, lipc_signal_next(watch, 0, &info));
}

static inline void check_sent_by(const lipc_signal_info *info, int signal, int code, pid_t pid) {
    CHECK_INT(signal, info->signal);
    CHECK_INT(code, info->code);
    CHECK_INT(pid, info->pid);
    CHECK_INT(getuid(), info->uid);
    CHECK_INT(0, (int64_t)info->dropped);
}

static inline void close_watch(lipc_handle watch) {
    CHECK_OK(lipc_signal_close(watch));
}

static inline struct sigaction disposition_of(int signal) {
    struct sigaction action;
    CHECK(sigaction(signal, NULL, &action) == 0);
    return action;
}

static inline void check_disposition(int signal, const struct sigaction *wanted) {
    struct sigaction got = disposition_of(signal);
    CHECK(got.sa_flags & SA_SIGINFO ? got.sa_sigaction == wanted->sa_sigaction : got.sa_handler == wanted->sa_handler);
    const int ours = 0x04000000; /* SA_RESTORER on Linux: what the C library itself adds */
    CHECK_INT(wanted->sa_flags | ours, got.sa_flags | ours);
    for (int i = 1; i < 32; i++)
        CHECK_INT(sigismember(&wanted->sa_mask, i), sigismember(&got.sa_mask, i));
}

/* Runs body in another process, and returns at once. */
static inline pid_t in_child(void (*body)(const void *), const void *argument) {
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        body(argument);
        _exit(TEST_PASSED);
    }
    return process;
}

/* Waits until a child ends, and checks that a signal killed it. */
static inline void check_killed_by(int signal, pid_t process) {
    int status;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK_INT(signal, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

#endif
