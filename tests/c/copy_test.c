/* Copying within the system: from a file to a connection, and between connections and pipes. Linux alone has it. */
#include "fixture.h"

#include <pthread.h>

#if !defined(__linux__) || defined(LIPC_PLAIN_POSIX)

TEST(other_systems_copy_nothing_by_themselves) {
    lipc_handle a, b, reader, writer;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    lipc_handle file = numbered_file(1);
    for (int timeout = -1; timeout <= 1; timeout++) {
        CHECK_ERROR(LIPC_ENOTSUP, lipc_send_file(a, file, 1, timeout));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_splice(a, writer, 1, timeout));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_splice(reader, a, 1, timeout));
    }
    close_all((lipc_handle[]){a, b, reader, writer, file}, 5);
}

#else

enum { MUCH = 3 << 20 };
static char much[MUCH], got[MUCH];

static void fill(void) {
    unsigned state = 1;
    for (size_t i = 0; i < MUCH; i++)
        much[i] = (char)((state = state * 1103515245 + 12345) >> 16);
}

/* A large file, at its beginning. Its name is already removed. */
static lipc_handle file_of_much(void) {
    fill();
    int fd = open(in_directory("much"), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, much, MUCH) == MUCH && lseek(fd, 0, SEEK_SET) == 0);
    remove_file("much");
    return fd;
}

static int64_t position(lipc_handle file) {
    return lseek((int)file, 0, SEEK_CUR);
}

/* Reads what is there, or until the end. */
static int64_t read_some(lipc_handle from, int timeout_ms) {
    int64_t done = 0, n;
    while ((n = lipc_read(from, got + done, (size_t)(MUCH - done), timeout_ms)) > 0)
        done += n;
    if (n < 0)
        CHECK_ERROR(LIPC_EAGAIN, n);
    return done;
}

/* ------------------------------------------ From a file ----------------------------------------- */

TEST(a_file_is_sent_from_its_position_on) {
    lipc_handle file = file_of_much(), a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_INT(0, lipc_send_file(a, file, 0, -1));
    CHECK_INT(1000, lipc_send_file(a, file, 1000, 0));
    CHECK_INT(5000, lipc_send_file(a, file, 5000, WAIT));
    CHECK_INT(6000, position(file));
    CHECK_INT(6000, read_some(b, 0));
    CHECK(memcmp(much, got, 6000) == 0);
    CHECK(lseek((int)file, MUCH - 70, SEEK_SET) >= 0);
    CHECK_INT(70, lipc_send_file(a, file, MUCH, -1)); /* all there is */
    for (int timeout = -1; timeout <= 1; timeout++)
        CHECK_INT(0, lipc_send_file(a, file, SIZE_MAX, timeout)); /* the end */
    CHECK_INT(70, read_some(b, 0));
    CHECK(memcmp(much + MUCH - 70, got, 70) == 0);
    CHECK(write((int)file, "more", 4) == 4 && lseek((int)file, MUCH, SEEK_SET) == MUCH);
    CHECK_INT(4, lipc_send_file(a, file, SIZE_MAX, WAIT));
    close_all((lipc_handle[]){a, b, file}, 3);
}

static void read_slowly(const void *argument) {
    const lipc_handle *ends = argument;
    CHECK_OK(lipc_close(ends[0]));
    ready();
    size_t done = 0;
    for (int64_t n; (n = lipc_read(ends[1], got + done, 1 + done % 9973, WAIT)) != 0; done += (size_t)n)
        CHECK(CHECK_OK(n) > 0);
    CHECK_INT(MUCH, done);
    CHECK(memcmp(much, got, MUCH) == 0);
}

TEST(a_slow_reader_gets_every_byte_of_a_file) {
    lipc_handle file = file_of_much(), ends[2];
    for (int timeout = -1; timeout <= WAIT; timeout += WAIT + 1) {
        CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
        pid_t process = start(read_slowly, ends);
        CHECK_OK(lipc_close(ends[1]));
        CHECK(lseek((int)file, 0, SEEK_SET) == 0);
        CHECK_INT(MUCH, lipc_send_file(ends[0], file, SIZE_MAX, timeout));
        CHECK_OK(lipc_close(ends[0]));
        join(process);
    }
    CHECK_OK(lipc_close(file));
}

