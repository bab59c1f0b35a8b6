/* Operations that are started, reported to a completion port or by an event, and finished; cancelling; watches. */
#include "fixture.h"

enum { BIG = 1 << 20 };
static char sent[BIG], got[BIG];

static lipc_handle new_port(void) {
    lipc_handle port;
    CHECK_OK(lipc_port(&port));
    check_born(port);
    return port;
}

/* Waits for the next completion. */
static lipc_completion next_completion(lipc_handle port) {
    lipc_completion c;
    CHECK_INT(1, lipc_port_wait(port, WAIT, 1, &c));
    return c;
}

static void check_quiet(lipc_handle port) {
    lipc_completion c;
    CHECK_ERROR(LIPC_EAGAIN, lipc_port_wait(port, 0, 1, &c));
}

/* Returns the result of an operation whose start returned r, and which a port reports. */
static int64_t result_of(lipc_handle port, uintptr_t key, lipc_handle handle, lipc_async *async, int64_t r) {
    while (lipc_error_code(r) == LIPC_EAGAIN) {
        lipc_completion c = next_completion(port);
        CHECK(c.key == key && c.async == async);
        r = lipc_async_finish(handle, async);
    }
    return r;
}

/* A pair whose first end belongs to a port. */
typedef struct scene {
    lipc_handle port, a, b;
} scene;

static scene new_scene(int kind) {
    scene s = {.port = new_port()};
    CHECK_OK(lipc_pair(kind, &s.a, &s.b));
    CHECK_OK(lipc_port_add(s.port, s.a, 7));
    return s;
}

static void close_scene(scene *s) {
    check_quiet(s->port);
    close_ends(s->a, s->b);
    CHECK_OK(lipc_close(s->port));
}

/* Writes until there is no room, and starts a write that has to wait. Returns its result; *ret_before gets how much was
 * written before it. */
static int64_t start_write_that_waits(scene *s, lipc_async *async, size_t *ret_before) {
    size_t at = 0;
    int64_t n;
    while ((n = lipc_write(s->a, sent + at, 1000, 0)) > 0)
        at += (size_t)n;
    CHECK_ERROR(LIPC_EAGAIN, n);
    n = lipc_async_write(s->a, sent + at, 4096, async);
    CHECK_ERROR(LIPC_EAGAIN, n);
    *ret_before = at;
    return n;
}

static void read_whole(lipc_handle handle, size_t size) {
    for (size_t at = 0; at < size;) {
        int64_t n = lipc_read(handle, got + at, size - at, WAIT);
        CHECK(n > 0);
        at += (size_t)n;
    }
}

TEST(a_read_that_has_to_wait_is_reported_when_it_is_over) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(s.a, got, 100, &async));
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_finish(s.a, &async));
    check_quiet(s.port);
    CHECK_INT(5, lipc_write(s.b, "hello", 5, WAIT));
    CHECK_INT(5, result_of(s.port, 7, s.a, &async, -((int64_t)LIPC_EAGAIN << LIPC_ERROR_OS_BITS)));
    CHECK(memcmp(got, "hello", 5) == 0);
    CHECK_INT(5, lipc_async_finish(s.a, &async)); /* it stays over */
    CHECK_INT(3, lipc_write(s.b, "and", 3, WAIT)); /* the same memory again */
    CHECK_INT(3, result_of(s.port, 7, s.a, &async, lipc_async_read(s.a, got, 100, &async)));
    close_scene(&s);
}

TEST(an_operation_that_is_over_at_once_is_not_reported) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    CHECK_INT(5, lipc_async_write(s.a, "hello", 5, &async));
    CHECK_INT(5, lipc_read(s.b, got, 100, WAIT));
    CHECK_INT(5, lipc_write(s.b, "hello", 5, WAIT));
    CHECK_INT(5, lipc_async_read(s.a, got, 100, &async));
    check_quiet(s.port);
    close_scene(&s);
}

