/* Datagrams to a receiver that is full. */
#include "datagram.h"

static char got[64];

/* The ways to send to a receiver: connected or not, with handles or not. */
static lipc_name to;
static lipc_handle with_file;

static int64_t send_connected(lipc_handle handle, int timeout_ms) {
    return lipc_send(handle, "abcd", 4, timeout_ms);
}

static int64_t send_named(lipc_handle handle, int timeout_ms) {
    return lipc_send_to(handle, "abcd", 4, &to, timeout_ms);
}

static int64_t send_message(lipc_handle handle, int timeout_ms) {
    return send_handles(handle, "abcd", 4, &with_file, 1, timeout_ms);
}

static int64_t send_message_to(lipc_handle handle, int timeout_ms) {
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){"abcd", 4},
                            .buffer_count = 1,
                            .handles = &with_file,
                            .handle_count = 1,
                            .peer = &to};
    return lipc_send_message(handle, &message, timeout_ms);
}

static const struct way {
    const char *name;
    int64_t (*send)(lipc_handle handle, int timeout_ms);
    bool connected;
} ways[] = {
    {"connected", send_connected, true},
    {"named", send_named, false},
    {"a message", send_message, true},
    {"a message to a name", send_message_to, false},
};

typedef struct drainer {
    lipc_handle receiver, told; /* the end of a pipe that says when to begin */
} drainer;

static void drain_when_told(const void *argument) {
    const drainer *d = argument;
    char byte;
    ready();
    CHECK_INT(1, lipc_read(d->told, &byte, 1, WAIT));
    for (;;)
        if (lipc_receive(d->receiver, got, 64, WAIT) < 0 || got[0] == 'q')
            break;
}

TEST(a_send_to_a_full_receiver_waits_for_room) {
    with_file = STDERR_FILENO;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        to = name_for(LIPC_NAME_PATH, "s");
        test_row = ways[i].name;
        lipc_listener *listener = bind_to(&to);
        lipc_handle receiver = lipc_listener_handle(listener), sender, reader, writer;
        sender = ways[i].connected ? connect_datagrams(&to) : unbound();
        int count = 0;
        int64_t r;
        while ((r = ways[i].send(sender, 0)) == 4)
            CHECK(++count < 1000000);
        CHECK_ERROR(LIPC_EAGAIN, r);
        CHECK_ERROR(LIPC_ETIMEDOUT, ways[i].send(sender, 5));
        /* After one is received there is room for one. */
        CHECK_INT(4, lipc_receive(receiver, got, 64, 0));
        CHECK_INT(4, ways[i].send(sender, WAIT));
        CHECK_OK(lipc_pipe(NULL, &reader, &writer));
        pid_t process = start(drain_when_told, &(drainer){receiver, reader});
        CHECK_INT(1, lipc_write(writer, "x", 1, WAIT));
        for (int n = 0; n < 3 * count; n++)
            CHECK_INT(4, ways[i].send(sender, WAIT));
        CHECK_INT(1, lipc_send_to(sender, "q", 1, &to, WAIT));
        join(process);
        close_all((lipc_handle[]){sender, reader, writer}, 3);
        lipc_listener_close(listener);
    }
}

TEST(a_wait_for_a_full_receiver_ends_when_it_is_gone) {
    for (size_t i = 0; i < 2; i++) {
        to = name_for(LIPC_NAME_PATH, "s");
        lipc_listener *listener = bind_to(&to);
        lipc_handle sender = ways[i].connected ? connect_datagrams(&to) : unbound();
        while (ways[i].send(sender, 0) == 4) {
        }
        lipc_listener_close(listener);
        CHECK_ERROR(i == 0 ? LIPC_ECONNREFUSED : LIPC_ENOENT, ways[i].send(sender, -1));
        CHECK_OK(lipc_close(sender));
    }
}
