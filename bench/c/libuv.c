/* libuv: streams of one loop. Nothing is allocated while a connection is open: each has a buffer of its own, into which
 * data is read. uv_try_write() writes, and uv_write() only the part that there was no room for. */
#include "contender.h"

#include <stdlib.h>
#include <uv.h>

/* One end of a connection. */
typedef struct party {
    uv_pipe_t pipe;
    uv_connect_t connecting;
    uv_write_t writing;
    size_t received; /* of the unit */
    char unit[];     /* one unit, which is received and sent back, and one more byte: see give_rest() */
} party;

static uv_loop_t loop;

static int checked(const char *call, int r) {
    if (r < 0)
        fail("%s: %s", call, uv_strerror(r));
    return r;
}

static uv_stream_t *stream(party *p) {
    return (uv_stream_t *)&p->pipe;
}

static party *new_party(void) {
    party *p = allocate(sizeof *p + task.size + 1);
    checked("uv_pipe_init", uv_pipe_init(&loop, &p->pipe, 0));
    p->pipe.data = p;
    return p;
}

static void free_party(uv_handle_t *pipe) {
    free(pipe->data);
}

/* Writes, and returns whether everything was written; if not, written() is called when it is. */
static bool write_some(party *p, char *data, size_t size, uv_write_cb written) {
    uv_buf_t b = uv_buf_init(data, (unsigned)size);
    int n = uv_try_write(stream(p), &b, 1);
    if (n == UV_EAGAIN)
        n = 0;
    checked("uv_try_write", n);
    if ((size_t)n == size)
        return true;
    b = uv_buf_init(data + n, (unsigned)(size - (size_t)n));
    checked("uv_write", uv_write(&p->writing, stream(p), &b, 1, written));
    return false;
}

static void check_written(uv_write_t *request, int status) {
    (void)request;
    checked("uv_write", status);
}

/* ========================================= Reading ============================================ */

/* The rest of the unit, and one more byte: when a read has filled the buffer, libuv reads once more at once. */
static void give_rest(uv_handle_t *pipe, size_t suggested, uv_buf_t *ret_buffer) {
    (void)suggested;
    party *p = pipe->data;
    *ret_buffer = uv_buf_init(p->unit + p->received, (unsigned)(task.size + 1 - p->received));
}

/* All of the unit's memory, whether or not a unit begins here. */
static void give_all(uv_handle_t *pipe, size_t suggested, uv_buf_t *ret_buffer) {
    (void)suggested;
    party *p = pipe->data;
    *ret_buffer = uv_buf_init(p->unit, (unsigned)task.size);
}

/* Counts the bytes that were read, and returns whether they complete a unit. */
static bool received(party *p, ssize_t n) {
    checked("uv_read_start", (int)n);
    p->received += (size_t)n;
    if (p->received < task.size)
        return false;
    p->received -= task.size;
    return n > 0 && p->received == 0;
}

/* ========================================= Servers ============================================ */

static bool ended(party *p, ssize_t n) {
    if (n != UV_EOF)
        return false;
    uv_close((uv_handle_t *)&p->pipe, free_party);
    return true;
}

static void send_back(uv_stream_t *s, ssize_t n, const uv_buf_t *buffer) {
    (void)buffer;
    party *p = s->data;
    if (!ended(p, n) && received(p, n))
        write_some(p, p->unit, task.size, check_written);
}

static void answer_last(uv_stream_t *s, ssize_t n, const uv_buf_t *buffer) {
    static char answer[1];
    party *p = s->data;
    if (!ended(p, n) && received(p, n) && buffer->base[n - 1] == 1)
        write_some(p, answer, sizeof answer, check_written);
}

static void accept_one(uv_stream_t *listener, int status) {
    checked("uv_listen", status);
    party *p = new_party();
    checked("uv_accept", uv_accept(listener, stream(p)));
    if (task.work == CONNECT)
        uv_close((uv_handle_t *)&p->pipe, free_party);
    else if (task.work == STREAM)
        checked("uv_read_start", uv_read_start(stream(p), give_all, answer_last));
    else
        checked("uv_read_start", uv_read_start(stream(p), give_rest, send_back));
}

