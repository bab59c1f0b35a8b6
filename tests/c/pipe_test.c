/* Unnamed pipes: content, ends, signals, what child processes get, sizes. FIFOs are in fifo_test.c. */
#include "fixture.h"

#include <poll.h>

enum { MOST_BUFFERS = 1025, MUCH = 3 << 20 };
static char much[MUCH], got[MUCH];

static void fill(void) {
    unsigned state = 1;
    for (size_t i = 0; i < MUCH; i++)
        much[i] = (char)((state = state * 1103515245 + 12345) >> 16);
}

static void open_pipe(lipc_handle *ret_read, lipc_handle *ret_write) {
    CHECK_OK(lipc_pipe(NULL, ret_read, ret_write));
}

/* Cuts memory into count buffers, every other one empty. */
static void cut(char *data, size_t size, lipc_buffer *ret_buffers, size_t count) {
    size_t full = (count + 1) / 2, step = size / full;
    for (size_t i = 0; i < count; i++) {
        size_t at = i / 2 * step;
        ret_buffers[i] = (lipc_buffer){data + at, i % 2 != 0 ? 0 : i / 2 == full - 1 ? size - at : step};
    }
}

/* buffers 0: plain */
static int64_t write_as(size_t buffers, lipc_handle handle, char *data, size_t size, int timeout_ms) {
    static lipc_buffer cuts[MOST_BUFFERS];
    if (buffers == 0)
        return lipc_write(handle, data, size, timeout_ms);
    cut(data, size, cuts, buffers);
    return lipc_writev(handle, cuts, buffers, timeout_ms);
}

static int64_t read_as(size_t buffers, lipc_handle handle, char *data, size_t size, int timeout_ms) {
    static lipc_buffer cuts[MOST_BUFFERS];
    if (buffers == 0)
        return lipc_read(handle, data, size, timeout_ms);
    cut(data, size, cuts, buffers);
    return lipc_readv(handle, cuts, buffers, timeout_ms);
}

static const size_t counts[] = {0, 1, 2, 63, 64, 65, 128, MOST_BUFFERS};
enum { COUNTS = sizeof counts / sizeof *counts };

/* ------------------------------------------- Content -------------------------------------------- */

TEST(what_is_written_to_one_end_is_read_from_the_other) {
    fill();
    for (size_t i = 0; i < COUNTS; i++)
        for (size_t j = 0; j < COUNTS; j++) {
            lipc_handle reader, writer;
            open_pipe(&reader, &writer);
            CHECK_INT(4000, write_as(counts[i], writer, much, 4000, WAIT));
            for (size_t done = 0; done < 4000;) {
                int64_t n = CHECK_OK(read_as(counts[j], reader, got + done, 4000 - done, WAIT));
                CHECK(n > 0);
                done += (size_t)n;
            }
            CHECK(memcmp(much, got, 4000) == 0);
            CHECK_ERROR(LIPC_EAGAIN, lipc_read(reader, got, 1, 0));
            CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read(reader, got, 1, 2));
            CHECK_INT(3, write_as(counts[i], writer, much, 3, WAIT));
            CHECK_OK(lipc_close(writer));
            CHECK_INT(3, lipc_read(reader, got, 100, WAIT));
            for (int again = 0; again < 2; again++)
                CHECK_INT(0, read_as(counts[j], reader, got, 100, again - 1)); /* the end, behind what was written */
            CHECK_OK(lipc_close(reader));
        }
}

TEST(no_bytes_are_read_and_written_at_once) {
    lipc_handle reader, writer;
    open_pipe(&reader, &writer);
    lipc_buffer empty[2] = {{NULL, 0}, {NULL, 0}};
    for (int timeout = -1; timeout <= 1; timeout++) {
        CHECK_INT(0, lipc_read(reader, NULL, 0, timeout));
        CHECK_INT(0, lipc_write(writer, NULL, 0, timeout));
        CHECK_INT(0, lipc_readv(reader, empty, 2, timeout));
        CHECK_INT(0, lipc_writev(writer, empty, 2, timeout));
    }
    close_all((lipc_handle[]){reader, writer}, 2);
}

