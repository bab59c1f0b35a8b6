/* Messages stay whole although sends are cut, by a time that runs out or by cancelling: each that arrives is one that
 * was sent, and each whose sending succeeded arrives. */
#include "fixture.h"

enum { BUFFER = 4096, LARGEST = 3 * BUFFER, HEADER = 12, LITTLE = 100, MESSAGES = 6000, FEW = 1000 };

static const lipc_listen_windows small = {.size = sizeof small, .inbound_buffer = BUFFER, .outbound_buffer = BUFFER};

/* What became of each message. */
static bool sent[MESSAGES + 1], came[MESSAGES + 1];

static uint32_t random_state;

static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

static unsigned char bytes[1 << 17]; /* at random */

/* Makes a message: its number, its size, and bytes from an offset of its own. */
static void fill_message(unsigned char *message, uint64_t number, uint32_t size) {
    memcpy(message, &number, 8);
    memcpy(message + 8, &size, 4);
    memcpy(message + HEADER, bytes + number, size - HEADER);
}

static void start_random(void) {
    random_state = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)random_below(256);
}

/* ------------------------------------------- Receiving ------------------------------------------ */

static unsigned char got[4 * BUFFER];
static uint64_t last; /* message that came */

/* Fails if these bytes are not a message that was sent, or its beginning if it is truncated. Returns its size. */
static uint32_t check_message(const unsigned char *message, size_t size, bool truncated, uint64_t *ret_number) {
    static unsigned char wanted[LARGEST];
    uint32_t length;
    CHECK(size >= HEADER);
    memcpy(ret_number, message, 8);
    memcpy(&length, message + 8, 4);
    CHECK(*ret_number > last && *ret_number <= MESSAGES && length <= LARGEST && size <= length);
    CHECK(truncated || size == length);
    fill_message(wanted, *ret_number, length);
    CHECK(memcmp(wanted, message, size) == 0);
    return length;
}

/* Counts a message that came. If it is truncated although there was room for it, its sender took it back. */
static void take(const unsigned char *message, size_t size, size_t room, bool truncated) {
    uint64_t number;
    uint32_t length = check_message(message, size, truncated, &number);
    last = number;
    came[last] = !truncated || room < length;
}

/* What the functions that receive return: 0, LIPC_ETRUNCATED, or LIPC_EEND. */
static int code_of(int64_t r) {
    int code = lipc_error_code(r);
    CHECK(code == 0 || code == LIPC_ETRUNCATED || code == LIPC_EEND);
    return code;
}

/* Notes what was received into got, which a message that is truncated has filled. */
static bool took(int64_t r, size_t room) {
    int code = code_of(r);
    if (code != LIPC_EEND)
        take(got, code == 0 ? (size_t)r : room, room, code != 0);
    return code != LIPC_EEND;
}

static bool receive_all(lipc_handle handle) {
    return took(lipc_receive(handle, got, sizeof got, -1), sizeof got);
}

static bool receive_little(lipc_handle handle) {
    return took(lipc_receive(handle, got, LITTLE, -1), LITTLE);
}

static bool receive_a_buffer(lipc_handle handle) {
    return took(lipc_receive(handle, got, BUFFER, -1), BUFFER);
}

static bool receive_batch(lipc_handle handle) {
    lipc_buffer messages[3];
    for (int i = 0; i < 3; i++)
        messages[i] = (lipc_buffer){got + i * BUFFER, BUFFER};
    int64_t n = lipc_receive_batch(handle, messages, 3, -1);
    for (int64_t i = 0; i < n; i++)
        take(messages[i].data, min(messages[i].size, BUFFER), BUFFER, messages[i].size > BUFFER);
    return code_of(n) != LIPC_EEND;
}

