/* Channels without I/O: the test moves the bytes, in pieces of odd sizes. */
#include "fixture.h"
#include "lipc_channel.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
enum { BIG = 300000, LIMIT = 1 << 20 };
static char sent[BIG], got[BIG];
static const size_t pieces[] = {1, 7, 64, 1001, 1 << 20};
static const size_t sizes[] = {0, 1, 5000, 32752, 32753, 70000, BIG, 0, 7};

static void fill_bytes(char *data, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((i * 31 + seed * 7 + (i >> 8)) & 0xff);
}

static lipc_channel *start_end(int accepting) {
    const lipc_channel_options o = {.size = sizeof o, .accepting = accepting, .max_message = LIMIT};
    lipc_channel *channel;
    CHECK_OK(lipc_channel_start_sans_io(&o, &channel));
    return channel;
}

/* Puts bytes into a channel, at most a piece of them. Returns how many the channel took. */
static size_t put(lipc_channel *channel, const void *data, size_t size, size_t piece) {
    void *room;
    size_t n = (size_t)CHECK_OK(lipc_channel_input(channel, &room));
    n = n < size ? n : size;
    n = n < piece ? n : piece;
    if (n > 0) {
        memcpy(room, data, n);
        lipc_channel_input_done(channel, n);
    }
    return n;
}

/* Moves a piece from one end to the other. Returns how much that was. */
static size_t move(lipc_channel *from, lipc_channel *to, size_t piece) {
    const void *data;
    size_t n = (size_t)CHECK_OK(lipc_channel_output(from, &data));
    n = n > 0 ? put(to, data, n, piece) : 0;
    lipc_channel_output_done(from, n);
    return n;
}

/* Goes on with a handshake. Returns whether it is complete. */
static bool is_open(lipc_channel *channel) {
    int r = lipc_channel_handshake(channel, 0);
    if (lipc_error_code(r) != LIPC_EAGAIN)
        CHECK_OK(r);
    return r == 0;
}

/* Opens both ends. */
static void open_both(size_t piece, lipc_channel **ret_a, lipc_channel **ret_b) {
    lipc_channel *a = start_end(0), *b = start_end(1);
    for (bool a_open = false, b_open = false; !a_open || !b_open;) {
        a_open = is_open(a);
        b_open = is_open(b);
        move(a, b, piece);
        move(b, a, piece);
    }
    CHECK_INT(0, lipc_channel_shared(a));
    CHECK_INT(LIMIT, lipc_channel_message_limit(b));
    CHECK_INT(0, lipc_channel_handle_limit(b));
    CHECK(lipc_channel_handle(a, LIPC_READ) == LIPC_INVALID_HANDLE);
    *ret_a = a;
    *ret_b = b;
}

static void close_both(lipc_channel *a, lipc_channel *b) {
    lipc_channel_close(a);
    lipc_channel_close(b);
}

TEST(messages_of_any_size_arrive_whatever_the_pieces_are) {
    fill_bytes(sent, sizeof sent, 1);
    for (size_t p = 0; p < LENGTH(pieces); p++) {
        lipc_channel *a, *b;
        open_both(pieces[p], &a, &b);
        for (size_t i = 0; i < LENGTH(sizes); i++) {
            memset(got, UNTOUCHED, sizeof got);
            int64_t n = -1, received = -1;
            while (n < 0 || received < 0) {
                n = n < 0 ? lipc_channel_send(a, sent, sizes[i], 0) : n;
                move(a, b, pieces[p]);
                received = received < 0 ? lipc_channel_receive(b, got, sizeof got, 0) : received;
                CHECK(n >= 0 || lipc_error_code(n) == LIPC_EAGAIN);
                CHECK(received >= 0 || lipc_error_code(received) == LIPC_EAGAIN);
            }
            CHECK_INT((int64_t)sizes[i], n);
            CHECK_INT((int64_t)sizes[i], received);
            CHECK(memcmp(sent, got, sizes[i]) == 0 && is_untouched(got + sizes[i], sizeof got - sizes[i]));
        }
        close_both(a, b);
    }
}

