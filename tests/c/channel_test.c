/* Channels, by shared memory and by the connection alone. What happens when the peer dies is in channel_death_test.c,
 * and what a hostile peer may do in channel_hostile_test.c. */
#include "channel.h"

TEST(a_message_arrives_whole_whatever_its_size) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const size_t most = (size_t)lipc_channel_reserve_limit(a);
        const size_t sizes[] = {0, 1, 7, 8, 9, most - 1, most, most + 1, 3 * most, 100000};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_message(sizes[i]);
        close_pair();
    }
}

TEST(messages_stay_in_order_around_the_end_of_the_ring) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        unsigned sent = 0, received = 0;
        while (received < 20000) {
            const size_t size = (sent * 7919 + 5) % 1500;
            fill_pattern(out_data, size, sent);
            int64_t n = lipc_channel_send(a, out_data, size, 0);
            if (n >= 0) {
                sent++;
                continue;
            }
            CHECK_ERROR(LIPC_EAGAIN, n);
            int64_t r;
            while ((r = lipc_channel_receive(b, in_data, sizeof in_data, 0)) >= 0)
                check_pattern(in_data, (size_t)r, received++);
            CHECK_ERROR(LIPC_EAGAIN, r);
        }
        CHECK(sent >= received);
        close_pair();
    }
}

MEMORY_TEST(a_ring_that_is_empty_starts_again_at_its_beginning) {
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE});
    for (int i = 0; i < 20000; i++) {
        CHECK_INT(64, lipc_channel_send(a, out_data, 64, 0));
        CHECK_INT(64, lipc_channel_receive(b, in_data, sizeof in_data, 0));
        CHECK_INT(64, lipc_channel_send(b, out_data, 64, 0));
        CHECK_INT(64, lipc_channel_receive(a, in_data, sizeof in_data, 0));
    }
    CHECK(resident_kib() <= 24); /* both ends map the same 12 KiB */
    close_pair();
}

MEMORY_TEST(the_whole_ring_is_there_after_a_restart) {
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE, .ring_size = 65536});
    for (int i = 0; i < 60; i++) { /* the next message is the first of the second page, and goes to the beginning */
        CHECK_INT(64, lipc_channel_send(a, out_data, 64, 0));
        CHECK_INT(64, lipc_channel_receive(b, in_data, sizeof in_data, 0));
    }
    int sent = 0;
    for (; lipc_channel_send(a, &sent, sizeof sent, 0) >= 0; sent++) {
    }
    CHECK(sent > 65536 / 16 - 16);
    for (int i = 0; i < sent; i++) {
        int got = -1;
        CHECK_INT(sizeof got, lipc_channel_receive(b, &got, sizeof got, 0));
        CHECK_INT(i, got);
    }
    close_pair();
}

TEST(a_message_over_the_peers_limit_is_refused) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .max_message = 5000, .ring_size = 4096});
        CHECK_INT(5000, lipc_channel_message_limit(a));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_channel_send(a, out_data, 5001, WAIT));
        void *room;
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_channel_reserve(a, (size_t)lipc_channel_reserve_limit(a) + 1, 0, &room));
        check_message(5000);
        close_pair();
    }
}

TEST(a_message_that_does_not_fit_the_buffer_is_cut_and_its_rest_is_lost) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        fill_pattern(out_data, 1000, 1);
        CHECK_INT(1000, lipc_channel_send(a, out_data, 1000, 0));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_channel_receive(b, in_data, 999, 0));
        CHECK(memcmp(in_data, out_data, 999) == 0);
        send_in_background(100000);
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_channel_receive(b, in_data, 10, WAIT));
        CHECK(memcmp(in_data, out_data, 10) == 0);
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_receive(b, in_data, 10, 5));
        end_background();
        check_message(3);
        close_pair();
    }
}

TEST(a_message_that_does_not_fit_stays_if_it_is_to_be_whole) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        CHECK_INT(7, lipc_channel_send(a, "message", 7, 0));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_channel_receive_whole(b, in_data, 6, 0));
        CHECK_INT(7, lipc_channel_message_size(b, 0));
        CHECK_INT(7, lipc_channel_receive_whole(b, in_data, 7, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_message_size(b, 0));
        close_pair();
    }
}

