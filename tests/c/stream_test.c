/* Reading, writing and shutting down: content, ends, errors. Waiting is in timeout_test.c. */
#include "fixture.h"

enum { MOST_BUFFERS = 3000 };

/* Byte number i of every stream. The bytes do not repeat in step with any buffer size. */
static unsigned char byte_at(size_t i) {
    return (unsigned char)(i * 31 + i / 251 + i / 65521);
}

static void fill(unsigned char *data, size_t size, size_t from) {
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(from + i);
}

static void check_content(const unsigned char *data, size_t size, size_t from) {
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_at(from + i))
            FAIL("byte %zu: wanted %d, got %d", from + i, byte_at(from + i), data[i]);
}

/* Cuts memory into count buffers; every third is empty, and the first and last of those have no memory. */
static void cut(unsigned char *data, size_t size, lipc_buffer *ret_buffers, size_t count) {
    size_t offset = 0, full = count - (count + 1) / 3, k = 0;
    for (size_t i = 0; i < count; i++) {
        bool empty = i % 3 == 1;
        size_t n = empty ? 0 : size / full + (++k <= size % full);
        ret_buffers[i].data = empty && (i < 2 || i + 3 > count) ? NULL : data + offset;
        ret_buffers[i].size = n;
        offset += n;
    }
    CHECK_INT((int64_t)size, (int64_t)offset);
}

/* Reads or writes, plain or vectored. buffers 0: plain. */
static int64_t read_as(size_t buffers, lipc_handle handle, void *data, size_t size, int timeout_ms) {
    static lipc_buffer cuts[MOST_BUFFERS];
    if (buffers == 0)
        return lipc_read(handle, data, size, timeout_ms);
    cut(data, size, cuts, buffers);
    return lipc_readv(handle, cuts, buffers, timeout_ms);
}

static int64_t write_as(size_t buffers, lipc_handle handle, unsigned char *data, size_t size, int timeout_ms) {
    static lipc_buffer cuts[MOST_BUFFERS];
    if (buffers == 0)
        return lipc_write(handle, data, size, timeout_ms);
    cut(data, size, cuts, buffers);
    return lipc_writev(handle, cuts, buffers, timeout_ms);
}

static const size_t buffer_counts[] = {0, 1, 2, 3, 63, 64, 65, 96, 97, 128, 1023, 1024, 1025, MOST_BUFFERS};

#define EACH_COUNT(i) for (size_t i = 0; i < sizeof buffer_counts / sizeof *buffer_counts; i++)

/* Reads size bytes, and checks that they are those of the stream from that position on. */
static void read_content(lipc_handle handle, size_t size, size_t from, size_t buffers) {
    static unsigned char data[1 << 16];
    for (size_t done = 0; done < size;) {
        size_t most = size - done < sizeof data ? size - done : sizeof data;
        int64_t n = CHECK_OK(read_as(buffers, handle, data, most, WAIT));
        CHECK(n > 0 && n <= (int64_t)most);
        check_content(data, (size_t)n, from + done);
        done += (size_t)n;
    }
}

TEST(what_is_written_is_read_in_order_however_it_is_cut) {
    static unsigned char data[10000];
    fill(data, sizeof data, 0);
    EACH_COUNT(i) {
        EACH_COUNT(j) {
            lipc_handle a, b;
            CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
            CHECK_INT(sizeof data, write_as(buffer_counts[i], a, data, sizeof data, WAIT));
            read_content(b, sizeof data, 0, buffer_counts[j]);
            CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, data, 1, 0));
            close_all((lipc_handle[]){a, b}, 2);
        }
    }
}

TEST(a_read_takes_what_is_there_and_touches_nothing_else) {
    lipc_handle a, b;
    unsigned char data[100], memory[100];
    fill(data, sizeof data, 0);
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (size_t buffers = 0; buffers < 4; buffers++) {
        memset(memory, UNTOUCHED, sizeof memory);
        CHECK_INT(10, lipc_write(a, data, 10, WAIT));
        CHECK_INT(10, read_as(buffers, b, memory, sizeof memory, WAIT));
        check_content(memory, 10, 0);
        CHECK(is_untouched(memory + 10, sizeof memory - 10));
    }
    close_all((lipc_handle[]){a, b}, 2);
}

TEST(no_bytes_are_read_and_written_at_once) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    char byte;
    lipc_buffer empty[] = {{NULL, 0}, {&byte, 0}, {NULL, 0}};
    for (int timeout = -1; timeout <= 1; timeout++) {
        CHECK_INT(0, lipc_read(a, &byte, 0, timeout));
        CHECK_INT(0, lipc_read(a, NULL, 0, timeout));
        CHECK_INT(0, lipc_write(a, NULL, 0, timeout));
        for (size_t count = 0; count <= 3; count++) {
            CHECK_INT(0, lipc_readv(a, empty, count, timeout));
            CHECK_INT(0, lipc_writev(a, empty, count, timeout));
        }
        CHECK_INT(0, lipc_readv(a, NULL, 0, timeout));
        CHECK_INT(0, lipc_writev(a, NULL, 0, timeout));
    }
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, &byte, 1, 0));
    close_all((lipc_handle[]){a, b}, 2);
}

