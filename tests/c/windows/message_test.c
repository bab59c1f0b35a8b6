/* Messages: whole or an error, empty ones and the end, truncation, limits, batches, and what else may come with one. */
#include "fixture.h"

enum { BIG = 1 << 20 };
static char sent[BIG], got[BIG];

/* Looks at an empty message. Wine 8 does not distinguish it from none, since FSCTL_PIPE_PEEK counts no messages. */
static void check_empty_seen(lipc_handle handle) {
    if (on_wine() && lipc_message_size(handle, 0) < 0)
        return;
    CHECK_INT(0, lipc_message_size(handle, WAIT));
    CHECK_INT(0, lipc_peek(handle, NULL, 0, WAIT));
    CHECK_INT(0, lipc_peek(handle, got, 10, WAIT));
}

TEST(both_ends_are_of_messages) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        CHECK_INT(LIPC_MESSAGE, lipc_kind(a));
        CHECK_INT(LIPC_MESSAGE, lipc_kind(b));
        check_born(a);
        check_born(b);
    }
}

TEST(messages_arrive_as_they_were_sent) {
    static const int64_t sizes[] = {0, 1, 4096, 50000, 0, 7};
    fill_pattern(sent, BIG, 3);
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            CHECK_INT(sizes[i], lipc_send(a, sent, (size_t)sizes[i], WAIT));
            if (sizes[i] == 0) {
                check_empty_seen(b);
            } else {
                CHECK_INT(sizes[i], lipc_message_size(b, WAIT));
                CHECK_INT(sizes[i], lipc_peek(b, got, sizeof got, WAIT));
                CHECK_INT(sizes[i], lipc_message_size(b, 0));
            }
            memset(got, UNTOUCHED, sizeof got);
            CHECK_INT(sizes[i], lipc_receive(b, got, sizeof got, WAIT));
            CHECK(memcmp(sent, got, (size_t)sizes[i]) == 0);
            CHECK(is_untouched(got + sizes[i], 100));
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, sizeof got, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_receive(b, got, sizeof got, 20));
        CHECK_ERROR(LIPC_EAGAIN, lipc_peek(b, got, sizeof got, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_peek(b, got, sizeof got, 20));
        CHECK_ERROR(LIPC_EAGAIN, lipc_message_size(b, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_message_size(b, 20));
    }
}

TEST(boundaries_are_kept_when_messages_queue_up) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        for (int i = 0; i < 100; i++)
            CHECK_INT(i % 7, lipc_send(a, "abcdefg", (size_t)(i % 7), WAIT));
        for (int i = 0; i < 100; i++)
            CHECK_INT(i % 7, lipc_receive(b, got, 100, WAIT));
    }
}

TEST(an_empty_message_is_not_the_end) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        for (int i = 0; i < 4; i++)
            CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
        check_empty_seen(b);
        CHECK_INT(0, lipc_receive(b, NULL, 0, WAIT));
        CHECK_INT(0, lipc_receive(b, got, 10, WAIT));
        check_empty_seen(b);
        CHECK_INT(0, lipc_receive(b, got, 10, WAIT));
        CHECK_INT(2, lipc_send(b, "ok", 2, WAIT));
        CHECK_INT(2, lipc_receive(a, got, 10, WAIT));
        close_end(&a);
        CHECK_INT(0, lipc_receive(b, got, 10, WAIT)); /* the fourth one, sent before the end */
        for (int i = 0; i < 2; i++) {
            CHECK_ERROR(LIPC_EEND, lipc_receive(b, got, 10, 0));
            CHECK_ERROR(LIPC_EEND, lipc_peek(b, got, 10, WAIT));
            CHECK_ERROR(LIPC_EEND, lipc_message_size(b, WAIT));
        }
    }
}

typedef struct waiting {
    lipc_handle handle;
    HANDLE begun;
    int64_t wanted;
} waiting;

static DWORD WINAPI receive_one(void *argument) {
    waiting *w = argument;
    char data[16];
    CHECK(SetEvent(w->begun));
    CHECK_INT(w->wanted, lipc_receive(w->handle, data, sizeof data, -1));
    return 0;
}

