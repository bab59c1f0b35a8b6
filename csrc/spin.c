/* Polling before waiting. */

/* How many waits pass without polling after it was in vain: 1, 3, 7 … at most so many. */
enum { LIPC__SPIN_PENALTY = 255 };

/* Between two calls. The peer may be waiting for this very processor, so after a while that is left to it. If that brings the
 * result at once, it was, and the next wait begins so: two that share a processor, since others have the rest, then take turns. */
static void lipc__spin_pause(bool yield) {
#ifdef _WIN32
    if (yield)
        SwitchToThread();
    else
        YieldProcessor();
#else
    if (yield)
        sched_yield();
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    else
        __builtin_ia32_pause();
#endif
#endif
}

/* The first failed call of a wait: whether polling is worth while. */
static bool lipc__spin_begin(lipc_spin *spin) {
    if (spin->skip > 0) {
        spin->skip--;
        return false;
    }
    if (spin->processors == 0)
        spin->processors = (uint32_t)lipc__processors();
    return spin->processors > 1;
}

int lipc_spin_again(lipc_spin *spin, int64_t result) {
    bool polling = spin->start_us != 0;
    if (lipc_error_code(result) != LIPC_EAGAIN || spin->limit_us == 0) {
        if (polling) {
            spin->start_us = spin->penalty = 0;
            spin->yield = spin->yielded == 1;
        }
        return 0;
    }
    if (!polling && !lipc__spin_begin(spin))
        return 0;
    int64_t now = lipc__now_us();
    if (!polling) {
        spin->start_us = now;
        spin->yielded = 0;
    }
    int64_t left = spin->start_us + spin->limit_us - now;
    if (left <= 0) {
        spin->start_us = 0;
        spin->skip = spin->penalty = spin->penalty < LIPC__SPIN_PENALTY ? 2 * spin->penalty + 1 : LIPC__SPIN_PENALTY;
        return 0;
    }
    bool yield = (spin->yield && spin->yielded == 0) || left < (int64_t)spin->limit_us * 3 / 4;
    spin->yielded += yield || spin->yielded > 0;
    lipc__spin_pause(yield);
    return 1;
}
