/* Channels in event loops, and the options of channels. */
#include "channel.h"

/* Waits as an event loop would, for what a call of this direction waits for. */
static bool wait_for(lipc_channel *channel, int direction, int timeout_ms) {
    bool writes = direction == LIPC_WRITE && !lipc_channel_shared(channel);
    struct pollfd p = {.fd = (int)lipc_channel_handle(channel, direction), .events = writes ? POLLOUT : POLLIN};
    return poll(&p, 1, timeout_ms) > 0;
}

TEST(a_call_that_arms_is_woken_by_its_handle) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .spin_us = -1});
        for (int i = 0; i < 100; i++) {
            CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, 10, LIPC_CHANNEL_ARM));
            CHECK(!wait_for(b, LIPC_READ, 0));
            CHECK_INT(4, lipc_channel_send(a, "wake", 4, 0));
            CHECK(wait_for(b, LIPC_READ, WAIT));
            CHECK_INT(4, lipc_channel_receive(b, in_data, 10, LIPC_CHANNEL_ARM));
            CHECK(!wait_for(b, LIPC_READ, 0)); /* the bell was taken */
        }
        close_pair();
    }
}

MEMORY_TEST(a_call_that_does_not_arm_asks_for_no_bell) {
    static const int timeouts[] = {0, LIPC_CHANNEL_SPIN};
    for (int i = 0; i < 2; i++) {
        pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE});
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, 10, timeouts[i]));
        CHECK_INT(4, lipc_channel_send(a, "wake", 4, timeouts[i]));
        CHECK(!wait_for(b, LIPC_READ, 0));
        CHECK_INT(4, lipc_channel_receive(b, in_data, 10, timeouts[i]));
        close_pair();
    }
}

TEST(a_handshake_that_does_not_wait_fails_at_once) {
    static const int timeouts[] = {0, LIPC_CHANNEL_ARM, LIPC_CHANNEL_SPIN};
    lipc_handle connection, silent;
    lipc_channel *channel;
    CHECK_OK(lipc_pair(LIPC_STREAM, &connection, &silent));
    CHECK_OK(lipc_channel_start(connection, NULL, &channel));
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++)
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(channel, timeouts[i]));
    lipc_channel_close(channel);
    CHECK_OK(lipc_close(silent));
}

TEST(a_call_that_arms_is_woken_also_after_many_records_that_brought_nothing) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .spin_us = -1});
        for (int i = 0; i < 3000; i++) {
            CHECK_ERROR(LIPC_EAGAIN, lipc_channel_read(b, in_data, 10, LIPC_CHANNEL_ARM));
            CHECK_INT(0, lipc_channel_send(a, "", 0, 0));
            CHECK(wait_for(b, LIPC_READ, 0));
        }
        close_pair();
    }
}

MEMORY_TEST(a_call_that_does_not_wait_ends_however_many_bells_there_are) {
    static char bells[100000];
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE, .spin_us = -1});
    CHECK_INT(sizeof bells, lipc_write(lipc_channel_handle(a, LIPC_READ), bells, sizeof bells, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, 10, LIPC_CHANNEL_ARM));
    CHECK(wait_for(b, LIPC_READ, 0));
    CHECK_INT(4, lipc_channel_send(a, "some", 4, 0));
    CHECK_INT(4, lipc_channel_receive(b, in_data, 10, LIPC_CHANNEL_ARM));
    close_pair();
}

TEST(a_call_that_arms_leaves_nothing_behind_that_nothing_rings_for) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .spin_us = -1});
        CHECK_INT(1500, lipc_channel_send_batch(a, (lipc_buffer[1500]){{NULL, 0}}, 1500, 0));
        CHECK_INT(4, lipc_channel_write(a, "data", 4, 0));
        CHECK_INT(4, lipc_channel_read(b, in_data, 10, LIPC_CHANNEL_ARM));
        close_pair();
    }
}

