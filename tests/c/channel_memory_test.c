/* How much memory channels take: idle ones, and a pair whose ends wait for one another's messages. */
#include "channel.h"

enum { PAIRS = 200, IDLE_KIB = 3, CHATTY_KIB = 16 /* for each end */ };

static lipc_channel *ends[2 * PAIRS];

/* How much memory of this process alone is resident, in KiB, on Linux. */
static int private_kib(void) {
    long pages, resident, shared;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld %ld", &pages, &resident, &shared) == 3);
    fclose(file);
    return (int)((resident - shared) * (sysconf(_SC_PAGESIZE) / 1024));
}

static void open_all(int first, int end) {
    lipc_channel_options o = {.size = sizeof o, .memory = LIPC_CHANNEL_REQUIRE};
    for (int i = first; i < end; i++)
        CHECK_OK(lipc_channel_pair(&o, &ends[2 * i], &ends[2 * i + 1]));
}

MEMORY_TEST(an_idle_channel_takes_little_memory_and_touches_no_page_that_it_shares) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    open_all(0, 1); /* what is only there once */
    const int before = private_kib();
    open_all(1, PAIRS);
    const int count = 2 * (PAIRS - 1), all = private_kib() - before;
    CHECK_INT(0, resident_kib());
    CHECK(all > 0);
    if (all > count * IDLE_KIB)
        FAIL("%d idle ends take %d KiB", count, all);
    for (int i = 0; i < 2 * PAIRS; i++)
        lipc_channel_close(ends[i]);
}

MEMORY_TEST(a_pair_that_asks_and_answers_touches_few_pages) {
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE});
    for (size_t i = 0; i < 20000; i++) {
        const size_t size = i * 37 % 1500;
        CHECK_INT(size, lipc_channel_send(a, out_data, size, WAIT));
        CHECK_INT(size, lipc_channel_receive(b, in_data, sizeof in_data, WAIT));
        CHECK_INT(size, lipc_channel_send(b, out_data, size, WAIT));
        CHECK_INT(size, lipc_channel_receive(a, in_data, sizeof in_data, WAIT));
    }
    const int each = resident_kib() / 2; /* both ends are in this process, and map the same pages */
    CHECK(each > 0);
    if (each > CHATTY_KIB)
        FAIL("the pair touched %d KiB", each);
    close_pair();
}