TEST(an_empty_message_wakes_a_waiter) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        waiting w = {b, CreateEventW(NULL, TRUE, FALSE, NULL), 0};
        thread t = start_thread(receive_one, &w);
        wait_for((lipc_handle)w.begun);
        CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
        join_thread(t);
        CHECK(CloseHandle(w.begun));
    }
}

TEST(a_message_that_does_not_fit_is_cut_and_says_so) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        CHECK_INT(8, lipc_send(a, "too long", 8, WAIT));
        CHECK_INT(4, lipc_send(a, "next", 4, WAIT));
        CHECK_INT(4, lipc_send(a, "last", 4, WAIT));
        memset(got, UNTOUCHED, 16);
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_peek(b, got, 3, WAIT));
        CHECK(memcmp(got, "too", 3) == 0 && is_untouched(got + 3, 13));
        memset(got, UNTOUCHED, 16);
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive(b, got, 3, WAIT));
        CHECK(memcmp(got, "too", 3) == 0 && is_untouched(got + 3, 13));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive(b, NULL, 0, WAIT)); /* the rest of the first one is gone */
        CHECK_INT(4, lipc_receive(b, got, 16, WAIT));
        CHECK(memcmp(got, "last", 4) == 0);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, 16, 0));
    }
}

typedef struct retracting {
    lipc_handle handle;
    HANDLE event; /* when it is taken back */
} retracting;

/* Sends a message that is larger than the buffer, and takes it back. After that the end sends nothing more. */
static DWORD WINAPI send_and_retract(void *argument) {
    retracting *s = argument;
    static char large[1 << 20];
    lipc_async async = {0};
    async.event = (lipc_handle)CreateEventA(NULL, TRUE, FALSE, NULL);
    CHECK_ERROR(LIPC_EAGAIN, lipc_async_write(s->handle, large, sizeof large, &async));
    CHECK_INT(WAIT_OBJECT_0, WaitForSingleObject(s->event, WAIT));
    lipc_async_cancel(s->handle, &async);
    CHECK_INT(WAIT_OBJECT_0, WaitForSingleObject((HANDLE)async.event, WAIT));
    CHECK_INT(ERROR_OPERATION_ABORTED, lipc_error_os(lipc_async_finish(s->handle, &async)));
    CHECK_ERROR(LIPC_EPIPE, lipc_async_write(s->handle, "next", 4, &async));
    CHECK_OK(lipc_close(async.event));
    return 0;
}

TEST(a_message_that_its_sender_takes_back_keeps_nobody_waiting) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        retracting s = {a, CreateEventA(NULL, TRUE, FALSE, NULL)};
        char bytes[100];
        lipc_async reading = {0};
        thread sender = start_thread(send_and_retract, &s);
        while (lipc_message_size(b, WAIT) <= 0) /* until it is there */
            continue;
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_async_read(b, bytes, sizeof bytes, &reading)); /* of which a part is read */
        CHECK(SetEvent(s.event));
        join_thread(sender);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, bytes, sizeof bytes, 0)); /* the rest is gone */
        CHECK_INT(4, lipc_send(b, "back", 4, WAIT));
        CHECK_INT(4, lipc_receive(a, bytes, sizeof bytes, WAIT));
        CHECK(CloseHandle(s.event));
    }
}

