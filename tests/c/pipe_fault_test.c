/* Fault injection, see fault.h: pipes, FIFOs, and what the system copies through pipes. */
#include "fault.h"

static void with_pipe(void) {
    CHECK_OK(lipc_pipe(NULL, &s.handles[0], &s.handles[1]));
    s.count = 2;
}

/* The end that is operated on comes first. */
static void with_full_pipe(void) {
    static char data[1 << 16];
    CHECK_OK(lipc_pipe(NULL, &s.handles[1], &s.handles[0]));
    s.count = 2;
    while (lipc_write(s.handles[0], data, sizeof data, 0) > 0) {
    }
}

static int64_t do_pipe(void) {
    lipc_pipe_options options = {.size = sizeof options, .inherit = LIPC_READ};
    return lipc_pipe(&options, &out.handles[0], &out.handles[1]);
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
static int64_t do_pipe_of_a_size(void) {
    lipc_pipe_options options = {.size = sizeof options, .buffer_size = 8192};
    return lipc_pipe(&options, &out.handles[0], &out.handles[1]);
}

static int64_t do_pipe_sizes(void) {
    int r = lipc_set_buffer_size(s.handles[1], LIPC_WRITE, 8192);
    return r < 0 ? r : lipc_buffer_size(s.handles[0], LIPC_READ);
}

/* A connection without room, and a file of one number. */
static void with_file(void) {
    with_full_pair();
    s.handles[s.count++] = numbered_file(7);
    CHECK(lseek((int)s.handles[2], 0, SEEK_SET) == 0);
}

static int64_t do_send_file(void) {
    return lipc_send_file(s.handles[0], s.handles[2], 100, WAIT);
}

/* A connection, and a pipe. */
static void with_relay(void) {
    with_pair();
    CHECK_OK(lipc_pipe(NULL, &s.handles[2], &s.handles[3]));
    s.count = 4;
}

static void with_relay_to(void) {
    with_full_pair();
    CHECK_OK(lipc_pipe(NULL, &s.handles[2], &s.handles[3]));
    s.count = 4;
    CHECK_INT(5, lipc_write(s.handles[3], "hello", 5, 0));
}

static int64_t do_splice_in(void) {
    return lipc_splice(s.handles[0], s.handles[3], 100, WAIT);
}

static int64_t do_splice_out(void) {
    return lipc_splice(s.handles[2], s.handles[0], 100, WAIT);
}
#endif

static int64_t do_kind(void) {
    return lipc_kind(s.handles[0]);
}

static int64_t do_set_inherit(void) {
    int r = lipc_set_inherit(s.handles[0], true);
    if (r < 0) /* it is as it was */
        check_born(s.handles[0]);
    return r;
}

static void with_fifo(void) {
    CHECK_OK(lipc_fifo_create(in_directory("f"), 0));
    s.fifo = true;
}

static void with_fifo_reader(void) {
    with_fifo();
    CHECK_OK(lipc_fifo_open_reader(in_directory("f"), &s.handles[0]));
    s.count = 1;
}

/* Somebody writes from the second attempt on. */
static void open_the_writer(const char *call) {
    if (begins_with(call, "readv") && ++s.connects == 2)
        CHECK_OK(lipc_fifo_open_writer(in_directory("f"), 0, &s.handles[s.count++]));
}

static void open_the_reader(const char *call) {
    if (begins_with(call, "stat") && ++s.connects == 2)
        CHECK_OK(lipc_fifo_open_reader(in_directory("f"), &s.handles[s.count++]));
}

/* The umask removes bits of this mode. */
static int64_t do_fifo_create(void) {
    mode_t before = umask(077);
    int r = lipc_fifo_create(in_directory("f"), 0666);
    umask(before);
    CHECK_INT(r >= 0, exists("f"));
    s.fifo = r >= 0;
    return r;
}

static int64_t do_fifo_reader(void) {
    return lipc_fifo_open_reader(in_directory("f"), &out.handles[0]);
}

static int64_t do_fifo_writer(void) {
    return lipc_fifo_open_writer(in_directory("f"), WAIT, &out.handles[0]);
}

static int64_t do_fifo_wait(void) {
    return lipc_fifo_wait_writer(s.handles[0], WAIT);
}

static const operation operations[] = {
    {"pipe", NULL, do_pipe, NULL, 2, 0},
    {"pipe read", with_pipe, do_read, give_bytes, 0, 0},
    {"pipe readv", with_pipe, do_readv, give_bytes, 0, 0},
    {"pipe write", with_full_pipe, do_write, make_room, 0, 0},
    {"pipe writev", with_full_pipe, do_writev, make_room, 0, 0},
    {"pipe kind", with_pipe, do_kind, NULL, 0, 0},
    {"pipe adopt", with_pipe, do_adopt, NULL, 0, 0},
    {"pipe inherit", with_pipe, do_set_inherit, NULL, 0, 0},
    {"FIFO create", NULL, do_fifo_create, NULL, 0, 0},
    {"FIFO reader", with_fifo, do_fifo_reader, NULL, 1, 0},
    {"FIFO writer", with_fifo, do_fifo_writer, open_the_reader, 1, 0},
    {"FIFO wait", with_fifo_reader, do_fifo_wait, open_the_writer, 0, 0},
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
    {"pipe of a size", NULL, do_pipe_of_a_size, NULL, 2, 0},
    {"pipe sizes", with_pipe, do_pipe_sizes, NULL, 0, 0},
    {"copy from a file", with_file, do_send_file, make_room, 0, 0},
    {"copy to a pipe", with_relay, do_splice_in, give_bytes, 0, 0},
    {"copy from a pipe", with_relay_to, do_splice_out, make_room, 0, 0},
#endif
};

TEST(every_call_may_fail_once_with_pipes_and_FIFOs) {
    FAIL_EVERY_CALL(operations, "pipe FIFO");
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
TEST(every_call_may_fail_once_when_the_system_copies) {
    FAIL_EVERY_CALL(operations, "copy");
}

/* Before 6.18 Linux cannot be asked for a write that raises no signal. */
TEST(a_system_without_quiet_writes_is_made_up_for) {
    static const int errnos[] = {EOPNOTSUPP, ENOSYS};
    signal(SIGPIPE, SIG_DFL); /* it would kill the test */
    for (size_t i = 0; i < 2; i++) {
        with_pipe();
        fault_errno = errnos[i];
        fault_calls = "pwritev2";
        for (int gone = 0; gone < 2; gone++) {
            failed_call = NULL;
            for (int n = 1; failed_call == NULL; n++) { /* until n is the number of pwritev2(2) */
                fault_at = n;
                calls = 0;
                CHECK_ERROR(gone ? LIPC_EPIPE : 0, lipc_write(s.handles[1], "x", 1, WAIT));
                CHECK(n < 10);
            }
            fault_at = 0;
            if (!gone)
                CHECK_OK(lipc_close(s.handles[0]));
        }
        CHECK_OK(lipc_close(s.handles[1]));
    }
}
#endif
