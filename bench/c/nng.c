/* nng: messages over ipc://, in its own struct nng_msg, which is not copied on its way. */
#include "contender.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void check(const char *call, int r) {
    if (r != 0)
        fail("%s: %s", call, nng_strerror(r));
}

static const char *url(void) {
    static char text[256];
    snprintf(text, sizeof text, "ipc://%s", task.address);
    return text;
}

/* Unless told otherwise, nng takes no message of more than 1 MiB. */
static void allow_size(nng_socket s) {
    check("nng_socket_set_size", nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, task.size + 1024));
}

static nng_msg *new_message(size_t size) {
    nng_msg *m;
    check("nng_msg_alloc", nng_msg_alloc(&m, size));
    return m;
}

static char *last_byte(nng_msg *m) {
    return (char *)nng_msg_body(m) + nng_msg_len(m) - 1;
}

static void check_unit(const nng_msg *m) {
    if (nng_msg_len(m) != task.size)
        fail("the peer sent %zu bytes in place of %zu", nng_msg_len(m), task.size);
}

/* ========================================== Pair ============================================== */

static nng_socket pair;
static nng_msg *kept; /* what was received last, to be sent back */

/* Messages queue on both sides when they go one way, up to 64 MiB. */
static intptr_t pair_open(void) {
    check("nng_pair0_open", nng_pair0_open(&pair));
    allow_size(pair);
    if (task.work == STREAM) {
        size_t fit = ((size_t)64 << 20) / task.size;
        int depth = fit < 1 ? 1 : fit > 128 ? 128 : (int)fit;
        check("nng_socket_set_int", nng_socket_set_int(pair, NNG_OPT_SENDBUF, depth));
        check("nng_socket_set_int", nng_socket_set_int(pair, NNG_OPT_RECVBUF, depth));
    }
    return 0;
}

static intptr_t pair_listen(void) {
    pair_open();
    check("nng_listen", nng_listen(pair, url(), NULL, 0));
    return 0;
}

static intptr_t pair_accept(void) {
    return 0;
}

static intptr_t pair_connect(void) {
    pair_open();
    check("nng_dial", nng_dial(pair, url(), NULL, 0));
    return 0;
}

static int64_t pair_read(intptr_t unused, void *data, size_t size) {
    (void)unused;
    check("nng_recv", nng_recv(pair, data, &size, 0));
    return (int64_t)size;
}

static int64_t pair_write(intptr_t unused, const void *data, size_t size) {
    (void)unused;
    check("nng_send", nng_send(pair, (void *)(uintptr_t)data, size, 0));
    return (int64_t)size;
}

static void pair_send(intptr_t unused, char last) {
    (void)unused;
    nng_msg *m = kept != NULL ? kept : new_message(task.size);
    kept = NULL;
    *last_byte(m) = last;
    check("nng_sendmsg", nng_sendmsg(pair, m, 0));
}

static void pair_receive(intptr_t unused, char *ret_last) {
    (void)unused;
    nng_msg_free(kept);
    check("nng_recvmsg", nng_recvmsg(pair, &kept, 0));
    check_unit(kept);
    *ret_last = *last_byte(kept);
}

static const transport pairs = {
    .messages = true, .listen = pair_listen, .accept = pair_accept, .connect = pair_connect, .read = pair_read,
    .write = pair_write, .send = pair_send, .receive = pair_receive,
};

/* ================================== Requests and replies ====================================== */

/* The server answers so many requests at a time; more wait for their turn. */
enum { MOST_CONTEXTS = 128 };

typedef struct responder {
    nng_ctx context;
    nng_aio *aio;
    bool replying;
} responder;

/* An operation of the responder is over: the next one sends what was received, or receives. */
static void respond(void *argument) {
    responder *r = argument;
    check(r->replying ? "nng_ctx_send" : "nng_ctx_recv", nng_aio_result(r->aio));
    r->replying = !r->replying;
    if (!r->replying) {
        nng_ctx_recv(r->context, r->aio);
        return;
    }
    nng_msg *m = nng_aio_get_msg(r->aio);
    check_unit(m);
    nng_aio_set_msg(r->aio, m);
    nng_ctx_send(r->context, r->aio);
}

