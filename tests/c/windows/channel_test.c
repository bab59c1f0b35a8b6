/* Channels over named pipes: messages, bytes, ends, deadlines, and peers that break the protocol. */
#include "fixture.h"
#include "channel_hello.h"
#include "lipc_channel.h"

enum { BIG = 300000, LIMIT = 1 << 20 };
static char sent[BIG], got[BIG];

/* The end of a channel that another thread opens. */
typedef struct opening {
    lipc_handle connection;
    lipc_channel_options options;
    lipc_channel *channel;
} opening;

static DWORD WINAPI open_end(void *argument) {
    opening *o = argument;
    CHECK_OK(lipc_channel_open(o->connection, &o->options, WAIT, &o->channel));
    return 0;
}

/* Opens both ends of a connection; the channels own it then. */
static void open_channel(lipc_handle *a, lipc_handle *b, lipc_channel **ret_a, lipc_channel **ret_b) {
    opening o = {.connection = *a, .options = {.size = sizeof o.options, .max_message = LIMIT}};
    opening other = {.connection = *b, .options = o.options};
    other.options.accepting = 1;
    thread t = start_thread(open_end, &o);
    open_end(&other);
    join_thread(t);
    CHECK_INT(0, lipc_channel_shared(o.channel));
    CHECK_INT(0, lipc_channel_shared(other.channel));
    *ret_a = o.channel;
    *ret_b = other.channel;
    *a = *b = LIPC_INVALID_HANDLE;
}

static void close_channel(lipc_channel *a, lipc_channel *b) {
    lipc_channel_close(a);
    lipc_channel_close(b);
}

static const size_t sizes[] = {0, 1, 5000, 32752, 32753, 70000, BIG, 0, 7};

static DWORD WINAPI send_sizes(void *channel) {
    for (size_t i = 0; i < COUNT(sizes); i++)
        CHECK_INT((int64_t)sizes[i], lipc_channel_send(channel, sent, sizes[i], WAIT));
    return 0;
}

static void receive_sizes(lipc_channel *channel) {
    for (size_t i = 0; i < COUNT(sizes); i++) {
        memset(got, UNTOUCHED, sizeof got);
        CHECK_INT((int64_t)sizes[i], lipc_channel_receive(channel, got, sizeof got, WAIT));
        CHECK(memcmp(sent, got, sizes[i]) == 0 && is_untouched(got + sizes[i], sizeof got - sizes[i]));
    }
}

TEST(messages_of_any_size_arrive_both_ways_at_once) {
    fill_pattern(sent, sizeof sent, 1);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        open_channel(&a, &b, &x, &y);
        thread there = start_thread(send_sizes, x), back = start_thread(send_sizes, y);
        receive_sizes(y);
        receive_sizes(x);
        join_thread(there);
        join_thread(back);
        close_channel(x, y);
    }
}

TEST(a_pair_of_channels_exchanges_messages) {
    lipc_channel *x, *y;
    CHECK_OK(lipc_channel_pair(NULL, &x, &y));
    CHECK_INT(4, lipc_channel_send(x, "ping", 4, WAIT));
    CHECK_INT(4, lipc_channel_receive(y, got, 10, WAIT));
    CHECK(memcmp(got, "ping", 4) == 0);
    CHECK_INT(4, lipc_channel_send(y, "pong", 4, WAIT));
    CHECK_INT(4, lipc_channel_receive(x, got, 10, WAIT));
    close_channel(x, y);
}

TEST(messages_come_in_batches_and_where_they_lie) {
    static const int64_t left[] = {0, 5, 4};
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        const void *lent;
        void *place;
        lipc_buffer batch[] = {{(void *)"one", 3}, {NULL, 0}, {(void *)"three", 5}};
        open_channel(&a, &b, &x, &y);
        CHECK_INT(3, lipc_channel_send_batch(x, batch, 3, WAIT));
        CHECK_INT(100, lipc_channel_reserve(x, 100, WAIT, &place));
        memcpy(place, "four", 4);
        CHECK_INT(4, lipc_channel_commit(x, 4, WAIT));
        CHECK_INT(3, lipc_channel_next(y, WAIT, &lent));
        CHECK(memcmp(lent, "one", 3) == 0);
        lipc_channel_release(y);
        CHECK_INT(0, lipc_channel_message_size(y, WAIT));
        for (int64_t done = 0; done < 3;) {
            lipc_buffer room[] = {{got, 10}, {got + 10, 10}, {got + 20, 10}};
            int64_t n = CHECK_OK(lipc_channel_receive_batch(y, room, COUNT(room), WAIT));
            for (int64_t i = 0; i < n; i++, done++)
                CHECK_INT(left[done], (int64_t)room[i].size);
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(y, got, 10, 0));
        close_channel(x, y);
    }
}

