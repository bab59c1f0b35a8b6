/* Deadlines: how long a call may take. */

typedef struct lipc__deadline {
    int timeout_ms;
    bool started;
    int64_t end_ms; /* on the monotonic clock, once started */
    int pause_ms;   /* how long lipc__pause() slept last; 0: not yet */
} lipc__deadline;

/* Returns the milliseconds left, at least 1; -1 if there is no limit; or an error, which is less than -1: LIPC_EAGAIN
 * if timeout_ms is 0, LIPC_ETIMEDOUT when the time is up. The clock is first read when something has to wait, so a call
 * that never waits does not pay for it. */
static int lipc__time_left(lipc__deadline *deadline) {
    if (deadline->timeout_ms == 0)
        return lipc__fault(LIPC_EAGAIN);
    if (deadline->timeout_ms < 0)
        return -1;
    int64_t now = lipc__now_us() / 1000;
    if (!deadline->started) {
        deadline->started = true;
        deadline->end_ms = now + deadline->timeout_ms;
    }
    int64_t left = deadline->end_ms - now;
    return left > 0 ? (int)left : lipc__fault(LIPC_ETIMEDOUT);
}

/* Sleeps between two attempts where no system call can wait: 1, 2, 4, 4 … milliseconds, or until the time is up. */
static int lipc__pause(lipc__deadline *deadline) {
    int left = lipc__time_left(deadline);
    if (left < -1)
        return left;
    if (deadline->pause_ms == 0)
        deadline->pause_ms = 1;
    else if (deadline->pause_ms < 4)
        deadline->pause_ms *= 2;
    lipc__sleep_ms(left >= 0 && left < deadline->pause_ms ? left : deadline->pause_ms);
    return 0;
}
