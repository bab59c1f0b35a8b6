/* Every system call of every operation fails once, with every error it may have. The operation then succeeds, or fails
 * with that error, touches no out-parameter, leaves nothing behind, and works when it is tried again. */
#include "fixture.h"
#include "lipc_signal.h"

/* ---------------------------------------- The seam, csrc/sys.h ---------------------------------- */

static int fault_at;            /* number of the call that is to fail; 0: none */
static const char *fault_call;  /* only calls of this name count; NULL: all */
static DWORD fault_error;       /* the error that it fails with */
static int calls;               /* how many there were */
static const char *failed_call; /* the one that failed */

static const struct {
    DWORD number;
    const char *name;
    int code;
} errors[] = {
    {ERROR_NOT_ENOUGH_MEMORY, "ERROR_NOT_ENOUGH_MEMORY", LIPC_ENOMEM},
    {ERROR_TOO_MANY_OPEN_FILES, "ERROR_TOO_MANY_OPEN_FILES", LIPC_EMFILE},
    {ERROR_GEN_FAILURE, "ERROR_GEN_FAILURE", LIPC_EOTHER}, /* one that means nothing to the library */
};

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    if (strncmp(call, "CloseHandle", strlen("CloseHandle")) == 0) /* otherwise the handle would not be closed */
        return 0;
    if (fault_call != NULL && strncmp(call, fault_call, strlen(fault_call)) != 0)
        return 0;
    if (fault_at == 0 || ++calls != fault_at)
        return 0;
    failed_call = call;
    SetLastError(fault_error);
    return 1;
}

/* --------------------------------------- What is operated on ------------------------------------ */

static struct scene {
    lipc_name name;
    lipc_listener *listener;
    lipc_handle handles[4];
    int count; /* of handles, to be closed */
} s;

/* What the operation gives. */
static struct outputs {
    lipc_handle handles[2];
    lipc_listener *listener;
    lipc_name name;
    lipc_credentials credentials;
    lipc_pipe_ids ids;
    lipc_completion completions[4];
    char data[64];
} out;

static int kind; /* of the connections */

static void with_nothing(void) {
    s.name = name_for(LIPC_NAME_NAMESPACED, "s");
}

static int64_t do_listen(void) {
    lipc_listen_options options = {.size = sizeof options, .kind = kind, .backlog = 8}; /* each instance takes calls */
    return lipc_listen(&s.name, &options, &out.listener);
}

static void with_listener(void) {
    with_nothing();
    CHECK_OK(do_listen());
    s.listener = out.listener;
}

static int64_t do_connect(void) {
    lipc_connect_options options = {.size = sizeof options, .kind = kind};
    return lipc_connect(&s.name, &options, WAIT, &out.handles[0]);
}

static void with_client(void) {
    with_listener();
    CHECK_OK(do_connect());
    s.handles[s.count++] = out.handles[0];
}

static void with_client_that_gave_up_and_another(void) {
    with_listener();
    CHECK_OK(do_connect());
    CHECK_OK(lipc_close(out.handles[0]));
    CHECK_OK(do_connect());
    s.handles[s.count++] = out.handles[0];
}

static void with_pair(void) {
    CHECK_OK(lipc_pair(kind, &s.handles[0], &s.handles[1]));
    s.count = 2;
}

static void with_data(void) {
    with_pair();
    CHECK_INT(5, (kind == LIPC_STREAM ? lipc_write : lipc_send)(s.handles[1], "hello", 5, WAIT));
}

static void with_pipe(void) {
    CHECK_OK(lipc_pipe(NULL, &s.handles[0], &s.handles[1]));
    s.count = 2;
}

/* A pair, and a port. */
static void with_port(void) {
    with_pair();
    CHECK_OK(lipc_port(&s.handles[2]));
    s.count = 3;
}

static void with_posted_port(void) {
    with_port();
    CHECK_OK(lipc_port_post(s.handles[2], 1));
}

static int64_t do_accept(void) {
    return lipc_accept(s.listener, WAIT, &out.name, &out.handles[0]);
}

static int64_t do_pair(void) {
    return lipc_pair(kind, &out.handles[0], &out.handles[1]);
}

static int64_t do_pipe(void) {
    return lipc_pipe(NULL, &out.handles[0], &out.handles[1]);
}