TEST(a_file_that_is_not_sent_in_time_is_at_the_part_that_was) {
    lipc_handle file = file_of_much(), a, b;
    for (int timeout = 0; timeout <= 20; timeout += 20) {
        CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
        CHECK(lseek((int)file, 0, SEEK_SET) == 0);
        int64_t n = CHECK_OK(lipc_send_file(a, file, MUCH, timeout));
        CHECK(n > 0 && n < MUCH);
        CHECK_INT(n, position(file));
        CHECK_ERROR(timeout ? LIPC_ETIMEDOUT : LIPC_EAGAIN, lipc_send_file(a, file, MUCH, timeout));
        CHECK_INT(n, position(file));
        CHECK_INT(n, read_some(b, 0));
        CHECK(memcmp(much, got, (size_t)n) == 0);
        close_all((lipc_handle[]){a, b}, 2);
    }
    CHECK_OK(lipc_close(file));
}

static void make_blocking(lipc_handle handle) {
    CHECK(fcntl((int)handle, F_SETFL, fcntl((int)handle, F_GETFL) & ~O_NONBLOCK) == 0);
}

/* Fills it, so that nothing more can be written. */
static void leave_no_room(lipc_handle handle) {
    while (lipc_write(handle, much, 1 << 16, 0) > 0) {
    }
}

TEST(what_is_sent_to_has_to_be_non_blocking) {
    lipc_handle file = file_of_much(), connection[2], pipe_ends[2];
    CHECK_OK(lipc_pair(LIPC_STREAM, &connection[0], &connection[1]));
    CHECK_OK(lipc_pipe(NULL, &pipe_ends[1], &pipe_ends[0]));
    lipc_handle rows[] = {connection[0], pipe_ends[0]};
    for (int i = 0; i < 2; i++) {
        test_row = i == 0 ? "connection" : "pipe";
        CHECK(lipc_send_file(rows[i], file, 100, 0) == 100);
        make_blocking(rows[i]);
        CHECK_ERROR(LIPC_EINVAL, lipc_send_file(rows[i], file, 100, -1)); /* room or not */
        CHECK_OK(lipc_adopt(rows[i]));
        leave_no_room(rows[i]);
        make_blocking(rows[i]);
        for (int timeout = -1; timeout <= 1; timeout++) /* it would wait for room, whatever is asked for */
            CHECK_ERROR(LIPC_EINVAL, lipc_send_file(rows[i], file, 100, timeout));
        CHECK_INT(100 + 100 * i, position(file));
        CHECK_OK(lipc_adopt(rows[i]));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_send_file(rows[i], file, 100, 1));
    }
    close_all((lipc_handle[]){file, connection[0], connection[1], pipe_ends[0], pipe_ends[1]}, 5);
}

TEST(what_cannot_be_sent_is_refused) {
    lipc_handle a, b, reader, writer;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    int only_written = open(in_directory("w"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    lipc_handle file = numbered_file(1);
    CHECK_ERROR(LIPC_EBADF, lipc_send_file(a, LIPC_INVALID_HANDLE, 1, -1));
    CHECK_ERROR(LIPC_EBADF, lipc_send_file(LIPC_INVALID_HANDLE, file, 1, -1));
    CHECK_ERROR(LIPC_EBADF, lipc_send_file(LIPC_INVALID_HANDLE, file, 0, -1));
    CHECK_ERROR(LIPC_EBADF, lipc_send_file(a, only_written, 1, -1));
    CHECK(lipc_send_file(a, reader, 1, -1) < 0); /* EINVAL or, on other versions, ESPIPE */
    CHECK(lipc_send_file(a, b, 1, -1) < 0);
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0));
    close_all((lipc_handle[]){a, b, reader, writer, only_written, file}, 6);
    remove_file("w");
}

/* ---------------------------------------- Through a pipe ---------------------------------------- */

typedef struct relay {
    lipc_handle source, from, to, sink; /* two connections */
    lipc_handle reader, writer;         /* the pipe between them */
} relay;

static relay open_relay(void) {
    relay p;
    CHECK_OK(lipc_pair(LIPC_STREAM, &p.source, &p.from));
    CHECK_OK(lipc_pair(LIPC_STREAM, &p.to, &p.sink));
    CHECK_OK(lipc_pipe(NULL, &p.reader, &p.writer));
    return p;
}

static void close_relay(const relay *p) {
    close_all((lipc_handle[]){p->source, p->from, p->to, p->sink, p->reader, p->writer}, 6);
}