typedef struct ends {
    lipc_handle reader, writer;
    size_t buffers;
} ends;

static void read_slowly(const void *argument) {
    const ends *p = argument;
    CHECK_OK(lipc_close(p->writer));
    ready();
    size_t done = 0;
    for (int64_t n; (n = read_as(p->buffers, p->reader, got + done, 1 + done % 9973, WAIT)) != 0; done += (size_t)n) {
        CHECK_OK(n);
        CHECK(done + (size_t)n <= MUCH);
    }
    CHECK_INT(MUCH, done);
    CHECK(memcmp(much, got, MUCH) == 0);
}

TEST(a_slow_reader_gets_every_byte_of_a_large_write) {
    fill();
    for (size_t i = 0; i < COUNTS; i++) {
        ends p = {.buffers = i % 2};
        open_pipe(&p.reader, &p.writer);
        pid_t process = start(read_slowly, &p);
        CHECK_OK(lipc_close(p.reader));
        CHECK_INT(MUCH, write_as(counts[i], p.writer, much, MUCH, i % 3 == 0 ? -1 : WAIT));
        CHECK_OK(lipc_close(p.writer));
        join(process);
    }
}

TEST(a_write_that_runs_out_of_time_returns_the_part_written) {
    fill();
    for (size_t i = 0; i < COUNTS; i++)
        for (int timeout = 0; timeout <= 20; timeout += 20) {
            lipc_handle reader, writer;
            open_pipe(&reader, &writer);
            int64_t n = CHECK_OK(write_as(counts[i], writer, much, MUCH, timeout)), done = 0;
            CHECK(n > 0 && n < MUCH);
            CHECK_ERROR(timeout ? LIPC_ETIMEDOUT : LIPC_EAGAIN, write_as(counts[i], writer, much, MUCH, timeout));
            CHECK_OK(lipc_close(writer));
            for (int64_t part; (part = CHECK_OK(lipc_read(reader, got + done, MUCH, WAIT))) != 0;)
                done += part;
            CHECK_INT(n, done);
            CHECK(memcmp(much, got, (size_t)n) == 0);
            CHECK_OK(lipc_close(reader));
        }
}

/* ------------------------------------------ The signal ------------------------------------------ */

static bool is_pending(int number) {
    sigset_t pending;
    CHECK(sigpending(&pending) == 0);
    return sigismember(&pending, number) == 1;
}

static int caught;

static void count_signal(int number) {
    (void)number;
    caught++;
}

/* How the caller may have set SIGPIPE, which must stay so. */
TEST(a_reader_that_is_gone_is_an_error_and_raises_nothing) {
    static const struct {
        const char *name;
        void (*handler)(int);
        bool blocked, pending;
    } rows[] = {
        {"default", SIG_DFL, false, false}, /* it would kill the test */
        {"ignored", SIG_IGN, false, false},
        {"caught", count_signal, false, false},
        {"blocked", SIG_DFL, true, false},
        {"blocked and caught", count_signal, true, false},
        {"pending", SIG_DFL, true, true},
        {"pending and caught", count_signal, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        lipc_handle reader, writer;
        sigset_t set, before, after;
        struct sigaction action;
        open_pipe(&reader, &writer);
        CHECK_OK(lipc_close(reader));
        CHECK(signal(SIGPIPE, rows[i].handler) != SIG_ERR);
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        sigaddset(&set, SIGUSR1);
        CHECK(sigprocmask(rows[i].blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL) == 0);
        CHECK(!rows[i].pending || raise(SIGPIPE) == 0);
        CHECK(sigprocmask(SIG_BLOCK, NULL, &before) == 0);
        lipc_buffer two[] = {{"x", 1}, {"yz", 2}};
        for (int again = 0; again < 3; again++) {
            CHECK_ERROR(LIPC_EPIPE, lipc_write(writer, "x", 1, again - 1));
            CHECK_ERROR(LIPC_EPIPE, lipc_writev(writer, two, 2, again - 1));
        }
        CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
        for (int number = 1; number < 32; number++)
            CHECK_INT(sigismember(&before, number), sigismember(&after, number));
        CHECK_INT(rows[i].pending, is_pending(SIGPIPE));
        CHECK_INT(0, caught);
        CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == rows[i].handler);
        signal(SIGPIPE, SIG_IGN); /* drops a pending one */
        CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
        signal(SIGPIPE, SIG_DFL);
        CHECK_OK(lipc_close(writer));
    }
}