TEST(a_message_is_not_received_into_nothing) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        char bytes[4] = "";
        const lipc_buffer sparse[] = {{NULL, 0}, {bytes, 2}, {NULL, 0}, {bytes + 2, 2}};
        lipc_message m = {.size = sizeof m};
        lipc_async async = {0};
        CHECK_OK(lipc_send(a, "", 0, WAIT));
        CHECK_OK(lipc_send(a, "x", 1, WAIT));
        CHECK_OK(lipc_send(a, "long", 4, WAIT));
        CHECK_OK(lipc_send(a, "abcd", 4, WAIT));
        CHECK_OK(lipc_send(a, "", 0, WAIT));
        CHECK_OK(lipc_send(a, "y", 1, WAIT));
        CHECK_INT(0, lipc_receive(b, NULL, 0, WAIT)); /* it is empty */
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive(b, NULL, 0, WAIT));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive_message(b, &m, WAIT));
        CHECK_INT(0, (int)m.length);
        m.buffers = sparse;
        m.buffer_count = COUNT(sparse);
        CHECK_INT(4, lipc_receive_message(b, &m, WAIT));
        CHECK(memcmp(bytes, "abcd", 4) == 0);
        CHECK_INT(0, lipc_async_receive(b, NULL, 0, &async));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_async_receive(b, NULL, 0, &async));
        CHECK_ERROR(LIPC_EINVAL, lipc_async_read(b, NULL, 0, &async));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, bytes, 4, 0));
    }
}

TEST(a_large_message_is_cut_in_the_same_way) {
    enum { SIZE = 60000 };
    fill_pattern(sent, SIZE, 0);
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        CHECK_INT(SIZE, lipc_send(a, sent, SIZE, WAIT));
        CHECK_INT(4, lipc_send(a, "next", 4, WAIT));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive(b, got, SIZE - 1, WAIT));
        check_pattern(got, SIZE - 1, 0);
        CHECK_INT(4, lipc_receive(b, got, 16, WAIT));
    }
}

/* The pointers through which the core calls the system's functions. A test replaces some of them. */
extern BOOL(WINAPI *__imp_PeekNamedPipe)(HANDLE, LPVOID, DWORD, LPDWORD, LPDWORD, LPDWORD);
extern NTSTATUS(NTAPI *__imp_NtFsControlFile)(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, ULONG, PVOID,
                                              ULONG, PVOID, ULONG);

/* Makes a pointer to a function writable. */
static void open_place(void *place) {
    DWORD protection;
    CHECK(VirtualProtect(place, sizeof(void *), PAGE_READWRITE, &protection));
}

static BOOL(WINAPI *system_peek)(HANDLE, LPVOID, DWORD, LPDWORD, LPDWORD, LPDWORD);
static DWORD most_peeked;

static BOOL WINAPI note_peek(HANDLE handle, LPVOID data, DWORD size, LPDWORD read, LPDWORD there, LPDWORD left) {
    most_peeked = size > most_peeked ? size : most_peeked;
    return system_peek(handle, data, size, read, there, left);
}

TEST(looking_at_a_message_takes_no_more_memory_than_the_message) {
    system_peek = __imp_PeekNamedPipe;
    open_place(&__imp_PeekNamedPipe);
    __imp_PeekNamedPipe = note_peek;
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_peek(b, got, sizeof got, 10));
        CHECK_INT(0, most_peeked); /* the system allocates as much */
        CHECK_INT(5, lipc_send(a, "hello", 5, WAIT));
        CHECK_INT(5, lipc_peek(b, got, sizeof got, WAIT));
        CHECK_INT(5, most_peeked);
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_peek(b, got, 3, WAIT));
        CHECK_INT(5, lipc_message_size(b, WAIT));
        most_peeked = 0;
    }
}

/* Looks at a pipe of another machine. The answer, that there is an empty message, comes later. */
typedef struct late_answer {
    HANDLE event;
    IO_STATUS_BLOCK *block;
    ULONG *answer; /* a FILE_PIPE_PEEK_BUFFER */
} late_answer;

static thread answering;

static DWORD WINAPI answer_late(void *argument) {
    late_answer *l = argument;
    l->answer[2] = 1; /* NumberOfMessages */
    l->block->Status = 0;
    CHECK(SetEvent(l->event));
    return 0;
}

static NTSTATUS NTAPI look_far(HANDLE handle, HANDLE event, PIO_APC_ROUTINE routine, PVOID context,
                               PIO_STATUS_BLOCK block, ULONG code, PVOID in, ULONG in_size, PVOID out, ULONG out_size) {
    static late_answer l;
    (void)handle, (void)routine, (void)context, (void)code, (void)in, (void)in_size;
    CHECK(event != NULL && out_size >= 4 * sizeof(ULONG));
    l = (late_answer){event, block, out};
    answering = start_thread(answer_late, &l);
    return STATUS_PENDING;
}

