/* Waiting. lipc__retry() decides what follows a failed call; every loop over a system call uses it. */

static int64_t lipc__now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* How many processors this thread may run on; INT_MAX if that cannot be found out. */
static int lipc__processors(void) {
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
    cpu_set_t allowed;
    return SYS(sched_getaffinity(0, sizeof allowed, &allowed)) < 0 ? INT_MAX : CPU_COUNT(&allowed);
#else
    long n = SYS(sysconf(_SC_NPROCESSORS_ONLN));
    return n < 1 || n > INT_MAX ? INT_MAX : (int)n;
#endif
}

static void lipc__sleep_ms(int milliseconds) {
    poll(NULL, 0, milliseconds);
}

/* Decides what follows a call on fd that failed with errno. Returns 0 to try again: after EINTR, and after EAGAIN once
 * the events are there. Otherwise returns the error. */
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
