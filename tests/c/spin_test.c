/* Polling before waiting. The results of calls are made up in all tests but one, as the polling is the same for all
 * calls. */
#include "test.h"

#include <time.h>
#ifndef _WIN32
#include <sched.h>
#endif

static const int64_t busy = -((int64_t)LIPC_EAGAIN << LIPC_ERROR_OS_BITS);

/* Returns how often a wait polls that gets nothing. */
static int vain(lipc_spin *spin) {
    int polls = 0;
    while (lipc_spin_again(spin, busy))
        polls++;
    return polls;
}

/* With this limit polling ends only when the test ends it. */
enum { FOREVER_US = 1000000000 };

/* Begins a wait that polls. Returns how many waits before it did not poll. */
static int skipped(lipc_spin *spin) {
    int waits = 0;
    while (lipc_spin_again(spin, busy) == 0)
        CHECK(++waits < 1000);
    return waits;
}

/* Ends the polling after so many times its limit, by setting start_us as if that much time had passed. */
static void end_after(lipc_spin *spin, int limits, int64_t result) {
    spin->start_us -= (int64_t)limits * FOREVER_US;
    CHECK_INT(0, lipc_spin_again(spin, result));
}

#ifndef _WIN32
TEST(a_wait_polls_for_as_long_as_it_was_asked_to) {
    lipc_spin spin = {.limit_us = 2000, .processors = 2};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    CHECK(vain(&spin) > 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK((end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000 >= 1998); /* both are cut */
}
#endif

#ifndef _WIN32
static int yields;

int sched_yield(void) { /* in place of the C library's */
    return yields++, 0;
}

TEST(polling_never_leaves_the_processor_to_others) {
    lipc_spin spin = {.limit_us = 1000, .processors = 2};
    for (int i = 0; i < 5; i++) {
        CHECK(vain(&spin) > 0);
        spin.skip = 0;
    }
    CHECK_INT(0, yields);
}
#endif

TEST(without_a_limit_nothing_polls) {
    lipc_spin spin = {0};
    CHECK_INT(0, vain(&spin));
}

TEST(a_call_that_is_over_is_not_made_again) {
    static const int64_t results[] = {0, 1, -((int64_t)LIPC_EPIPE << LIPC_ERROR_OS_BITS),
                                      -((int64_t)LIPC_ETIMEDOUT << LIPC_ERROR_OS_BITS)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
        CHECK_INT(0, lipc_spin_again(&spin, results[i]));
        CHECK_INT(1, lipc_spin_again(&spin, busy));
        CHECK_INT(0, lipc_spin_again(&spin, results[i]));
    }
}

TEST(polling_in_vain_is_left_out_more_and_more_often) {
    lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
    static const int left_out[] = {0, 1, 3, 7, 15, 31, 63, 127, 255, 255, 255};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        CHECK_INT(left_out[i], skipped(&spin));
        end_after(&spin, 1, busy);
    }
}

TEST(polling_that_was_worth_while_is_left_out_less_and_less_often) {
    lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
    for (int i = 0; i < 5; i++) {
        skipped(&spin);
        end_after(&spin, 1, busy);
    }
    static const int left_out[] = {31, 15, 7, 3, 1, 0, 0};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        CHECK_INT(left_out[i], skipped(&spin));
        end_after(&spin, i % 2, 1); /* sooner, or a little late */
    }
}

/* The processor was taken away in the meantime. */
TEST(polling_of_twice_its_limit_was_in_vain_for_each_limit) {
    static const struct {
        int64_t result;
        int limits, left_out;
    } rows[] = {{1, 1, 0},   {1, 2, 3}, {1, 3, 7}, {1, 8, 255}, {1, 1000000, 255},
                {busy, 1, 1}, {busy, 2, 3}, {busy, 8, 255}, {busy, 1000000, 255}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
        CHECK_INT(0, skipped(&spin));
        end_after(&spin, rows[i].limits, rows[i].result);
        CHECK_INT(rows[i].left_out, skipped(&spin));
    }
}

/* Between two such gaps the peer has a processor for a moment, and polling is worth while. */
TEST(a_lucky_result_does_not_make_up_for_a_gap) {
    lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
    int polled = 0, waits = 0;
    while (polled < 10) {
        waits += skipped(&spin) + 1;
        end_after(&spin, polled++ % 2 == 0 ? 30 : 0, 1);
    }
    CHECK(waits > 1000);
}

TEST(polling_ends_when_its_limit_is_taken_away) {
    lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
    CHECK_INT(1, lipc_spin_again(&spin, busy));
    spin.limit_us = 0;
    CHECK_INT(0, lipc_spin_again(&spin, busy));
    spin.limit_us = FOREVER_US;
    CHECK_INT(1, lipc_spin_again(&spin, busy));
    spin.limit_us = 1;
    while (lipc_spin_again(&spin, busy)) {
    }
}

TEST(calls_that_need_not_wait_change_nothing) {
    lipc_spin spin = {.limit_us = FOREVER_US, .processors = 2};
    CHECK_INT(0, skipped(&spin));
    end_after(&spin, 1, busy);
    for (int i = 0; i < 100; i++)
        CHECK_INT(0, lipc_spin_again(&spin, 1));
    CHECK_INT(1, skipped(&spin));
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
TEST(with_one_processor_nothing_polls) {
    lipc_spin spin = {.limit_us = 1000};
    cpu_set_t all, one;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK_INT(0, vain(&spin));
    spin = (lipc_spin){.limit_us = 1000};
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    CHECK_INT(CPU_COUNT(&all) > 1, vain(&spin) > 0);
}
#endif

TEST(a_call_is_polled_and_then_waited_for) {
    lipc_handle a, b;
    lipc_spin spin = {.limit_us = 20, .processors = 2};
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (int i = 0; i < 1000; i++) {
        char sent[2] = {(char)i, (char)(i >> 8)}, got[2];
        int64_t n;
        if (i % 2 == 0) /* it is there; otherwise it is not */
            CHECK_INT(2, lipc_write(a, sent, sizeof sent, -1));
        while (lipc_spin_again(&spin, n = lipc_read(b, got, sizeof got, 0)))
            ;
        if (lipc_error_code(n) == LIPC_EAGAIN) {
            CHECK_INT(2, lipc_write(a, sent, sizeof sent, -1));
            n = lipc_read(b, got, sizeof got, -1);
        }
        CHECK_INT(2, n);
        CHECK(memcmp(sent, got, sizeof sent) == 0);
    }
    lipc_close(a);
    lipc_close(b);
}