TEST(a_receive_that_runs_out_of_time_keeps_the_parts_for_the_next) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const size_t size = 300000;
        fill_pattern(out_data, size, 9);
        bool done = false;
        for (int i = 0; !done; i++) { /* another buffer each time */
            char *buffer = in_data + i % 7;
            done = lipc_channel_send(a, out_data, size, 0) >= 0;
            int64_t n = lipc_channel_receive(b, buffer, size, i % 3 == 0 ? 1 : 0);
            if (n >= 0) {
                CHECK_INT(size, n);
                CHECK(memcmp(buffer, out_data, size) == 0);
                CHECK(done);
            } else {
                CHECK(lipc_error_code(n) == LIPC_EAGAIN || lipc_error_code(n) == LIPC_ETIMEDOUT);
                CHECK_OK(lipc_channel_keep(b));
                memset(buffer, 0, size);
            }
            CHECK(i < 100000);
        }
        if (lipc_channel_receive(b, in_data, size, 0) >= 0)
            CHECK(memcmp(in_data, out_data, size) == 0);
        check_message(5);
        close_pair();
    }
}

TEST(parts_stay_in_the_buffer_of_a_caller_that_does_not_wait) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const size_t size = 300000;
        fill_pattern(out_data, size, 9);
        bool sent = false, refused = false;
        for (int64_t n = -1; n < 0;) {
            sent = sent || lipc_channel_send(a, out_data, size, 0) >= 0;
            n = lipc_channel_receive(b, in_data, size, 0);
            CHECK(n == (int64_t)size || lipc_error_code(n) == LIPC_EAGAIN);
            if (n < 0 && !refused) {
                const void *message;
                CHECK_ERROR(LIPC_EINVAL, lipc_channel_receive(b, in_data + 1, size, 0));
                CHECK_ERROR(LIPC_EINVAL, lipc_channel_message_size(b, 0));
                CHECK_ERROR(LIPC_EINVAL, lipc_channel_next(b, 0, &message));
                CHECK_ERROR(LIPC_EINVAL, lipc_channel_read(b, in_data, size, 0));
                refused = true;
            }
        }
        CHECK(sent && refused && memcmp(in_data, out_data, size) == 0);
        check_message(5);
        close_pair();
    }
}

TEST(a_message_that_is_given_up_never_arrives_in_part) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const size_t size = 1 << 20;
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_send(a, out_data, size, 10));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, size, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, out_data, size, 0));
        CHECK_ERROR(LIPC_EINVAL, lipc_channel_send(a, out_data, size - 1, 0)); /* that one is under way */
        lipc_channel_cancel(a);
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, size, 0));
        CHECK_INT(4, lipc_channel_send(a, "next", 4, WAIT));
        CHECK_INT(4, lipc_channel_receive(b, in_data, size, WAIT));
        CHECK(memcmp(in_data, "next", 4) == 0);
        close_pair();
    }
}

TEST(both_ends_send_large_messages_at_once) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            CHECK(pthread_create(&threads[i], NULL, i % 2 ? receive_many : send_many, i < 2 ? a : b) == 0);
        for (int i = 0; i < 4; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        close_pair();
    }
}

TEST(a_call_waits_no_longer_than_it_may) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        char byte;
        void *room;
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(a, &byte, 1, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_receive(a, &byte, 1, 20));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_read(a, &byte, 1, 5));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_next(a, 5, &(const void *){NULL}));
        while (lipc_channel_send(a, out_data, 1000, 0) > 0) {
        }
        lipc_channel_cancel(a);
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_send(a, out_data, 1000, 20));
        if (memory != LIPC_CHANNEL_NEVER)
            CHECK_ERROR(LIPC_EAGAIN, lipc_channel_reserve(a, 1000, 0, &room));
        close_pair();
    }
}

TEST(batches_move_many_messages_with_one_call) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        char texts[10][16];
        lipc_buffer batch[10], got[10];
        for (int i = 0; i < 10; i++) {
            snprintf(texts[i], sizeof texts[i], "m%d", i);
            batch[i] = (lipc_buffer){texts[i], strlen(texts[i])};
            got[i] = (lipc_buffer){in_data + 100 * i, 100};
        }
        CHECK_INT(10, lipc_channel_send_batch(a, batch, 10, WAIT));
        CHECK_INT(4, lipc_channel_receive_batch(b, got, 4, WAIT));
        CHECK_INT(6, lipc_channel_receive_batch(b, got + 4, 6, WAIT));
        for (int i = 0; i < 10; i++) {
            CHECK_INT(2, (int64_t)got[i].size);
            CHECK(memcmp(got[i].data, texts[i], 2) == 0);
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive_batch(b, got, 10, 0));
        CHECK_INT(3, lipc_channel_send_batch(a, batch, 3, WAIT));
        got[0].size = 100;
        got[1].size = 1; /* too small: it ends the batch */
        CHECK_INT(2, lipc_channel_receive_batch(b, got, 3, WAIT));
        CHECK_INT(2, (int64_t)got[1].size);
        CHECK_INT(2, lipc_channel_receive(b, in_data, 100, 0));
        close_pair();
    }
}