TEST(preparing_says_whether_to_wait) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096, .spin_us = -1});
        CHECK_INT(1, lipc_channel_prepare(b, LIPC_READ, 0));
        CHECK_INT(0, lipc_channel_prepare(a, LIPC_WRITE, 1000));
        CHECK_INT(4, lipc_channel_send(a, "some", 4, 0));
        CHECK(wait_for(b, LIPC_READ, WAIT));
        CHECK_INT(0, lipc_channel_prepare(b, LIPC_READ, 0));
        CHECK_INT(4, lipc_channel_receive(b, in_data, 10, 0));
        while (lipc_channel_send(a, out_data, 1000, 0) > 0) {
        }
        CHECK_INT(1, lipc_channel_prepare(a, LIPC_WRITE, 1000));
        CHECK(!wait_for(a, LIPC_WRITE, 0));
        while (lipc_channel_receive(b, in_data, 1000, 0) >= 0) {
        }
        CHECK(wait_for(a, LIPC_WRITE, WAIT));
        CHECK_INT(0, lipc_channel_prepare(a, LIPC_WRITE, 1000));
        CHECK_ERROR(LIPC_EINVAL, lipc_channel_prepare(a, 3, 0));
        CHECK_OK(lipc_channel_shutdown(b, LIPC_WRITE, WAIT));
        CHECK_INT(0, lipc_channel_prepare(a, LIPC_READ, 0)); /* the end is there */
        close_pair();
    }
}

TEST(a_call_that_only_spins_does_not_wait) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096, .max_message = sizeof in_data});
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, 10, LIPC_CHANNEL_SPIN));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, out_data, sizeof out_data, LIPC_CHANNEL_SPIN));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, sizeof in_data, LIPC_CHANNEL_SPIN));
        close_pair();
    }
}

/* An end that never waits but in poll(2). */
static void *send_in_loop(void *channel) {
    for (unsigned i = 0; i < 300; i++) {
        size_t size = i % 50 == 0 ? 100000 : i * 7;
        fill_pattern(out_data, size, i);
        int64_t n;
        while ((n = lipc_channel_send(channel, out_data, size, LIPC_CHANNEL_ARM)) < 0) {
            CHECK_ERROR(LIPC_EAGAIN, n);
            CHECK(wait_for(channel, LIPC_WRITE, WAIT));
        }
        CHECK_INT(size, n);
    }
    return NULL;
}

TEST(messages_of_any_size_pass_between_event_loops) {
    EACH_MEMORY(memory) {
        for (int spin = -1; spin < 1; spin++) {
            pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096, .spin_us = spin});
            pthread_t sender;
            CHECK(pthread_create(&sender, NULL, send_in_loop, a) == 0);
            for (unsigned i = 0; i < 300; i++) {
                int64_t n;
                while ((n = lipc_channel_receive(b, in_data, sizeof in_data, LIPC_CHANNEL_ARM)) < 0) {
                    CHECK_ERROR(LIPC_EAGAIN, n);
                    CHECK(wait_for(b, LIPC_READ, WAIT));
                }
                CHECK_INT(i % 50 == 0 ? 100000 : i * 7, n);
                check_pattern(in_data, (size_t)n, i);
            }
            CHECK(pthread_join(sender, NULL) == 0);
            close_pair();
        }
    }
}