/* Moves all that is to be sent between an end and a connection, both ways, as far as that does not wait. */
static void move_over(lipc_channel *channel, lipc_handle connection) {
    const void *data;
    void *room;
    int64_t n = CHECK_OK(lipc_channel_output(channel, &data));
    if (n > 0 && (n = lipc_write(connection, data, (size_t)n, 0)) > 0)
        lipc_channel_output_done(channel, (size_t)n);
    n = CHECK_OK(lipc_channel_input(channel, &room));
    if (n > 0 && (n = lipc_read(connection, room, (size_t)n, 0)) >= 0)
        lipc_channel_input_done(channel, (size_t)n);
}

TEST(the_other_end_may_have_a_connection) {
    fill_bytes(sent, sizeof sent, 2);
    for (int accepting = 0; accepting < 2; accepting++) {
        const lipc_channel_options o = {.size = sizeof o, .accepting = !accepting, .max_message = LIMIT};
        lipc_channel *ours = start_end(accepting), *theirs;
        lipc_handle connection, other;
        CHECK_OK(lipc_pair(LIPC_STREAM, &connection, &other));
        CHECK_OK(lipc_channel_start(other, &o, &theirs));
        for (bool ours_open = false, theirs_open = false; !ours_open || !theirs_open;) {
            ours_open = is_open(ours);
            theirs_open = is_open(theirs);
            move_over(ours, connection);
        }
        CHECK_INT(0, lipc_channel_shared(theirs));
        CHECK_INT(0, lipc_channel_handle_limit(theirs)); /* the caller that reads would lose them */
        int64_t there = -1, back = -1, arrived = -1, returned = -1;
        while (there < 0 || back < 0 || arrived < 0 || returned < 0) {
            there = there < 0 ? lipc_channel_send(ours, sent, BIG, 0) : there;
            arrived = arrived < 0 ? lipc_channel_receive(theirs, got, BIG, 0) : arrived;
            if (arrived >= 0) {
                back = back < 0 ? lipc_channel_send(theirs, got, BIG, 0) : back;
                returned = returned < 0 ? lipc_channel_receive(ours, sent, BIG, 0) : returned;
            }
            move_over(ours, connection);
        }
        CHECK(there == BIG && arrived == BIG && back == BIG && returned == BIG && memcmp(sent, got, BIG) == 0);
        lipc_channel_close(theirs);
        do
            move_over(ours, connection);
        while (lipc_error_code(returned = lipc_channel_receive(ours, got, BIG, 0)) == LIPC_EAGAIN);
        CHECK_ERROR(LIPC_EEND, returned);
        lipc_channel_close(ours);
        CHECK_OK(lipc_close(connection));
    }
}

TEST(calls_do_not_wait_whatever_their_time_is) {
    lipc_channel *a, *b;
    void *place;
    const void *data;
    open_both(LIMIT, &a, &b);
    CHECK_INT(0, lipc_channel_output(a, &data));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(a, got, 1, -1));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(a, got, 1, WAIT));
    CHECK_INT(1, lipc_channel_prepare(a, LIPC_READ, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, "x", 1, -1));
    CHECK_INT(1, lipc_channel_prepare(a, LIPC_WRITE, 1));
    CHECK_INT(16, (int64_t)move(a, b, LIMIT));
    CHECK_INT(1, lipc_channel_send(a, "x", 1, -1));
    CHECK_INT(10, lipc_channel_reserve(a, 10, -1, &place));
    memcpy(place, "reserved", 8);
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_commit(a, 8, -1));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_flush(a, -1));
    CHECK_INT(16, (int64_t)move(a, b, LIMIT));
    CHECK_OK(lipc_channel_flush(a, -1));
    CHECK_INT(1, lipc_channel_receive(b, got, 10, 0));
    CHECK_INT(8, lipc_channel_receive(b, got, 10, 0));
    CHECK(memcmp(got, "reserved", 8) == 0);
    close_both(a, b);
}