static void close_when_full(const void *argument) {
    const ends *p = argument;
    CHECK_OK(lipc_close(p->writer));
    ready();
    struct pollfd readable = {.fd = (int)p->reader, .events = POLLIN};
    CHECK(poll(&readable, 1, WAIT) == 1);
    CHECK_OK(lipc_close(p->reader));
}

TEST(a_reader_that_goes_ends_a_write_that_waits) {
    fill();
    for (size_t buffers = 0; buffers < 2; buffers++) {
        ends p;
        open_pipe(&p.reader, &p.writer);
        pid_t process = start(close_when_full, &p);
        CHECK_OK(lipc_close(p.reader));
        int64_t n = write_as(buffers, p.writer, much, MUCH, -1);
        CHECK(n < MUCH);
        if (n < 0)
            CHECK_ERROR(LIPC_EPIPE, n);
        CHECK_ERROR(LIPC_EPIPE, lipc_write(p.writer, "x", 1, -1));
        join(process);
        CHECK_OK(lipc_close(p.writer));
    }
}

/* ---------------------------------------- Child processes --------------------------------------- */

/* Checks a handle as programs expect inherited ones. */
static bool is_inheritable(lipc_handle handle) {
    int own = fcntl((int)handle, F_GETFD), shared = fcntl((int)handle, F_GETFL);
    CHECK(own >= 0 && shared >= 0);
    CHECK_INT((own & FD_CLOEXEC) != 0, (shared & O_NONBLOCK) != 0);
    return (own & FD_CLOEXEC) == 0;
}

TEST(child_processes_get_the_ends_that_were_asked_for) {
    for (int inherit = 0; inherit <= (LIPC_READ | LIPC_WRITE); inherit++) {
        lipc_pipe_options options = {.size = sizeof options, .inherit = inherit};
        lipc_handle reader, writer;
        CHECK_OK(lipc_pipe(&options, &reader, &writer));
        CHECK_INT((inherit & LIPC_READ) != 0, is_inheritable(reader));
        CHECK_INT((inherit & LIPC_WRITE) != 0, is_inheritable(writer));
        CHECK_INT(LIPC_PIPE_READER, lipc_kind(reader));
        CHECK_INT(LIPC_PIPE_WRITER, lipc_kind(writer));
        CHECK_INT(2, lipc_write(writer, "ok", 2, WAIT));
        CHECK_INT(2, lipc_read(reader, got, 10, WAIT));
        close_all((lipc_handle[]){reader, writer}, 2);
    }
}