TEST(bytes_go_through_a_pipe_from_one_connection_to_another) {
    relay p = open_relay();
    fill();
    for (size_t size = 1; size < 60000; size = size * 3 + 1) {
        CHECK_INT((int64_t)size, lipc_write(p.source, much, size, 0));
        for (size_t moved = 0; moved < size;) {
            int64_t n = CHECK_OK(lipc_splice(p.from, p.writer, SIZE_MAX, WAIT));
            for (int64_t left = n; left > 0;)
                left -= CHECK_OK(lipc_splice(p.reader, p.to, (size_t)left, -1));
            moved += (size_t)n;
        }
        CHECK_INT((int64_t)size, read_some(p.sink, 0));
        CHECK(memcmp(much, got, size) == 0);
    }
    CHECK_INT(2, lipc_write(p.source, "ab", 2, 0));
    CHECK_INT(0, lipc_splice(p.from, p.writer, 0, -1));
    CHECK_INT(1, lipc_splice(p.from, p.writer, 1, -1)); /* no more than was asked for */
    CHECK_INT(1, lipc_splice(p.from, p.writer, 9, -1));
    CHECK_INT(2, lipc_read(p.reader, got, 9, 0));
    close_relay(&p);
}

TEST(the_end_goes_through_behind_what_was_written) {
    for (int unread = 0; unread < 2; unread++) { /* Linux itself reports ECONNRESET */
        relay p = open_relay();
        CHECK_INT(3, lipc_write(p.source, "abc", 3, 0));
        if (unread)
            CHECK_INT(1, lipc_write(p.from, "x", 1, 0));
        CHECK_OK(lipc_close(p.source));
        CHECK_INT(3, lipc_splice(p.from, p.writer, 100, -1));
        for (int timeout = -1; timeout <= 1; timeout++)
            CHECK_INT(0, lipc_splice(p.from, p.writer, 100, timeout));
        CHECK_OK(lipc_close(p.writer));
        CHECK_INT(3, lipc_splice(p.reader, p.to, 100, -1));
        CHECK_INT(0, lipc_splice(p.reader, p.to, 100, -1));
        CHECK_INT(3, read_some(p.sink, 0));
        close_all((lipc_handle[]){p.from, p.to, p.sink, p.reader}, 4);
    }
}

static void give_a_byte(const void *argument) {
    ready();
    CHECK_INT(1, lipc_write(*(const lipc_handle *)argument, "x", 1, 0));
}