TEST(what_was_reserved_stays_where_it_is) {
    lipc_channel *a, *b;
    void *place;
    open_both(LIMIT, &a, &b);
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, "first", 5, 0));
    CHECK_INT(10, lipc_channel_reserve(a, 10, 0, &place));
    memcpy(place, "reserved", 8);
    CHECK_INT(16, (int64_t)move(a, b, LIMIT));
    CHECK_OK(lipc_channel_prepare(a, LIPC_WRITE, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_commit(a, 8, 0));
    CHECK_INT(16, (int64_t)move(a, b, LIMIT));
    CHECK_INT(5, lipc_channel_receive(b, got, 10, 0));
    CHECK_INT(8, lipc_channel_receive(b, got, 10, 0));
    CHECK(memcmp(got, "reserved", 8) == 0);
    close_both(a, b);
}

TEST(a_message_that_was_read_stays_where_it_is) {
    lipc_channel *a, *b;
    const void *lent;
    void *room;
    open_both(LIMIT, &a, &b);
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, "lent", 4, 0));
        CHECK_INT(16, (int64_t)move(a, b, LIMIT));
        CHECK_INT(4, lipc_channel_send(a, "lent", 4, 0));
        CHECK_INT(4, lipc_channel_next(b, 0, &lent));
        CHECK_INT(0, lipc_channel_input(b, &room));
        CHECK(memcmp(lent, "lent", 4) == 0);
        lipc_channel_release(b);
        CHECK(lipc_channel_input(b, &room) > 0);
    }
    close_both(a, b);
}

TEST(the_end_comes_after_what_was_sent) {
    lipc_channel *a, *b;
    void *room;
    open_both(7, &a, &b);
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, "last", 4, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_shutdown(a, LIPC_WRITE, 0));
    CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(a, "x", 1, 0));
    while (move(a, b, 7) > 0) {
    }
    CHECK_OK(lipc_channel_shutdown(a, LIPC_WRITE, 0));
    CHECK_INT(4, lipc_channel_receive(b, got, 10, 0));
    CHECK_ERROR(LIPC_EEND, lipc_channel_receive(b, got, 10, 0));
    CHECK_INT(0, lipc_channel_input(b, &room));
    CHECK_OK(lipc_channel_shutdown(a, LIPC_READ, 0));
    CHECK_ERROR(LIPC_EEND, lipc_channel_receive(a, got, 10, 0));
    CHECK_INT(0, lipc_channel_input(a, &room));
    close_both(a, b);
}

TEST(a_connection_that_ends_is_the_end) {
    lipc_channel *a, *b;
    open_both(LIMIT, &a, &b);
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(a, "half of it arrives", 18, 0));
    CHECK_INT(20, (int64_t)move(a, b, 20));
    lipc_channel_input_done(b, 0);
    CHECK_ERROR(LIPC_EEND, lipc_channel_receive(b, got, 100, 0));
    close_both(a, b);
    a = start_end(1);
    CHECK_INT(5, (int64_t)put(a, "\x89lipc", 5, LIMIT));
    lipc_channel_input_done(a, 0);
    CHECK_ERROR(LIPC_EEND, lipc_channel_handshake(a, 0));
    lipc_channel_close(a);
}

/* A hello of a client, of this many bytes. */
static const char *hello_of(uint32_t length, uint16_t version_max) {
    static char hello[1024];
    const uint32_t order = 0x01020304, sizes_and_flags[] = {0, 4096, LIMIT};
    const uint16_t versions[] = {1, version_max};
    memset(hello, 0x55, sizeof hello);
    memset(hello, 0, 64);
    memcpy(hello, "\x89lipc\r\n\x1a", 8);
    memcpy(hello + 8, &order, 4);
    memcpy(hello + 12, &length, 4);
    memcpy(hello + 16, versions, 4);
    memcpy(hello + 20, sizes_and_flags, 12);
    return hello;
}

