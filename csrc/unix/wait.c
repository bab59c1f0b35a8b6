/* Waiting. One function decides what follows a failed call; every loop over a system call uses it. */

typedef struct lipc__deadline {
    int timeout_ms;
    bool started;
    int64_t end_ms; /* on the monotonic clock, once started */
    int pause_ms;   /* the last one */
} lipc__deadline;

static int64_t lipc__now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The milliseconds left, at least 1; -1 for no limit; or an error. The clock is first read when something
 * has to wait, so that a call that never waits does not pay for it. */
static int lipc__time_left(lipc__deadline *deadline) {
    if (deadline->timeout_ms == 0)
        return lipc__fault(LIPC_EAGAIN);
    if (deadline->timeout_ms < 0)
        return -1;
    int64_t now = lipc__now_ms();
    if (!deadline->started) {
        deadline->started = true;
        deadline->end_ms = now + deadline->timeout_ms;
    }
    int64_t left = deadline->end_ms - now;
    return left > 0 ? (int)left : lipc__fault(LIPC_ETIMEDOUT);
}

/* A call on fd failed with errno. Returns 0 when it should be made again: after EINTR, and after EAGAIN once
 * the events are there. Otherwise the error to return. */
static int lipc__retry(int fd, short events, lipc__deadline *deadline) {
    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return lipc__error_from(errno);
    for (;;) {
        int left = lipc__time_left(deadline);
        if (left < -1)
            return left;
        struct pollfd p = {.fd = fd, .events = events};
        int n = SYS(poll(&p, 1, left));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return lipc__error_from(errno);
    }
}

/* Sleeps between two attempts at what no system call waits for: 1, 2, 4, 4 … milliseconds, or until the time is up. */
static int lipc__pause(lipc__deadline *deadline) {
    int left = lipc__time_left(deadline);
    if (left < -1)
        return left;
    deadline->pause_ms = deadline->pause_ms == 0 ? 1 : deadline->pause_ms < 4 ? deadline->pause_ms * 2 : 4;
    poll(NULL, 0, left >= 0 && left < deadline->pause_ms ? left : deadline->pause_ms);
    return 0;
}