TEST(a_look_at_a_pipe_that_takes_its_time_is_waited_for) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_MESSAGE, &a, &b));
    open_place(&__imp_NtFsControlFile);
    __imp_NtFsControlFile = look_far;
    CHECK_INT(0, lipc_message_size(b, 0));
    join_thread(answering);
    CHECK_INT(0, lipc_peek(b, got, 10, 0));
    join_thread(answering);
    close_ends(a, b);
}

TEST(a_message_that_just_fits_is_not_cut) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        for (int size = 1; size < 200; size += 33) {
            CHECK_INT(size, lipc_send(a, sent, (size_t)size, WAIT));
            CHECK_INT(size, lipc_peek(b, got, (size_t)size, WAIT));
            CHECK_INT(size, lipc_receive(b, got, (size_t)size, WAIT));
        }
    }
}

static DWORD WINAPI send_one(void *argument) {
    waiting *w = argument;
    CHECK_INT(w->wanted, lipc_send(w->handle, sent, (size_t)w->wanted, WAIT));
    return 0;
}

TEST(a_message_larger_than_the_buffer_of_the_pipe_goes_through_whole) {
    enum { SIZE = 500000 };
    fill_pattern(sent, SIZE, 0);
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        if (lipc_message_limit(a) < SIZE) {
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_send(a, sent, (size_t)lipc_message_limit(a) + 1, WAIT));
            continue;
        }
        waiting w = {a, NULL, SIZE};
        thread t = start_thread(send_one, &w);
        CHECK_INT(SIZE, lipc_message_size(b, WAIT));
        CHECK_INT(SIZE, lipc_receive(b, got, BIG, WAIT));
        check_pattern(got, SIZE, 0);
        join_thread(t);
    }
}

TEST(the_limit_is_what_can_be_sent) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        int64_t limit = lipc_message_limit(a);
        CHECK(limit >= 4096);
        if (limit < BIG)
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_send(a, sent, (size_t)limit + 1, WAIT));
        else if (sizeof(size_t) > 4)
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_send(a, sent, (size_t)limit + 1, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, 10, 0));
    }
}

TEST(sending_waits_for_room_as_long_as_it_was_asked_to) {
    enum { SIZE = 1000 };
    fill_pattern(sent, SIZE, 0);
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        int count = 0;
        int64_t n;
        while ((n = lipc_send(a, sent, SIZE, 0)) == SIZE && count < 10000)
            count++;
        CHECK_ERROR(LIPC_EAGAIN, n);
        CHECK(count > 10);
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_send(a, sent, SIZE, 30));
        /* Checks that what was sent is there, and nothing else. */
        for (int i = 0; i < count; i++) {
            CHECK_INT(SIZE, lipc_receive(b, got, sizeof got, 0));
            check_pattern(got, SIZE, 0);
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, sizeof got, 0));
        CHECK_INT(SIZE, lipc_send(a, sent, SIZE, 0));
    }
}

TEST(a_peer_that_is_gone_is_the_end_and_a_broken_pipe) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        CHECK_INT(4, lipc_send(a, "last", 4, WAIT));
        close_end(&a);
        CHECK_INT(4, lipc_receive(b, got, 10, WAIT));
        for (int i = 0; i < 2; i++) {
            CHECK_ERROR(LIPC_EEND, lipc_receive(b, got, 10, WAIT));
            CHECK_ERROR(LIPC_EPIPE, lipc_send(b, "x", 1, WAIT));
            CHECK_ERROR(LIPC_EPIPE, lipc_send(b, "x", 1, 0));
        }
    }
}

/* ------------------------------------------- Batches -------------------------------------------- */