TEST(inheriting_is_switched_on_and_off_for_each_end) {
    lipc_handle h[2];
    open_pipe(&h[0], &h[1]);
    for (int i = 0; i < 2; i++)
        for (int on = 2; on >= 0; on--) {
            CHECK_OK(lipc_set_inherit(h[i], on));
            CHECK_INT(on != 0, is_inheritable(h[i]));
            CHECK(!is_inheritable(h[1 - i]));
        }
    close_all(h, 2);
    CHECK_OK(lipc_pair(LIPC_STREAM, &h[0], &h[1])); /* other handles too */
    CHECK_OK(lipc_set_inherit(h[0], true));
    CHECK(is_inheritable(h[0]) && !is_inheritable(h[1]));
    CHECK_OK(lipc_set_inherit(h[0], false));
    CHECK(!is_inheritable(h[0]));
    close_all(h, 2);
    for (int on = 0; on < 2; on++) {
        CHECK_ERROR(LIPC_EBADF, lipc_set_inherit(LIPC_INVALID_HANDLE, on));
        CHECK_ERROR(LIPC_EBADF, lipc_set_inherit(1 << 20, on));
    }
}

/* A program without the library, which reads one pipe and writes another. */
TEST(a_program_uses_what_it_inherited) {
    fill();
    lipc_pipe_options reading = {.size = sizeof reading, .inherit = LIPC_READ};
    lipc_pipe_options writing = {.size = sizeof writing, .inherit = LIPC_WRITE};
    lipc_handle in[2], out[2];
    CHECK_OK(lipc_pipe(&reading, &in[0], &in[1]));
    CHECK_OK(lipc_pipe(&writing, &out[0], &out[1]));
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        char script[64];
        snprintf(script, sizeof script, "exec cat <&%d >&%d", (int)in[0], (int)out[1]);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(TEST_FAILED);
    }
    close_all((lipc_handle[]){in[0], out[1]}, 2);
    size_t written = 0, done = 0;
    while (done < MUCH) { /* the two pipes hold far less */
        if (written < MUCH) {
            int64_t n = lipc_write(in[1], much + written, MUCH - written, 0);
            if (n < 0)
                CHECK_ERROR(LIPC_EAGAIN, n);
            else
                written += (size_t)n;
            if (written == MUCH)
                CHECK_OK(lipc_close(in[1])); /* cat sees the end: it did not inherit our end */
        }
        int64_t n = lipc_read(out[0], got + done, MUCH - done, WAIT);
        CHECK(CHECK_OK(n) > 0);
        done += (size_t)n;
    }
    CHECK_INT(0, lipc_read(out[0], much, 1, WAIT));
    CHECK(memcmp(much, got, MUCH) == 0);
    join(process);
    CHECK_OK(lipc_close(out[0]));
}

/* ------------------------------------------- Handles -------------------------------------------- */

TEST(ends_are_born_as_all_handles_are) {
    lipc_handle reader, writer;
    open_pipe(&reader, &writer);
    check_born(reader);
    check_born(writer);
    close_all((lipc_handle[]){reader, writer}, 2);
}

TEST(a_pipe_that_came_from_elsewhere_is_adopted) {
    int plain[2];
    CHECK(pipe(plain) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(i == 0 ? LIPC_PIPE_READER : LIPC_PIPE_WRITER, lipc_kind(plain[i]));
        CHECK((fcntl(plain[i], F_GETFD) & FD_CLOEXEC) == 0 && (fcntl(plain[i], F_GETFL) & O_NONBLOCK) == 0);
        CHECK_INT(i == 0 ? LIPC_PIPE_READER : LIPC_PIPE_WRITER, lipc_adopt(plain[i]));
        check_born(plain[i]);
    }
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(plain[0], got, 1, 0));
    CHECK_INT(2, lipc_write(plain[1], "ok", 2, WAIT));
    CHECK_INT(2, lipc_read(plain[0], got, 10, WAIT));
    close_all((lipc_handle[]){plain[0], plain[1]}, 2);
}