/* Enough to fill the system's buffers many times over. */
enum { MUCH = 3 << 20 };
static unsigned char much[MUCH];

typedef struct reader {
    lipc_handle handle, other;
    size_t buffers;
} reader;

static void read_slowly(const void *argument) {
    const reader *r = argument;
    CHECK_OK(lipc_close(r->other));
    ready();
    char byte;
    for (size_t done = 0; done < MUCH;) {
        size_t step = 1 + done % 9973;
        step = step < MUCH - done ? step : MUCH - done;
        read_content(r->handle, step, done, r->buffers);
        done += step;
    }
    CHECK_INT(0, lipc_read(r->handle, &byte, 1, WAIT));
}

TEST(a_slow_reader_gets_every_byte_of_a_large_write) {
    fill(much, MUCH, 0);
    static const size_t counts[] = {0, 1, 65, 1025, MOST_BUFFERS};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        lipc_handle a, b;
        CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
        CHECK_OK(lipc_set_buffer_size(a, LIPC_WRITE, 8192));
        pid_t process = start(read_slowly, &(reader){b, a, i % 2});
        CHECK_OK(lipc_close(b));
        CHECK_INT(MUCH, write_as(counts[i], a, much, MUCH, -1));
        CHECK_OK(lipc_close(a));
        join(process);
    }
}

TEST(a_write_that_runs_out_of_time_returns_the_part_written) {
    fill(much, MUCH, 0);
    static const size_t counts[] = {0, 1, 1025, MOST_BUFFERS};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int timeout = 0; timeout <= 20; timeout += 20) {
            lipc_handle a, b;
            CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
            int64_t n = CHECK_OK(write_as(counts[i], a, much, MUCH, timeout));
            CHECK(n > 0 && n < MUCH);
            CHECK_ERROR(timeout ? LIPC_ETIMEDOUT : LIPC_EAGAIN, write_as(counts[i], a, much + n, MUCH - n, timeout));
            CHECK_OK(lipc_close(a));
            read_content(b, (size_t)n, 0, counts[i] < 2 ? counts[i] : 3);
            char byte;
            CHECK_INT(0, lipc_read(b, &byte, 1, WAIT));
            CHECK_OK(lipc_close(b));
        }
}

/* ------------------------------------------ The end --------------------------------------------- */

/* Checks that b is at the end, and that its peer is gone for good. */
static void check_ended(lipc_handle b) {
    char data[4];
    for (int i = 0; i < 2; i++) {
        CHECK_INT(0, lipc_read(b, data, sizeof data, WAIT));
        CHECK_INT(0, lipc_readv(b, &(lipc_buffer){data, sizeof data}, 1, 0));
    }
}

/* SIGPIPE would kill the test. */
static void check_broken(lipc_handle b) {
    CHECK_ERROR(LIPC_EPIPE, lipc_write(b, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_writev(b, &(lipc_buffer){"xy", 2}, 1, 0));
    CHECK_ERROR(LIPC_EPIPE, lipc_write(b, "x", 1, -1));
}

TEST(what_was_written_before_closing_is_read_and_then_the_end) {
    lipc_handle a, b;
    char data[8] = "";
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_INT(3, lipc_write(a, "abc", 3, WAIT));
    CHECK_OK(lipc_close(a));
    CHECK_INT(2, lipc_read(b, data, 2, WAIT));
    CHECK_INT(1, lipc_read(b, data + 2, 2, WAIT));
    CHECK_STRING("abc", data);
    check_ended(b);
    check_broken(b);
    CHECK_OK(lipc_close(b));
}

TEST(a_peer_that_left_data_unread_is_gone_like_any_other) {
    for (int write_first = 0; write_first < 2; write_first++) {
        lipc_handle a, b;
        char data[8] = "";
        CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
        CHECK_INT(3, lipc_write(a, "abc", 3, WAIT));
        CHECK_INT(6, lipc_write(b, "unread", 6, WAIT));
        CHECK_OK(lipc_close(a));
        if (write_first)
            check_broken(b);
        CHECK_INT(3, lipc_read(b, data, sizeof data, WAIT));
        CHECK_STRING("abc", data);
        check_ended(b);
        check_broken(b);
        CHECK_OK(lipc_close(b));
    }
}

static void write_and_stay(const void *argument) {
    lipc_handle client = connect_to(argument);
    CHECK_INT(3, lipc_write(client, "abc", 3, WAIT));
    ready();
    stay();
}

TEST(a_peer_that_was_killed_is_the_end) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        pid_t process = start(write_and_stay, &name);
        lipc_handle server = accept_from(listener);
        char data[4] = "";
        CHECK_INT(6, lipc_write(server, "unread", 6, WAIT));
        kill_hard(process);
        CHECK_INT(3, lipc_read(server, data, sizeof data, WAIT));
        CHECK_STRING("abc", data);
        check_ended(server);
        check_broken(server);
        CHECK_OK(lipc_close(server));
        lipc_listener_close(listener);
    }
}

