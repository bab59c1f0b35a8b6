/* Bytes: reading and writing, gathered and scattered, with every kind of timeout, and how they end. */
#include "fixture.h"

enum { BIG = 8 << 20 };
static char sent[BIG], got[BIG];

TEST(bytes_arrive_as_they_were_sent) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        CHECK_INT(3, lipc_write(a, "abc", 3, WAIT));
        CHECK_INT(3, lipc_write(a, "def", 3, WAIT));
        char bytes[8] = "";
        CHECK_INT(2, lipc_read(b, bytes, 2, WAIT)); /* there are no boundaries */
        CHECK_STRING("ab", bytes);
        size_t n = 0;
        while (n < 4) {
            int64_t r = lipc_read(b, bytes + n, sizeof bytes - 1 - n, WAIT);
            CHECK(r > 0);
            n += (size_t)r;
        }
        CHECK_STRING("cdef", bytes);
    }
}

TEST(reading_nothing_and_writing_nothing_is_done_at_once) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        CHECK_INT(0, lipc_read(a, NULL, 0, -1));
        CHECK_INT(0, lipc_write(a, NULL, 0, -1));
        CHECK_INT(0, lipc_writev(a, NULL, 0, -1));
        CHECK_INT(0, lipc_readv(a, NULL, 0, -1));
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0)); /* which is not the end for the peer */
        check_connected(a, b);
    }
}

TEST(reading_waits_as_long_as_it_was_asked_to) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        memset(got, UNTOUCHED, 16);
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 16, 0));
        ULONGLONG began = GetTickCount64();
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read(b, got, 16, 60));
        CHECK(GetTickCount64() - began >= 40 && GetTickCount64() - began < WAIT);
        CHECK(is_untouched(got, 16));
        CHECK_INT(1, lipc_write(a, "x", 1, 0));
        CHECK_INT(1, lipc_read(b, got, 16, 0)); /* what is there, although more was asked for */
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 16, 0));
        check_connected(b, a);
    }
}

TEST(a_read_whose_time_ran_out_takes_nothing) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        for (int i = 0; i < 50; i++) {
            char byte = (char)i, back;
            CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read(b, &back, 1, 1));
            CHECK_INT(1, lipc_write(a, &byte, 1, WAIT));
            CHECK_INT(1, lipc_read(b, &back, 1, WAIT));
            CHECK_INT(byte, back);
        }
    }
}

typedef struct transfer {
    lipc_handle handle;
    size_t size;
    int timeout_ms;
    HANDLE begun;
} transfer;

static DWORD WINAPI read_all(void *argument) {
    transfer *t = argument;
    size_t at = 0;
    while (at < t->size) {
        int64_t n = lipc_read(t->handle, got + at, t->size - at, t->timeout_ms);
        CHECK_OK(n);
        CHECK(n > 0);
        at += (size_t)n;
    }
    return 0;
}

TEST(what_is_larger_than_any_buffer_goes_through_whole) {
    fill_pattern(sent, BIG, 0);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        static const int timeouts[] = {WAIT, -1};
        for (size_t i = 0; i < COUNT(timeouts); i++) {
            transfer t = {b, BIG, timeouts[i], NULL};
            memset(got, 0, BIG);
            thread reader = start_thread(read_all, &t);
            CHECK_INT(BIG, lipc_write(a, sent, BIG, timeouts[i]));
            join_thread(reader);
            CHECK(memcmp(sent, got, BIG) == 0);
        }
    }
}

TEST(writing_without_waiting_writes_what_there_is_room_for) {
    fill_pattern(sent, BIG, 0);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        int64_t written = 0, n;
        while ((n = lipc_write(a, sent + written, 100000, 0)) > 0 && written + n + 100000 < BIG)
            written += n;
        CHECK_ERROR(LIPC_EAGAIN, n);
        CHECK(written > 0);
        CHECK_ERROR(LIPC_EAGAIN, lipc_write(a, sent + written, 1, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_write(a, sent + written, 1, 30));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_write(a, sent + written, 100000, 30));
        /* Checks that what was counted as written is there, and nothing else. */
        transfer t = {b, (size_t)written, WAIT, NULL};
        read_all(&t);
        CHECK(memcmp(sent, got, (size_t)written) == 0);
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0));
        check_connected(a, b);
    }
}

TEST(a_write_whose_time_ran_out_reports_how_much_was_written) {
    fill_pattern(sent, BIG, 0);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        int64_t written = lipc_write(a, sent, BIG, 30);
        CHECK(written > 0 && written < BIG);
        transfer t = {b, (size_t)written, WAIT, NULL};
        read_all(&t);
        CHECK(memcmp(sent, got, (size_t)written) == 0);
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0));
    }
}

/* Reads up to the end, and counts the bytes. */
static DWORD WINAPI read_slowly(void *argument) {
    transfer *t = argument;
    int64_t n;
    t->size = 0;
    while ((n = lipc_read(t->handle, got + t->size, 3000, WAIT)) > 0)
        t->size += (size_t)n;
    CHECK_INT(0, n);
    return 0;
}