TEST(the_wrong_end_and_what_pipes_cannot_do_are_errors) {
    lipc_handle reader, writer;
    lipc_name name;
    lipc_credentials credentials;
    open_pipe(&reader, &writer);
    for (int timeout = -1; timeout <= 1; timeout++) {
        CHECK_ERROR(LIPC_EBADF, lipc_read(writer, got, 1, timeout));
        CHECK_ERROR(LIPC_EBADF, lipc_readv(writer, &(lipc_buffer){got, 1}, 1, timeout));
        CHECK_ERROR(LIPC_EBADF, lipc_write(reader, "x", 1, timeout));
        CHECK_ERROR(LIPC_EBADF, lipc_writev(reader, &(lipc_buffer){got, 1}, 1, timeout));
    }
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_shutdown(writer, LIPC_WRITE));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_local_name(reader, &name));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_peer_credentials(reader, &credentials));
    CHECK_ERROR(LIPC_ENOTSOCK, send_handles(writer, "x", 1, NULL, 0, 0));
    close_all((lipc_handle[]){reader, writer}, 2);
}

TEST(wrong_options_make_no_pipe) {
    static const lipc_pipe_options wrong[] = {
        {.size = 0},
        {.size = sizeof(size_t) - 1},
        {.size = sizeof *wrong, .inherit = 4},
        {.size = sizeof *wrong, .inherit = -1},
        {.size = sizeof *wrong, .buffer_size = -1},
    };
    lipc_handle h[2];
    memset(h, UNTOUCHED, sizeof h);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_pipe(&wrong[i], &h[0], &h[1]));
    struct {
        lipc_pipe_options options;
        size_t more;
    } larger;
    memset(&larger, 0, sizeof larger);
    larger.options.size = sizeof larger;
    larger.more = 1;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_pipe(&larger.options, &h[0], &h[1]));
    struct rlimit limit = forbid_descriptors();
    int r = lipc_pipe(NULL, &h[0], &h[1]);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_ERROR(LIPC_EMFILE, r);
    CHECK(is_untouched(h, sizeof h));
    larger.more = 0;
    CHECK_OK(lipc_pipe(&larger.options, &h[0], &h[1]));
    close_all(h, 2);
    lipc_pipe_options smallest = {.size = sizeof(size_t), .inherit = 99}; /* which is beyond the size */
    CHECK_OK(lipc_pipe(&smallest, &h[0], &h[1]));
    CHECK(!is_inheritable(h[0]) && !is_inheritable(h[1]));
    close_all(h, 2);
}

/* --------------------------------------------- Size --------------------------------------------- */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)

TEST(a_pipe_has_the_buffer_that_was_asked_for) {
    static const struct {
        int asked, wanted;
    } rows[] = {{1, 4096}, {4096, 4096}, {5000, 8192}, {1 << 17, 1 << 17}, {1 << 20, 1 << 20}};
    CHECK_INT(4096, sysconf(_SC_PAGESIZE)); /* what these rows are for */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_pipe_options options = {.size = sizeof options, .buffer_size = rows[i].asked};
        lipc_handle h[2];
        CHECK_OK(lipc_pipe(&options, &h[0], &h[1]));
        for (int end = 0; end < 2; end++)
            for (int direction = LIPC_READ; direction <= LIPC_WRITE; direction++) {
                CHECK_INT(rows[i].wanted, lipc_buffer_size(h[end], direction));
                CHECK_OK(lipc_set_buffer_size(h[end], direction, 16384));
                CHECK_INT(16384, lipc_buffer_size(h[1 - end], direction));
                CHECK_OK(lipc_set_buffer_size(h[end], direction, rows[i].asked));
            }
        int64_t n = CHECK_OK(lipc_write(h[1], much, MUCH, 0));
        CHECK_INT(rows[i].wanted, n);
        if (n > 4096) {
            int64_t r = CHECK_ERROR(LIPC_EOTHER, lipc_set_buffer_size(h[0], LIPC_READ, 4096));
            CHECK_INT(EBUSY, lipc_error_os(r));
        }
        close_all(h, 2);
    }
}