TEST(a_write_that_has_to_wait_is_reported_when_it_is_over) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    size_t before;
    fill_pattern(sent, BIG, 0);
    int64_t r = start_write_that_waits(&s, &async, &before);
    check_quiet(s.port);
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_finish(s.a, &async));
    read_whole(s.b, before + 1); /* all of it, and the write has begun */
    r = result_of(s.port, 7, s.a, &async, r);
    CHECK(r > 0 && r <= 4096);
    check_pattern(got, before + 1, 0);
    if (r > 1)
        read_whole(s.b, (size_t)r - 1);
    check_pattern(got, (size_t)r - 1, before + 1);
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(s.b, got, 1, 0)); /* as much as it says, and no more */
    close_scene(&s);
}

TEST(writes_one_after_the_other_bring_all) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    size_t read = 0;
    fill_pattern(sent, BIG, 0);
    for (size_t at = 0; at < BIG;) {
        int64_t r = lipc_async_write(s.a, sent + at, BIG - at, &async);
        while (lipc_error_code(r) == LIPC_EAGAIN) {
            lipc_completion c;
            int64_t n = lipc_read(s.b, got + read, BIG - read, 0);
            read += n > 0 ? (size_t)n : 0;
            if (lipc_port_wait(s.port, 0, 1, &c) == 1)
                r = lipc_async_finish(s.a, &async);
        }
        CHECK(r >= 4096 || r == (int64_t)(BIG - at));
        at += (size_t)r;
    }
    while (read < BIG)
        read += (size_t)CHECK_OK(lipc_read(s.b, got + read, BIG - read, WAIT));
    check_pattern(got, BIG, 0);
    close_scene(&s);
}

TEST(a_read_and_a_write_go_on_at_once) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async reading = {0}, writing = {0};
    size_t before;
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(s.a, got, 100, &reading));
    start_write_that_waits(&s, &writing, &before);
    CHECK_INT(1, lipc_write(s.b, "x", 1, WAIT));
    CHECK(next_completion(s.port).async == &reading);
    CHECK_INT(1, lipc_async_finish(s.a, &reading));
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_finish(s.a, &writing));
    read_whole(s.b, before + 1);
    CHECK(next_completion(s.port).async == &writing);
    CHECK(lipc_async_finish(s.a, &writing) > 0);
    close_scene(&s);
}

TEST(a_reader_gets_the_end_and_a_writer_a_broken_pipe) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    int64_t r = lipc_async_read(s.a, got, 100, &async);
    CHECK_ERROR(LIPC_EAGAIN, r);
    close_end(&s.b);
    CHECK_ERROR(LIPC_EEND, result_of(s.port, 7, s.a, &async, r));
    CHECK_ERROR(LIPC_EEND, result_of(s.port, 7, s.a, &async, lipc_async_read(s.a, got, 100, &async)));
    CHECK_ERROR(LIPC_EPIPE, result_of(s.port, 7, s.a, &async, lipc_async_write(s.a, "x", 1, &async)));
    close_scene(&s);
    s = new_scene(LIPC_STREAM);
    size_t before;
    r = start_write_that_waits(&s, &async, &before);
    close_end(&s.b);
    CHECK_ERROR(LIPC_EPIPE, result_of(s.port, 7, s.a, &async, r));
    close_scene(&s);
}

TEST(messages_are_received_whole_and_empty_ones_too) {
    scene s = new_scene(LIPC_MESSAGE);
    lipc_async async = {0};
    int64_t r = lipc_async_receive(s.a, got, 100, &async);
    CHECK_ERROR(LIPC_EAGAIN, r);
    CHECK_INT(0, lipc_send(s.b, NULL, 0, WAIT));
    CHECK_INT(0, result_of(s.port, 7, s.a, &async, r));
    r = lipc_async_receive(s.a, got, 100, &async);
    CHECK_INT(3, lipc_send(s.b, "one", 3, WAIT));
    CHECK_INT(3, result_of(s.port, 7, s.a, &async, r));
    CHECK_INT(3, lipc_send(s.b, "two", 3, WAIT));
    CHECK_INT(0, lipc_send(s.b, NULL, 0, WAIT));
    CHECK_INT(3, result_of(s.port, 7, s.a, &async, lipc_async_receive(s.a, got, 100, &async)));
    CHECK_INT(0, result_of(s.port, 7, s.a, &async, lipc_async_receive(s.a, got, 100, &async)));
    CHECK_INT(0, result_of(s.port, 7, s.a, &async, lipc_async_write(s.a, NULL, 0, &async))); /* an empty message */
    CHECK_INT(0, lipc_receive(s.b, got, 100, WAIT));
    close_scene(&s);
}

