/* Handles that travel with a payload: none is lost, doubled, or left open, whatever goes wrong. */
#include "fixture.h"

#include <poll.h>

enum { BIG = 1 << 20 };
static char sent[BIG], got[BIG];
static lipc_handle out[LIPC_MESSAGE_HANDLES + 1], in[LIPC_MESSAGE_HANDLES + 1];

static void fill(char *data, size_t size) {
    unsigned state = 1;
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((state = state * 1103515245 + 12345) >> 16);
}

/* Closes the copies of one end of a pipe, and checks that they were all. */
static void close_traced(lipc_handle handle, int trace) {
    CHECK_OK(lipc_close(handle));
    check_gone(trace);
}

/* ------------------------------------------- How many ------------------------------------------- */

TEST(as_many_handles_as_fit_arrive_usable) {
    allow_descriptors();
    static const int counts[] = {1, 2, 20, MOST_HANDLES};
    EACH_PAIR(kind, a, b) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            for (int i = 0; i < counts[c]; i++)
                out[i] = numbered_file(i);
            CHECK_INT(7, send_handles(a, "payload", 7, out, (size_t)counts[c], WAIT));
            for (int i = 0; i < counts[c]; i++)
                check_number(out[i], i); /* they were only lent */
            close_all(out, counts[c]);
            size_t count = c % 2 == 0 ? (size_t)counts[c] : LIPC_MESSAGE_HANDLES;
            memset(got, 0, 16);
            CHECK_INT(7, receive_handles(b, got, 16, in, &count, WAIT));
            CHECK_STRING("payload", got);
            CHECK_INT(counts[c], count);
            for (int i = 0; i < counts[c]; i++)
                check_number(in[i], i);
            close_all(in, counts[c]);
        }
    }
}

TEST(one_handle_too_many_is_refused_and_nothing_is_sent) {
    for (size_t i = 0; i <= LIPC_MESSAGE_HANDLES; i++)
        out[i] = STDERR_FILENO;
    EACH_PAIR(kind, a, b) {
        size_t count = LIPC_MESSAGE_HANDLES;
        CHECK_ERROR(LIPC_ETOOMANY, send_handles(a, "x", 1, out, LIPC_MESSAGE_HANDLES + 1, WAIT));
        CHECK_ERROR(LIPC_ETOOMANY, send_handles(a, "x", 1, out, 100000, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, receive_handles(b, got, 16, in, &count, 0));
        /* Those in the control data count too. */
        char room[LIPC_CONTROL_SIZE];
        lipc_control control = {room, sizeof room, 0, 0};
        CHECK_OK(lipc_control_add_handles(&control, out, LIPC_MESSAGE_HANDLES));
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){sent, 1},
                                .buffer_count = 1,
                                .handles = out,
                                .handle_count = 1,
                                .control = &control};
        CHECK_ERROR(LIPC_ETOOMANY, lipc_send_message(a, &message, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, receive_handles(b, got, 16, in, &count, 0));
    }
}

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

/* Forbids further descriptors but so many, with the lowest numbers that are free. */
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

/* --------------------------------------- Whom nobody wants -------------------------------------- */

static int64_t take_with_a_message(lipc_handle handle) {
    size_t count = 0;
    return receive_handles(handle, got, 16, in, &count, WAIT);
}

static int64_t take_without_room(lipc_handle handle) {
    size_t count = 0;
    return receive_handles(handle, got, 16, NULL, &count, WAIT);
}

/* Asking for something else makes the system hand the handles over. */
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

/* Room for control data, but handles are declined. */
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

/* ------------------------------------------ On a stream ----------------------------------------- */

/* What is sent: pieces, some of them with a handle. */
static const struct {
    const char *data;
    bool handle;
} pieces[] = {{"abc", false}, {"de", true}, {"fg", true}, {"h", false}, {"i", true}, {"jkl", true}, {"m", false}};
enum { PIECES = sizeof pieces / sizeof *pieces };

