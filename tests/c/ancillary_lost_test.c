/* Handles that were sent but do not arrive: they are closed, the payload is received, and the error says so. */
#include "fixture.h"

#include <poll.h>

static char got[32];
static lipc_handle out[LIPC_MESSAGE_HANDLES], in[LIPC_MESSAGE_HANDLES + 1];

/* -------------------------------------- No room for them ---------------------------------------- */

TEST(more_handles_than_there_is_room_for_are_closed_and_the_payload_is_received) {
    static const size_t rooms[] = {1, 5, 19};
    EACH_PAIR(kind, a, b) {
        for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
            int trace = -1;
            out[0] = traced(&trace);
            for (int j = 1; j < 20; j++)
                out[j] = out[0];
            CHECK_INT(5, send_handles(a, "hello", 5, out, 20, WAIT));
            CHECK_OK(lipc_close(out[0]));
            memset(in, UNTOUCHED, sizeof in);
            memset(got, 0, 16);
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){got, 16},
                                    .buffer_count = 1,
                                    .handles = in,
                                    .handle_capacity = rooms[i]};
            test_open before;
            test_descriptors(&before);
            int64_t r = CHECK_ERROR(LIPC_EHANDLES, lipc_receive_message(b, &message, WAIT));
            CHECK(lipc_error_os(r) != EMFILE && lipc_error_os(r) != ENFILE);
            test_same_descriptors(&before);
            check_gone(trace);
            CHECK_INT(5, message.length);
            CHECK_STRING("hello", got);
            CHECK_INT(0, message.handle_count);
            CHECK(is_untouched(in, sizeof in));
            CHECK_INT(2, send_handles(a, "ok", 2, NULL, 0, WAIT)); /* and the connection works */
            size_t count = 1;
            CHECK_INT(2, receive_handles(b, got, 16, in, &count, WAIT));
            CHECK_INT(0, count);
        }
    }
}

#ifdef __linux__ /* others fail to receive the message at all */

/* Allows only so many further descriptors, with the lowest free numbers. */
static struct rlimit leave_free(int count) {
    lipc_handle held[16];
    for (int i = 0; i < count; i++)
        CHECK((held[i] = dup(STDERR_FILENO)) >= 0);
    struct rlimit was = forbid_descriptors();
    close_all(held, count);
    return was;
}

TEST(a_process_that_may_open_no_more_gets_none_and_keeps_none) {
    static const int sending[] = {1, 2, 20, MOST_HANDLES};
    EACH_PAIR(kind, a, b) {
        for (size_t i = 0; i < sizeof sending / sizeof *sending; i++)
            for (int room = 0; room <= 8 && room < sending[i]; room += 4) {
                int trace = -1;
                out[0] = traced(&trace);
                for (int j = 1; j < sending[i]; j++)
                    out[j] = out[0];
                CHECK_INT(5, send_handles(a, "hello", 5, out, (size_t)sending[i], WAIT));
                CHECK_OK(lipc_close(out[0]));
                test_open before;
                test_descriptors(&before);
                struct rlimit limit = leave_free(room);
                lipc_message message = {.size = sizeof message,
                                        .buffers = &(lipc_buffer){got, 16},
                                        .buffer_count = 1,
                                        .handles = in,
                                        .handle_capacity = LIPC_MESSAGE_HANDLES};
                int64_t r = lipc_receive_message(b, &message, WAIT);
                CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
                CHECK_ERROR(LIPC_EHANDLES, r);
                CHECK_INT(EMFILE, lipc_error_os(r));
                CHECK_INT(5, message.length);
                CHECK_INT(0, message.handle_count);
                test_same_descriptors(&before);
                check_gone(trace);
            }
    }
}

#endif

/* --------------------------------------- Nobody asked for them ---------------------------------- */

static int64_t take_with_a_message(lipc_handle handle) {
    size_t count = 0;
    return receive_handles(handle, got, 16, in, &count, WAIT);
}

static int64_t take_without_room(lipc_handle handle) {
    size_t count = 0;
    return receive_handles(handle, got, 16, NULL, &count, WAIT);
}

/* If something else is asked for, the system delivers the handles too. */
static int64_t take_with_credentials(lipc_handle handle) {
    lipc_credentials credentials;
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){got, 16},
                            .buffer_count = 1,
                            .credentials = &credentials};
    return lipc_receive_message(handle, &message, WAIT);
}

