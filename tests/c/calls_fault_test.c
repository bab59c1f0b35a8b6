/* How many system calls the data paths take where nothing has to wait: one each, as the plain calls do. */
#include "fixture.h"

static int calls;

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    (void)call;
    calls++;
    return 0;
}

static char data[64];
static lipc_buffer halves[] = {{data, 32}, {data + 32, 32}};

/* Checks that the operation took one system call. */
static void check_one(const char *what, int64_t wanted, int64_t got) {
    test_row = what;
    CHECK_INT(wanted, got);
    CHECK_INT(1, calls);
    calls = 0;
}

TEST(reading_and_writing_take_one_system_call) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    calls = 0;
    check_one("lipc_write", 64, lipc_write(a, data, sizeof data, -1));
    check_one("lipc_read", 64, lipc_read(b, data, sizeof data, -1));
    check_one("lipc_writev", 64, lipc_writev(a, halves, 2, -1));
    check_one("lipc_readv", 64, lipc_readv(b, halves, 2, -1));
    check_one("lipc_read, with nothing there", LIPC_EAGAIN, lipc_error_code(lipc_read(b, data, sizeof data, 0)));
    check_one("lipc_readv, with nothing there", LIPC_EAGAIN, lipc_error_code(lipc_readv(b, halves, 2, 0)));
    while (lipc_write(a, data, sizeof data, 0) == sizeof data) {
    }
    calls = 0;
    check_one("lipc_write, without room", LIPC_EAGAIN, lipc_error_code(lipc_write(a, data, sizeof data, 0)));
    check_one("lipc_writev, without room", LIPC_EAGAIN, lipc_error_code(lipc_writev(a, halves, 2, 0)));
    close_all((lipc_handle[]){a, b}, 2);
}

#ifndef __APPLE__
TEST(sending_and_receiving_take_one_system_call) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_MESSAGE, &a, &b));
    calls = 0;
    check_one("lipc_send", 64, lipc_send(a, data, sizeof data, -1));
    check_one("lipc_receive", 64, lipc_receive(b, data, sizeof data, -1));
    check_one("lipc_receive, with nothing there", LIPC_EAGAIN, lipc_error_code(lipc_receive(b, data, sizeof data, 0)));
#ifdef __linux__ /* elsewhere the kind of the connection is asked for */
    lipc_message m = {.size = sizeof m, .buffers = halves, .buffer_count = 2, .handles = &a, .handle_count = 1};
    check_one("lipc_send_message", 64, lipc_send_message(a, &m, -1));
    lipc_handle file;
    m = (lipc_message){.size = sizeof m, .buffers = halves, .buffer_count = 2, .handles = &file, .handle_capacity = 1};
    check_one("lipc_receive_message", 64, lipc_receive_message(b, &m, -1));
    CHECK_OK(lipc_close(file));
#endif
    close_all((lipc_handle[]){a, b}, 2);
}
#endif

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
TEST(pipes_take_one_system_call_where_they_are_known_as_such) {
    lipc_handle r, w;
    CHECK_OK(lipc_pipe(NULL, &r, &w));
    calls = 0;
    int64_t n = lipc_pipe_writev(w, halves, 2, -1);
    bool masks_signals = calls > 1; /* before Linux 6.18, pwritev2(2) is refused first */
    calls = masks_signals ? 1 : calls;
    check_one("lipc_pipe_writev", 64, n);
    check_one("lipc_pipe_readv", 64, lipc_pipe_readv(r, halves, 2, -1));
    check_one("lipc_pipe_readv, with nothing there", LIPC_EAGAIN, lipc_error_code(lipc_pipe_readv(r, halves, 2, 0)));
    close_all((lipc_handle[]){r, w}, 2);
}
#endif
