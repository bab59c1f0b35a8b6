/* Spinning before waiting. */

/* After spinning in vain, the next 1, 3, 7 … waits pass without spinning, but never more than this. */
enum { LIPC__SPIN_PENALTY = 255 };

/* What to do between two calls: let the processor know that this thread spins, but keep it. sched_yield(2) and
 * SwitchToThread() would leave it to another program, and one that never waits gives it back milliseconds later. */
static void lipc__spin_pause(void) {
#if defined(_WIN32)
    YieldProcessor();
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* takes as long as x86's pause; "yield" does nothing on most processors */
#elif defined(__GNUC__)
    __asm__ volatile("" ::: "memory");
#endif
}

/* Decides after the first failed call of a wait whether to spin. */
static bool lipc__spin_begin(lipc_spin *spin) {
    if (spin->skip > 0) {
        spin->skip--;
        return false;
    }
    if (spin->processors == 0)
        spin->processors = (uint32_t)lipc__processors();
    return spin->processors > 1;
}

/* Learns from spinning that has ended. busy: the result was still LIPC_EAGAIN.
 *
 * Spinning takes twice its limit only if the system took the processor away meanwhile. That costs more than spinning
 * gains, so it counts as in vain even if it brought the result: once for each limit that it took. A gap of milliseconds
 * is enough to rule out spinning for long. */
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
    bool busy = lipc_error_code(result) == LIPC_EAGAIN, spinning = spin->start_us != 0;
    if (spin->limit_us == 0) {
        spin->start_us = 0;
        return 0;
    }
    if (!spinning && (!busy || !lipc__spin_begin(spin)))
        return 0;
    int64_t now = lipc__now_us();
    if (!spinning)
        spin->start_us = now;
    int64_t spent_us = now - spin->start_us;
    if (!busy || spent_us >= spin->limit_us) {
        lipc__spin_learn(spin, busy, spent_us);
        return 0;
    }
    lipc__spin_pause();
    return 1;
}