TEST(the_handles_of_a_stream_come_with_their_bytes_and_once) {
    static const size_t steps[] = {1, 2, 3, 4, 5, 100};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        lipc_handle a, b;
        char text[32] = "";
        int first[PIECES], last[PIECES]; /* positions of the bytes that each piece has */
        CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
        for (int i = 0, at = 0; i < PIECES; i++) {
            lipc_handle file = pieces[i].handle ? numbered_file(i) : LIPC_INVALID_HANDLE;
            size_t size = strlen(pieces[i].data);
            CHECK_INT((int64_t)size, send_handles(a, pieces[i].data, size, &file, pieces[i].handle, WAIT));
            if (pieces[i].handle)
                CHECK_OK(lipc_close(file));
            first[i] = at;
            at += (int)size;
            last[i] = at - 1;
        }
        CHECK_OK(lipc_close(a));
        bool arrived[PIECES] = {false};
        int done = 0;
        for (;;) {
            size_t count = 8;
            int64_t n = receive_handles(b, text + done, steps[s], in, &count, WAIT);
            if (n < 0) {
                CHECK_ERROR(LIPC_EEND, n);
                break;
            }
            CHECK(n > 0 && n <= (int64_t)steps[s] && count <= 1);
            for (size_t i = 0; i < count; i++) {
                int number = -1;
                CHECK(pread((int)in[i], &number, sizeof number, 0) == sizeof number);
                CHECK(number >= 0 && number < PIECES && pieces[number].handle && !arrived[number]);
                arrived[number] = true;
                CHECK(done <= first[number] && done + n > first[number]); /* it came with its first byte, and */
                CHECK(done + n <= last[number] + 1);                      /* nothing behind its bytes */
                CHECK_OK(lipc_close(in[i]));
            }
            done += (int)n;
        }
        CHECK_STRING("abcdefghijklm", text);
        for (int i = 0; i < PIECES; i++)
            CHECK_INT(pieces[i].handle, arrived[i]);
        CHECK_OK(lipc_close(b));
    }
}

/* Takes what is there. Returns how many handles came with it; they are closed. */
static size_t drain(lipc_handle handle, size_t *done) {
    size_t handles = 0;
    while (*done < BIG) {
        size_t count = 8;
        int64_t n = receive_handles(handle, got + *done, BIG - *done < 9973 ? BIG - *done : 9973, in, &count, 0);
        if (n < 0) {
            CHECK_ERROR(LIPC_EAGAIN, n);
            break;
        }
        *done += (size_t)n;
        handles += count;
        for (size_t i = 0; i < count; i++)
            check_number(in[i], 5);
        close_all(in, (int)count);
    }
    return handles;
}

TEST(a_message_of_which_a_part_was_sent_has_sent_its_handles_once) {
    fill(sent, BIG);
    for (int timeout = 0; timeout <= 20; timeout += 20) {
        lipc_handle a, b;
        CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
        out[0] = numbered_file(5);
        int64_t n = CHECK_OK(send_handles(a, sent, BIG, out, 1, timeout));
        CHECK(n > 0 && n < BIG);
        /* Nothing goes now, and no handle with it. */
        int64_t r = send_handles(a, sent + n, BIG - (size_t)n, out, 1, timeout);
        CHECK_ERROR(timeout ? LIPC_ETIMEDOUT : LIPC_EAGAIN, r);
        size_t received = 0, handles = drain(b, &received);
        CHECK_INT(n, received);
        CHECK_INT(1, handles);
        for (size_t done = (size_t)n; done < BIG;) {
            done += (size_t)CHECK_OK(lipc_write(a, sent + done, BIG - done, 0));
            handles += drain(b, &received);
            CHECK_INT(done, received);
        }
        CHECK_INT(1, handles);
        CHECK(memcmp(sent, got, BIG) == 0);
        close_all((lipc_handle[]){a, b, out[0]}, 3);
    }
}

