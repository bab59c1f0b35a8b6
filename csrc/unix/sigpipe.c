/* Keeping SIGPIPE from the program around calls that have no flag against it. */

/* The signal is blocked in this thread around such a call. A signal that the call raised is taken back before it is
 * unblocked. One that was pending before the call is the program's, and stays. */
typedef struct lipc__quiet {
    sigset_t mask; /* as it was */
    bool was_pending;
} lipc__quiet;

static sigset_t lipc__pipe_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

static bool lipc__pipe_signal_pending(void) {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

static lipc__quiet lipc__begin_quiet(void) {
    lipc__quiet quiet;
    sigset_t pipe_signal = lipc__pipe_signal();
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &quiet.mask);
    quiet.was_pending = lipc__pipe_signal_pending();
    return quiet;
}

/* raised: whether the call may have raised the signal. errno is kept. */
static void lipc__end_quiet(const lipc__quiet *quiet, bool raised) {
    int os = errno, taken;
    sigset_t pipe_signal = lipc__pipe_signal();
    if (raised && !quiet->was_pending && lipc__pipe_signal_pending())
        sigwait(&pipe_signal, &taken);
    pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
    errno = os;
}