TEST(a_batch_is_received_as_far_as_it_is_there) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        const lipc_buffer out[] = {{"one", 3}, {NULL, 0}, {"three", 5}};
        char data[5][8];
        lipc_buffer in[5];
        for (int i = 0; i < 5; i++)
            in[i] = (lipc_buffer){data[i], sizeof data[i]};
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive_batch(b, in, 5, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_receive_batch(b, in, 5, 20));
        CHECK_INT(3, lipc_send_batch(a, out, 3, WAIT));
        CHECK_INT(3, lipc_receive_batch(b, in, 5, WAIT));
        CHECK_INT(3, in[0].size);
        CHECK_INT(0, in[1].size);
        CHECK_INT(5, in[2].size);
        CHECK(memcmp(data[0], "one", 3) == 0 && memcmp(data[2], "three", 5) == 0);
        for (int i = 0; i < 5; i++)
            in[i] = (lipc_buffer){data[i], sizeof data[i]};
        CHECK_INT(3, lipc_send_batch(a, out, 3, WAIT));
        CHECK_INT(2, lipc_receive_batch(b, in, 2, WAIT));
        CHECK_INT(5, lipc_receive(b, got, 10, WAIT));
        close_end(&a);
        CHECK_ERROR(LIPC_EEND, lipc_receive_batch(b, in, 2, WAIT));
    }
}

TEST(a_message_that_does_not_fit_ends_the_batch) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        const lipc_buffer out[] = {{"one", 3}, {"too long", 8}, {"three", 5}};
        char data[3][4];
        lipc_buffer in[3];
        for (int i = 0; i < 3; i++)
            in[i] = (lipc_buffer){data[i], sizeof data[i]};
        CHECK_INT(3, lipc_send_batch(a, out, 3, WAIT));
        CHECK_INT(2, lipc_receive_batch(b, in, 3, WAIT));
        CHECK_INT(3, in[0].size);
        CHECK(in[1].size > 4 && memcmp(data[1], "too ", 4) == 0);
        CHECK_INT(5, lipc_receive(b, got, 10, WAIT));
    }
}

TEST(a_batch_is_sent_as_far_as_there_is_room) {
    enum { MESSAGES = 1000, SIZE = 1000 };
    static lipc_buffer out[MESSAGES];
    for (int i = 0; i < MESSAGES; i++)
        out[i] = (lipc_buffer){sent, SIZE};
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        int64_t n = lipc_send_batch(a, out, MESSAGES, 0);
        CHECK(n > 10 && n < MESSAGES);
        CHECK_ERROR(LIPC_EAGAIN, lipc_send_batch(a, out, MESSAGES, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_send_batch(a, out, MESSAGES, 20));
        for (int64_t i = 0; i < n; i++)
            CHECK_INT(SIZE, lipc_receive(b, got, BIG, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, BIG, 0));
    }
}

/* --------------------------------- What travels with a payload ---------------------------------- */

TEST(a_payload_is_gathered_and_scattered) {
    static const int kinds[] = {LIPC_MESSAGE, LIPC_STREAM};
    for (size_t i = 0; i < COUNT(kinds); i++)
        EACH_CONNECTION(kinds[i], a, b) {
            const lipc_buffer out[] = {{"ab", 2}, {NULL, 0}, {"cdefg", 5}};
            char x[4] = "", y[8] = "";
            const lipc_buffer in[] = {{x, 3}, {y, 7}};
            lipc_message sending = {.size = sizeof sending, .buffers = out, .buffer_count = COUNT(out)};
            lipc_message receiving = {.size = sizeof receiving, .buffers = in, .buffer_count = COUNT(in)};
            CHECK_INT(7, lipc_send_message(a, &sending, WAIT));
            CHECK_INT(7, lipc_receive_message(b, &receiving, WAIT));
            CHECK_INT(7, receiving.length);
            CHECK_STRING("abc", x);
            CHECK_STRING("defg", y);
            CHECK_ERROR(LIPC_EAGAIN, lipc_receive_message(b, &receiving, 0));
            CHECK_ERROR(LIPC_ETIMEDOUT, lipc_receive_message(b, &receiving, 20));
            close_end(&a);
            CHECK_ERROR(LIPC_EEND, lipc_receive_message(b, &receiving, WAIT));
        }
}