static void receive_slowly(const void *argument) {
    const lipc_handle *ends = argument;
    CHECK_OK(lipc_close(ends[0]));
    ready();
    size_t done = 0, handles = 0;
    for (;;) {
        size_t count = 8, room = 1 + done % 7919;
        int64_t n = receive_handles(ends[1], got + done, room < BIG - done ? room : BIG - done, in, &count, WAIT);
        if (lipc_error_code(n) == LIPC_EEND || done == BIG)
            break;
        CHECK_OK(n);
        done += (size_t)n;
        handles += count;
        for (size_t i = 0; i < count; i++)
            check_number(in[i], 5);
    }
    CHECK_INT(BIG, done);
    CHECK(memcmp(sent, got, BIG) == 0);
    CHECK_INT(3, handles);
}

TEST(a_large_message_waits_for_a_slow_reader_in_another_process) {
    fill(sent, BIG);
    lipc_handle ends[2];
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    CHECK_OK(lipc_set_buffer_size(ends[0], LIPC_WRITE, 8192));
    for (int i = 0; i < 3; i++)
        out[i] = numbered_file(5);
    pid_t process = start(receive_slowly, ends);
    CHECK_OK(lipc_close(ends[1]));
    CHECK_INT(BIG, send_handles(ends[0], sent, BIG, out, 3, WAIT));
    close_all(out, 3);
    CHECK_OK(lipc_close(ends[0]));
    join(process);
}

TEST(a_stream_carries_no_handles_without_a_payload) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    out[0] = STDERR_FILENO;
    CHECK_ERROR(LIPC_EINVAL, send_handles(a, NULL, 0, out, 1, WAIT));
    lipc_message nothing = {.size = sizeof nothing, .handles = out, .handle_count = 1};
    CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, &nothing, WAIT));
    nothing.handle_count = 0;
    CHECK_INT(0, lipc_send_message(a, &nothing, WAIT));
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0));
    /* Nor does it give them without their payload. */
    size_t count = 1;
    CHECK_INT(1, send_handles(a, "x", 1, out, 1, WAIT));
    CHECK_ERROR(LIPC_EINVAL, receive_handles(b, got, 0, in, &count, WAIT));
    CHECK_ERROR(LIPC_EINVAL, lipc_receive_message(b, &nothing, WAIT));
    CHECK_INT(1, receive_handles(b, got, 1, in, &count, WAIT));
    CHECK_INT(1, count);
    CHECK_OK(lipc_close(in[0]));
    close_all((lipc_handle[]){a, b}, 2);
}

/* ----------------------------------------- On messages ------------------------------------------ */

TEST(an_empty_message_carries_handles) {
    EACH_PAIR(kind, a, b) {
        if (kind == LIPC_STREAM)
            continue;
        for (int round = 0; round < 3; round++) {
            out[0] = numbered_file(1);
            out[1] = numbered_file(2);
            lipc_message message = {.size = sizeof message, .handles = out, .handle_count = 2};
            if (round == 0)
                CHECK_INT(0, lipc_send_message(a, &message, WAIT)); /* no buffer at all */
            else
                CHECK_INT(0, send_handles(a, NULL, 0, out, 2, WAIT));
            close_all(out, 2);
            size_t count = 5;
            CHECK_INT(0, receive_handles(b, round < 2 ? got : NULL, round < 2 ? 16 : 0, in, &count, WAIT));
            CHECK_INT(2, count);
            check_number(in[0], 1);
            check_number(in[1], 2);
            close_all(in, 2);
            CHECK_INT(0, send_handles(a, NULL, 0, NULL, 0, WAIT)); /* nor is one that carries nothing the end */
            count = (size_t)round;
            CHECK_INT(0, receive_handles(b, got, 16, in, &count, WAIT));
            CHECK_INT(0, count);
        }
    }
}