TEST(shutting_down_ends_one_half_and_leaves_the_other) {
    static const char *const names[] = {"", "read", "write", "both"};
    for (int direction = LIPC_READ; direction <= (LIPC_READ | LIPC_WRITE); direction++) {
        lipc_handle a, b;
        test_row = names[direction];
        CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
        CHECK_OK(lipc_shutdown(a, direction));
        CHECK_OK(lipc_shutdown(a, direction)); /* twice is as once */
        if (direction & LIPC_READ) {
            check_ended(a);
#ifdef __linux__ /* elsewhere what the peer writes may be discarded */
            check_broken(b);
#endif
        } else {
            check_connected(b, a);
        }
        if (direction & LIPC_WRITE) {
            check_ended(b);
            check_broken(a);
        } else {
            check_connected(a, b);
        }
        close_all((lipc_handle[]){a, b}, 2);
    }
}

TEST(shutting_down_holds_for_every_handle_of_the_connection) {
    lipc_handle a, b, again;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_duplicate(a, &again));
    CHECK_OK(lipc_shutdown(again, LIPC_WRITE));
    check_broken(a);
    check_ended(b);
    close_all((lipc_handle[]){a, b, again}, 3);
}

/* ------------------------------------------- Errors --------------------------------------------- */

TEST(no_direction_cannot_be_shut_down) {
    static const int directions[] = {0, 4, -1, INT32_MAX};
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (size_t i = 0; i < sizeof directions / sizeof *directions; i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_shutdown(a, directions[i]));
    check_connected(a, b);
    close_all((lipc_handle[]){a, b}, 2);
}

TEST(what_is_no_connection_is_neither_read_nor_written) {
    int unconnected = plain_socket(SOCK_STREAM, NULL, -1), listening = plain_socket(SOCK_STREAM, "l", 1);
    struct {
        const char *name;
        int fd, error;
    } rows[] = {{"no handle", -1, LIPC_EBADF},
                {"closed", 1 << 20, LIPC_EBADF},
                {"unconnected", unconnected, LIPC_ENOTCONN},
                {"listening", listening, LIPC_ENOTCONN}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char data[4];
        lipc_buffer buffer = {data, sizeof data};
        test_row = rows[i].name;
        memset(data, UNTOUCHED, sizeof data);
        for (int timeout = -1; timeout <= 1; timeout++) {
            CHECK_ERROR(rows[i].error, lipc_write(rows[i].fd, "x", 1, timeout));
            CHECK_ERROR(rows[i].error, lipc_writev(rows[i].fd, &buffer, 1, timeout));
            CHECK_ERROR(rows[i].error, lipc_read(rows[i].fd, data, 1, timeout));
            CHECK_ERROR(rows[i].error, lipc_readv(rows[i].fd, &buffer, 1, timeout));
        }
        CHECK(is_untouched(data, sizeof data));
        if (rows[i].error != LIPC_ENOTCONN) /* Linux does not mind */
            CHECK_ERROR(rows[i].error, lipc_shutdown(rows[i].fd, LIPC_WRITE));
    }
    close_all((lipc_handle[]){unconnected, listening}, 2);
    remove_file("l");
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
/* Returns the size of a connection's send buffer after a write that did not fit. size: set before, unless it is 0. */
static int buffer_after(bool vectored, size_t size, int at_first) {
    static char data[1 << 20];
    lipc_handle ends[2];
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    if (at_first > 0)
        CHECK_OK(lipc_set_buffer_size(ends[0], LIPC_WRITE, at_first));
    lipc_buffer buffer = {data, size};
    while ((vectored ? lipc_writev(ends[0], &buffer, 1, 0) : lipc_write(ends[0], data, size, 0)) > 0) {
    }
    int after = (int)CHECK_OK(lipc_buffer_size(ends[0], LIPC_WRITE));
    close_all(ends, 2);
    return after;
}

TEST(large_writes_that_do_not_fit_double_a_send_buffer_as_the_system_made_it) {
    enum { DEFAULT = 212992 };
    lipc_handle ends[2];
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    int plain = (int)CHECK_OK(lipc_buffer_size(ends[0], LIPC_WRITE));
    CHECK_OK(lipc_set_buffer_size(ends[0], LIPC_WRITE, DEFAULT)); /* which net.core.wmem_max may limit */
    int doubled = (int)CHECK_OK(lipc_buffer_size(ends[0], LIPC_WRITE));
    close_all(ends, 2);
    if (plain != DEFAULT) /* somebody has set net.core.wmem_default */
        doubled = plain;
    for (int vectored = 0; vectored < 2; vectored++) {
        CHECK_INT(doubled, buffer_after(vectored, 64 << 10, 0));
        CHECK_INT(doubled, buffer_after(vectored, 1 << 20, 0));
        CHECK_INT(plain, buffer_after(vectored, 1000, 0));
        CHECK_INT(2 * 100000, buffer_after(vectored, 1 << 20, 100000));
    }
}
#endif