static int64_t do_read(void) {
    return kind == LIPC_STREAM ? lipc_read(s.handles[0], out.data, sizeof out.data, WAIT)
                               : lipc_receive(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_receive_message(void) {
    lipc_buffer buffer = {out.data, sizeof out.data};
    lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1};
    return lipc_receive_message(s.handles[0], &m, WAIT);
}

static int64_t do_peek(void) {
    return kind == LIPC_STREAM ? 0 : lipc_peek(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_write(void) {
    return kind == LIPC_STREAM ? lipc_write(s.handles[0], "x", 1, WAIT) : lipc_send(s.handles[0], "x", 1, WAIT);
}

static int64_t do_send_message(void) {
    static char large[8192];
    const lipc_buffer buffers[] = {{"x", 1}, {large, sizeof large}}; /* put together in memory that is allocated */
    lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = 2};
    return lipc_send_message(s.handles[0], &m, WAIT);
}

static int64_t do_flush(void) {
    return lipc_flush(s.handles[0], WAIT);
}

static int64_t do_kind(void) {
    return lipc_kind(s.handles[0]);
}

static int64_t do_adopt(void) {
    return lipc_adopt(s.handles[0]);
}

static int64_t do_duplicate(void) {
    return lipc_duplicate(s.handles[0], &out.handles[0]);
}

static int64_t do_duplicate_into(void) {
    return lipc_duplicate_into(s.handles[0], GetCurrentProcessId(), &out.handles[0]);
}

static int64_t do_give(void) {
    return lipc_give(s.handles[0], INT64_MAX / 2, s.handles[1], &out.handles[0]);
}

static int64_t do_take(void) {
    return lipc_take(s.handles[0], INT64_MAX / 2, s.handles[1], &out.handles[0]);
}

static int64_t do_local_name(void) {
    return lipc_local_name(s.handles[0], &out.name);
}

static int64_t do_credentials(void) {
    return lipc_peer_credentials(s.handles[0], &out.credentials);
}

static int64_t do_ids(void) {
    return lipc_pipe_ids_get(s.handles[0], &out.ids);
}

static int sid_of_peer(lipc_handle handle) {
    char sid[LIPC_SID_CAPACITY];
    int r = lipc_peer_sid(handle, sid, sizeof sid);
    HANDLE token;
    CHECK(!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token)); /* nobody is impersonated */
    return r;
}

static int64_t do_client_sid(void) {
    return sid_of_peer(s.handles[0]);
}

static int64_t do_server_sid(void) {
    return sid_of_peer(s.handles[1]);
}

static int64_t do_port(void) {
    return lipc_port(&out.handles[0]);
}

static int64_t do_port_add(void) {
    return lipc_port_add(s.handles[2], s.handles[0], 1);
}

static int64_t do_port_wait(void) {
    return lipc_port_wait(s.handles[2], WAIT, 1, out.completions);
}

static int64_t do_port_post(void) {
    return lipc_port_post(s.handles[2], 1);
}

static int64_t do_event(void) {
    return lipc_event(&out.handles[0]);
}

static int64_t do_watch(void) {
    static lipc_watch watch;
    int r = lipc_watch_start(&watch, s.handles[2], s.handles[0], 1);
    lipc_watch_stop(&watch);
    return r;
}

static int64_t do_async_write(void) {
    static lipc_async async;
    return lipc_async_write(s.handles[0], "x", 1, &async);
}

static int64_t do_async_read(void) {
    static lipc_async async;
    return lipc_async_read(s.handles[0], out.data, sizeof out.data, &async);
}

static int64_t do_signals(void) {
    const int wanted[] = {SIGINT, LIPC_SIGNAL_BREAK};
    lipc_handle signals;
    int r = lipc_signal_watch(wanted, 2, NULL, &signals);
    return r < 0 ? r : lipc_signal_close(signals);
}

static const struct operation {
    const char *name;
    void (*prepare)(void);
    int64_t (*run)(void);
    bool makes_nothing_itself; /* it may make no system call that fails */
} operations[] = {
    {"listen", with_nothing, do_listen, false},
    {"connect", with_listener, do_connect, false},
    {"accept", with_client, do_accept, false},
    {"accept after one that gave up", with_client_that_gave_up_and_another, do_accept, false},
    {"pair", with_nothing, do_pair, false},
    {"pipe", with_nothing, do_pipe, false},
    {"read", with_data, do_read, false},
    {"receive message", with_data, do_receive_message, false},
    {"peek", with_data, do_peek, true},
    {"write", with_pair, do_write, false},
    {"kind of the end of a pipe", with_pipe, do_kind, false},
    {"send message", with_pair, do_send_message, false},
    {"flush", with_pair, do_flush, false},
    {"kind", with_pair, do_kind, false},
    {"adopt", with_pair, do_adopt, false},
    {"duplicate", with_pair, do_duplicate, false},
    {"duplicate into a process", with_pair, do_duplicate_into, false},
    {"give", with_pair, do_give, false},
    {"take", with_pair, do_take, false},
    {"local name", with_pair, do_local_name, false},
    {"credentials", with_pair, do_credentials, false},
    {"ids", with_pair, do_ids, false},
    {"sid of a client", with_data, do_client_sid, false},
    {"sid of a server", with_data, do_server_sid, false},
    {"port", with_nothing, do_port, false},
    {"port add", with_port, do_port_add, false},
    {"port wait", with_posted_port, do_port_wait, false},
    {"port post", with_port, do_port_post, false},
    {"event", with_nothing, do_event, false},
    {"watch", with_port, do_watch, false},
    {"signals", with_nothing, do_signals, false},
    {"async write", with_pair, do_async_write, false},
    {"async read", with_data, do_async_read, false},
};

/* -------------------------------------------- Faults -------------------------------------------- */

static void set_up(const struct operation *o) {
    memset(&s, 0, sizeof s);
    o->prepare();
    memset(&out, UNTOUCHED, sizeof out);
}

static void tear_down(void) {
    if (!is_untouched(&out.listener, sizeof out.listener))
        lipc_listener_close(out.listener);
    for (int i = 0; i < 2; i++)
        if (!is_untouched(&out.handles[i], sizeof out.handles[i]))
            CHECK_OK(lipc_close(out.handles[i]));
    lipc_listener_close(s.listener);
    close_all(s.handles, s.count);
}

static bool failed_is(const char *name) {
    return strncmp(failed_call, name, strlen(name)) == 0;
}

/* Checks that an error is the one that a call was made to fail with. */
static void check_error(int64_t r, DWORD number, int code) {
    if (failed_is("calloc") || failed_is("malloc") || failed_is("lipc__pages")) { /* which have no errors of their own */
        CHECK_ERROR(LIPC_ENOMEM, r);
        return;
    }
    if (failed_is("GetNamedPipeInfo") && lipc_error_code(r) == LIPC_ENOTSOCK)
        return; /* a handle that does not answer this is not a pipe, whatever the error */
    if (lipc_error_os(r) != (int)number)
        FAIL("wanted the system's error %lu, got %s (%d)", number, lipc_error_name(r), lipc_error_os(r));
    if (!failed_is("ConvertStringSecurityDescriptor")) /* the text may be wrong in many ways */
        CHECK_ERROR(code, r);
}

static void check_operation(const struct operation *o) {
    /* First nothing fails. */
    test_open before;
    fault_at = 0;
    set_up(o);
    int64_t wanted = CHECK_OK(o->run());
    tear_down();
    test_handles(&before);
    for (size_t e = 0; e < COUNT(errors); e++)
        for (int at = 1;; at++) {
            char row[512];
            set_up(o);
            fault_at = at;
            fault_error = errors[e].number;
            calls = 0;
            failed_call = NULL;
            int64_t r = o->run();
            fault_at = 0;
            if (failed_call == NULL) { /* there are no more calls */
                CHECK_INT(wanted, r);
                tear_down();
                if (at == 1 && !o->makes_nothing_itself)
                    FAIL("%s: asks the seam for nothing", o->name);
                break;
            }
            snprintf(row, sizeof row, "%s, %d. call %.100s, %s", o->name, at, failed_call, errors[e].name);
            test_row = row;
            if (r < 0) {
                check_error(r, errors[e].number, errors[e].code);
                CHECK(is_untouched(&out, offsetof(struct outputs, data)));
            }
            /* It works when it is tried again. */
            bool again = r < 0;
            int64_t second = again ? o->run() : r;
            CHECK_OK(second);
            tear_down();
            test_row = row;
            test_same_handles(&before);
            test_row = "";
        }
}

TEST(every_call_may_fail_once_with_streams) {
    kind = LIPC_STREAM;
    for (size_t i = 0; i < COUNT(operations); i++)
        check_operation(&operations[i]);
}

TEST(every_call_may_fail_once_with_messages) {
    kind = LIPC_MESSAGE;
    for (size_t i = 0; i < COUNT(operations); i++)
        check_operation(&operations[i]);
}

static int64_t do_message_size(void) {
    return kind == LIPC_STREAM ? 0 : lipc_message_size(s.handles[0], WAIT);
}

static int64_t do_receive_batch(void) {
    lipc_buffer buffer = {out.data, sizeof out.data};
    return kind == LIPC_STREAM ? 0 : lipc_receive_batch(s.handles[0], &buffer, 1, WAIT);
}

/* What the network does to a pipe of another machine: it is the end, or an error, and never that the caller's time ran
 * out. */
TEST(a_network_that_fails_is_not_a_time_that_runs_out) {
    static const struct {
        int64_t (*run)(void);
        const char *call;
        int gone, late; /* the results when the connection is gone, and when the network's own time ran out */
    } rows[] = {
        {do_read, "ReadFile", LIPC_EEND, LIPC_EIO},
        {do_receive_message, "ReadFile", LIPC_EEND, LIPC_EIO},
        {do_receive_batch, "ReadFile", LIPC_EEND, LIPC_EIO},
        {do_async_read, "ReadFile", LIPC_EEND, LIPC_EIO},
        {do_peek, "PeekNamedPipe", LIPC_EEND, LIPC_EIO},
        {do_message_size, "PeekNamedPipe", LIPC_EEND, LIPC_EIO},
        {do_write, "WriteFile", LIPC_EPIPE, LIPC_EIO},
        {do_send_message, "WriteFile", LIPC_EPIPE, LIPC_EIO},
        {do_async_write, "WriteFile", LIPC_EPIPE, LIPC_EIO},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        bool gone = i % 2;
        kind = LIPC_MESSAGE;
        memset(&s, 0, sizeof s);
        with_data();
        test_row = rows[i / 2].call;
        fault_call = rows[i / 2].call;
        fault_at = 1;
        calls = 0;
        fault_error = gone ? ERROR_NETNAME_DELETED : ERROR_SEM_TIMEOUT;
        int64_t r = rows[i / 2].run();
        fault_at = 0;
        CHECK_ERROR(gone ? rows[i / 2].gone : rows[i / 2].late, r);
        close_all(s.handles, s.count);
    }
}

/* The second read of a message that is received in parts fails. */
TEST(what_is_left_of_a_message_is_never_taken_for_one) {
    char x[4], y[4];
    const lipc_buffer buffers[] = {{x, 2}, {y, 2}};
    lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = COUNT(buffers)};
    static const char *const fails[] = {"CreateEventW", "ReadFile"};
    for (size_t i = 0; i < COUNT(fails); i++)
        for (int at = 2; at <= 3; at++) {
            lipc_handle a, b;
            CHECK_OK(lipc_pair(LIPC_MESSAGE, &a, &b));
            CHECK_INT(8, lipc_send(a, "too long", 8, WAIT));
            CHECK_INT(4, lipc_send(a, "next", 4, WAIT));
            fault_call = fails[i];
            fault_at = at;
            calls = 0;
            fault_error = ERROR_NOT_ENOUGH_MEMORY;
            int64_t r = lipc_receive_message(b, &m, WAIT);
            fault_at = 0;
            CHECK_ERROR(LIPC_ETRUNCATED, r);
            CHECK_INT(4, lipc_receive_message(b, &m, WAIT));
            CHECK(memcmp(x, "ne", 2) == 0 && memcmp(y, "xt", 2) == 0);
            close_ends(a, b);
        }
}