/* Starts to receive before the message is there, or after. There may be one more completion for an operation that was
 * over at once. */
static int64_t take(scene *s, int64_t (*start)(lipc_handle, void *, size_t, lipc_async *), size_t size,
                    const char *message) {
    lipc_async async = {0};
    lipc_completion c;
    int64_t r = start(s->a, got, size, &async);
    if (message != NULL)
        CHECK_OK(lipc_send(s->b, message, strlen(message), WAIT));
    r = result_of(s->port, 7, s->a, &async, r);
    while (lipc_port_wait(s->port, 0, 1, &c) == 1)
        CHECK(c.async == &async);
    return r;
}

TEST(receiving_discards_what_does_not_fit_and_reading_keeps_it) {
    for (int early = 0; early < 2; early++) {
        scene s = new_scene(LIPC_MESSAGE);
        if (!early)
            CHECK_INT(8, lipc_send(s.b, "too long", 8, WAIT));
        CHECK_ERROR(LIPC_ETRUNCATED, take(&s, lipc_async_receive, 3, early ? "too long" : NULL));
        CHECK(memcmp(got, "too", 3) == 0);
        CHECK_INT(4, take(&s, lipc_async_receive, 100, "next"));
        if (!early)
            CHECK_INT(8, lipc_send(s.b, "too long", 8, WAIT));
        CHECK_ERROR(LIPC_ETRUNCATED, take(&s, lipc_async_read, 3, early ? "too long" : NULL));
        CHECK(memcmp(got, "too", 3) == 0);
        CHECK_INT(5, take(&s, lipc_async_read, 100, NULL));
        CHECK(memcmp(got, " long", 5) == 0);
        close_scene(&s);
    }
}

TEST(finishing_again_gives_the_same_result_and_takes_nothing) {
    for (int early = 0; early < 2; early++) { /* a program may do that after one completion too many */
        scene s = new_scene(LIPC_MESSAGE);
        lipc_async async = {0};
        lipc_completion c;
        int64_t r = early ? lipc_async_receive(s.a, got, 3, &async) : 0;
        CHECK_INT(8, lipc_send(s.b, "too long", 8, WAIT));
        CHECK_INT(4, lipc_send(s.b, "next", 4, WAIT));
        if (!early)
            r = lipc_async_receive(s.a, got, 3, &async);
        CHECK_ERROR(LIPC_ETRUNCATED, result_of(s.port, 7, s.a, &async, r));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_async_finish(s.a, &async));
        while (lipc_port_wait(s.port, 0, 1, &c) == 1)
            CHECK(c.async == &async);
        CHECK_INT(4, lipc_receive(s.a, got, 100, 0));
        close_scene(&s);
    }
}

TEST(what_is_over_1_gib_is_refused) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    CHECK_ERROR(LIPC_EMSGSIZE, lipc_async_write(s.a, sent, ((size_t)1 << 30) + 1, &async));
    CHECK_ERROR(LIPC_EMSGSIZE, lipc_async_read(s.a, got, ((size_t)1 << 30) + 1, &async));
    CHECK_ERROR(LIPC_EMSGSIZE, lipc_async_receive(s.a, got, ((size_t)1 << 30) + 1, &async));
    close_scene(&s);
}

/* --------------------------------------------- Ports -------------------------------------------- */

TEST(waiting_for_completions_takes_as_long_as_it_was_asked_to) {
    lipc_handle port = new_port();
    lipc_completion c;
    memset(&c, UNTOUCHED, sizeof c);
    CHECK_ERROR(LIPC_EAGAIN, lipc_port_wait(port, 0, 1, &c));
    ULONGLONG began = GetTickCount64();
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_port_wait(port, 60, 1, &c));
    CHECK(GetTickCount64() - began >= 40);
    CHECK_OK(lipc_close(port));
    CHECK_ERROR(LIPC_EBADF, lipc_port_wait(port, 0, 1, &c));
    CHECK_ERROR(LIPC_EBADF, lipc_port_post(port, 1));
    CHECK(is_untouched(&c, sizeof c));
}