MEMORY_TEST(a_batch_that_finds_no_room_reports_what_was_sent) {
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE, .ring_size = 4096});
    lipc_buffer batch[10];
    for (int i = 0; i < 10; i++)
        batch[i] = (lipc_buffer){out_data, 1000};
    int64_t sent = lipc_channel_send_batch(a, batch, 10, 0);
    CHECK(sent > 0 && sent < 10);
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send_batch(a, batch, 10, 0));
    for (int64_t i = 0; i < sent; i++)
        CHECK_INT(1000, lipc_channel_receive(b, in_data, 1000, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, 1000, 0));
    close_pair();
}

TEST(a_message_is_built_and_read_where_it_lies) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        void *room;
        const void *data, *again;
        CHECK_INT(100, lipc_channel_reserve(a, 100, 0, &room));
        CHECK_INT(0, (intptr_t)room % 8);
        memset(room, 'x', 100);
        CHECK_ERROR(LIPC_EINVAL, lipc_channel_commit(a, 101, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_next(b, 0, &data));
        CHECK_INT(40, lipc_channel_commit(a, 40, 0));
        CHECK_ERROR(LIPC_EINVAL, lipc_channel_commit(a, 0, 0));
        CHECK_INT(40, lipc_channel_next(b, WAIT, &data));
        CHECK_INT(0, (intptr_t)data % 8);
        CHECK_INT(40, lipc_channel_next(b, 0, &again));
        CHECK(data == again && memcmp(data, "xxxx", 4) == 0);
        lipc_channel_release(b);
        lipc_channel_release(b);
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_next(b, 0, &data));
        CHECK_INT(1, lipc_channel_reserve(a, 1, 0, &room)); /* this one is forgotten */
        CHECK_INT(2, lipc_channel_send(a, "hi", 2, 0));
        CHECK_ERROR(LIPC_EINVAL, lipc_channel_commit(a, 1, 0));
        CHECK_INT(2, lipc_channel_receive(b, in_data, 10, 0));
        close_pair();
    }
}

TEST(a_message_in_parts_is_put_together_for_next) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const void *data;
        for (int i = 0; i < 3; i++) {
            send_in_background(200000);
            CHECK_INT(200000, lipc_channel_next(b, WAIT, &data));
            CHECK(memcmp(data, out_data, 200000) == 0);
            if (i < 2)
                lipc_channel_release(b);
            end_background();
        }
        close_pair(); /* with the last one still borrowed */
    }
}

/* Every call that receives, but for lipc_channel_next(). */
static int64_t receive_in_some_way(int way, lipc_channel *channel, int timeout_ms) {
    lipc_buffer buffer = {in_data, sizeof in_data};
    lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1};
    switch (way) {
    case 0: return lipc_channel_receive(channel, in_data, sizeof in_data, timeout_ms);
    case 1: return lipc_channel_receive_whole(channel, in_data, sizeof in_data, timeout_ms);
    case 2: return lipc_channel_receive_message(channel, &m, timeout_ms);
    case 3: return lipc_channel_receive_batch(channel, &buffer, 1, timeout_ms);
    case 4: return lipc_channel_message_size(channel, timeout_ms);
    case 5: return lipc_channel_read(channel, in_data, sizeof in_data, timeout_ms);
    case 6: return lipc_channel_peek(channel, in_data, sizeof in_data, timeout_ms);
    default: return lipc_channel_prepare(channel, LIPC_READ, 0);
    }
}

enum { WAYS = 8 };

TEST(a_message_that_was_lent_stays_until_it_is_released) {
    EACH_MEMORY(memory) {
        for (int i = 0; i < 3; i++) {
            pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
            const void *data, *again;
            send_in_background(200000);
            CHECK_INT(200000, lipc_channel_next(b, WAIT, &data));
            end_background();
            for (int way = 0; way < WAYS; way++)
                CHECK_ERROR(LIPC_EINVAL, receive_in_some_way(way, b, WAIT));
            if (i > 0)
                CHECK_INT(0, lipc_channel_shutdown(b, i == 1 ? LIPC_READ : LIPC_READ | LIPC_WRITE, 0));
            CHECK_INT(200000, lipc_channel_next(b, 0, &again));
            CHECK(data == again && memcmp(data, out_data, 200000) == 0);
            lipc_channel_release(b);
            if (i == 0)
                check_message(100);
            else
                CHECK_ERROR(LIPC_EEND, lipc_channel_receive(b, in_data, 1, 0));
            close_pair();
        }
    }
}

