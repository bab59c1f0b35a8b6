/* The C library of this repository. */
#include "contender.h"
#include "lipc_channel.h"
#include "lipc_unix.h"

#include <string.h>

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

static intptr_t listen_of(int kind) {
    lipc_listen_options options = {.size = sizeof options, .kind = kind};
    checked("lipc_listen", lipc_listen(name(), &options, &listener));
    return lipc_listener_handle(listener);
}

static intptr_t listen_on_name(void) {
    intptr_t handle = listen_of(kind());
    check_size(handle);
    return handle;
}

static intptr_t accept_connection(void) {
    lipc_handle handle;
    int r = lipc_accept(listener, timeout(), NULL, &handle);
    return r < 0 ? (intptr_t)wait_or_end("lipc_accept", r) : handle;
}

static intptr_t connect_of(int kind) {
    lipc_handle handle;
    lipc_connect_options options = {.size = sizeof options, .kind = kind};
    checked("lipc_connect", lipc_connect(name(), &options, -1, &handle));
    return handle;
}

static intptr_t connect_to_name(void) {
    intptr_t handle = connect_of(kind());
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

/* ======================================== Channels ============================================ */

enum { BATCH = 16 }; /* messages of a call */

static lipc_channel *channel_of(intptr_t connection) {
    return (lipc_channel *)connection;
}

static int channel_timeout(void) {
    return task.events ? LIPC_CHANNEL_ARM : -1;
}

static bool is_variant(const char *name) {
    return strcmp(task.variant->name, name) == 0;
}

/* Opens a channel with shared memory, so that no figure is that of a connection. An event loop that has many channels
 * does not spin for one of them. A unit that is not copied has to fit into half of the ring. */
static intptr_t open_channel(intptr_t handle, int accepting) {
    lipc_channel *channel;
    lipc_channel_options options = {.size = sizeof options, .accepting = accepting, .memory = LIPC_CHANNEL_REQUIRE,
                                    .ring_size = LIPC_CHANNEL_RING_DEFAULT,
                                    .max_message = LIPC_CHANNEL_MESSAGE_DEFAULT};
    if (is_variant("channelnospin") || task.count > 1)
        options.spin_us = -1;
    if (is_variant("channelzerocopy") && options.ring_size < 4 * task.size)
        options.ring_size = (uint32_t)(4 * task.size);
    checked("lipc_channel_open", lipc_channel_open((lipc_handle)handle, &options, -1, &channel));
    return (intptr_t)channel;
}

static intptr_t channel_listen(void) {
    return listen_of(LIPC_STREAM);
}

static intptr_t channel_accept(void) {
    intptr_t handle = accept_connection();
    return handle == WAIT ? WAIT : open_channel(handle, 1);
}

static intptr_t channel_connect(void) {
    return open_channel(connect_of(LIPC_STREAM), 0);
}

static int channel_descriptor(intptr_t connection) {
    return lipc_channel_handle(channel_of(connection), LIPC_READ);
}

static void channel_close(intptr_t connection) {
    lipc_channel_close(channel_of(connection));
}

static int64_t channel_receive(intptr_t connection, void *data, size_t size) {
    int64_t n = lipc_channel_receive(channel_of(connection), data, size, channel_timeout());
    return n < 0 ? wait_or_end("lipc_channel_receive", n) : n;
}

static int64_t channel_send(intptr_t connection, const void *data, size_t size) {
    int64_t n = lipc_channel_send(channel_of(connection), data, size, channel_timeout());
    return n < 0 ? wait_or_end("lipc_channel_send", n) : n;
}

static int64_t channel_read(intptr_t connection, void *data, size_t size) {
    return checked("lipc_channel_read", lipc_channel_read(channel_of(connection), data, size, -1));
}

static int64_t channel_write(intptr_t connection, const void *data, size_t size) {
    return checked("lipc_channel_write", lipc_channel_write(channel_of(connection), data, size, -1));
}

/* What is not copied, or comes in a batch, is looked at where it is. The loops need only its last byte. */
static int64_t look_at(const char *message, size_t length, char *data, size_t size) {
    if (length == 0 || length > size)
        fail("the peer sent %zu bytes in place of %zu", length, size);
    data[length - 1] = message[length - 1];
    return (int64_t)length;
}

static int64_t zero_copy_read(intptr_t connection, void *data, size_t size) {
    const void *message;
    int64_t n = lipc_channel_next(channel_of(connection), -1, &message);
    if (n < 0)
        return wait_or_end("lipc_channel_next", n);
    n = look_at(message, (size_t)n, data, size);
    lipc_channel_release(channel_of(connection));
    return n;
}

/* Writes all of the unit where it is sent from, since a program would have to write what it sends, too. */
static int64_t zero_copy_write(intptr_t connection, const void *data, size_t size) {
    void *room;
    checked("lipc_channel_reserve", lipc_channel_reserve(channel_of(connection), size, -1, &room));
    memset(room, 0, size - 1);
    ((char *)room)[size - 1] = ((const char *)data)[size - 1];
    return checked("lipc_channel_commit", lipc_channel_commit(channel_of(connection), size, -1));
}

static int64_t batch_read(intptr_t connection, void *data, size_t size) {
    static lipc_buffer buffers[BATCH];
    static int64_t received, taken;
    if (taken == received) {
        for (int i = 0; i < BATCH; i++) {
            if (buffers[i].data == NULL)
                buffers[i].data = allocate(task.size);
            buffers[i].size = task.size;
        }
        taken = received = 0;
        int64_t n = lipc_channel_receive_batch(channel_of(connection), buffers, BATCH, -1);
        if (n < 0)
            return wait_or_end("lipc_channel_receive_batch", n);
        received = n;
    }
    const lipc_buffer *message = &buffers[taken++];
    return look_at(message->data, message->size, data, size);
}

/* Gathers units that end with 0. All others end a batch. */
static int64_t batch_write(intptr_t connection, const void *data, size_t size) {
    static lipc_buffer zeroes[BATCH];
    static size_t gathered;
    bool last = ((const char *)data)[size - 1] != 0;
    if (!last) {
        if (zeroes[gathered].data == NULL)
            zeroes[gathered] = (lipc_buffer){allocate(size), size};
        gathered++;
    }
    if (gathered > 0 && (last || gathered == BATCH)) {
        checked("lipc_channel_send_batch", lipc_channel_send_batch(channel_of(connection), zeroes, gathered, -1));
        gathered = 0;
    }
    return last ? channel_send(connection, data, size) : (int64_t)size;
}

static void channel_send_file(intptr_t connection, char byte, int file) {
    lipc_handle lent = file;
    lipc_buffer payload = {&byte, 1};
    lipc_message m = {.size = sizeof m, .buffers = &payload, .buffer_count = 1, .handles = &lent, .handle_count = 1};
    checked("lipc_channel_send_message", lipc_channel_send_message(channel_of(connection), &m, -1));
}

static int channel_receive_file(intptr_t connection, char *ret_byte) {
    lipc_handle file;
    lipc_buffer payload = {ret_byte, 1};
    lipc_message m = {.size = sizeof m, .buffers = &payload, .buffer_count = 1, .handles = &file, .handle_capacity = 1};
    int64_t n = lipc_channel_receive_message(channel_of(connection), &m, -1);
    if (n < 0)
        return (int)wait_or_end("lipc_channel_receive_message", n);
    if (m.handle_count != 1)
        fail("a byte came without a file");
    lipc_close(file);
    return 1;
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

#define CHANNEL \
    .listen = channel_listen, .accept = channel_accept, .connect = channel_connect, .close = channel_close, \
    .descriptor = channel_descriptor, .arms = true, .send_file = channel_send_file, \
    .receive_file = channel_receive_file

static const transport channels = {CHANNEL, .read = channel_receive, .write = channel_send, .messages = true};
static const transport batches = {CHANNEL, .read = batch_read, .write = batch_write, .messages = true};
static const transport uncopied = {CHANNEL, .read = zero_copy_read, .write = zero_copy_write, .messages = true};
static const transport byte_channels = {CHANNEL, .read = channel_read, .write = channel_write};

static const variant variants[] = {
    {.name = "unix", .works = ROUNDTRIP | STREAM | BUFFERED | CONNECT | FILES | IDLE | BUSY | CHATTY,
     .transport = &streams},
    {.name = "message", .works = ROUNDTRIP | STREAM | CONNECT | FILES | IDLE | BUSY, .transport = &messages},
    {.name = "spin", .works = ROUNDTRIP | STREAM | BUFFERED, .transport = &spinning_streams},
    {.name = "channel", .works = ROUNDTRIP | STREAM | CONNECT | FILES | IDLE | BUSY | CHATTY, .transport = &channels},
    {.name = "channelnospin", .works = ROUNDTRIP | STREAM, .transport = &channels},
    {.name = "channelbatch", .works = STREAM, .transport = &batches},
    {.name = "channelzerocopy", .works = ROUNDTRIP | STREAM, .transport = &uncopied},
    {.name = "channelstream", .works = ROUNDTRIP | STREAM, .transport = &byte_channels},
    {.name = "pipe", .works = ROUNDTRIP | STREAM | BUFFERED, .transport = &pipes},
};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, ".lock");
}
