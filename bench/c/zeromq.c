/* ZeroMQ, over ipc://. A connection is a pair of DEALER sockets, which exchange messages in any order, and wait rather
 * than drop one. The thread of the library moves messages, and gathers small ones by itself. */
#include "contender.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <zmq.h>

enum {
    QUEUE = 1000,          /* messages on each side: the default */
    QUEUE_BYTES = 16 << 20 /* the most that they have together, so that large ones do not take GiBs */
};

static void *dealer;

static int checked(const char *call, int r) {
    if (r < 0)
        fail("%s: %s", call, zmq_strerror(errno));
    return r;
}

/* Opens the only socket, and binds or connects it. */
static intptr_t open_socket(const char *call, int (*name)(void *socket, const char *endpoint)) {
    char endpoint[PATH_MAX];
    int queue = task.size > QUEUE_BYTES / QUEUE ? (int)(QUEUE_BYTES / task.size) + 1 : QUEUE;
    void *context = zmq_ctx_new();
    dealer = context != NULL ? zmq_socket(context, ZMQ_DEALER) : NULL;
    if (dealer == NULL)
        fail("zmq_socket: %s", zmq_strerror(errno));
    checked("zmq_setsockopt", zmq_setsockopt(dealer, ZMQ_SNDHWM, &queue, sizeof queue));
    checked("zmq_setsockopt", zmq_setsockopt(dealer, ZMQ_RCVHWM, &queue, sizeof queue));
    snprintf(endpoint, sizeof endpoint, "ipc://%s", task.address);
    checked(call, name(dealer, endpoint));
    return 0;
}

static intptr_t bind_socket(void) {
    return open_socket("zmq_bind", zmq_bind);
}

/* Connects in the background. The round that is not counted waits for that. */
static intptr_t connect_socket(void) {
    return open_socket("zmq_connect", zmq_connect);
}

static intptr_t accept_socket(void) {
    return 0;
}

/* The library copies messages on both sides. */
static int64_t receive_message(intptr_t socket, void *data, size_t size) {
    (void)socket;
    return checked("zmq_recv", zmq_recv(dealer, data, size, 0));
}

static int64_t send_message(intptr_t socket, const void *data, size_t size) {
    (void)socket;
    return checked("zmq_send", zmq_send(dealer, data, size, 0));
}

static const transport dealers = {
    .listen = bind_socket, .accept = accept_socket, .connect = connect_socket, .read = receive_message,
    .write = send_message, .messages = true,
};

static const variant variants[] = {{.name = "dealer", .works = ROUNDTRIP | STREAM, .transport = &dealers}};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, NULL);
}
