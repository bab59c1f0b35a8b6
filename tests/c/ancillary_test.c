/* Handles that travel with a payload: they arrive, in order and once. What becomes of those that do not arrive is in
 * ancillary_lost_test.c, errors are in ancillary_error_test.c. */
#include "fixture.h"

enum { BIG = 1 << 20 };
static char sent[BIG], got[BIG];
static lipc_handle out[LIPC_MESSAGE_HANDLES + 1], in[LIPC_MESSAGE_HANDLES + 1];

static void fill(char *data, size_t size) {
    unsigned state = 1;
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((state = state * 1103515245 + 12345) >> 16);
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
        /* Handles in the control data count too. */
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

/* Receives what is there. Returns how many handles came with it, and closes them. */
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
        /* Now nothing is sent, and no handle either. */
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

TEST(handles_without_a_payload_go_with_a_byte_of_a_stream) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    out[0] = STDERR_FILENO;
    lipc_message nothing = {.size = sizeof nothing, .handles = out, .handle_count = 1};
    for (int i = 0; i < 2; i++) {
        size_t arrived = 1;
        CHECK_INT(0, i == 0 ? send_handles(a, NULL, 0, out, 1, WAIT) : lipc_send_message(a, &nothing, WAIT));
        got[0] = 'x';
        CHECK_INT(1, receive_handles(b, got, sizeof got, in, &arrived, WAIT));
        CHECK_INT(0, got[0]);
        CHECK_INT(1, arrived);
        CHECK_OK(lipc_close(in[0]));
    }
    nothing.handle_count = 0;
    CHECK_INT(0, lipc_send_message(a, &nothing, WAIT)); /* without handles there is nothing to send */
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, 1, 0));
    /* They cannot be received without their payload: it would be lost. */
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

TEST(peeking_shows_what_travels_with_a_message_and_leaves_it) {
    EACH_PAIR(kind, a, b) {
        out[0] = numbered_file(1);
        out[1] = numbered_file(2);
        CHECK_INT(1, send_handles(a, "x", 1, out, 2, WAIT));
        close_all(out, 2);
        for (int round = 0; round < 3; round++) {
            got[0] = 0;
            lipc_message message = {.size = sizeof message, .buffers = &(lipc_buffer){got, 1}, .buffer_count = 1,
                                    .handles = in, .handle_capacity = round == 0 ? 0 : 2};
            CHECK_INT(1, round < 2 ? lipc_peek_message(b, &message, WAIT) : lipc_receive_message(b, &message, WAIT));
            CHECK_INT('x', got[0]);
            CHECK_INT(round == 0 ? 0 : 2, message.handle_count);
            for (size_t i = 0; i < message.handle_count; i++)
                check_number(in[i], (int)i + 1);
            close_all(in, message.handle_count);
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_peek(b, got, 1, 0));
    }
}

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
            /* An empty message without handles is not the end either. */
            CHECK_INT(0, send_handles(a, NULL, 0, NULL, 0, WAIT));
            count = (size_t)round;
            CHECK_INT(0, receive_handles(b, got, 16, in, &count, WAIT));
            CHECK_INT(0, count);
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

/* ------------------------------------- Connections as handles ----------------------------------- */

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