TEST(a_message_that_was_peeked_at_stays) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const void *data;
        for (size_t size = 7; size < 300000; size += 200000) {
            send_in_background(size);
            CHECK_INT(size, lipc_channel_peek(b, in_data, sizeof in_data, WAIT));
            check_pattern(in_data, size, (unsigned)size);
            memset(in_data, UNTOUCHED, 8);
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_channel_peek(b, in_data, 6, 0));
            CHECK(memcmp(in_data, out_data, 6) == 0 && in_data[6] == UNTOUCHED);
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_channel_peek(b, NULL, 0, 0));
            CHECK_INT(size, lipc_channel_message_size(b, 0));
            CHECK_INT(size, lipc_channel_next(b, 0, &data));
            check_pattern(data, size, (unsigned)size);
            lipc_channel_release(b);
            CHECK_ERROR(LIPC_EAGAIN, lipc_channel_peek(b, in_data, 1, 0));
            end_background();
        }
        close_pair();
    }
}

TEST(calls_that_receive_can_come_in_any_order) {
    EACH_MEMORY(memory) {
        unsigned random = 1;
        for (int round = 0; round < 200; round++) {
            pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
            const char *lent = NULL;
            size_t size = 0, lent_size = 0;
            unsigned sent = 0;
            bool under_way = false, ended = false;
            for (int i = 0; i < 60; i++) {
                random = random * 1664525 + 1013904223;
                const unsigned choice = random >> 8;
                if (!under_way) {
                    size = choice % 3 == 0 ? choice % 9000 : choice % 100;
                    memset(out_data, (char)++sent, size);
                }
                under_way = lipc_error_code(lipc_channel_send(a, out_data, size, 0)) == LIPC_EAGAIN;
                const int way = (int)(choice >> 6 & 15), timeout_ms = choice & 32 ? LIPC_CHANNEL_ARM : 0;
                const void *data;
                if (way < WAYS) {
                    int64_t n = receive_in_some_way(way, b, timeout_ms);
                    CHECK(lent == NULL || lipc_error_code(n) == LIPC_EINVAL);
                    lipc_channel_keep(b);
                } else if (way < 12) {
                    int64_t n = lipc_channel_next(b, timeout_ms, &data);
                    CHECK(lent == NULL || (n == (int64_t)lent_size && data == lent));
                    lent = n >= 0 ? data : NULL;
                    lent_size = n >= 0 ? (size_t)n : 0;
                } else if (way < 15) {
                    lipc_channel_release(b);
                    lent = NULL;
                } else if (choice >> 10 & 1) {
                    ended = lipc_channel_shutdown(b, LIPC_READ, 0) == 0;
                }
                for (size_t j = 1; lent != NULL && j < lent_size; j++)
                    CHECK(lent[j] == lent[0]);
                CHECK(!ended || lent != NULL || lipc_error_code(lipc_channel_next(b, 0, &data)) == LIPC_EEND);
            }
            close_pair(); /* also with a message that was lent */
        }
    }
}

TEST(bytes_flow_without_boundaries) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        CHECK_INT(3, lipc_channel_write(a, "abc", 3, 0));
        CHECK_INT(3, lipc_channel_write(a, "def", 3, 0));
        CHECK_INT(0, lipc_channel_write(a, "", 0, 0));
        CHECK_INT(2, lipc_channel_read(b, in_data, 2, WAIT));
        CHECK_INT(4, lipc_channel_read(b, in_data + 2, 100, 0));
        CHECK(memcmp(in_data, "abcdef", 6) == 0);
        CHECK_INT(0, lipc_channel_read(b, in_data, 0, 0));
        const size_t size = 1 << 20;
        fill_pattern(out_data, size, 5);
        size_t sent = 0, got = 0;
        while (got < size) {
            int64_t n = sent < size ? lipc_channel_write(a, out_data + sent, size - sent, 0) : 0;
            sent += n > 0 ? (size_t)n : 0;
            lipc_channel_flush(a, 0);
            n = lipc_channel_read(b, in_data + got, 777, 0);
            got += n > 0 ? (size_t)n : 0;
        }
        CHECK(memcmp(in_data, out_data, size) == 0);
        CHECK_OK(lipc_channel_shutdown(a, LIPC_WRITE, WAIT));
        CHECK_INT(0, lipc_channel_read(b, in_data, 1, WAIT));
        close_pair();
    }
}