static DWORD WINAPI post_one(void *argument) {
    CHECK_OK(lipc_port_post(*(lipc_handle *)argument, 42));
    return 0;
}

TEST(a_post_wakes_a_waiter) {
    lipc_handle port = new_port();
    thread t = start_thread(post_one, &port);
    lipc_completion c;
    CHECK_INT(1, lipc_port_wait(port, -1, 1, &c));
    CHECK(c.key == 42 && c.async == NULL);
    join_thread(t);
    CHECK_OK(lipc_close(port));
}

TEST(many_completions_come_with_one_wait) {
    enum { MANY = 50 };
    static lipc_handle a[MANY], b[MANY];
    static lipc_async async[MANY];
    static char bytes[MANY];
    static lipc_completion completions[2 * MANY];
    bool seen[MANY] = {false};
    lipc_handle port = new_port();
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(lipc_pair(LIPC_STREAM, &a[i], &b[i]));
        CHECK_OK(lipc_port_add(port, a[i], (uintptr_t)i));
        CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(a[i], &bytes[i], 1, &async[i]));
    }
    for (int i = 0; i < MANY; i++) {
        char byte = (char)i;
        CHECK_INT(1, lipc_write(b[i], &byte, 1, WAIT));
    }
    int most = 0;
    for (int count = 0; count < MANY;) {
        int n = lipc_port_wait(port, WAIT, 2 * MANY, completions);
        CHECK(n > 0 && n <= MANY);
        for (int i = 0; i < n; i++) {
            int at = (int)completions[i].key;
            CHECK(completions[i].async == &async[at] && !seen[at]);
            CHECK_INT(1, lipc_async_finish(a[at], &async[at]));
            CHECK_INT(at, bytes[at]);
            seen[at] = true;
        }
        most = n > most ? n : most;
        count += n;
    }
    CHECK(most > 1);
    check_quiet(port);
    for (int i = 0; i < 5; i++)
        CHECK_OK(lipc_port_post(port, (uintptr_t)i));
    CHECK_INT(3, lipc_port_wait(port, WAIT, 3, completions)); /* no more than were asked for */
    CHECK_INT(2, lipc_port_wait(port, WAIT, 3, completions));
    close_all(a, MANY);
    close_all(b, MANY);
    CHECK_OK(lipc_close(port));
}

TEST(an_end_has_one_port) {
    scene s = new_scene(LIPC_STREAM);
    lipc_handle second = new_port(), duplicate;
    CHECK_ERROR(LIPC_EEXIST, lipc_port_add(second, s.a, 1));
    CHECK_OK(lipc_close(second));
    close_scene(&s);
    s = new_scene(LIPC_STREAM);
    second = new_port();
    CHECK_OK(lipc_duplicate(s.a, &duplicate));
    CHECK_ERROR(LIPC_EEXIST, lipc_port_add(second, duplicate, 1));
    CHECK_OK(lipc_close(duplicate));
    CHECK_ERROR(LIPC_EBADF, lipc_port_add(second, duplicate, 1));
    CHECK_OK(lipc_close(second));
    CHECK_ERROR(LIPC_EBADF, lipc_port_add(second, s.b, 1));
    close_scene(&s);
}

TEST(calls_that_wait_by_themselves_are_not_reported_to_the_port) {
    scene s = new_scene(LIPC_STREAM);
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read(s.a, got, 10, 20));
    check_connected(s.a, s.b);
    check_connected(s.b, s.a);
    check_quiet(s.port);
    close_scene(&s);
    s = new_scene(LIPC_MESSAGE);
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_receive(s.a, got, 10, 20));
    CHECK_INT(3, lipc_send(s.b, "one", 3, WAIT));
    CHECK_INT(3, lipc_receive(s.a, got, 10, WAIT));
    close_scene(&s);
}

/* ------------------------------------------ Cancelling ------------------------------------------ */