/* Opens an accepting end whose client is this file. */
static lipc_channel *open_to_client(uint32_t length, size_t piece) {
    lipc_channel *channel = start_end(1);
    const char *hello = hello_of(length, 3);
    const void *answer;
    for (size_t done = 0; done < length;)
        done += put(channel, hello + done, length - done, piece);
    CHECK(!is_open(channel));
    CHECK_INT(64, lipc_channel_output(channel, &answer));
    lipc_channel_output_done(channel, 64);
    CHECK(!is_open(channel));
    CHECK_INT(8, (int64_t)put(channel, "\0\0\0\0\0\0\0\0", 8, LIMIT));
    CHECK(is_open(channel));
    return channel;
}

TEST(what_a_later_version_adds_to_its_hello_is_passed_over) {
    static const uint32_t lengths[] = {64, 65, 128, 129, 1024};
    static const uint32_t header[] = {UINT32_C(1) << 29, 0};
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        for (size_t p = 0; p < LENGTH(pieces); p++) {
            lipc_channel *channel = open_to_client(lengths[i], pieces[p]);
            CHECK_INT(8, (int64_t)put(channel, header, 8, LIMIT));
            CHECK_INT(0, lipc_channel_receive(channel, got, 1, 0));
            lipc_channel_close(channel);
        }
    }
}

TEST(a_peer_that_breaks_the_protocol_ends_the_channel) {
    static const uint32_t records[][2] = {{0, 0}, {UINT32_C(7) << 29, 0}, {UINT32_C(1) << 29 | 5, 4},
                                          {UINT32_C(2) << 29, 10}, {UINT32_C(1) << 29, LIMIT + 1}};
    void *room;
    const void *data;
    for (size_t i = 0; i < LENGTH(records); i++) {
        lipc_channel *channel = open_to_client(64, LIMIT);
        CHECK_INT(8, (int64_t)put(channel, records[i], 8, LIMIT));
        memset(got, 0, 16);
        put(channel, got, 16, LIMIT);
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(channel, got, 10, 0));
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_input(channel, &room));
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_output(channel, &data));
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_send(channel, "x", 1, 0));
        lipc_channel_close(channel);
    }
    lipc_channel *channel = start_end(1);
    CHECK_INT(16, (int64_t)put(channel, "GET / HTTP/1.1\r\n", 16, LIMIT));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_input(channel, &room));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_handshake(channel, 0));
    lipc_channel_close(channel);
}

TEST(messages_have_neither_handles_nor_credentials) {
    static const uint32_t with_files[] = {UINT32_C(1) << 29, UINT32_C(1) << 31};
    lipc_channel *a, *b;
    lipc_handle handle;
    lipc_credentials credentials = {.pid = -1, .uid = -1, .gid = -1};
    lipc_message m = {.size = sizeof m, .credentials = &credentials};
    open_both(LIMIT, &a, &b);
    CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_send_message(a, &m, 0));
    m.handles = &handle;
    m.handle_count = 1;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_send_message(a, &m, 0));
    close_both(a, b);
    a = open_to_client(64, LIMIT);
    CHECK_INT(8, (int64_t)put(a, with_files, 8, LIMIT)); /* a peer may say otherwise */
    memset(&credentials, 0, sizeof credentials);
    m.handle_count = 0;
    m.handle_capacity = 1;
    CHECK_INT(0, lipc_channel_receive_message(a, &m, 0));
    CHECK_INT(0, (int64_t)m.handle_count);
    CHECK(credentials.pid == -1 && credentials.uid == -1 && credentials.gid == -1);
    lipc_channel_close(a);
}

TEST(what_needs_a_connection_is_refused) {
    lipc_channel_options o = {.size = sizeof o, .memory = LIPC_CHANNEL_REQUIRE};
    lipc_channel *a, *b;
    void *room;
    const void *data;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_start_sans_io(&o, &a));
    o.memory = LIPC_CHANNEL_NEVER + 1;
    CHECK_ERROR(LIPC_EINVAL, lipc_channel_start_sans_io(&o, &a));
    CHECK_OK(lipc_channel_pair(NULL, &a, &b));
    CHECK_ERROR(LIPC_EINVAL, lipc_channel_input(a, &room));
    CHECK_ERROR(LIPC_EINVAL, lipc_channel_output(a, &data));
    close_both(a, b);
}