static bool receive_scattered(lipc_handle handle) {
    const lipc_buffer buffers[] = {{got, 20}, {NULL, 0}, {got + 20, 1000}, {got + 1020, LARGEST - 1020}};
    lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = COUNT(buffers)};
    int code = code_of(lipc_receive_message(handle, &m, -1));
    if (code != LIPC_EEND)
        take(got, m.length, LARGEST, code != 0);
    return code != LIPC_EEND;
}

static bool peek_and_receive(lipc_handle handle) {
    uint64_t number;
    int64_t n = lipc_peek(handle, got, sizeof got, -1);
    if (code_of(n) == LIPC_EEND)
        return false;
    CHECK_OK(n);
    check_message(got, (size_t)n, false, &number);
    return receive_a_buffer(handle); /* that one, or another if it was taken back */
}

static bool size_and_receive(lipc_handle handle) {
    int64_t n = lipc_message_size(handle, -1);
    return code_of(n) == 0 && took(lipc_receive(handle, got, (size_t)n, -1), (size_t)n);
}

static bool receive_asynchronously(lipc_handle handle) {
    lipc_async async = {0};
    CHECK_OK(lipc_event(&async.event));
    int64_t r = lipc_async_receive(handle, got, BUFFER, &async);
    if (lipc_error_code(r) == LIPC_EAGAIN) {
        wait_for(async.event);
        r = lipc_async_finish(handle, &async);
    }
    CHECK_OK(lipc_close(async.event));
    return took(r, BUFFER);
}

static const struct {
    const char *name;
    bool (*receive)(lipc_handle); /* returns false at the end */
    uint64_t messages;            /* how many; few where the receiver only looks for them at intervals */
} forms[] = {
    {"lipc_receive", receive_all, MESSAGES},
    {"lipc_receive of a little", receive_little, MESSAGES},
    {"lipc_receive of as much as the buffer", receive_a_buffer, MESSAGES},
    {"lipc_receive_batch", receive_batch, MESSAGES},
    {"lipc_receive_message", receive_scattered, MESSAGES},
    {"lipc_peek and lipc_receive", peek_and_receive, FEW},
    {"lipc_message_size and lipc_receive", size_and_receive, FEW},
    {"lipc_async_receive", receive_asynchronously, MESSAGES},
};

/* -------------------------------------------- Sending ------------------------------------------- */

typedef struct sending {
    lipc_handle handle;
    uint64_t number, messages; /* that of the last message, and how many there are to be */
    int cut;                   /* connections that sent nothing more */
} sending;

typedef struct cancelling {
    lipc_handle handle;
    volatile LONG over;
} cancelling;

static uint32_t next_message(sending *s, unsigned char *message) {
    uint32_t size = HEADER + random_below(300), sort = random_below(3);
    if (sort > 0)
        size = sort == 1 ? BUFFER - 50 + random_below(100) : HEADER + random_below(LARGEST - HEADER);
    fill_message(message, ++s->number, size);
    return size;
}

/* Cancels operations that are under way, again and again. */
static DWORD WINAPI cancel_all(void *argument) {
    cancelling *c = argument;
    for (int i = 0; InterlockedCompareExchange(&c->over, 0, 0) == 0; i++) {
        SwitchToThread();
        if (i % 4096 == 0)
            lipc_async_cancel(c->handle, NULL);
    }
    return 0;
}

/* Sends until the time runs out, or another thread cancels, for a message that is larger than the buffer. */
static DWORD WINAPI send_with_little_time(void *argument) {
    static unsigned char message[LARGEST];
    sending *s = argument;
    cancelling c = {s->handle, 0};
    thread canceller = start_thread(cancel_all, &c);
    for (bool cut = false; !cut && s->number < s->messages;) {
        static const int times[] = {0, 1, WAIT, WAIT};
        uint32_t size = next_message(s, message);
        int64_t r = lipc_send(s->handle, message, size, times[random_below(COUNT(times))]);
        sent[s->number] = r >= 0;
        if (r < 0 && lipc_error_code(r) != LIPC_EAGAIN) {
            CHECK(lipc_error_code(r) == LIPC_ETIMEDOUT || lipc_error_os(r) == ERROR_OPERATION_ABORTED);
            cut = size > BUFFER;
            s->cut += cut;
        }
    }
    InterlockedExchange(&c.over, 1);
    join_thread(canceller);
    CHECK_OK(lipc_close(s->handle));
    return 0;
}