TEST(a_large_payload_is_gathered_and_scattered) {
    enum { PIECES = 50, PIECE = 1000 };
    static lipc_buffer out[PIECES], in[PIECES];
    fill_pattern(sent, PIECES * PIECE, 0);
    for (int i = 0; i < PIECES; i++) {
        out[i] = (lipc_buffer){sent + i * PIECE, PIECE};
        in[i] = (lipc_buffer){got + i * PIECE, PIECE};
    }
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        lipc_message sending = {.size = sizeof sending, .buffers = out, .buffer_count = PIECES};
        lipc_message receiving = {.size = sizeof receiving, .buffers = in, .buffer_count = PIECES};
        memset(got, 0, PIECES * PIECE);
        CHECK_INT(PIECES * PIECE, lipc_send_message(a, &sending, WAIT));
        CHECK_INT(PIECES * PIECE, lipc_receive_message(b, &receiving, WAIT));
        check_pattern(got, PIECES * PIECE, 0);
    }
}

TEST(a_scattered_message_that_does_not_fit_is_cut) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        char x[4] = "", y[4] = "";
        const lipc_buffer in[] = {{x, 2}, {y, 2}};
        lipc_message receiving = {.size = sizeof receiving, .buffers = in, .buffer_count = COUNT(in)};
        CHECK_INT(8, lipc_send(a, "too long", 8, WAIT));
        CHECK_INT(4, lipc_send(a, "next", 4, WAIT));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive_message(b, &receiving, WAIT));
        CHECK_INT(4, receiving.length);
        CHECK_STRING("to", x);
        CHECK_STRING("o ", y);
        CHECK_INT(4, lipc_receive_message(b, &receiving, WAIT));
        CHECK_STRING("ne", x);
        CHECK_STRING("xt", y);
    }
}

TEST(an_empty_message_can_be_sent_and_received_with_a_struct) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        lipc_message empty = {.size = sizeof empty};
        CHECK_INT(0, lipc_send_message(a, &empty, WAIT));
        CHECK_INT(0, lipc_receive_message(b, &empty, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive_message(b, &empty, 0));
    }
}

TEST(what_windows_cannot_send_along_is_not_supported) {
    static const int kinds[] = {LIPC_MESSAGE, LIPC_STREAM};
    for (size_t i = 0; i < COUNT(kinds); i++)
        EACH_CONNECTION(kinds[i], a, b) {
            const lipc_buffer buffer = {got, 10};
            lipc_handle handles[1] = {a};
            lipc_credentials credentials = {.pid = GetCurrentProcessId()};
            lipc_name peer = name_for(LIPC_NAME_NAMESPACED, "peer");
            struct lipc_control *control = (struct lipc_control *)(void *)got;
            const lipc_message plain = {.size = sizeof plain, .buffers = &buffer, .buffer_count = 1};
            lipc_message m = plain;
            m.handles = handles;
            m.handle_count = 1;
            CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &m, WAIT));
            m = plain;
            m.credentials = &credentials;
            CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &m, WAIT));
            m = plain;
            m.peer = &peer;
            CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &m, WAIT));
            m = plain;
            m.control = control;
            CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &m, WAIT));
            CHECK_ERROR(LIPC_ENOTSUP, lipc_receive_message(b, &m, WAIT));
            m = plain;
            CHECK_ERROR(LIPC_EAGAIN, lipc_receive_message(b, &m, 0)); /* nothing was sent */
        }
}

