/* Polling before waiting. */

/* How many waits pass without polling after it was in vain: 1, 3, 7 … at most so many. */
enum { LIPC__SPIN_PENALTY = 255 };

/* Tells the processor that this is a loop which waits. */
static void lipc__relax(void) {
#ifdef _WIN32
    YieldProcessor();
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__ volatile("yield");
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
    if (spin->processors == 1)
        return false;
    spin->end_us = lipc__now_us() + spin->limit_us;
    return true;
}

int lipc_spin_again(lipc_spin *spin, int64_t result) {
    bool polling = spin->end_us != 0;
    if (lipc_error_code(result) != LIPC_EAGAIN) {
        if (polling)
            spin->end_us = spin->penalty = 0;
        return 0;
    }
    if (!polling) {
        if (spin->limit_us == 0 || !lipc__spin_begin(spin))
            return 0;
    } else if (lipc__now_us() >= spin->end_us) {
        spin->end_us = 0;
        spin->skip = spin->penalty = spin->penalty < LIPC__SPIN_PENALTY ? 2 * spin->penalty + 1 : LIPC__SPIN_PENALTY;
        return 0;
    }
    lipc__relax();
    return 1;
}