static void serve(void) {
    static uv_pipe_t listener;
    checked("uv_loop_init", uv_loop_init(&loop));
    checked("uv_pipe_init", uv_pipe_init(&loop, &listener, 0));
    checked("uv_pipe_bind", uv_pipe_bind(&listener, task.address));
    checked("uv_listen", uv_listen((uv_stream_t *)&listener, 4096, accept_one));
    ready();
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* ========================================= Clients ============================================ */

/* The current round. */
static struct {
    uint64_t operations, end;
    size_t left; /* connections that have not finished it */
    bool up;
} current;

static party **parties;

/* Counts an operation, and returns whether to start another. */
static bool count_operation(void) {
    current.operations++;
    current.up = current.up || time_is_up(current.operations, current.end);
    return !current.up;
}

static void finish(void) {
    if (--current.left == 0)
        uv_stop(&loop);
}

static void start_trip(party *p) {
    write_some(p, p->unit, task.size, check_written);
}

static void end_trip(uv_stream_t *s, ssize_t n, const uv_buf_t *buffer) {
    (void)buffer;
    party *p = s->data;
    if (!received(p, n))
        return;
    if (count_operation())
        start_trip(p);
    else
        finish();
}

static void send_units(party *p);

static void unit_written(uv_write_t *request, int status) {
    checked("uv_write", status);
    send_units(request->handle->data);
}

/* Sends units until one has to wait or the round is over; then sends its last unit. */
static void send_units(party *p) {
    bool written = true;
    while (written && !current.up) {
        count_operation();
        written = write_some(p, p->unit, task.size, unit_written);
    }
    if (!written || p->unit[task.size - 1] == 1)
        return;
    current.operations++;
    p->unit[task.size - 1] = 1;
    write_some(p, p->unit, task.size, check_written);
}

static void give_byte(uv_handle_t *pipe, size_t suggested, uv_buf_t *ret_buffer) {
    static char byte[1];
    (void)pipe, (void)suggested;
    *ret_buffer = uv_buf_init(byte, sizeof byte);
}

static void take_answer(uv_stream_t *s, ssize_t n, const uv_buf_t *buffer) {
    (void)buffer;
    party *p = s->data;
    checked("uv_read_start", (int)n);
    if (n == 0)
        return;
    p->unit[task.size - 1] = 0;
    finish();
}

static void connect_once(party *p);

static void connect_again(uv_handle_t *pipe) {
    free_party(pipe);
    if (count_operation())
        connect_once(new_party());
    else
        finish();
}

static void close_at_end(uv_stream_t *s, ssize_t n, const uv_buf_t *buffer) {
    (void)buffer;
    if (n != UV_EOF && checked("uv_read_start", (int)n) > 0)
        fail("the server sent something");
    if (n == UV_EOF)
        uv_close((uv_handle_t *)s, connect_again);
}

static void connected(uv_connect_t *request, int status) {
    checked("uv_pipe_connect", status);
    party *p = request->handle->data;
    if (task.work == CONNECT) {
        checked("uv_read_start", uv_read_start(stream(p), give_byte, close_at_end));
    } else if (task.work == STREAM) {
        checked("uv_read_start", uv_read_start(stream(p), give_byte, take_answer));
        finish();
    } else { /* begins with one round trip */
        checked("uv_read_start", uv_read_start(stream(p), give_rest, end_trip));
        start_trip(p);
    }
}

static void connect_once(party *p) {
    uv_pipe_connect(&p->connecting, &p->pipe, task.address, connected);
}

/* Begins a round that ends when so many connections have finished. */
static void begin(size_t left, uint64_t end) {
    current.operations = 0;
    current.end = end;
    current.left = left;
    current.up = end == 0;
}

static void wait_until_finished(void) {
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void connect_all(void) {
    checked("uv_loop_init", uv_loop_init(&loop));
    size_t count = task.work == IDLE || task.work == BUSY ? task.count : task.work == CONNECT ? 0 : 1;
    parties = allocate((count + 1) * sizeof *parties);
    for (size_t i = 0; i < count; i++) {
        parties[i] = new_party();
        begin(1, 0);
        connect_once(parties[i]);
        wait_until_finished();
    }
}

static uint64_t run_round(uint64_t end) {
    bool many = task.work == BUSY;
    begin(many ? task.count : 1, end);
    current.up = false;
    if (task.work == CONNECT)
        connect_once(new_party());
    else if (task.work == STREAM)
        send_units(parties[0]);
    else
        for (size_t i = 0; i < current.left; i++)
            start_trip(parties[i]);
    wait_until_finished();
    return current.operations;
}

static const variant variants[] = {
    {.name = "unix", .works = ROUNDTRIP | STREAM | CONNECT | IDLE | BUSY, .serve = serve, .connect = connect_all,
     .round = run_round},
};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, NULL);
}