/* What is asked for besides the payload must not make the end look like a message. */
TEST(the_end_is_told_from_a_message) {
    for (int row = 0; row < 32; row++)
        for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
            lipc_handle a = fixture_pair(i, 0), b = fixture_pair(i, 1);
            char room[LIPC_CONTROL_SIZE];
            lipc_credentials credentials;
            lipc_handle pidfd;
            lipc_control control = {room, sizeof room, 0, 0};
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){got, 16},
                                    .buffer_count = 1,
                                    .handles = row & 1 ? in : NULL,
                                    .handle_capacity = row & 1 ? 3 : 0,
                                    .credentials = row & 2 ? &credentials : NULL,
                                    .pidfd = row & 4 ? &pidfd : NULL,
                                    .control = row & 8 ? &control : NULL};
            int r = row & 16 ? lipc_set_pass_credentials(b, true) : 0;
            if (lipc_error_code(r) != LIPC_ENOTSUP)
                CHECK_OK(r);
            if (row & 16 && lipc_error_code(lipc_set_pass_pidfd(b, true)) != LIPC_ENOTSUP)
                message.length = 7;
            memset(in, UNTOUCHED, sizeof in);
            memset(&credentials, UNTOUCHED, sizeof credentials);
            if (fixture_kinds[i].kind != LIPC_DATAGRAM) {
                CHECK_OK(lipc_close(a));
                for (int again = 0; again < 2; again++)
                    CHECK_ERROR(LIPC_EEND, lipc_receive_message(b, &message, again ? 0 : WAIT));
                CHECK(is_untouched(in, sizeof in) && is_untouched(&credentials, sizeof credentials));
                CHECK_OK(lipc_close(b));
            } else {
#ifdef __linux__ /* what is no end elsewhere */
                CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
                CHECK_OK(lipc_shutdown(b, LIPC_READ));
                message.handles = NULL; /* that of the empty message */
                message.handle_capacity = 0;
                message.pidfd = NULL;
                CHECK_INT(0, lipc_receive_message(b, &message, WAIT));
                if (row & 8)
                    lipc_control_close(&control);
                for (int again = 0; again < 2; again++)
                    CHECK_ERROR(LIPC_EEND, lipc_receive_message(b, &message, WAIT));
#endif
                close_all((lipc_handle[]){a, b}, 2);
            }
        }
}

TEST(a_payload_in_many_buffers_arrives_in_one_message) {
    static const size_t counts[] = {1, 2, 3, 64, 65, 1024};
    enum { SIZE = 5000 };
    fill(sent, SIZE);
    EACH_PAIR(kind, a, b) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
                lipc_buffer from[1024], to[1024];
                size_t n = counts[i], m = counts[j];
                for (size_t k = 0; k < n; k++) /* every other one is empty, where there are several */
                    from[k] = (lipc_buffer){sent + (k / 2) * (SIZE / n), k % 2 == 0 ? SIZE / n : 0};
                for (size_t k = 0; k < m; k++)
                    to[k] = (lipc_buffer){got + k * (SIZE / m), SIZE / m + (k == m - 1 ? SIZE : 0)};
                size_t size = (n + 1) / 2 * (SIZE / n);
                out[0] = numbered_file((int)n);
                lipc_message message = {.size = sizeof message,
                                        .buffers = from,
                                        .buffer_count = n,
                                        .handles = out,
                                        .handle_count = 1};
                CHECK_INT((int64_t)size, lipc_send_message(a, &message, WAIT));
                CHECK_OK(lipc_close(out[0]));
                memset(got, 0, 2 * SIZE);
                message.buffers = to;
                message.buffer_count = m;
                message.handles = in;
                message.handle_capacity = 3;
                CHECK_INT((int64_t)size, lipc_receive_message(b, &message, WAIT));
                CHECK_INT(size, message.length);
                CHECK(memcmp(sent, got, size) == 0 && got[size] == 0);
                CHECK_INT(1, message.handle_count);
                check_number(in[0], (int)n);
                CHECK_OK(lipc_close(in[0]));
            }
    }
}