TEST(a_caller_that_asks_what_came_along_learns_that_nothing_did) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        const lipc_buffer buffer = {got, 10};
        lipc_handle handles[1] = {99}, pidfd = 99;
        lipc_credentials credentials = {.pid = 99};
        lipc_name peer = name_for(LIPC_NAME_NAMESPACED, "peer");
        lipc_message m = {.size = sizeof m,
                          .buffers = &buffer,
                          .buffer_count = 1,
                          .handles = handles,
                          .handle_count = 99,
                          .handle_capacity = 1,
                          .credentials = &credentials,
                          .peer = &peer,
                          .pidfd = &pidfd};
        CHECK_INT(1, lipc_send(a, "x", 1, WAIT));
        CHECK_INT(1, lipc_receive_message(b, &m, WAIT));
        CHECK_INT(0, m.handle_count);
        CHECK(credentials.pid == -1 && credentials.uid == -1 && credentials.gid == -1);
        CHECK_INT(0, peer.type);
        CHECK_INT(LIPC_INVALID_HANDLE, pidfd);
    }
}

TEST(a_struct_of_a_wrong_size_is_refused) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        lipc_message m = {.size = 3};
        CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, &m, WAIT));
        CHECK_ERROR(LIPC_EINVAL, lipc_receive_message(b, &m, WAIT));
    }
}

/* ----------------------------------- Other programs' ends --------------------------------------- */

TEST(a_client_that_reads_bytes_gets_the_messages_of_a_server_as_bytes) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_MESSAGE, NULL);
    lipc_handle client = connect_as(&name, LIPC_STREAM, NULL), server = accept_from(listener);
    CHECK_INT(LIPC_STREAM, lipc_kind(client));
    CHECK_INT(LIPC_MESSAGE, lipc_kind(server));
    char bytes[8] = "";
    CHECK_INT(2, lipc_send(server, "ab", 2, WAIT));
    CHECK_INT(0, lipc_send(server, NULL, 0, WAIT)); /* no bytes, and not the end */
    CHECK_INT(3, lipc_send(server, "cde", 3, WAIT));
    size_t n = 0;
    while (n < 5) {
        int64_t r = lipc_read(client, bytes + n, 1, WAIT);
        CHECK_INT(1, r);
        n++;
    }
    CHECK_STRING("abcde", bytes);
    CHECK_INT(3, lipc_write(client, "one", 3, WAIT)); /* each write is a message */
    CHECK_INT(5, lipc_write(client, "three", 5, WAIT));
    CHECK_INT(3, lipc_receive(server, got, 10, WAIT));
    CHECK_INT(5, lipc_receive(server, got, 10, WAIT));
    CHECK_INT(0, lipc_send(server, NULL, 0, WAIT));
    CHECK_OK(lipc_close(server));
    CHECK_INT(0, lipc_read(client, bytes, 1, WAIT)); /* this is the end */
    CHECK_OK(lipc_close(client));
    lipc_listener_close(listener);
}

TEST(a_client_of_messages_talks_to_a_foreign_server) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE server = foreign_server(&name, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE);
    lipc_handle client = connect_as(&name, LIPC_MESSAGE, NULL);
    CHECK_INT(LIPC_MESSAGE, lipc_adopt((lipc_handle)server));
    CHECK_INT(3, lipc_send(client, "one", 3, WAIT));
    CHECK_INT(3, lipc_receive((lipc_handle)server, got, 10, WAIT));
    CHECK_INT(0, lipc_send((lipc_handle)server, NULL, 0, WAIT));
    CHECK_INT(0, lipc_receive(client, got, 10, WAIT));
    close_ends(client, (lipc_handle)server);
}

TEST(what_is_no_connection_of_messages_is_refused) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_message_limit(a));
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_send(a, "x", 1, WAIT));
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_receive(b, got, 1, WAIT));
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_peek(b, got, 1, WAIT));
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_message_size(b, WAIT));
    }
    lipc_handle closed;
    CHECK_OK(lipc_event(&closed));
    CHECK_OK(lipc_close(closed));
    CHECK_ERROR(LIPC_EBADF, lipc_message_limit(closed));
    CHECK_ERROR(LIPC_EBADF, lipc_send(closed, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_receive(closed, got, 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_peek(closed, got, 1, WAIT));
    CHECK_ERROR(LIPC_EBADF, lipc_message_size(closed, WAIT));
}
