/* ZeroMQ: messages over ipc://, in its own zmq_msg_t, which is not copied on its way. */
#include "contender.h"

#include <errno.h>
#include <stdio.h>
#include <zmq.h>

static void *context;

static int checked(const char *call, int r) {
    if (r < 0)
        fail("%s: %s", call, zmq_strerror(errno));
    return r;
}

static const char *url(void) {
    static char text[256];
    snprintf(text, sizeof text, "ipc://%s", task.address);
    return text;
}

static void set_option(void *socket, int option, int value) {
    checked("zmq_setsockopt", zmq_setsockopt(socket, option, &value, sizeof value));
}

/* The high-water mark is 1000 messages, as it is from the start, or 64 MiB of them. */
static void *new_socket(int type) {
    if (context == NULL) {
        context = zmq_ctx_new();
        checked("zmq_ctx_set", zmq_ctx_set(context, ZMQ_MAX_SOCKETS, (int)task.count + 16));
    }
    void *socket = zmq_socket(context, type);
    if (socket == NULL)
        fail("zmq_socket: %s", zmq_strerror(errno));
    size_t fit = ((size_t)64 << 20) / task.size;
    int depth = fit < 1 ? 1 : fit > 1000 ? 1000 : (int)fit;
    set_option(socket, ZMQ_SNDHWM, depth);
    set_option(socket, ZMQ_RCVHWM, depth);
    return socket;
}

static void *listening(int type) {
    void *socket = new_socket(type);
    set_option(socket, ZMQ_BACKLOG, 4096);
    checked("zmq_bind", zmq_bind(socket, url()));
    return socket;
}

static void *connected(int type) {
    void *socket = new_socket(type);
    checked("zmq_connect", zmq_connect(socket, url()));
    return socket;
}

static char *last_byte(zmq_msg_t *m) {
    return (char *)zmq_msg_data(m) + zmq_msg_size(m) - 1;
}

static void new_message(zmq_msg_t *m) {
    checked("zmq_msg_init_size", zmq_msg_init_size(m, task.size));
    *last_byte(m) = 0;
}

static void send_message(void *socket, zmq_msg_t *m, int flags) {
    int r;
    do
        r = zmq_msg_send(m, socket, flags);
    while (r < 0 && errno == EINTR);
    checked("zmq_msg_send", r);
}

static void receive_message(void *socket, zmq_msg_t *m) {
    int r;
    do
        r = zmq_msg_recv(m, socket, 0);
    while (r < 0 && errno == EINTR);
    checked("zmq_msg_recv", r);
}

static void check_unit(const zmq_msg_t *m) {
    if (zmq_msg_size(m) != task.size)
        fail("the peer sent %zu bytes in place of %zu", zmq_msg_size(m), task.size);
}

/* ========================================== Pair ============================================== */

static void *pair;
static zmq_msg_t kept; /* what was received last, to be sent back; empty, as it begins, if there is none */

static intptr_t pair_listen(void) {
    pair = listening(ZMQ_PAIR);
    zmq_msg_init(&kept);
    return 0;
}

static intptr_t pair_accept(void) {
    return 0;
}

static intptr_t pair_connect(void) {
    pair = connected(ZMQ_PAIR);
    zmq_msg_init(&kept);
    return 0;
}

static int64_t pair_read(intptr_t unused, void *data, size_t size) {
    (void)unused;
    int n;
    do
        n = zmq_recv(pair, data, size, 0);
    while (n < 0 && errno == EINTR);
    return checked("zmq_recv", n);
}

static int64_t pair_write(intptr_t unused, const void *data, size_t size) {
    (void)unused;
    int n;
    do
        n = zmq_send(pair, data, size, 0);
    while (n < 0 && errno == EINTR);
    return checked("zmq_send", n);
}

static void pair_send(intptr_t unused, char last) {
    (void)unused;
    if (zmq_msg_size(&kept) == 0)
        new_message(&kept);
    *last_byte(&kept) = last;
    send_message(pair, &kept, 0); /* which leaves it empty */
}

static void pair_receive(intptr_t unused, char *ret_last) {
    (void)unused;
    receive_message(pair, &kept);
    check_unit(&kept);
    *ret_last = *last_byte(&kept);
}

static const transport pairs = {
    .messages = true, .listen = pair_listen, .accept = pair_accept, .connect = pair_connect, .read = pair_read,
    .write = pair_write, .send = pair_send, .receive = pair_receive,
};

/* ==================================== Router and dealers ====================================== */

/* A router's messages have the name of the dealer in front, in a frame of its own. */
static void serve_dealers(void) {
    void *router = listening(ZMQ_ROUTER);
    ready();
    zmq_msg_t dealer, message;
    zmq_msg_init(&dealer);
    zmq_msg_init(&message);
    for (;;) {
        receive_message(router, &dealer);
        receive_message(router, &message);
        check_unit(&message);
        send_message(router, &dealer, ZMQ_SNDMORE);
        send_message(router, &message, 0);
    }
}

static zmq_pollitem_t *dealers;

/* Sends back what came, or a new message. */
static void ask(void *dealer, zmq_msg_t *message) {
    if (zmq_msg_size(message) == 0)
        new_message(message);
    send_message(dealer, message, 0);
}

static void take_answer(void *dealer, zmq_msg_t *message) {
    receive_message(dealer, message);
    check_unit(message);
}

static void connect_dealers(void) {
    dealers = allocate(task.count * sizeof *dealers);
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (size_t i = 0; i < task.count; i++) {
        dealers[i] = (zmq_pollitem_t){.socket = connected(ZMQ_DEALER), .events = ZMQ_POLLIN};
        ask(dealers[i].socket, &message);
        take_answer(dealers[i].socket, &message);
    }
    zmq_msg_close(&message);
}

static uint64_t ask_all(uint64_t end) {
    uint64_t operations = 0;
    bool over = false;
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (size_t i = 0; i < task.count; i++)
        ask(dealers[i].socket, &message);
    for (size_t left = task.count; left > 0;) {
        int n = zmq_poll(dealers, (int)task.count, -1);
        if (n < 0 && errno != EINTR)
            fail("zmq_poll: %s", zmq_strerror(errno));
        for (size_t i = 0; i < task.count && n > 0; i++) {
            if (!(dealers[i].revents & ZMQ_POLLIN))
                continue;
            n--;
            take_answer(dealers[i].socket, &message);
            operations++;
            over = over || time_is_up(operations, end);
            if (over)
                left--;
            else
                ask(dealers[i].socket, &message);
        }
    }
    zmq_msg_close(&message);
    return operations;
}

static uint64_t ask_one(uint64_t end) {
    uint64_t operations = 0;
    zmq_msg_t message;
    zmq_msg_init(&message);
    do {
        ask(dealers[0].socket, &message);
        take_answer(dealers[0].socket, &message);
        operations++;
    } while (!time_is_up(operations, end));
    zmq_msg_close(&message);
    return operations;
}

static uint64_t ask_and_count(uint64_t end) {
    return task.work == BUSY ? ask_all(end) : ask_one(end);
}

static const variant variants[] = {
    {.name = "pair", .works = ROUNDTRIP | STREAM, .transport = &pairs},
    {.name = "router", .works = ROUNDTRIP | IDLE | BUSY, .serve = serve_dealers, .connect = connect_dealers,
     .round = ask_and_count},
};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, NULL);
}