/* ------------------------------------------- Errors --------------------------------------------- */

TEST(more_buffers_than_systems_take_are_too_large) {
    static lipc_buffer buffers[1025];
    EACH_PAIR(kind, a, b) {
        lipc_message message = {.size = sizeof message, .buffers = buffers, .buffer_count = 1025};
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send_message(a, &message, WAIT));
        CHECK_INT(1, lipc_send_message(a, &(lipc_message){.size = sizeof message,
                                                          .buffers = &(lipc_buffer){sent, 1},
                                                          .buffer_count = 1}, WAIT));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_receive_message(b, &message, WAIT));
        size_t none = 0;
        CHECK_INT(1, receive_handles(b, got, 1, NULL, &none, 0)); /* it is still there */
    }
}

TEST(a_message_says_its_size_as_options_do) {
    struct {
        lipc_message message;
        size_t more;
    } larger;
    lipc_buffer buffer = {sent, 1};
    memset(&larger, 0, sizeof larger);
    larger.message = (lipc_message){.size = sizeof larger, .buffers = &buffer, .buffer_count = 1};
    EACH_PAIR(kind, a, b) {
        static const size_t small[] = {0, 1, sizeof(size_t) - 1, sizeof(size_t), sizeof(lipc_message) - 1};
        for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
            lipc_message message = {.size = small[i]};
            CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, &message, WAIT));
            CHECK_ERROR(LIPC_EINVAL, lipc_receive_message(b, &message, WAIT));
        }
        CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, NULL, WAIT));
        CHECK_ERROR(LIPC_EINVAL, lipc_receive_message(b, NULL, WAIT));
        larger.more = 1;
        CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &larger.message, WAIT));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_receive_message(b, &larger.message, WAIT));
        larger.more = 0;
        CHECK_INT(1, lipc_send_message(a, &larger.message, WAIT));
        CHECK_INT(1, lipc_receive_message(b, &larger.message, WAIT));
    }
}

TEST(what_failed_left_the_message_as_it_was) {
    lipc_handle a, b, unconnected;
    CHECK_OK(lipc_datagram(&unconnected));
    int file = open("/dev/null", O_RDWR), plain = plain_socket(SOCK_STREAM, NULL, -1);
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    const struct {
        const char *name;
        lipc_handle handle;
        int sending, receiving;
    } rows[] = {
        {"no handle", LIPC_INVALID_HANDLE, LIPC_EBADF, LIPC_EBADF},
        {"closed", 1 << 20, LIPC_EBADF, LIPC_EBADF},
        {"a file", file, LIPC_ENOTSOCK, LIPC_ENOTSOCK},
        {"a stream without a peer", plain, LIPC_ENOTCONN, LIPC_ENOTCONN},
        {"a datagram socket without a peer", unconnected, LIPC_ENOTCONN, LIPC_EAGAIN},
        {"nothing there", b, 0, LIPC_EAGAIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        char room[LIPC_CONTROL_SIZE];
        lipc_credentials credentials;
        lipc_name name;
        lipc_handle pidfd;
        memset(in, UNTOUCHED, sizeof in);
        memset(&credentials, UNTOUCHED, sizeof credentials);
        memset(&name, UNTOUCHED, sizeof name);
        memset(&pidfd, UNTOUCHED, sizeof pidfd);
        lipc_control control = {room, sizeof room, 0, 0};
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){got, 16},
                                .buffer_count = 1,
                                .handles = in,
                                .handle_capacity = 9,
                                .credentials = &credentials,
                                .peer = &name,
                                .pidfd = &pidfd,
                                .control = &control,
                                .length = 77},
                     before = message;
        CHECK_ERROR(rows[i].receiving, lipc_receive_message(rows[i].handle, &message, 0));
        CHECK(memcmp(&before, &message, sizeof message) == 0);
        CHECK(is_untouched(in, sizeof in) && is_untouched(&credentials, sizeof credentials));
        CHECK(is_untouched(&name, sizeof name) && is_untouched(&pidfd, sizeof pidfd));
        out[0] = STDERR_FILENO;
        if (rows[i].sending != 0)
            CHECK_ERROR(rows[i].sending, send_handles(rows[i].handle, "x", 1, out, 1, 0));
    }
    close_all((lipc_handle[]){a, b, unconnected, file, plain}, 5);
}