static void check_aborted(int64_t r) {
    CHECK_ERROR(LIPC_EOTHER, r);
    CHECK_INT(ERROR_OPERATION_ABORTED, lipc_error_os(r));
}

TEST(a_cancelled_operation_is_reported_as_aborted) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async reading = {0}, writing = {0};
    CHECK_ERROR(LIPC_ENOENT, lipc_async_cancel(s.a, &reading)); /* none is under way */
    if (!on_wine()) /* Wine 8 calls it a success to cancel all of nothing */
        CHECK_ERROR(LIPC_ENOENT, lipc_async_cancel(s.a, NULL));
    size_t before;
    int64_t r = lipc_async_read(s.a, got, 10, &reading), w = start_write_that_waits(&s, &writing, &before);
    CHECK_OK(lipc_async_cancel(s.a, &reading));
    check_aborted(result_of(s.port, 7, s.a, &reading, r));
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_finish(s.a, &writing)); /* the other one goes on */
    CHECK_OK(lipc_async_cancel(s.a, NULL));
    check_aborted(result_of(s.port, 7, s.a, &writing, w));
    CHECK_ERROR(LIPC_ENOENT, lipc_async_cancel(s.a, &writing));
    close_scene(&s);
    CHECK_ERROR(LIPC_EBADF, lipc_async_cancel(s.a, NULL));
}

static DWORD WINAPI cancel_all(void *argument) {
    CHECK_OK(lipc_async_cancel(*(lipc_handle *)argument, NULL));
    return 0;
}

TEST(another_thread_can_cancel) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    int64_t r = lipc_async_read(s.a, got, 10, &async);
    CHECK_ERROR(LIPC_EAGAIN, r);
    thread t = start_thread(cancel_all, &s.a);
    check_aborted(result_of(s.port, 7, s.a, &async, r));
    join_thread(t);
    CHECK_INT(1, lipc_write(s.b, "x", 1, WAIT)); /* the connection goes on */
    CHECK_INT(1, lipc_read(s.a, got, 10, WAIT));
    close_scene(&s);
}

typedef struct stream_of_bytes {
    lipc_handle handle;
    size_t size;
} stream_of_bytes;

static DWORD WINAPI write_in_small_pieces(void *argument) {
    stream_of_bytes *w = argument;
    for (size_t at = 0; at < w->size; at += 10)
        CHECK_INT(10, lipc_write(w->handle, sent + at, 10, WAIT));
    return 0;
}

TEST(cancelling_against_completion_loses_no_bytes) {
    enum { SIZE = 20000 };
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    stream_of_bytes w = {s.b, SIZE};
    size_t at = 0;
    int aborted = 0;
    fill_pattern(sent, SIZE, 0);
    thread t = start_thread(write_in_small_pieces, &w);
    while (at < SIZE) {
        int64_t r = lipc_async_read(s.a, got + at, SIZE - at, &async);
        if (lipc_error_code(r) == LIPC_EAGAIN) {
            int cancelled = lipc_async_cancel(s.a, &async);
            CHECK(cancelled == 0 || lipc_error_code(cancelled) == LIPC_ENOENT);
            r = result_of(s.port, 7, s.a, &async, r);
        }
        if (r < 0) {
            check_aborted(r);
            aborted++;
        } else {
            at += (size_t)r;
        }
    }
    join_thread(t);
    check_pattern(got, SIZE, 0);
    close_scene(&s);
}

TEST(closing_ends_what_is_under_way) {
    scene s = new_scene(LIPC_STREAM);
    static lipc_async async; /* the system may still write to an operation that is under way */
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(s.a, got, 10, &async));
    close_end(&s.a);
    lipc_completion c = next_completion(s.port);
    CHECK(c.key == 7 && c.async == &async);
    close_scene(&s);
}

/* ------------------------------------------- Events --------------------------------------------- */