static int64_t take_with_a_pidfd(lipc_handle handle) {
    lipc_handle pidfd;
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){got, 16},
                            .buffer_count = 1,
                            .pidfd = &pidfd};
    int64_t r = lipc_receive_message(handle, &message, WAIT);
    CHECK_INT(LIPC_INVALID_HANDLE, pidfd);
    return r;
}

/* There is room for control data, but handles are declined. */
static int64_t take_with_control(lipc_handle handle) {
    char room[LIPC_CONTROL_SIZE];
    lipc_control control = {room, sizeof room, 0, 0};
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){got, 16},
                            .buffer_count = 1,
                            .handles = in,
                            .control = &control};
    return lipc_receive_message(handle, &message, WAIT);
}

static int64_t take_with_read(lipc_handle handle) {
    return lipc_read(handle, got, 16, WAIT);
}

static int64_t take_with_readv(lipc_handle handle) {
    lipc_buffer buffers[] = {{got, 1}, {got + 1, 15}};
    return lipc_readv(handle, buffers, 2, WAIT);
}

static int64_t take_with_receive(lipc_handle handle) {
    return lipc_receive(handle, got, 16, WAIT);
}

static int64_t take_after_peeking(lipc_handle handle) {
    CHECK_INT(5, lipc_peek(handle, got, 16, WAIT));
    return lipc_receive(handle, got, 16, WAIT);
}

static int64_t take_in_a_batch(lipc_handle handle) {
    lipc_buffer buffers[] = {{got, 16}, {got + 16, 16}};
    CHECK_INT(1, lipc_receive_batch(handle, buffers, 2, WAIT));
    return (int64_t)buffers[0].size;
}

static int64_t take_with_its_name(lipc_handle handle) {
    lipc_name name;
    return lipc_receive_from(handle, got, 16, WAIT, &name);
}

enum { BYTES = LIPC_STREAM, MESSAGES = LIPC_MESSAGE | LIPC_DATAGRAM };

TEST(handles_that_nobody_asked_for_are_closed) {
    static const struct {
        const char *name;
        int64_t (*take)(lipc_handle handle);
        int kinds;
    } rows[] = {
        {"a message", take_with_a_message, BYTES | MESSAGES},
        {"no room", take_without_room, BYTES | MESSAGES},
        {"credentials", take_with_credentials, BYTES | MESSAGES},
        {"a pidfd", take_with_a_pidfd, BYTES | MESSAGES},
        {"control", take_with_control, BYTES | MESSAGES},
        {"read", take_with_read, BYTES},
        {"readv", take_with_readv, BYTES},
        {"receive", take_with_receive, MESSAGES},
        {"peek", take_after_peeking, MESSAGES},
        {"batch", take_in_a_batch, MESSAGES},
        {"name", take_with_its_name, MESSAGES},
    };
    EACH_PAIR(kind, a, b) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (!(rows[i].kinds & kind))
                continue;
            test_row = rows[i].name;
            int trace = -1;
            out[0] = out[1] = traced(&trace);
            CHECK_INT(5, send_handles(a, "hello", 5, out, 2, WAIT));
            CHECK_OK(lipc_close(out[0]));
            test_open before;
            test_descriptors(&before);
            memset(got, 0, 16);
            CHECK_INT(5, rows[i].take(b));
            CHECK_STRING("hello", got);
            test_same_descriptors(&before);
            check_gone(trace);
        }
    }
}

TEST(the_handles_of_a_message_that_did_not_fit_are_closed) {
    EACH_PAIR(kind, a, b) {
        if (kind == LIPC_STREAM)
            continue; /* its bytes wait */
        for (size_t room = 0; room < 4; room++) {
            int trace = -1;
            out[0] = traced(&trace);
            CHECK_INT(5, send_handles(a, "hello", 5, out, 1, WAIT));
            CHECK_OK(lipc_close(out[0]));
            memset(got, 0, 16);
            memset(in, UNTOUCHED, sizeof in);
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){got, room},
                                    .buffer_count = 1,
                                    .handles = in,
                                    .handle_capacity = 2};
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive_message(b, &message, WAIT));
            CHECK_INT(room, message.length);
            CHECK(memcmp(got, "hello", room) == 0 && got[room] == '\0');
            CHECK_INT(0, message.handle_count);
            CHECK(is_untouched(in, sizeof in));
            check_gone(trace);
            CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, 16, 0));
        }
    }
}

