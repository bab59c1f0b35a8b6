/* Signals while system calls fail: see fault.h. */
#include "fault.h"

#include "lipc_signal.h"

static int64_t do_watch(void) {
    const int wanted[] = {SIGUSR1, SIGUSR2};
    lipc_handle watch;
    int64_t r = lipc_signal_watch(wanted, 2, NULL, &watch);
    return r < 0 ? r : lipc_signal_close(watch);
}

static int64_t do_take(void) {
    const int wanted = SIGUSR1;
    lipc_signal_info info = {.size = sizeof info};
    lipc_handle watch;
    int64_t r = lipc_signal_watch(&wanted, 1, NULL, &watch);
    if (r < 0)
        return r;
    CHECK(raise(SIGUSR1) == 0);
    r = lipc_signal_next(watch, WAIT, &info);
    if (r >= 0)
        r = lipc_signal_next(watch, 1, &info);
    CHECK_OK(lipc_signal_close(watch));
    return lipc_error_code(r) == LIPC_ETIMEDOUT ? 0 : r;
}

static int64_t do_send(void) {
    int64_t r = lipc_signal_send(getpid(), 0);
#ifdef __linux__
    if (r >= 0)
        r = lipc_signal_send_group(0, 0);
#ifndef LIPC_PLAIN_POSIX
    if (r >= 0)
        r = lipc_signal_queue(getpid(), 0, 1);
    if (r >= 0)
        r = lipc_signal_send_thread(getpid(), getpid(), 0);
    if (r >= 0)
        r = lipc_signal_queue_thread(getpid(), getpid(), 0, 1);
#endif
#endif
    return r;
}

static const operation operations[] = {
    {"watch", NULL, do_watch, NULL, 0, 0},
    {"take", NULL, do_take, NULL, 0, 0},
    {"send", NULL, do_send, NULL, 0, 0},
};

TEST(every_call_of_a_watch_may_fail_once) {
    FAIL_EVERY_CALL(operations, "watch take send");
    struct sigaction now;
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGUSR2, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

static bool watched; /* has the handler of another part of the program in the meantime */

static void replace_the_handler(const char *call) {
    if (!watched && begins_with(call, "socketpair")) {
        watched = true;
        CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    }
}

TEST(a_handler_that_comes_while_a_watch_is_created_comes_back) {
    const int wanted = SIGUSR1;
    lipc_handle watch;
    struct sigaction now;
    before_call = replace_the_handler;
    CHECK_OK(lipc_signal_watch(&wanted, 1, NULL, &watch));
    before_call = NULL;
    CHECK(watched);
    CHECK_OK(lipc_signal_close(watch));
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
}