TEST(the_handshake_can_be_continued_step_by_step) {
    EACH_MEMORY(memory) {
        lipc_handle handles[2];
        lipc_channel_options o = {.size = sizeof o, .memory = memory};
        CHECK_OK(lipc_pair(LIPC_STREAM, &handles[0], &handles[1]));
        CHECK_OK(lipc_channel_start(handles[0], &o, &a));
        o.accepting = 1;
        CHECK_OK(lipc_channel_start(handles[1], &o, &b));
        CHECK_INT(handles[0], lipc_channel_handle(a, LIPC_READ));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(b, 0));
        CHECK(!wait_for(b, LIPC_READ, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(a, 0));
        CHECK(wait_for(b, LIPC_READ, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(b, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_handshake(b, 5));
        CHECK(wait_for(a, LIPC_READ, WAIT));
        CHECK_OK(lipc_channel_handshake(a, 0));
        CHECK_INT(2, lipc_channel_send(a, "hi", 2, 0)); /* before the other end knows that the channel is open */
        CHECK(wait_for(b, LIPC_READ, WAIT));
        CHECK_OK(lipc_channel_handshake(b, 0));
        CHECK_OK(lipc_channel_handshake(b, 0));
        CHECK_INT(2, lipc_channel_receive(b, in_data, 10, WAIT));
        close_pair();
    }
}

TEST(a_channel_that_was_never_opened_can_be_closed) {
    lipc_handle handles[2];
    CHECK_OK(lipc_pair(LIPC_STREAM, &handles[0], &handles[1]));
    CHECK_OK(lipc_channel_start(handles[0], NULL, &a));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(a, 0));
    lipc_channel_close(a);
    CHECK_OK(lipc_close(handles[1]));
    lipc_channel_close(NULL);
}

MEMORY_TEST(a_budget_limits_how_many_channels_share_memory) {
    lipc_channel_budget budget = {.limit = 2 * (4096 + 2 * 65536) + 100};
    lipc_channel_options o = {.size = sizeof o, .ring_size = 65536, .budget = &budget};
    lipc_channel *pairs[3][2];
    for (int i = 0; i < 3; i++) {
        CHECK_OK(lipc_channel_pair(&o, &pairs[i][0], &pairs[i][1]));
        CHECK_INT(i < 2, lipc_channel_shared(pairs[i][0]));
    }
    o.memory = LIPC_CHANNEL_REQUIRE;
    CHECK_ERROR(LIPC_ENOMEM, lipc_channel_pair(&o, &a, &b));
    lipc_channel_close(pairs[0][0]);
    lipc_channel_close(pairs[0][1]);
    CHECK_OK(lipc_channel_pair(&o, &a, &b));
    close_pair();
    for (int i = 1; i < 3; i++)
        for (int j = 0; j < 2; j++)
            lipc_channel_close(pairs[i][j]);
    CHECK_INT(0, (int64_t)budget.used);
}

static void *open_accepting(void *options) {
    lipc_channel_options o = *(lipc_channel_options *)options;
    lipc_handle end = o.accepting;
    o.accepting = 1;
    b = NULL;
    int r = lipc_channel_open(end, &o, WAIT, &b);
    if (r < 0)
        CHECK_OK(lipc_close(end));
    return NULL;
}

TEST(the_smaller_ring_counts_and_either_end_can_do_without_memory) {
    static const struct {
        int a_memory, b_memory;
        uint32_t a_size, b_size;
        bool opens, shares;
        uint32_t size;
    } cases[] = {
        {LIPC_CHANNEL_PREFER, LIPC_CHANNEL_PREFER, 4096, 65536, true, true, 4096},
        {LIPC_CHANNEL_PREFER, LIPC_CHANNEL_PREFER, 65536, 5000, true, true, 8192},
        {LIPC_CHANNEL_REQUIRE, LIPC_CHANNEL_PREFER, 0, 1, true, true, 4096},
        {LIPC_CHANNEL_NEVER, LIPC_CHANNEL_PREFER, 0, 0, true, false, 65536},
        {LIPC_CHANNEL_PREFER, LIPC_CHANNEL_NEVER, 0, 0, true, false, 65536},
        {LIPC_CHANNEL_REQUIRE, LIPC_CHANNEL_NEVER, 0, 0, false, false, 0},
        {LIPC_CHANNEL_NEVER, LIPC_CHANNEL_REQUIRE, 0, 0, false, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases && SHARES_MEMORY; i++) {
        lipc_handle handles[2];
        CHECK_OK(lipc_pair(LIPC_STREAM, &handles[0], &handles[1]));
        lipc_channel_options mine = {.size = sizeof mine, .memory = cases[i].a_memory, .ring_size = cases[i].a_size};
        lipc_channel_options theirs = {.size = sizeof theirs,
                                       .memory = cases[i].b_memory,
                                       .ring_size = cases[i].b_size,
                                       .accepting = (int)handles[1]};
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, open_accepting, &theirs) == 0);
        int r = lipc_channel_open(handles[0], &mine, WAIT, &a);
        if (r < 0)
            CHECK_OK(lipc_close(handles[0]));
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_INT(cases[i].opens, r >= 0);
        if (r < 0) {
            lipc_channel_close(b);
            continue;
        }
        CHECK_INT(cases[i].shares, lipc_channel_shared(a));
        CHECK_INT(cases[i].shares, lipc_channel_shared(b));
        CHECK_INT(cases[i].size / 2 - 16, lipc_channel_reserve_limit(a));
        check_message(10);
        close_pair();
    }
}

TEST(another_thread_ends_the_waits_by_shutting_the_handles_down) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        lipc_handle handles[2] = {lipc_channel_handle(a, LIPC_READ), lipc_channel_handle(a, LIPC_WRITE)};
        CHECK_OK(lipc_shutdown(handles[0], LIPC_READ | LIPC_WRITE));
        CHECK_OK(lipc_shutdown(handles[1], LIPC_READ | LIPC_WRITE));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(a, in_data, 10, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(a, out_data, 1 << 20, WAIT));
        close_pair();
    }
}