static DWORD WINAPI write_all(void *channel) {
    for (size_t done = 0; done < BIG;)
        done += (size_t)CHECK_OK(lipc_channel_write(channel, sent + done, BIG - done, WAIT));
    CHECK_OK(lipc_channel_shutdown(channel, LIPC_WRITE, WAIT));
    return 0;
}

TEST(bytes_flow_and_end_with_the_half_close) {
    fill_pattern(sent, sizeof sent, 2);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        size_t done = 0;
        open_channel(&a, &b, &x, &y);
        thread t = start_thread(write_all, x);
        for (int64_t n; (n = CHECK_OK(lipc_channel_read(y, got + done, sizeof got - done, WAIT))) > 0;)
            done += (size_t)n;
        CHECK_INT(BIG, (int64_t)done);
        CHECK(memcmp(sent, got, BIG) == 0);
        join_thread(t);
        close_channel(x, y);
    }
}

TEST(a_half_close_is_the_end_of_one_direction) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        open_channel(&a, &b, &x, &y);
        CHECK_INT(4, lipc_channel_send(x, "last", 4, WAIT));
        CHECK_OK(lipc_channel_shutdown(x, LIPC_WRITE, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(x, "more", 4, WAIT));
        CHECK_INT(4, lipc_channel_receive(y, got, 10, WAIT));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(y, got, 10, WAIT));
        CHECK_INT(6, lipc_channel_send(y, "answer", 6, WAIT));
        CHECK_INT(6, lipc_channel_receive(x, got, 10, WAIT));
        close_channel(x, y);
    }
}

TEST(an_end_that_receives_no_more_is_at_the_end_at_once) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        open_channel(&a, &b, &x, &y);
        CHECK_INT(4, lipc_channel_send(x, "lost", 4, WAIT));
        CHECK_OK(lipc_channel_shutdown(y, LIPC_READ, WAIT));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(y, got, 10, WAIT));
        CHECK_INT(6, lipc_channel_send(y, "answer", 6, WAIT));
        CHECK_INT(6, lipc_channel_receive(x, got, 10, WAIT));
        close_channel(x, y);
    }
}

TEST(what_was_sent_before_a_close_arrives_and_then_the_end) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        open_channel(&a, &b, &x, &y);
        CHECK_INT(4, lipc_channel_send(x, "last", 4, WAIT));
        lipc_channel_close(x);
        CHECK_INT(4, lipc_channel_receive(y, got, 10, WAIT));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(y, got, 10, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(y, "x", 1, WAIT));
        lipc_channel_close(y);
    }
}

static DWORD WINAPI send_later(void *channel) {
    CHECK_INT(5, lipc_channel_send(channel, "later", 5, WAIT));
    return 0;
}

TEST(a_call_waits_as_long_as_it_may) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        open_channel(&a, &b, &x, &y);
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(y, got, 10, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(y, got, 10, LIPC_CHANNEL_ARM));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_receive(y, got, 10, 20));
        thread t = start_thread(send_later, x);
        CHECK_INT(5, lipc_channel_receive(y, got, 10, -1));
        join_thread(t);
        close_channel(x, y);
    }
}

/* Fills the pipe; then a message whose time runs out must not arrive, and the one after it must. */
TEST(a_message_whose_time_runs_out_leaves_the_others_whole) {
    fill_pattern(sent, sizeof sent, 3);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        int64_t n = 0;
        int whole = 0, came = 0;
        open_channel(&a, &b, &x, &y);
        for (; n >= 0 && whole < 1000; whole += n >= 0)
            n = lipc_channel_send(x, sent, 20000, 20);
        CHECK_ERROR(LIPC_ETIMEDOUT, n);
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_send(x, sent, BIG, 20));
        while ((n = lipc_channel_receive(y, got, sizeof got, 20)) >= 0 || lipc_channel_flush(x, 0) < 0) {
            if (n < 0) /* the end of a message is still to be sent */
                continue;
            CHECK(n == 20000 && memcmp(sent, got, 20000) == 0);
            came++;
        }
        CHECK(came == whole || came == whole + 1); /* that one may have been put where it is sent later */
        CHECK_INT(4, lipc_channel_send(x, "next", 4, WAIT));
        do {
            n = CHECK_OK(lipc_channel_receive(y, got, sizeof got, WAIT));
        } while (n == 20000);
        CHECK_INT(4, n);
        close_channel(x, y);
    }
}

