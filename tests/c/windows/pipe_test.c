/* Pairs and unnamed pipes. */
#include "fixture.h"

static char sent[200000], got[200000];

TEST(a_pair_is_each_others_peer) {
    static const int kinds[] = {LIPC_STREAM, LIPC_MESSAGE};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        lipc_handle a, b;
        CHECK_OK(lipc_pair(kinds[i], &a, &b));
        CHECK(a != b);
        check_born(a);
        check_born(b);
        CHECK_INT(kinds[i], lipc_kind(a));
        CHECK_INT(kinds[i], lipc_kind(b));
        CHECK_INT(LIPC_READ | LIPC_WRITE, lipc_pipe_access(a));
        CHECK_INT(LIPC_READ | LIPC_WRITE, lipc_pipe_access(b));
        if (kinds[i] == LIPC_STREAM) {
            check_connected(a, b);
            check_connected(b, a);
        }
        close_ends(a, b);
    }
}

TEST(a_pair_of_what_windows_does_not_have_is_refused) {
    lipc_handle a, b;
    memset(&a, UNTOUCHED, sizeof a);
    memset(&b, UNTOUCHED, sizeof b);
    CHECK_ERROR(LIPC_ENOTSUP, lipc_pair(LIPC_DATAGRAM, &a, &b));
    CHECK_ERROR(LIPC_EINVAL, lipc_pair(0, &a, &b));
    CHECK_ERROR(LIPC_EINVAL, lipc_pair(3, &a, &b));
    CHECK_ERROR(LIPC_EINVAL, lipc_pair(LIPC_STREAM_LISTENER, &a, &b));
    CHECK(is_untouched(&a, sizeof a) && is_untouched(&b, sizeof b));
}

TEST(many_pairs_do_not_meet) {
    enum { PAIRS = 200 };
    static lipc_handle a[PAIRS], b[PAIRS];
    for (int i = 0; i < PAIRS; i++)
        CHECK_OK(lipc_pair(LIPC_STREAM, &a[i], &b[i]));
    for (int i = 0; i < PAIRS; i++) {
        char byte = (char)i, back;
        CHECK_INT(1, lipc_write(a[i], &byte, 1, WAIT));
        CHECK_INT(1, lipc_read(b[i], &back, 1, WAIT));
        CHECK_INT(byte, back);
    }
    close_all(a, PAIRS);
    close_all(b, PAIRS);
}

TEST(what_is_written_to_a_pipe_is_read_from_it) {
    lipc_handle reader, writer;
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    check_born(reader);
    check_born(writer);
    CHECK_INT(LIPC_READ, lipc_pipe_access(reader));
    CHECK_INT(LIPC_WRITE, lipc_pipe_access(writer));
    check_connected(writer, reader);
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(reader, got, 1, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read(reader, got, 1, 20));
    CHECK_ERROR(LIPC_EBADF, lipc_write(reader, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_read(writer, got, 1, WAIT));
    CHECK_INT(4, lipc_write(writer, "last", 4, WAIT));
    close_end(&writer);
    CHECK_INT(4, lipc_read(reader, got, sizeof got, WAIT));
    CHECK_INT(0, lipc_read(reader, got, sizeof got, WAIT));
    CHECK_OK(lipc_close(reader));
}

TEST(writing_to_a_pipe_that_nobody_reads_is_a_broken_pipe) {
    lipc_handle reader, writer;
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    CHECK_OK(lipc_close(reader));
    CHECK_ERROR(LIPC_EPIPE, lipc_write(writer, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_write(writer, "x", 1, 0));
    CHECK_OK(lipc_close(writer));
}

/* How much a pipe takes before somebody reads. */
static int64_t room_of(int buffer_size) {
    lipc_pipe_options options = {.size = sizeof options, .buffer_size = buffer_size};
    lipc_handle reader, writer;
    int64_t room = 0;
    CHECK_OK(lipc_pipe(&options, &reader, &writer));
    CHECK_INT(buffer_size == 0 ? 65536 : buffer_size, lipc_buffer_size(reader, LIPC_READ));
    while (room < (int64_t)sizeof sent && lipc_write(writer, sent, 1024, 0) == 1024)
        room += 1024;
    close_ends(reader, writer);
    return room;
}

TEST(the_buffer_of_a_pipe_has_the_size_that_was_asked_for) {
    int64_t small = room_of(4096), default_room = room_of(0), large = room_of(128 * 1024);
    CHECK(small >= 4096 && small < 65536);
    CHECK(default_room >= 65536 - 1024);
    CHECK(large > default_room);
}

typedef struct writing {
    lipc_handle handle;
    size_t size;
} writing;

static DWORD WINAPI write_all(void *argument) {
    writing *w = argument;
    CHECK_INT((int64_t)w->size, lipc_write(w->handle, sent, w->size, -1));
    return 0;
}

TEST(a_lot_goes_through_a_pipe) {
    lipc_handle reader, writer;
    fill_pattern(sent, sizeof sent, 0);
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    writing w = {writer, sizeof sent};
    thread t = start_thread(write_all, &w);
    for (size_t at = 0; at < sizeof got;) {
        int64_t n = lipc_read(reader, got + at, sizeof got - at, WAIT);
        CHECK(n > 0);
        at += (size_t)n;
    }
    join_thread(t);
    check_pattern(got, sizeof got, 0);
    close_ends(reader, writer);
}

TEST(wrong_options_of_a_pipe_are_refused) {
    const lipc_pipe_options rows[] = {
        {.size = 3},
        {.size = sizeof *rows, .inherit = 4},
        {.size = sizeof *rows, .inherit = -1},
        {.size = sizeof *rows, .buffer_size = -1},
        {.size = sizeof *rows, .sddl = "nonsense"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        lipc_handle reader, writer;
        memset(&reader, UNTOUCHED, sizeof reader);
        memset(&writer, UNTOUCHED, sizeof writer);
        CHECK_ERROR(LIPC_EINVAL, lipc_pipe(&rows[i], &reader, &writer));
        CHECK(is_untouched(&reader, sizeof reader) && is_untouched(&writer, sizeof writer));
    }
}

TEST(the_ends_that_were_asked_for_are_inheritable) {
    for (int inherit = 0; inherit <= (LIPC_READ | LIPC_WRITE); inherit++) {
        lipc_pipe_options options = {.size = sizeof options, .inherit = inherit};
        lipc_handle reader, writer;
        CHECK_OK(lipc_pipe(&options, &reader, &writer));
        CHECK_INT((inherit & LIPC_READ) != 0, is_inheritable(reader));
        CHECK_INT((inherit & LIPC_WRITE) != 0, is_inheritable(writer));
        CHECK_INT(5, lipc_write(writer, "hello", 5, WAIT)); /* it is of use to this process too */
        CHECK_INT(5, lipc_read(reader, got, sizeof got, WAIT));
        close_ends(reader, writer);
    }
}