TEST(looking_at_a_message_opens_nothing_and_leaves_its_handles) {
    EACH_PAIR(kind, a, b) {
        if (kind == LIPC_STREAM)
            continue;
        out[0] = numbered_file(42);
        CHECK_INT(5, send_handles(a, "hello", 5, out, 1, WAIT));
        CHECK_OK(lipc_close(out[0]));
        test_open before;
        test_descriptors(&before);
        for (int i = 0; i < 3; i++) {
            CHECK_INT(5, lipc_peek(b, got, 16, WAIT));
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_peek(b, got, 2, WAIT));
#ifdef __linux__
            CHECK_INT(5, lipc_message_size(b, WAIT));
#endif
        }
        test_same_descriptors(&before);
        size_t count = 1;
        CHECK_INT(5, receive_handles(b, got, 16, in, &count, WAIT));
        CHECK_INT(1, count);
        check_number(in[0], 42);
        CHECK_OK(lipc_close(in[0]));
    }
}

TEST(handles_that_nobody_ever_received_are_closed_with_the_connection) {
    for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
        lipc_handle a = fixture_pair(i, 0), b = fixture_pair(i, 1);
        int trace = -1;
        out[0] = traced(&trace);
        for (int j = 0; j < 3; j++)
            CHECK_INT(5, send_handles(a, "hello", 5, out, 1, WAIT));
        close_all((lipc_handle[]){a, b, out[0]}, 3);
        check_gone(trace);
    }
}

/* ------------------------------------------- Many ----------------------------------------------- */

#ifdef __linux__

enum { IN_FLIGHT = 64, STRANGER = 4011 };

/* Users other than root may have only so many handles on their way. */
static void send_too_many(const void *unused) {
    (void)unused;
    if (geteuid() == 0)
        become(STRANGER, STRANGER, 0);
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (int i = 0; i < LIPC_MESSAGE_HANDLES; i++)
        out[i] = STDERR_FILENO;
    struct rlimit limit = {IN_FLIGHT, IN_FLIGHT};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int sends = 0;
    int64_t r;
    while ((r = send_handles(a, "x", 1, out, 20, 0)) == 1)
        CHECK(++sends <= IN_FLIGHT);
    CHECK_ERROR(LIPC_EMFILE, r);
    CHECK_INT(ETOOMANYREFS, lipc_error_os(r));
    for (int i = 0; i < sends; i++)
        CHECK_INT(1, lipc_read(b, got, 1, 0)); /* which closes them */
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0));
    /* Now it works again. (The count is that of the user, so other processes of the user may delay it.) */
    for (int tries = 0; (r = send_handles(a, "x", 1, out, 20, 0)) < 0 && tries < WAIT; tries++) {
        CHECK_ERROR(LIPC_EMFILE, r);
        poll(NULL, 0, 1);
    }
    CHECK_INT(1, r);
    size_t count = 30;
    CHECK_INT(1, receive_handles(b, got, 16, in, &count, WAIT));
    CHECK_INT(20, count);
    ready();
}

TEST(too_many_handles_on_their_way_are_an_error_that_passes) {
    join(start(send_too_many, NULL));
}

#endif

TEST(a_hundred_thousand_handles_leave_none_behind) {
    enum { PASSES = 100000 };
    EACH_PAIR(kind, a, b) {
        int trace = -1;
        lipc_handle first = LIPC_INVALID_HANDLE;
        out[0] = traced(&trace);
        for (int i = 0; i < PASSES / (int)(sizeof fixture_kinds / sizeof *fixture_kinds); i++) {
            size_t count = 1;
            CHECK_INT(1, send_handles(a, "x", 1, out, 1, WAIT));
            CHECK_INT(1, receive_handles(b, got, 16, in, &count, WAIT));
            CHECK_INT(1, count);
            CHECK(first == LIPC_INVALID_HANDLE || in[0] == first); /* the lowest free number */
            first = in[0];
            CHECK_OK(lipc_close(in[0]));
        }
        close_traced(out[0], trace);
    }
}