TEST(a_fault_is_seen_where_it_was_put) {
    kind = LIPC_STREAM;
    with_nothing();
    memset(&out, UNTOUCHED, sizeof out);
    fault_at = 1;
    fault_error = ERROR_GEN_FAILURE;
    int64_t r = do_pair();
    fault_at = 0;
    CHECK(r < 0 && failed_call != NULL);
    CHECK_INT(ERROR_GEN_FAILURE, lipc_error_os(r));
}

TEST(a_client_that_is_not_known_yet_differs_from_one_that_stays_anonymous) {
    static const struct {
        DWORD error;
        int code;
    } rows[] = {{ERROR_CANNOT_IMPERSONATE, LIPC_EAGAIN},
                {ERROR_CANT_OPEN_ANONYMOUS, LIPC_EACCES},
                {ERROR_BAD_IMPERSONATION_LEVEL, LIPC_EACCES}};
    kind = LIPC_STREAM;
    for (size_t i = 0; i < COUNT(rows); i++) {
        set_up(&(struct operation){"", with_data, do_client_sid, false});
        fault_error = rows[i].error;
        int64_t r = 0;
        fault_at = 0;
        do { /* until it is the call that it is about */
            fault_at++;
            calls = 0;
            failed_call = NULL;
            r = do_client_sid();
            CHECK(failed_call != NULL);
        } while (!failed_is("ImpersonateNamedPipeClient"));
        fault_at = 0;
        CHECK_ERROR(rows[i].code, r);
        CHECK_INT(rows[i].error, lipc_error_os(r));
        tear_down();
    }
}