TEST(a_write_whose_time_ran_out_beside_a_reader_counts_what_arrived) {
    enum { SIZE = 2 << 20 };
    fill_pattern(sent, SIZE, 0);
    for (int timeout = 0; timeout < 20; timeout++)
        EACH_CONNECTION(LIPC_STREAM, a, b) {
            transfer t = {b, 0, WAIT, NULL};
            thread reader = start_thread(read_slowly, &t);
            int64_t counted = lipc_write(a, sent, SIZE, timeout);
            if (counted < 0)
                counted = 0;
            close_end(&a);
            join_thread(reader);
            CHECK_INT(counted, t.size);
            check_pattern(got, t.size, 0);
        }
}

TEST(buffers_are_gathered_and_scattered_in_order) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        const lipc_buffer out[] = {{"ab", 2}, {NULL, 0}, {"c", 1}, {"defgh", 5}};
        char x[3] = "", y[3] = "", z[20] = "";
        const lipc_buffer in[] = {{x, 2}, {NULL, 0}, {y, 2}, {z, 19}};
        CHECK_INT(8, lipc_writev(a, out, COUNT(out), WAIT));
        int64_t n = lipc_readv(b, in, COUNT(in), WAIT);
        while (n < 8) { /* as much as there was; where the system does not gather, parts may be all */
            char rest[8];
            int64_t more = lipc_read(b, rest, sizeof rest, WAIT);
            CHECK(more > 0);
            for (int64_t i = 0; i < more; i++, n++)
                *(n < 2 ? x + n : n < 4 ? y + n - 2 : z + n - 4) = rest[i];
        }
        CHECK_STRING("ab", x);
        CHECK_STRING("cd", y);
        CHECK_STRING("efgh", z);
    }
}

TEST(many_buffers_are_written_whole) {
    enum { PIECES = 1024, PIECE = 700 };
    static lipc_buffer buffers[PIECES];
    fill_pattern(sent, PIECES * PIECE, 0);
    for (int i = 0; i < PIECES; i++)
        buffers[i] = (lipc_buffer){sent + i * PIECE, PIECE};
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        transfer t = {b, PIECES * PIECE, WAIT, NULL};
        memset(got, 0, PIECES * PIECE);
        thread reader = start_thread(read_all, &t);
        CHECK_INT(PIECES * PIECE, lipc_writev(a, buffers, PIECES, WAIT));
        join_thread(reader);
        check_pattern(got, PIECES * PIECE, 0);
    }
}

TEST(one_thread_reads_while_another_writes_the_same_handle) {
    enum { SIZE = 1 << 20 };
    fill_pattern(sent, SIZE, 0);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        transfer t = {a, SIZE, WAIT, NULL};
        thread reader = start_thread(read_all, &t); /* it waits on a, when a is written to */
        CHECK_INT(SIZE, lipc_write(b, sent, SIZE, WAIT));
        check_connected(a, b);
        join_thread(reader);
        check_pattern(got, SIZE, 0);
    }
}

/* -------------------------------------------- Ends ---------------------------------------------- */

TEST(a_peer_that_closed_is_the_end_and_a_broken_pipe) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        close_end(&a);
        for (int i = 0; i < 2; i++) {
            CHECK_INT(0, lipc_read(b, got, 10, WAIT));
            CHECK_INT(0, lipc_read(b, got, 10, 0));
            CHECK_ERROR(LIPC_EPIPE, lipc_write(b, "x", 1, WAIT));
            CHECK_ERROR(LIPC_EPIPE, lipc_write(b, "x", 1, 0));
        }
    }
}

TEST(data_written_before_closing_arrives_and_closing_does_not_wait) {
    enum { SIZE = 50000 };
    fill_pattern(sent, SIZE, 0);
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        CHECK_INT(SIZE, lipc_write(a, sent, SIZE, WAIT));
        ULONGLONG began = GetTickCount64();
        close_end(&a);
        CHECK(GetTickCount64() - began < 5000);
        transfer t = {b, SIZE, WAIT, NULL};
        read_slowly(&t);
        check_pattern(got, SIZE, 0);
        CHECK_INT(0, lipc_read(b, got, 1, WAIT));
    }
}

TEST(the_end_comes_although_data_was_left_unread) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        CHECK_INT(6, lipc_write(b, "unread", 6, WAIT));
        close_end(&a);
        CHECK_INT(0, lipc_read(b, got, 10, WAIT));
    }
}

static DWORD WINAPI read_the_end(void *argument) {
    transfer *t = argument;
    char byte;
    CHECK(SetEvent(t->begun));
    CHECK_INT(0, lipc_read(t->handle, &byte, 1, t->timeout_ms));
    return 0;
}

