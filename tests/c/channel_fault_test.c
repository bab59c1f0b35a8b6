/* Channels while system calls fail: see fault.h. Each operation opens its own channels, because an error may end
 * one. */
#include "fault.h"

#include <pthread.h>

#include "lipc_channel.h"

static int memory;
static char large[6000];

/* Closes both ends, and returns what came before. */
static int64_t over(lipc_channel *a, lipc_channel *b, int64_t r) {
    lipc_channel_close(a);
    lipc_channel_close(b);
    return r;
}

static int64_t open_both(lipc_channel **ret_a, lipc_channel **ret_b) {
    lipc_channel_options o = {.size = sizeof o, .memory = memory, .ring_size = 4096};
    return lipc_channel_pair(&o, ret_a, ret_b);
}

static int64_t do_open(void) {
    lipc_channel *a, *b;
    int64_t r = open_both(&a, &b);
    return r < 0 ? r : over(a, b, r);
}

static int64_t do_exchange(void) {
    lipc_channel *a, *b;
    char data[16];
    int64_t r = open_both(&a, &b);
    if (r < 0)
        return r;
    r = lipc_channel_receive(b, data, sizeof data, LIPC_CHANNEL_ARM);
    if (lipc_error_code(r) != LIPC_EAGAIN)
        return over(a, b, r);
    r = lipc_channel_send(a, "hello", 5, WAIT);
    if (r >= 0)
        r = lipc_channel_receive(b, data, sizeof data, WAIT);
    CHECK(r < 0 || (r == 5 && memcmp(data, "hello", 5) == 0));
    return over(a, b, r);
}

/* A message in parts, both ends of which belong to this thread. */
static int64_t do_large(void) {
    lipc_channel *a, *b;
    const void *data;
    int64_t sent = open_both(&a, &b), r = 0;
    if (sent < 0)
        return sent;
    for (sent = -1; sent < 0;) {
        sent = lipc_channel_send(a, large, sizeof large, 0);
        r = lipc_channel_next(b, 0, &data);
        if (sent < 0 && lipc_error_code(sent) != LIPC_EAGAIN)
            return over(a, b, sent);
        if (r < 0 && lipc_error_code(r) != LIPC_EAGAIN)
            return over(a, b, r);
    }
    if (r < 0)
        r = lipc_channel_next(b, WAIT, &data);
    CHECK(r < 0 || (r == sizeof large && memcmp(data, large, sizeof large) == 0));
    return over(a, b, r);
}

static int64_t do_files(void) {
    lipc_channel *a, *b;
    lipc_handle file = STDERR_FILENO, got[1];
    char data[16];
    lipc_buffer buffer = {data, 1};
    lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .handles = &file, .handle_count = 1};
    int64_t r = open_both(&a, &b);
    if (r < 0)
        return r;
    r = lipc_channel_send_message(a, &m, WAIT);
    if (r < 0)
        return over(a, b, r);
    buffer.size = sizeof data;
    m.handles = got;
    m.handle_capacity = 1;
    r = lipc_channel_receive_message(b, &m, WAIT);
    if (r >= 0) {
        CHECK_INT(1, (int64_t)m.handle_count);
        CHECK_OK(lipc_close(got[0]));
    }
    return over(a, b, r);
}

static int64_t do_wait(void) {
    lipc_channel *a, *b;
    char data[16];
    int64_t r = open_both(&a, &b);
    if (r < 0)
        return r;
    r = lipc_channel_receive(b, data, sizeof data, 1);
    if (lipc_error_code(r) == LIPC_ETIMEDOUT)
        r = lipc_channel_shutdown(a, LIPC_WRITE, WAIT);
    if (r >= 0) {
        r = lipc_channel_receive(b, data, sizeof data, WAIT);
        r = lipc_error_code(r) == LIPC_EEND ? 0 : r;
    }
    return over(a, b, r);
}

static const operation operations[] = {
    {"open", NULL, do_open, NULL, 0, 0},
    {"exchange", NULL, do_exchange, NULL, 0, 0},
    {"large message", NULL, do_large, NULL, 0, 0},
    {"files", NULL, do_files, NULL, 0, 0},
    {"wait", NULL, do_wait, NULL, 0, 0},
};

TEST(every_call_of_a_channel_may_fail_once) {
    for (memory = LIPC_CHANNEL_PREFER; memory <= LIPC_CHANNEL_NEVER; memory++) {
#if !defined(__linux__) || defined(LIPC_PLAIN_POSIX)
        if (memory == LIPC_CHANNEL_REQUIRE)
            continue;
#endif
        FAIL_EVERY_CALL(operations, "open exchange large files wait");
    }
}