/* Sends, and cancels some that have to wait, until nothing more is sent. */
static DWORD WINAPI send_and_cancel(void *argument) {
    static unsigned char message[LARGEST];
    sending *s = argument;
    lipc_async async = {0};
    int64_t r = 0;
    CHECK_OK(lipc_event(&async.event));
    for (bool large = false; s->number < s->messages && lipc_error_code(r) != LIPC_EPIPE;) {
        uint32_t size = next_message(s, message);
        r = lipc_async_write(s->handle, message, size, &async);
        if (lipc_error_code(r) == LIPC_EAGAIN) {
            if (random_below(40) == 0) {
                for (uint32_t n = random_below(10); n > 0; n--)
                    SwitchToThread();
                lipc_async_cancel(s->handle, &async);
            }
            wait_for(async.event);
            r = lipc_async_finish(s->handle, &async);
        }
        sent[s->number] = r >= 0;
        if (r < 0 && lipc_error_os(r) == ERROR_OPERATION_ABORTED)
            large = large || size > BUFFER;
        else if (r < 0)
            CHECK_ERROR(large ? LIPC_EPIPE : 0, r);
    }
    s->cut += r < 0;
    CHECK_OK(lipc_close(async.event));
    CHECK_OK(lipc_close(s->handle));
    return 0;
}

static void check_forms(LPTHREAD_START_ROUTINE send) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_MESSAGE, &small);
    int cut = 0;
    start_random();
    for (size_t i = 0; i < COUNT(forms); i++) {
        memset(came, 0, sizeof came);
        sending s = {.messages = forms[i].messages};
        test_row = forms[i].name;
        last = 0;
        for (int connections = 0; s.number < s.messages; connections++) {
            lipc_handle client = connect_as(&name, LIPC_MESSAGE, NULL), server = accept_from(listener);
            s.handle = connections % 2 == 0 ? client : server;
            lipc_handle receiving = connections % 2 == 0 ? server : client;
            thread sender = start_thread(send, &s);
            while (forms[i].receive(receiving))
                continue;
            join_thread(sender);
            CHECK_OK(lipc_close(receiving));
        }
        cut += s.cut;
        for (uint64_t n = 1; n <= s.messages; n++)
            if (sent[n] && !came[n])
                FAIL("message %d was sent, and did not come", (int)n);
    }
    CHECK(cut > 0);
    lipc_listener_close(listener);
}

TEST(messages_stay_whole_when_the_time_to_send_them_runs_out) {
    check_forms(send_with_little_time);
}

TEST(messages_stay_whole_when_sending_them_is_cancelled) {
    check_forms(send_and_cancel);
}

/* Begins to send a message, and takes it back. */
static void send_and_take_back(lipc_handle handle, size_t size, lipc_async *async) {
    int64_t r = lipc_async_write(handle, bytes, size, async);
    CHECK_ERROR(LIPC_EAGAIN, r);
    CHECK_OK(lipc_async_cancel(handle, async));
    wait_for(async->event);
    r = lipc_async_finish(handle, async);
    CHECK_ERROR(LIPC_EOTHER, r);
    CHECK_INT(ERROR_OPERATION_ABORTED, lipc_error_os(r));
}