static DWORD WINAPI write_until_broken(void *argument) {
    transfer *t = argument;
    int64_t n;
    CHECK(SetEvent(t->begun));
    while ((n = lipc_write(t->handle, sent, sizeof sent, t->timeout_ms)) > 0) {
    }
    CHECK_ERROR(LIPC_EPIPE, n);
    return 0;
}

TEST(closing_ends_the_waiting_of_the_peer) {
    static const LPTHREAD_START_ROUTINE bodies[] = {read_the_end, write_until_broken};
    for (size_t i = 0; i < COUNT(bodies); i++)
        EACH_CONNECTION(LIPC_STREAM, a, b) {
            transfer t = {b, 0, -1, CreateEventW(NULL, TRUE, FALSE, NULL)};
            thread waiting = start_thread(bodies[i], &t);
            wait_for((lipc_handle)t.begun);
            close_end(&a);
            join_thread(waiting);
            CHECK(CloseHandle(t.begun));
        }
}

/* ------------------------------------------ Processes ------------------------------------------- */

CHILD(write_and_stay) {
    lipc_name name = name_argument(0);
    lipc_handle h = connect_to(&name);
    CHECK_INT(5, lipc_write(h, "hello", 5, WAIT));
    say("written");
    listen_to_test();
}

CHILD(accept_and_stay) {
    lipc_name name = name_argument(0);
    lipc_listener *listener = listen_on(&name);
    say("listening");
    lipc_handle h = accept_from(listener);
    CHECK_INT(5, lipc_write(h, "hello", 5, WAIT));
    say("written");
    listen_to_test();
}

TEST(a_killed_peer_is_the_end_after_what_it_wrote) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    for (int serves = 0; serves < 2; serves++) {
        child c;
        lipc_handle h;
        if (serves) {
            c = start("accept_and_stay %s", written(&name));
            expect(&c, "listening");
            h = connect_to(&name);
        } else {
            lipc_listener *listener = listen_on(&name);
            c = start("write_and_stay %s", written(&name));
            h = accept_from(listener);
            lipc_listener_close(listener);
        }
        expect(&c, "written");
        kill_hard(&c);
        memset(got, 0, 16);
        int64_t n = lipc_read(h, got, 16, WAIT);
        if (n == 5) { /* the system may drop what a dead process wrote; it is the end in any case */
            CHECK_STRING("hello", got);
            n = lipc_read(h, got, 16, WAIT);
        }
        CHECK_INT(0, n);
        CHECK_ERROR(LIPC_EPIPE, lipc_write(h, "x", 1, WAIT));
        CHECK_OK(lipc_close(h));
    }
}

CHILD(read_a_little_and_stay) {
    lipc_name name = name_argument(0);
    lipc_handle h = connect_to(&name);
    char byte;
    CHECK_INT(1, lipc_read(h, &byte, 1, WAIT));
    say("read");
    listen_to_test();
}

TEST(a_writer_that_waits_learns_that_its_reader_was_killed) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    child c = start("read_a_little_and_stay %s", written(&name));
    lipc_handle h = accept_from(listener);
    transfer t = {h, 0, -1, CreateEventW(NULL, TRUE, FALSE, NULL)};
    thread writer = start_thread(write_until_broken, &t);
    expect(&c, "read");
    kill_hard(&c);
    join_thread(writer);
    CHECK(CloseHandle(t.begun));
    CHECK_OK(lipc_close(h));
    lipc_listener_close(listener);
}

CHILD(echo) {
    lipc_name name = name_argument(0);
    lipc_handle h = connect_to(&name);
    static char data[65536];
    int64_t n;
    while ((n = lipc_read(h, data, sizeof data, WAIT)) > 0)
        CHECK_INT(n, lipc_write(h, data, (size_t)n, WAIT));
    CHECK_INT(0, n);
    CHECK_OK(lipc_close(h));
}

static DWORD WINAPI write_all(void *argument) {
    transfer *t = argument;
    CHECK_INT((int64_t)t->size, lipc_write(t->handle, sent, t->size, WAIT));
    return 0;
}

TEST(another_process_echoes_a_lot) {
    enum { SIZE = 4 << 20 };
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    child c = start("echo %s", written(&name));
    lipc_handle h = accept_from(listener);
    transfer t = {h, SIZE, WAIT, NULL};
    fill_pattern(sent, SIZE, 0);
    thread writer = start_thread(write_all, &t);
    read_all(&t);
    join_thread(writer);
    check_pattern(got, SIZE, 0);
    CHECK_OK(lipc_close(h));
    join(&c);
    lipc_listener_close(listener);
}

/* ---------------------------------------- Wrong handles ----------------------------------------- */

TEST(what_is_no_handle_is_refused) {
    lipc_handle closed;
    char byte;
    const lipc_buffer buffer = {&byte, 1};
    CHECK_OK(lipc_event(&closed));
    CHECK_OK(lipc_close(closed));
    CHECK_ERROR(LIPC_EBADF, lipc_read(closed, &byte, 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_readv(closed, &buffer, 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_write(closed, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_writev(closed, &buffer, 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_close(closed));
}