TEST(a_splice_waits_for_the_end_that_is_not_ready_as_long_as_allowed) {
    relay p = open_relay();
    CHECK_ERROR(LIPC_EAGAIN, lipc_splice(p.from, p.writer, 1, 0)); /* nothing there */
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_splice(p.from, p.writer, 1, 2));
    CHECK_ERROR(LIPC_EAGAIN, lipc_splice(p.reader, p.to, 1, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_splice(p.reader, p.to, 1, 2));
    pid_t process = start(give_a_byte, &p.source);
    CHECK_INT(1, lipc_splice(p.from, p.writer, 9, -1));
    join(process);
    leave_no_room(p.to);
    CHECK_ERROR(LIPC_EAGAIN, lipc_splice(p.reader, p.to, 1, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_splice(p.reader, p.to, 1, 2));
    CHECK(read_some(p.sink, 0) > 0);
    CHECK_INT(1, lipc_splice(p.reader, p.to, 1, -1));
    leave_no_room(p.writer);
    CHECK_INT(1, lipc_write(p.source, "x", 1, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_splice(p.from, p.writer, 1, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_splice(p.from, p.writer, 1, 2));
    close_relay(&p);
}

TEST(a_splice_from_blocking_handles_keeps_its_time_and_to_them_is_refused) {
    static const struct {
        const char *name;
        bool full; /* what is written to; otherwise there is nothing to read */
    } rows[] = {{"nothing to read", false}, {"no room", true}};
    for (int i = 0; i < 2; i++) {
        test_row = rows[i].name;
        relay p = open_relay();
        lipc_handle reader, writer;
        CHECK_OK(lipc_pipe(NULL, &reader, &writer));
        if (rows[i].full) {
            CHECK_INT(1, lipc_write(p.source, "x", 1, 0));
            CHECK_INT(1, lipc_write(p.writer, "x", 1, 0));
            leave_no_room(p.to);
            leave_no_room(writer);
        }
        make_blocking(p.from);
        make_blocking(p.reader);
        const lipc_handle ways[][2] = {{p.from, writer}, {p.reader, p.to}, {p.reader, writer}};
        for (int w = 0; w < 3; w++) {
            CHECK_ERROR(LIPC_EAGAIN, lipc_splice(ways[w][0], ways[w][1], 1, 0));
            CHECK_ERROR(LIPC_ETIMEDOUT, lipc_splice(ways[w][0], ways[w][1], 1, 2));
            make_blocking(ways[w][1]);
            for (int timeout = -1; timeout <= 1; timeout++)
                CHECK_ERROR(LIPC_EINVAL, lipc_splice(ways[w][0], ways[w][1], 1, timeout));
            CHECK_OK(lipc_adopt(ways[w][1]));
        }
        close_all((lipc_handle[]){reader, writer}, 2);
        close_relay(&p);
    }
}

TEST(a_file_is_spliced_into_a_pipe_from_its_position_on) {
    relay p = open_relay();
    lipc_handle file = file_of_much();
    CHECK_INT(1000, lipc_splice(file, p.writer, 1000, 0));
    CHECK_INT(1000, position(file));
    int64_t n = 1000, more;
    while ((more = lipc_splice(file, p.writer, SIZE_MAX, 0)) > 0) /* until the pipe is full */
        n += more;
    CHECK_ERROR(LIPC_EAGAIN, more);
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_splice(file, p.writer, 1, 2));
    CHECK_INT(n, position(file)); /* what was moved, no more */
    CHECK_INT(n, lipc_splice(p.reader, p.to, SIZE_MAX, 0));
    CHECK_INT(n, read_some(p.sink, 0));
    CHECK(memcmp(much, got, (size_t)n) == 0);
    CHECK(lseek((int)file, MUCH - 70, SEEK_SET) >= 0);
    CHECK_INT(70, lipc_splice(file, p.writer, 1000, -1));
    for (int timeout = -1; timeout <= 1; timeout++)
        CHECK_INT(0, lipc_splice(file, p.writer, 1000, timeout)); /* the end */
    CHECK_OK(lipc_close(file));
    close_relay(&p);
}

TEST(a_splice_needs_a_pipe) {
    relay p = open_relay();
    lipc_handle reader, writer;
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    CHECK_INT(1, lipc_write(p.source, "x", 1, 0));
    CHECK_ERROR(LIPC_EINVAL, lipc_splice(p.from, p.to, 1, -1));
    CHECK_ERROR(LIPC_EBADF, lipc_splice(LIPC_INVALID_HANDLE, p.writer, 1, -1));
    CHECK_ERROR(LIPC_EBADF, lipc_splice(p.reader, LIPC_INVALID_HANDLE, 1, -1));
    CHECK_ERROR(LIPC_EBADF, lipc_splice(p.from, p.reader, 1, -1));
    CHECK_INT(1, lipc_splice(p.from, p.writer, 1, -1));
    CHECK_INT(1, lipc_splice(p.reader, writer, 1, -1)); /* both may be */
    CHECK_INT(1, lipc_read(reader, got, 9, 0));
    close_all((lipc_handle[]){reader, writer}, 2);
    close_relay(&p);
}

TEST(handles_that_come_with_the_bytes_are_closed) {
    relay p = open_relay();
    test_open before;
    int trace;
    test_descriptors(&before);
    lipc_handle sent[3];
    sent[0] = traced(&trace);
    sent[1] = sent[2] = sent[0];
    CHECK_INT(4, lipc_write(p.source, "some", 4, 0));
    CHECK_INT(4, send_handles(p.source, "with", 4, sent, 3, 0));
    CHECK_INT(4, lipc_write(p.source, "more", 4, 0));
    CHECK_OK(lipc_close(sent[0]));
    for (int64_t done = 0; done < 12;)
        done += CHECK_OK(lipc_splice(p.from, p.writer, (size_t)(done == 4 ? 1 : 12 - done), -1)); /* in the middle */
    check_gone(trace);
    test_same_descriptors(&before);
    CHECK_INT(12, lipc_read(p.reader, got, 99, 0));
    CHECK(memcmp(got, "somewithmore", 12) == 0);
    close_relay(&p);
}

/* ------------------------------------------ The signal ------------------------------------------ */

static volatile sig_atomic_t caught;

static void count_signal(int number) {
    (void)number;
    caught++;
}

static const struct {
    const char *name;
    void (*handler)(int);
    bool blocked, pending;
} dispositions[] = {
    {"default", SIG_DFL, false, false}, /* it would kill the test */
    {"ignored", SIG_IGN, false, false},
    {"caught", count_signal, false, false},
    {"blocked and caught", count_signal, true, false},
    {"pending and caught", count_signal, true, true},
};
enum { DISPOSITIONS = sizeof dispositions / sizeof *dispositions };

TEST(a_peer_that_is_gone_is_an_error_and_raises_nothing) {
    lipc_handle file = file_of_much();
    for (size_t i = 0; i < DISPOSITIONS; i++) {
        test_row = dispositions[i].name;
        relay p = open_relay();
        sigset_t set, after;
        CHECK_OK(lipc_close(p.sink));
        CHECK_INT(1, lipc_write(p.writer, "x", 1, 0));
        CHECK(signal(SIGPIPE, dispositions[i].handler) != SIG_ERR);
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        CHECK(sigprocmask(dispositions[i].blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL) == 0);
        CHECK(!dispositions[i].pending || raise(SIGPIPE) == 0);
        for (int timeout = -1; timeout <= 1; timeout++) {
            CHECK_ERROR(LIPC_EPIPE, lipc_send_file(p.to, file, 100, timeout));
            CHECK_ERROR(LIPC_EPIPE, lipc_splice(p.reader, p.to, 100, timeout));
        }
        CHECK_OK(lipc_close(p.reader));
        CHECK_INT(1, lipc_write(p.source, "x", 1, 0));
        CHECK_ERROR(LIPC_EPIPE, lipc_splice(p.from, p.writer, 100, -1));
        CHECK_INT(0, position(file));
        CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
        CHECK_INT(dispositions[i].blocked, sigismember(&after, SIGPIPE));
        CHECK(sigpending(&after) == 0);
        CHECK_INT(dispositions[i].pending, sigismember(&after, SIGPIPE));
        CHECK_INT(0, caught);
        signal(SIGPIPE, SIG_IGN); /* drops a pending one */
        CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
        signal(SIGPIPE, SIG_DFL);
        close_all((lipc_handle[]){p.source, p.from, p.to, p.writer}, 4);
    }
    CHECK_OK(lipc_close(file));
}

static void read_and_go(const void *argument) {
    const lipc_handle *ends = argument;
    CHECK_OK(lipc_close(ends[0]));
    ready();
    for (int64_t done = 0; done < MUCH / 2;)
        done += CHECK_OK(lipc_read(ends[1], got, sizeof got, WAIT));
    CHECK_OK(lipc_close(ends[1]));
}

TEST(a_peer_that_goes_in_the_middle_raises_nothing) {
    lipc_handle file = file_of_much(), ends[2];
    for (int again = 0; again < 100; again++) {
        test_row = dispositions[again % 3].name;
        CHECK(signal(SIGPIPE, dispositions[again % 3].handler) != SIG_ERR);
        CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
        pid_t process = start(read_and_go, ends);
        CHECK_OK(lipc_close(ends[1]));
        CHECK(lseek((int)file, 0, SEEK_SET) == 0);
        int64_t n = CHECK_OK(lipc_send_file(ends[0], file, MUCH, again % 2 ? -1 : WAIT));
        CHECK(n >= MUCH / 2);
        CHECK_INT(n, position(file));
        CHECK(lseek((int)file, 0, SEEK_SET) == 0);
        join(process);
        CHECK_ERROR(LIPC_EPIPE, lipc_send_file(ends[0], file, MUCH, -1));
        CHECK_INT(0, caught);
        CHECK_OK(lipc_close(ends[0]));
    }
    CHECK_OK(lipc_close(file));
}

static void *close_it(void *handle) {
    CHECK_OK(lipc_close(*(lipc_handle *)handle));
    return NULL;
}

/* The system has sent a part by then. It returns how much, and also raises the signal. */
TEST(a_peer_that_goes_while_the_system_sends_raises_nothing) {
    lipc_handle file = file_of_much(), ends[2];
    for (int again = 0; again < 300; again++) {
        test_row = dispositions[again % 3].name;
        CHECK(signal(SIGPIPE, dispositions[again % 3].handler) != SIG_ERR);
        CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
        CHECK(lseek((int)file, 0, SEEK_SET) == 0);
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, close_it, &ends[1]) == 0);
        int64_t sent = 0, n;
        while ((n = lipc_send_file(ends[0], file, MUCH, -1)) > 0)
            sent += n;
        CHECK_ERROR(LIPC_EPIPE, n);
        CHECK_INT(sent, position(file));
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_INT(0, caught);
        CHECK_OK(lipc_close(ends[0]));
    }
    CHECK_OK(lipc_close(file));
}

#endif