static void ask_for_too_much(const void *unused) {
    (void)unused;
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    lipc_pipe_options options = {.size = sizeof options, .buffer_size = 1 << 30};
    lipc_handle h[2];
    memset(h, UNTOUCHED, sizeof h);
    test_open before;
    test_descriptors(&before);
    CHECK_ERROR(LIPC_EACCES, lipc_pipe(&options, &h[0], &h[1]));
    CHECK(is_untouched(h, sizeof h));
    test_same_descriptors(&before);
    ready();
}

TEST(a_buffer_larger_than_the_system_allows_is_refused) {
    join(start(ask_for_too_much, NULL));
}

#else

TEST(the_size_of_a_pipe_is_no_matter_of_ours) {
    lipc_pipe_options options = {.size = sizeof options, .buffer_size = 4096};
    lipc_handle h[2];
    memset(h, UNTOUCHED, sizeof h);
    CHECK_ERROR(LIPC_ENOTSUP, lipc_pipe(&options, &h[0], &h[1]));
    CHECK(is_untouched(h, sizeof h));
    open_pipe(&h[0], &h[1]);
    for (int direction = LIPC_READ; direction <= LIPC_WRITE; direction++) {
        CHECK_ERROR(LIPC_ENOTSUP, lipc_buffer_size(h[0], direction));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_set_buffer_size(h[1], direction, 4096));
    }
    close_all(h, 2);
}

#endif

TEST(a_size_needs_a_direction_and_to_be_one) {
    lipc_handle h[2];
    open_pipe(&h[0], &h[1]);
    CHECK_ERROR(LIPC_EINVAL, lipc_set_buffer_size(h[0], LIPC_READ, 0));
    CHECK_ERROR(LIPC_EINVAL, lipc_set_buffer_size(h[0], LIPC_READ, -1));
    CHECK_ERROR(LIPC_EINVAL, lipc_set_buffer_size(h[0], 0, 4096));
    CHECK_ERROR(LIPC_EINVAL, lipc_buffer_size(h[0], LIPC_READ | LIPC_WRITE));
    close_all(h, 2);
}

TEST(known_pipes_are_read_and_written_as_others_are) {
    lipc_handle r, w;
    CHECK_OK(lipc_pipe(NULL, &r, &w));
    char sent[100], got[100];
    lipc_buffer in[100], out[100]; /* more than one system call is given */
    for (int i = 0; i < 100; i++) {
        sent[i] = (char)i;
        out[i] = (lipc_buffer){&sent[i], 1};
        in[i] = (lipc_buffer){&got[i], 1};
    }
    CHECK_INT(0, lipc_pipe_writev(w, out, 0, 0));
    CHECK_INT(0, lipc_pipe_readv(r, in, 0, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_pipe_readv(r, in, 100, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_pipe_readv(r, in, 1, 1));
    CHECK_INT(100, lipc_pipe_writev(w, out, 100, 0));
    for (size_t n = 0; n < 100;) {
        int64_t some = CHECK_OK(lipc_pipe_readv(r, in + n, 100 - n, 0));
        CHECK(some > 0);
        n += (size_t)some;
    }
    CHECK(memcmp(sent, got, sizeof sent) == 0);
    static char much[1 << 20];
    lipc_buffer all = {much, sizeof much};
    int64_t part = CHECK_OK(lipc_pipe_writev(w, &all, 1, 0));
    CHECK(part > 0 && part < (int64_t)sizeof much);
    CHECK_ERROR(LIPC_EAGAIN, lipc_pipe_writev(w, &all, 1, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_pipe_writev(w, &all, 1, 1));
    CHECK_OK(lipc_close(r));
    CHECK_ERROR(LIPC_EPIPE, lipc_pipe_writev(w, out, 2, -1));
    CHECK_OK(lipc_close(w));
    CHECK_OK(lipc_pipe(NULL, &r, &w));
    CHECK_OK(lipc_close(w));
    CHECK_INT(0, lipc_pipe_readv(r, in, 1, -1));
    CHECK_OK(lipc_close(r));
}