static void serve_requests(void) {
    static responder responders[MOST_CONTEXTS];
    nng_socket s;
    check("nng_rep0_open", nng_rep0_open(&s));
    allow_size(s);
    for (size_t i = 0; i < MOST_CONTEXTS && i < task.count; i++) {
        responder *r = &responders[i];
        check("nng_ctx_open", nng_ctx_open(&r->context, s));
        check("nng_aio_alloc", nng_aio_alloc(&r->aio, respond, r));
        nng_ctx_recv(r->context, r->aio);
    }
    check("nng_listen", nng_listen(s, url(), NULL, 0));
    ready();
    for (;;)
        pause();
}

/* A connection of the client: each has a socket. */
typedef struct requester {
    nng_socket socket;
    nng_aio *aio;
    nng_msg *message; /* when none is on its way */
    bool receiving;
} requester;

static requester *requesters;

/* Of the round that is on; nng calls back from several threads. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t over;
    uint64_t operations, end;
    size_t left; /* requesters that have not finished it */
    bool up;
} current = {.mutex = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};

/* Counts a reply, and says whether there is to be another. */
static bool count_reply(void) {
    pthread_mutex_lock(&current.mutex);
    current.operations++;
    current.up = current.up || time_is_up(current.operations, current.end);
    bool more = !current.up;
    if (!more && --current.left == 0)
        pthread_cond_signal(&current.over);
    pthread_mutex_unlock(&current.mutex);
    return more;
}

static void start_request(requester *r) {
    r->receiving = false;
    nng_aio_set_msg(r->aio, r->message);
    nng_send_aio(r->socket, r->aio);
}

/* An operation of the requester is over. */
static void go_on(void *argument) {
    requester *r = argument;
    check(r->receiving ? "nng_recv_aio" : "nng_send_aio", nng_aio_result(r->aio));
    if (!r->receiving) {
        r->receiving = true;
        nng_recv_aio(r->socket, r->aio);
        return;
    }
    r->message = nng_aio_get_msg(r->aio);
    check_unit(r->message);
    if (count_reply())
        start_request(r);
}

static void make_request(requester *r) {
    check("nng_sendmsg", nng_sendmsg(r->socket, r->message, 0));
    check("nng_recvmsg", nng_recvmsg(r->socket, &r->message, 0));
    check_unit(r->message);
}

static void connect_requesters(void) {
    requesters = allocate(task.count * sizeof *requesters);
    for (size_t i = 0; i < task.count; i++) {
        requester *r = &requesters[i];
        check("nng_req0_open", nng_req0_open(&r->socket));
        allow_size(r->socket);
        check("nng_dial", nng_dial(r->socket, url(), NULL, 0));
        check("nng_aio_alloc", nng_aio_alloc(&r->aio, go_on, r));
        r->message = new_message(task.size);
        make_request(r);
    }
}

static uint64_t request_all(uint64_t end) {
    current.operations = 0;
    current.end = end;
    current.left = task.count;
    current.up = false;
    for (size_t i = 0; i < task.count; i++)
        start_request(&requesters[i]);
    pthread_mutex_lock(&current.mutex);
    while (current.left > 0)
        pthread_cond_wait(&current.over, &current.mutex);
    pthread_mutex_unlock(&current.mutex);
    return current.operations;
}

static uint64_t request_one(uint64_t end) {
    uint64_t operations = 0;
    do {
        make_request(&requesters[0]);
        operations++;
    } while (!time_is_up(operations, end));
    return operations;
}

static uint64_t request(uint64_t end) {
    return task.work == BUSY ? request_all(end) : request_one(end);
}

static const variant variants[] = {
    {.name = "pair", .works = ROUNDTRIP | STREAM, .transport = &pairs},
    {.name = "req", .works = ROUNDTRIP | IDLE | BUSY, .serve = serve_requests, .connect = connect_requesters,
     .round = request},
};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, NULL);
}