TEST(empty_messages_are_passed_over_by_a_reader) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        static lipc_buffer empty[3000];
        CHECK_INT(3000, lipc_channel_send_batch(a, empty, 3000, WAIT));
        CHECK_INT(1, lipc_channel_send(a, "x", 1, WAIT));
        int64_t n;
        int calls = 0; /* it may come up for the time now and then */
        while ((n = lipc_channel_read(b, in_data, 10, 0)) < 0 && ++calls < 10)
            CHECK_ERROR(LIPC_EAGAIN, n);
        CHECK_INT(1, n);
        close_pair();
    }
}

TEST(a_half_that_is_shut_down_ends_after_what_was_sent) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        void *room;
        CHECK_INT(4, lipc_channel_send(a, "last", 4, 0));
        CHECK_INT(4, lipc_channel_reserve(a, 4, 0, &room));
        CHECK_OK(lipc_channel_shutdown(a, LIPC_WRITE, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(a, "more", 4, 0));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_commit(a, 4, 0));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_reserve(a, 4, 0, &room));
        CHECK_INT(4, lipc_channel_receive(b, in_data, 10, WAIT));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(b, in_data, 10, 0));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(b, in_data, 10, WAIT));
        CHECK_INT(2, lipc_channel_send(b, "ok", 2, 0)); /* the other direction goes on */
        CHECK_INT(2, lipc_channel_receive(a, in_data, 10, WAIT));
        close_pair();
    }
}

TEST(a_peer_that_receives_no_more_ends_sending) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        CHECK_OK(lipc_channel_shutdown(b, LIPC_READ, 0));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(b, in_data, 10, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(a, "x", 1, WAIT));
        close_pair();
    }
}

TEST(a_full_ring_still_has_room_for_the_end) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        int sent = 0, received = 0;
        while (lipc_channel_send(a, out_data, 8, 0) == 8)
            sent++;
        lipc_channel_cancel(a);
        int r = lipc_channel_shutdown(a, LIPC_WRITE, 0);
        CHECK(r == 0 || memory == LIPC_CHANNEL_NEVER);
        while (lipc_channel_receive(b, in_data, 8, 0) == 8) {
            received++;
            lipc_channel_flush(a, 0);
        }
        CHECK_OK(lipc_channel_flush(a, WAIT));
        int64_t n;
        while ((n = lipc_channel_receive(b, in_data, 8, WAIT)) == 8)
            received++;
        CHECK_ERROR(LIPC_EEND, n);
        CHECK(received == sent || received == sent + 1); /* one that was given up may still arrive without memory */
        close_pair();
    }
}

TEST(wrong_options_are_refused) {
    lipc_handle handles[2];
    CHECK_OK(lipc_pair(LIPC_STREAM, &handles[0], &handles[1]));
    lipc_channel *channel;
    const lipc_channel_options wrong[] = {
        {.size = sizeof *wrong, .accepting = 2},
        {.size = sizeof *wrong, .memory = 3},
        {.size = sizeof *wrong, .ring_size = (uint32_t)LIPC_CHANNEL_RING_MAX + 1},
        {.size = sizeof *wrong, .max_message = (uint32_t)LIPC_CHANNEL_MESSAGE_MAX + 1},
        {.size = sizeof *wrong, .spin_us = -2},
        {.size = sizeof *wrong, .max_handles = -2},
        {.size = sizeof *wrong, .max_handles = LIPC_MESSAGE_HANDLES + 1},
        {.size = 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_channel_open(handles[0], &wrong[i], WAIT, &channel));
    close_all(handles, 2);
    CHECK_OK(lipc_pair(LIPC_DATAGRAM, &handles[0], &handles[1]));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_channel_open(handles[0], NULL, WAIT, &channel));
    close_all(handles, 2);
}

TEST(a_channel_has_at_most_one_handle_besides_the_connection) {
    EACH_MEMORY(memory) {
        test_open before, with;
        test_descriptors(&before);
        pair_of(&(lipc_channel_options){.memory = memory});
        test_descriptors(&with);
        int count = 0;
        for (int i = 0; i < TEST_DESCRIPTORS; i++)
            count += with.at[i].open - before.at[i].open;
        CHECK_INT(lipc_channel_shared(a) ? 4 : 2, count);
        for (int i = 0; i < TEST_DESCRIPTORS; i++)
            if (with.at[i].open && !before.at[i].open)
                check_born(i);
        close_pair();
    }
}