/* ------------------------------------------ Hostile peers --------------------------------------- */

/* Opens the accepting end with a peer that has written this. */
static int open_against(lipc_handle end, lipc_handle peer, const void *bytes, size_t size, lipc_channel **ret_channel) {
    lipc_channel_options o = {.size = sizeof o, .accepting = 1, .max_message = 5000};
    CHECK_INT((int64_t)size, lipc_write(peer, bytes, size, WAIT));
    return lipc_channel_open(end, &o, 50, ret_channel);
}

TEST(a_peer_that_is_no_channel_is_refused) {
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x;
        CHECK_ERROR(LIPC_EPROTO, open_against(a, b, http, sizeof http - 1, &x));
    }
    hello h = new_hello(0, 4096, 100000, 0);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x;
        CHECK_ERROR(LIPC_ETIMEDOUT, open_against(a, b, &h, sizeof h - 1, &x));
    }
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x;
        lipc_channel_options o = {.size = sizeof o, .accepting = 1};
        close_end(&b);
        CHECK_ERROR(LIPC_EEND, lipc_channel_open(a, &o, WAIT, &x));
    }
}

TEST(records_that_cannot_be_end_the_channel) {
    static const uint32_t records[][2] = {
        {1u << 29 | 32753, 32753}, /* longer than a record may be */
        {1u << 29 | 9, 8},         /* longer than its message */
        {1u << 29 | 8, 9},         /* shorter than its message */
        {2u << 29 | 100, 5001},    /* larger than the receiver takes */
        {3u << 29, 8},             /* a pad */
        {4u << 29 | 8, 0},         /* an end with a length */
        {5u << 29, 0},             /* nothing to cancel */
        {6u << 29, 0},             /* a kind that does not exist */
    };
    for (size_t i = 0; i < COUNT(records); i++)
        EACH_CONNECTION(LIPC_STREAM, a, b) {
            lipc_channel *x;
            hello h = new_hello(0, 4096, 100000, 0);
            const uint32_t choice[2] = {0, 0};
            char bytes[sizeof h + sizeof choice];
            memcpy(bytes, &h, sizeof h);
            memcpy(bytes + sizeof h, choice, sizeof choice);
            CHECK_OK(open_against(a, b, bytes, sizeof bytes, &x));
            CHECK_INT(16, lipc_write(b, (uint32_t[]){1u << 29 | 3, 3, 0, 0}, 16, WAIT));
            CHECK_INT(8, lipc_write(b, records[i], 8, WAIT));
            CHECK_INT(104, lipc_write(b, sent, 104, WAIT)); /* the payload of the longest one that may come */
            CHECK_INT(3, lipc_channel_receive(x, got, sizeof got, WAIT));
            CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(x, got, sizeof got, WAIT));
            CHECK_ERROR(LIPC_EPROTO, lipc_channel_send(x, "x", 1, WAIT));
            lipc_channel_close(x);
            a = LIPC_INVALID_HANDLE;
        }
}

TEST(memory_that_was_not_asked_for_is_refused) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x;
        hello h = new_hello(ANSWER | SHARES, 4096, 100000, 0);
        CHECK_INT(sizeof h, lipc_write(b, &h, sizeof h, WAIT));
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_open(a, NULL, WAIT, &x));
    }
}

TEST(shared_memory_cannot_be_required_here) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x = NULL;
        lipc_channel_options o = {.size = sizeof o, .memory = LIPC_CHANNEL_REQUIRE};
        CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_open(a, &o, WAIT, &x));
        CHECK(x == NULL);
        check_connected(a, b);
    }
}

TEST(handles_do_not_travel_over_a_channel_here) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_channel *x, *y;
        HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
        lipc_handle handle = (lipc_handle)event;
        lipc_buffer buffer = {sent, 3};
        lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .handles = &handle};
        m.handle_count = 1;
        open_channel(&a, &b, &x, &y);
        CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_send_message(x, &m, WAIT));
        CHECK_INT(4, lipc_channel_send(x, "next", 4, WAIT));
        CHECK_INT(4, lipc_channel_receive(y, got, 10, WAIT));
        CHECK(CloseHandle(event));
        close_channel(x, y);
    }
}
