/* Polling before waiting. */

/* How many waits pass without polling after it was in vain: 1, 3, 7 … at most so many. */
enum { LIPC__SPIN_PENALTY = 255 };

/* Between two calls: tells the processor that this is polling, but not the system. A processor that sched_yield(2) or
 * SwitchToThread() leaves to a program that does not wait comes back milliseconds later. */
static void lipc__spin_pause(void) {
#if defined(_WIN32)
    YieldProcessor();
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* as long as x86's pause; most processors take "yield" for nothing at all */
#elif defined(__GNUC__)
    __asm__ volatile("" ::: "memory");
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

/* Learns from polling that has ended. It takes twice its limit only if the system took the processor away meanwhile,
 * which costs more than polling gains, even if the result is there now. Each limit that it took counts as one time in
 * vain, so a gap of milliseconds is enough to leave polling out for long. */
static void lipc__spin_learn(lipc_spin *spin, bool busy, int64_t spent_us) {
    int64_t limit_us = spin->limit_us;
    if (!busy && spent_us < 2 * limit_us)
        spin->penalty /= 2;
    else
        for (; spent_us >= limit_us && spin->penalty < LIPC__SPIN_PENALTY; spent_us -= limit_us)
            spin->penalty = 2 * spin->penalty + 1;
    spin->skip = spin->penalty;
    spin->start_us = 0;
}

int lipc_spin_again(lipc_spin *spin, int64_t result) {
    bool busy = lipc_error_code(result) == LIPC_EAGAIN, polling = spin->start_us != 0;
    if (spin->limit_us == 0) {
        spin->start_us = 0;
        return 0;
    }
    if (!polling && (!busy || !lipc__spin_begin(spin)))
        return 0;
    int64_t now = lipc__now_us();
    if (!polling)
        spin->start_us = now;
    int64_t spent_us = now - spin->start_us;
    if (!busy || spent_us >= spin->limit_us) {
        lipc__spin_learn(spin, busy, spent_us);
        return 0;
    }
    lipc__spin_pause();
    return 1;
}
