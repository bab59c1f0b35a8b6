/* The C library of this repository. */
#include "contender.h"
#include "lipc_unix.h"

#include <unistd.h>

static lipc_listener *listener;

static _Noreturn void fail_with(const char *call, int64_t r) {
    fail("%s: %s (%s)", call, lipc_strerror(r), lipc_error_name(r));
}

static int64_t checked(const char *call, int64_t r) {
    if (r < 0)
        fail_with(call, r);
    return r;
}

/* The timeout_ms of calls. */
static int timeout(void) {
    return task.events ? 0 : -1;
}

/* What a transport returns for the error of a call. */
static int64_t wait_or_end(const char *call, int64_t r) {
    switch (lipc_error_code(r)) {
    case LIPC_EAGAIN:
        return WAIT;
    case LIPC_EEND:
        return END;
    default:
        fail_with(call, r);
    }
}

static int kind(void) {
    return task.variant->transport->messages ? LIPC_MESSAGE : LIPC_STREAM;
}

static const lipc_name *name(void) {
    static lipc_name name;
    if (name.length == 0)
        checked("lipc_name_path", lipc_name_path(task.address, LIPC_STRLEN, &name));
    return &name;
}

static void check_size(lipc_handle handle) {
    if (!task.variant->transport->messages)
        return;
    int64_t limit = checked("lipc_message_limit", lipc_message_limit(handle));
    if (task.size > (size_t)limit) {
        lipc_listener_close(listener); /* NULL in a client */
        unsupported("a message of %zu bytes is more than the system takes", task.size);
    }
}

static intptr_t listen_on_name(void) {
    lipc_listen_options options = {.size = sizeof options, .kind = kind()};
    checked("lipc_listen", lipc_listen(name(), &options, &listener));
    check_size(lipc_listener_handle(listener));
    return lipc_listener_handle(listener);
}

static intptr_t accept_connection(void) {
    lipc_handle handle;
    int r = lipc_accept(listener, timeout(), NULL, &handle);
    return r < 0 ? (intptr_t)wait_or_end("lipc_accept", r) : handle;
}

static intptr_t connect_to_name(void) {
    lipc_handle handle;
    lipc_connect_options options = {.size = sizeof options, .kind = kind()};
    checked("lipc_connect", lipc_connect(name(), &options, -1, &handle));
    if (task.work != CONNECT)
        check_size(handle);
    return handle;
}

static void close_connection(intptr_t handle) {
    lipc_close(handle);
}

static int64_t stream_read(intptr_t handle, void *data, size_t size) {
    int64_t n = lipc_read(handle, data, size, timeout());
    return n < 0 ? wait_or_end("lipc_read", n) : n;
}

static int64_t stream_write(intptr_t handle, const void *data, size_t size) {
    int64_t n = lipc_write(handle, data, size, timeout());
    return n < 0 ? wait_or_end("lipc_write", n) : n;
}

static int64_t message_receive(intptr_t handle, void *data, size_t size) {
    int64_t n = lipc_receive(handle, data, size, timeout());
    return n < 0 ? wait_or_end("lipc_receive", n) : n;
}

static int64_t message_send(intptr_t handle, const void *data, size_t size) {
    int64_t n = lipc_send(handle, data, size, timeout());
    return n < 0 ? wait_or_end("lipc_send", n) : n;
}

static int64_t spin_read(intptr_t handle, void *data, size_t size) {
    static lipc_spin spin = {.limit_us = 100}; /* of the only connection */
    int64_t n;
    while (lipc_spin_again(&spin, n = lipc_read(handle, data, size, 0))) {
    }
    if (lipc_error_code(n) == LIPC_EAGAIN)
        n = lipc_read(handle, data, size, -1);
    return checked("lipc_read", n);
}

/* ========================================== Files ============================================= */

static void send_file(intptr_t handle, char byte, int file) {
    lipc_handle lent = file;
    lipc_buffer payload = {&byte, 1};
    lipc_message m = {.size = sizeof m, .buffers = &payload, .buffer_count = 1, .handles = &lent, .handle_count = 1};
    checked("lipc_send_message", lipc_send_message(handle, &m, -1));
}

static int receive_file(intptr_t handle, char *ret_byte) {
    lipc_handle file;
    lipc_buffer payload = {ret_byte, 1};
    lipc_message m = {.size = sizeof m, .buffers = &payload, .buffer_count = 1, .handles = &file, .handle_capacity = 1};
    int64_t n = lipc_receive_message(handle, &m, -1);
    if (n < 0)
        return (int)wait_or_end("lipc_receive_message", n);
    if (m.handle_count != 1)
        fail("a byte came without a file");
    lipc_close(file);
    return 1;
}

/* ========================================== Pipes ============================================= */

enum { READER = 3, WRITER = 4 };

static intptr_t pipe_open(void) {
    checked("lipc_adopt", lipc_adopt(READER));
    checked("lipc_adopt", lipc_adopt(WRITER));
    return READER;
}

/* There is one connection. */
static intptr_t pipe_accept(void) {
    static bool accepted;
    while (accepted)
        pause();
    accepted = true;
    return READER;
}

static void pipe_close(intptr_t reader) {
    lipc_close(reader);
    lipc_close(WRITER);
}

static int64_t pipe_read(intptr_t reader, void *data, size_t size) {
    lipc_buffer buffer = {data, size};
    return checked("lipc_pipe_readv", lipc_pipe_readv(reader, &buffer, 1, -1));
}

static int64_t pipe_write(intptr_t reader, const void *data, size_t size) {
    (void)reader;
    lipc_buffer buffer = {(void *)(uintptr_t)data, size};
    return checked("lipc_pipe_writev", lipc_pipe_writev(WRITER, &buffer, 1, -1));
}

/* ======================================== Variants ============================================ */

#define SOCKET \
    .listen = listen_on_name, .accept = accept_connection, .connect = connect_to_name, .close = close_connection, \
    .send_file = send_file, .receive_file = receive_file

static const transport streams = {SOCKET, .read = stream_read, .write = stream_write};
static const transport messages = {SOCKET, .read = message_receive, .write = message_send, .messages = true};
static const transport spinning_streams = {SOCKET, .read = spin_read, .write = stream_write};
static const transport pipes = {
    .listen = pipe_open, .accept = pipe_accept, .connect = pipe_open, .close = pipe_close, .read = pipe_read,
    .write = pipe_write,
};

static const variant variants[] = {
    {.name = "unix", .works = ROUNDTRIP | STREAM | BUFFERED | CONNECT | FILES | IDLE | BUSY, .transport = &streams},
    {.name = "message", .works = ROUNDTRIP | STREAM | CONNECT | FILES | IDLE | BUSY, .transport = &messages},
    {.name = "spin", .works = ROUNDTRIP | STREAM | BUFFERED, .transport = &spinning_streams},
    {.name = "pipe", .works = ROUNDTRIP | STREAM | BUFFERED, .transport = &pipes},
};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, ".lock");
}