TEST(an_event_reports_an_operation_in_place_of_a_port) {
    scene s = new_scene(LIPC_STREAM);
    lipc_async async = {0};
    CHECK_OK(lipc_event(&async.event));
    check_born(async.event);
    CHECK(!is_signalled(async.event));
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(s.a, got, 100, &async));
    CHECK(!is_signalled(async.event));
    CHECK_INT(5, lipc_write(s.b, "hello", 5, WAIT));
    wait_for(async.event);
    CHECK_INT(5, lipc_async_finish(s.a, &async));
    check_quiet(s.port);
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(s.a, got, 100, &async)); /* it is used again */
    CHECK(!is_signalled(async.event));
    CHECK_OK(lipc_async_cancel(s.a, &async));
    wait_for(async.event);
    check_aborted(lipc_async_finish(s.a, &async));
    CHECK_OK(lipc_close(async.event));
    close_scene(&s);
}

TEST(an_event_does_for_an_end_that_has_no_port) {
    lipc_handle a, b;
    lipc_async async = {0};
    CHECK_OK(lipc_pair(LIPC_MESSAGE, &a, &b));
    CHECK_OK(lipc_event(&async.event));
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_receive(a, got, 3, &async));
    CHECK_INT(8, lipc_send(b, "too long", 8, WAIT));
    CHECK_INT(4, lipc_send(b, "next", 4, WAIT));
    wait_for(async.event);
    CHECK_ERROR(LIPC_ETRUNCATED, lipc_async_finish(a, &async));
    CHECK_INT(4, lipc_receive(a, got, 100, WAIT));
    CHECK_OK(lipc_close(async.event));
    close_ends(a, b);
}

TEST(a_watch_has_the_port_report_an_operation_of_an_event) {
    lipc_handle port = new_port(), a, b;
    lipc_async async = {0};
    lipc_watch watch = {0};
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_event(&async.event));
    for (int round = 0; round < 3; round++) {
        CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(a, got, 100, &async));
        CHECK_OK(lipc_watch_start(&watch, port, async.event, 9));
        check_quiet(port);
        CHECK_INT(5, lipc_write(b, "hello", 5, WAIT));
        lipc_completion c = next_completion(port);
        CHECK(c.key == 9 && c.async == NULL);
        CHECK_INT(5, lipc_async_finish(a, &async));
        lipc_watch_stop(&watch);
    }
    check_quiet(port); /* once for each */
    CHECK_OK(lipc_close(async.event));
    close_ends(a, b);
    CHECK_OK(lipc_close(port));
}

TEST(a_watch_reports_that_a_listener_can_accept) {
    lipc_handle port = new_port();
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_watch watch = {0};
    for (int round = 0; round < 3; round++) {
        lipc_handle nobody;
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &nobody));
        CHECK_OK(lipc_watch_start(&watch, port, lipc_listener_handle(listener), 11));
        check_quiet(port);
        lipc_handle client = connect_to(&name);
        lipc_completion c = next_completion(port);
        CHECK(c.key == 11 && c.async == NULL);
        lipc_handle server;
        CHECK_OK(lipc_accept(listener, 0, NULL, &server));
        close_ends(client, server);
        lipc_watch_stop(&watch);
    }
    lipc_listener_close(listener);
    CHECK_OK(lipc_close(port));
}

TEST(a_watch_reports_that_a_process_ended) {
    lipc_handle port = new_port();
    lipc_watch watch = {0};
    child c = start("end");
    CHECK_OK(lipc_watch_start(&watch, port, (lipc_handle)c.process, 13));
    tell(&c, "go");
    CHECK(next_completion(port).key == 13);
    lipc_watch_stop(&watch);
    join(&c);
    CHECK_OK(lipc_close(port));
}

CHILD(end) {
    listen_to_test();
}

TEST(a_watch_that_was_stopped_reports_nothing) {
    lipc_handle port = new_port(), event;
    lipc_watch watch = {0};
    lipc_watch_stop(&watch); /* never started */
    CHECK_OK(lipc_event(&event));
    CHECK_OK(lipc_watch_start(&watch, port, event, 1));
    lipc_watch_stop(&watch);
    lipc_watch_stop(&watch);
    CHECK(SetEvent((HANDLE)event));
    check_quiet(port);
    CHECK_OK(lipc_close(event));
    CHECK_OK(lipc_close(port));
}