TEST(a_handle_that_is_not_open_cannot_be_lent) {
    EACH_PAIR(kind, a, b) {
        const lipc_handle wrong[][2] = {{-1, STDERR_FILENO}, {STDERR_FILENO, 1 << 20}};
        size_t none = 0;
        for (size_t i = 0; i < 2; i++)
            CHECK_ERROR(LIPC_EBADF, send_handles(a, "x", 1, wrong[i], 2, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, receive_handles(b, got, 16, NULL, &none, 0));
    }
}

TEST(a_full_connection_takes_no_handle) {
    EACH_PAIR(kind, a, b) {
        int trace = -1, messages = 0;
        int64_t r;
        out[0] = traced(&trace);
        while ((r = lipc_send_message(a, &(lipc_message){.size = sizeof(lipc_message),
                                                         .buffers = &(lipc_buffer){sent, 4096},
                                                         .buffer_count = 1}, 0)) > 0)
            messages++;
        CHECK_ERROR(LIPC_EAGAIN, r);
        CHECK(messages > 0);
        CHECK_ERROR(LIPC_EAGAIN, send_handles(a, sent, 4096, out, 1, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, send_handles(a, sent, 4096, out, 1, 5));
        close_traced(out[0], trace);
    }
}

TEST(a_peer_that_is_gone_takes_no_handle) {
    for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
        lipc_handle a = fixture_pair(i, 0), b = fixture_pair(i, 1);
        CHECK_OK(lipc_close(b));
        int trace = -1;
        out[0] = traced(&trace);
        int r = (int)send_handles(a, "x", 1, out, 1, WAIT); /* SIGPIPE would kill the test */
        CHECK_ERROR(fixture_kinds[i].kind == LIPC_DATAGRAM ? LIPC_ECONNREFUSED : LIPC_EPIPE, r);
        close_traced(out[0], trace);
        CHECK_OK(lipc_close(a));
    }
}

/* ------------------------------------------- Limits --------------------------------------------- */

#ifdef __linux__

enum { IN_FLIGHT = 64, STRANGER = 4011 };

/* Another user than root is limited in what it has on its way. */
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
    /* Now it works again. (The count is the user's: others of its processes may have their part in it.) */
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

static void pass_it_back(const void *argument) {
    const lipc_handle *ends = argument;
    size_t count = 1;
    ready();
    CHECK_INT(3, receive_handles(ends[1], got, 16, in, &count, WAIT));
    CHECK_INT(1, count);
    CHECK_INT(5, lipc_write(in[0], "there", 5, WAIT));
}

TEST(a_connection_itself_is_handed_to_another_process) {
    EACH_PAIR(kind, a, b) {
        lipc_handle mine, theirs, ends[] = {a, b};
        CHECK_OK(lipc_pair(LIPC_STREAM, &mine, &theirs));
        pid_t process = start(pass_it_back, ends);
        CHECK_INT(3, send_handles(a, "fd?", 3, &theirs, 1, WAIT));
        CHECK_OK(lipc_close(theirs));
        memset(got, 0, 16);
        CHECK_INT(5, lipc_read(mine, got, 16, WAIT));
        CHECK_STRING("there", got);
        join(process);
        CHECK_OK(lipc_close(mine));
    }
}