TEST(an_end_whose_large_message_was_taken_back_sends_nothing_more) {
    EACH_CONNECTION(LIPC_MESSAGE, a, b) {
        lipc_async async = {0};
        CHECK_OK(lipc_event(&async.event));
        start_random();
        send_and_take_back(a, (size_t)lipc_buffer_size(a, LIPC_WRITE) + 1, &async);
        for (int i = 0; i < 2; i++)
            CHECK_ERROR(LIPC_EPIPE, lipc_async_write(a, "x", 1, &async));
        CHECK_INT(1, lipc_send(b, "x", 1, WAIT)); /* the other direction goes on */
        CHECK_INT(1, lipc_async_receive(a, got, sizeof got, &async));
        CHECK_ERROR(LIPC_EPIPE, lipc_async_write(a, "x", 1, &async));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, sizeof got, 0));
        CHECK_OK(lipc_close(async.event));
    }
}

TEST(an_end_whose_message_of_the_buffers_size_was_taken_back_goes_on) {
    connection c = connection_of(LIPC_MESSAGE, &small, NULL);
    lipc_async async = {0};
    CHECK_OK(lipc_event(&async.event));
    start_random();
    CHECK_INT(1, lipc_async_write(c.client, "1", 1, &async));
    send_and_take_back(c.client, BUFFER, &async);
    CHECK_INT(BUFFER - 1, lipc_async_write(c.client, bytes, BUFFER - 1, &async));
    send_and_take_back(c.client, 1, &async);
    CHECK_INT(1, lipc_receive(c.server, got, 100, WAIT)); /* there was no room before it was read */
    CHECK_INT(1, lipc_async_write(c.client, "2", 1, &async));
    CHECK_INT(BUFFER - 1, lipc_receive(c.server, got, sizeof got, WAIT));
    CHECK_INT(1, lipc_receive(c.server, got, sizeof got, WAIT));
    CHECK_ERROR(LIPC_EAGAIN, lipc_receive(c.server, got, sizeof got, 0));
    CHECK_OK(lipc_close(async.event));
    close_ends(c.client, c.server);
}

static DWORD WINAPI receive_a_large_one(void *argument) {
    CHECK_INT(LARGEST, lipc_receive(*(lipc_handle *)argument, got, sizeof got, WAIT));
    return 0;
}

TEST(a_message_larger_than_the_buffer_is_not_begun_without_time_for_it) {
    connection c = connection_of(LIPC_MESSAGE, &small, NULL);
    const lipc_buffer batch[] = {{"x", 1}, {bytes, LARGEST}};
    start_random();
    CHECK_INT(BUFFER, lipc_send(c.client, bytes, BUFFER, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_send(c.client, bytes, BUFFER, 0));
    CHECK_INT(BUFFER, lipc_receive(c.server, got, sizeof got, 0));
    thread receiver = start_thread(receive_a_large_one, &c.server);
    for (int i = 0; i < 100; i++) /* it would take a part, or all */
        CHECK_ERROR(LIPC_EAGAIN, lipc_send(c.client, bytes, BUFFER + 1, 0));
    CHECK_INT(LARGEST, lipc_send(c.client, bytes, LARGEST, WAIT));
    join_thread(receiver);
    CHECK_INT(1, lipc_send_batch(c.client, batch, COUNT(batch), 0));
    CHECK_INT(1, lipc_receive(c.server, got, sizeof got, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_receive(c.server, got, sizeof got, 0));
    CHECK_OK(lipc_close(c.server));
    CHECK_ERROR(LIPC_EPIPE, lipc_send(c.client, bytes, LARGEST, 0));
    CHECK_OK(lipc_close(c.client));
}

TEST(an_end_that_only_receives_refuses_whatever_is_sent) {
    const lipc_listen_windows windows = {.size = sizeof windows, .direction = LIPC_DIRECTION_CLIENT_TO_SERVER};
    connection c = connection_of(LIPC_MESSAGE, &windows, NULL);
    static char large[1 << 20];
    CHECK_ERROR(LIPC_EBADF, lipc_send(c.server, large, sizeof large, 0));
    CHECK_ERROR(LIPC_EBADF, lipc_send(c.server, "x", 1, 0));
    close_ends(c.client, c.server);
}

/* ------------------------------------- Peers of ill will ---------------------------------------- */

/* What a peer does in the middle of a message. */
enum ending { CLOSES, CANCELS_AND_CLOSES, IS_DISCONNECTED, ENDINGS };

typedef struct leaving {
    HANDLE handle;
    enum ending ending;
    HANDLE server;  /* which disconnects */
    uint32_t delay; /* in looks at the clock */
} leaving;

/* Begins to send a message that is larger than the buffer, with the system's own calls, and leaves. */
static DWORD WINAPI send_and_leave(void *argument) {
    static unsigned char message[LARGEST];
    leaving *l = argument;
    OVERLAPPED o = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    fill_message(message, last + 1, LARGEST);
    CHECK(WriteFile(l->handle, message, LARGEST, NULL, &o) || GetLastError() == ERROR_IO_PENDING);
    for (uint32_t n = 0; n < l->delay; n++)
        SwitchToThread();
    switch (l->ending) {
    case CANCELS_AND_CLOSES: CancelIoEx(l->handle, &o); break;
    case IS_DISCONNECTED: CHECK_OK(lipc_disconnect((lipc_handle)l->server)); break;
    default: CHECK(CloseHandle(l->handle));
    }
    CHECK_INT(WAIT_OBJECT_0, WaitForSingleObject(o.hEvent, WAIT));
    CHECK(CloseHandle(o.hEvent));
    if (l->ending != CLOSES)
        CHECK(CloseHandle(l->handle));
    return 0;
}

TEST(a_peer_that_leaves_in_the_middle_of_a_message_is_the_end) {
    enum { ROUNDS = 30 };
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_MESSAGE, &small);
    start_random();
    for (size_t i = 0; i < COUNT(forms); i++)
        for (int round = 0; round < ROUNDS * ENDINGS; round++) {
            lipc_handle client = connect_as(&name, LIPC_MESSAGE, NULL), server = accept_from(listener);
            enum ending ending = round % ENDINGS;
            bool serves = ending == IS_DISCONNECTED || round % 2 == 0; /* the one that leaves */
            leaving l = {(HANDLE)(serves ? server : client), ending, (HANDLE)server, random_below(8)};
            lipc_handle receiving = serves ? client : server;
            test_row = forms[i].name;
            last = 0;
            thread sender = start_thread(send_and_leave, &l);
            while (forms[i].receive(receiving))
                CHECK_INT(1, last);
            join_thread(sender);
            CHECK_ERROR(LIPC_EEND, lipc_receive(receiving, got, sizeof got, -1));
            CHECK_OK(lipc_close(receiving));
        }
    lipc_listener_close(listener);
}

/* Checks that nothing is sent any more, by any call. */
static void check_broken(lipc_handle handle) {
    const lipc_buffer messages[] = {{"one", 3}, {"two", 3}};
    const lipc_message m = {.size = sizeof m, .buffers = messages, .buffer_count = COUNT(messages)};
    lipc_async async = {0};
    CHECK_ERROR(LIPC_EPIPE, lipc_send(handle, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_send(handle, got, sizeof got, 0));
    CHECK_ERROR(LIPC_EPIPE, lipc_send_batch(handle, messages, COUNT(messages), WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_send_message(handle, &m, WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_async_write(handle, "x", 1, &async));
}

TEST(a_connection_that_was_disconnected_is_at_its_end_on_both_sides) {
    for (size_t i = 0; i < COUNT(forms); i++) {
        connection c = connection_of(LIPC_MESSAGE, NULL, NULL);
        test_row = forms[i].name;
        CHECK_INT(4, lipc_send(c.client, "lost", 4, WAIT));
        CHECK_INT(4, lipc_send(c.server, "lost", 4, WAIT));
        CHECK_OK(lipc_disconnect(c.server));
        CHECK(!forms[i].receive(c.server));
        CHECK(!forms[i].receive(c.client));
        check_broken(c.server);
        check_broken(c.client);
        close_ends(c.client, c.server);
    }
}
