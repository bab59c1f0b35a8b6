/* What listeners and clients do in moments that only the seam of csrc/sys.h can bring about. */
#include "fixture.h"

/* What a test does before each system call, which fails if it returns true, having called SetLastError(). The system
 * calls that it makes itself are left alone. */
typedef bool interference(const char *call);

static interference *interfere; /* NULL: nothing */

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    interference *now = interfere;
    if (now == NULL)
        return 0;
    interfere = NULL;
    bool fails = now(call);
    interfere = now;
    return fails;
}

static bool is_call(const char *call, const char *name) {
    return strncmp(call, name, strlen(name)) == 0;
}

static lipc_name name;
static lipc_listener *listener;

static void check_in_use(const lipc_name *used) {
    lipc_listener *second;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(used, NULL, &second));
}

/* ---------------------------- A thread that is gone, and its operations ------------------------- */

static HANDLE may_end;
static thread maker;
static lipc_handle client;
static int restarts;

static DWORD WINAPI listen_and_wait(void *argument) {
    listener = listen_narrowly(&name);
    CHECK(SetEvent(argument));
    CHECK(WaitForSingleObject(may_end, WAIT) == WAIT_OBJECT_0);
    return 0;
}

/* When instances are to be looked at, the thread ends, and with it the operations that it started. When the second
 * instance starts to wait again, a client connects to the first. */
static bool end_the_thread_and_connect(const char *call) {
    if (is_call(call, "ResetEvent") && maker != NULL) {
        CHECK(SetEvent(may_end));
        join_thread(maker);
        maker = NULL;
    }
    if (is_call(call, "ConnectNamedPipe") && ++restarts == 2)
        client = connect_to(&name);
    return false;
}

TEST(a_client_is_seen_that_comes_while_instances_start_to_wait_again) {
    name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE listens = CreateEventW(NULL, TRUE, FALSE, NULL);
    may_end = CreateEventW(NULL, TRUE, FALSE, NULL);
    maker = start_thread(listen_and_wait, listens);
    wait_for((lipc_handle)listens);
    interfere = end_the_thread_and_connect;
    lipc_handle server;
    int r = lipc_accept(listener, 0, NULL, &server);
    interfere = NULL;
    CHECK(restarts >= 2);
    if (r < 0) { /* then the handle says that somebody has come */
        CHECK_ERROR(LIPC_EAGAIN, r);
        CHECK(is_signalled(lipc_listener_handle(listener)));
        server = accept_from(listener);
    }
    check_connected(client, server);
    close_ends(client, server);
    lipc_listener_close(listener);
    CHECK(CloseHandle(listens) && CloseHandle(may_end));
}

/* ------------------------------------------ The reserve ----------------------------------------- */

static lipc_handle quick[256];
static int quick_count;

/* Before this process can connect to the instance that is to keep the name, a client does. */
static bool be_quicker(const char *call) {
    if (is_call(call, "CreateFileW") && quick_count < (int)COUNT(quick))
        quick[quick_count++] = connect_to(&name);
    return false;
}

TEST(clients_that_are_quick_again_and_again_are_accepted_or_turned_away) {
    static const unsigned limits[] = {1, 3, 0};
    for (size_t i = 0; i < COUNT(limits); i++) {
        lipc_listen_windows options = {.size = sizeof options, .instances = limits[i]};
        lipc_handle servers[COUNT(quick)];
        int count = 0, ended = 0;
        char byte;
        name = name_for(LIPC_NAME_NAMESPACED, "s");
        quick_count = 0;
        interfere = be_quicker;
        listener = listen_for(&name, LIPC_STREAM, &options);
        interfere = NULL;
        CHECK(quick_count < 64);
        while (lipc_accept(listener, 0, NULL, &servers[count]) == 0)
            count++;
        for (int n = 0; n < count; n++)
            CHECK_INT(1, lipc_write(servers[n], "x", 1, WAIT));
        for (int n = 0; n < quick_count; n++)
            ended += lipc_read(quick[n], &byte, 1, WAIT) == 0;
        CHECK_INT(1, ended);
        CHECK_INT(quick_count, count + ended);
        close_all(servers, count);
        close_all(quick, quick_count);
        check_in_use(&name);
        lipc_listener_close(listener);
    }
}

/* Has every further instance fail. */
static bool allow_no_instance(const char *call) {
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return is_call(call, "lipc__create_pipe");
}

TEST(a_name_is_kept_while_no_instance_can_be_made) {
    lipc_handle servers[8], clients[COUNT(servers)], late;
    name = name_for(LIPC_NAME_NAMESPACED, "s");
    listener = listen_narrowly(&name);
    int count = fill_backlog(&name, clients, COUNT(clients));
    interfere = allow_no_instance;
    for (int i = 0; i < count; i++)
        servers[i] = accept_from(listener);
    CHECK_ERROR(LIPC_ENOMEM, lipc_accept(listener, 0, NULL, &late));
    interfere = NULL;
    close_all(clients, count);
    close_all(servers, count);
    check_in_use(&name);
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &late));
    clients[0] = connect_to(&name);
    servers[0] = accept_from(listener);
    check_connected(clients[0], servers[0]);
    close_ends(clients[0], servers[0]);
    lipc_listener_close(listener);
}

/* ------------------------------ Clients that leave while they are accepted ---------------------- */

static int step, leaves_at; /* a call of lipc_accept(), by its number */
static HANDLE leaver;

static bool leave(const char *call) {
    (void)call;
    if (++step == leaves_at)
        CHECK(CloseHandle(leaver));
    return false;
}

TEST(a_client_may_leave_at_every_step_of_being_accepted) {
    for (int writes = 0; writes < 2; writes++)
        for (leaves_at = 1;; leaves_at++) {
            lipc_handle server;
            char byte;
            DWORD n;
            name = name_for(LIPC_NAME_NAMESPACED, "s");
            listener = listen_narrowly(&name);
            leaver = foreign_client(&name, 0);
            CHECK(!writes || WriteFile(leaver, "x", 1, &n, NULL));
            step = 0;
            interfere = leave;
            int r = lipc_accept(listener, 0, NULL, &server);
            interfere = NULL;
            if (step < leaves_at)
                CHECK(CloseHandle(leaver));
            if (r < 0 && !writes) { /* it is passed over */
                CHECK_ERROR(LIPC_EAGAIN, r);
            } else {
                CHECK_OK(r);
                CHECK_INT(writes, lipc_read(server, &byte, 1, WAIT)); /* nothing is lost */
                CHECK(!writes || lipc_read(server, &byte, 1, WAIT) == 0);
                CHECK_OK(lipc_close(server));
            }
            client = connect_to(&name);
            server = accept_from(listener);
            check_connected(client, server);
            close_ends(client, server);
            lipc_listener_close(listener);
            if (step < leaves_at)
                break;
        }
}

/* ------------------------------- Clients of a server that is gone ------------------------------- */

/* Which keep its pipe on Windows: that refuses to make a new one (FILE_CREATE), and tells clients that there is none.
 * On Wine 8 nothing is left of the pipe, so both are put in place here. Each attempt to listen looks for a server,
 * tries to make the pipe, makes one to compare with, and then an instance of the one that is there. */
static int made;   /* pipes and instances, or attempts at it */
static int rounds; /* attempts to listen that find a pipe without a server */

static bool find_a_pipe_without_a_server(const char *call) {
    bool looks = is_call(call, "CreateFileW"), makes = is_call(call, "lipc__create_pipe");
    bool refuse = made / 3 < rounds && (looks || (makes && made % 3 == 0));
    made += makes;
    SetLastError(looks ? ERROR_FILE_NOT_FOUND : ERROR_ACCESS_DENIED);
    return refuse;
}

static int listen_in_spite_of_clients(int attempts, lipc_listener **ret_listener) {
    made = 0;
    rounds = attempts;
    interfere = find_a_pipe_without_a_server;
    int r = lipc_listen(&name, NULL, ret_listener);
    interfere = NULL;
    return r;
}

CHILD(serve_one) {
    lipc_name given = name_argument(0);
    lipc_listener *l = listen_on(&given);
    say("ready");
    accept_from(l);
    say("accepted");
    listen_to_test();
}

TEST(a_server_takes_over_what_clients_of_the_last_one_have_open) {
    name = name_for(LIPC_NAME_NAMESPACED, "s");
    child c = start("serve_one %s", written(&name));
    expect(&c, "ready");
    lipc_handle held = connect_to(&name);
    expect(&c, "accepted");
    kill_hard(&c);
    char byte;
    CHECK_OK(listen_in_spite_of_clients(1, &listener));
    CHECK(made > 3);
    CHECK_INT(0, lipc_read(held, &byte, 1, WAIT));
    for (int i = 0; i < 3; i++) {
        lipc_handle other = connect_to(&name), server = accept_from(listener);
        check_connected(other, server);
        check_in_use(&name);
        close_ends(other, server);
    }
    CHECK_OK(lipc_close(held));
    check_in_use(&name);
    lipc_listener_close(listener);
}

TEST(a_pipe_without_a_server_is_taken_over_only_if_it_is_as_this_server_would_make_it) {
    static const struct {
        const char *what;
        lipc_listen_options options;
        lipc_listen_windows windows;
        bool alike;
    } rows[] = {
        {"the same", {.size = sizeof(lipc_listen_options)}, {.size = sizeof(lipc_listen_windows)}, true},
        {"another mode", {.size = sizeof(lipc_listen_options), .mode = 0666}, {.size = sizeof(lipc_listen_windows)},
         false},
        {"another descriptor", {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .sddl = "D:P(A;;GA;;;WD)"}, false},
        {"messages", {.size = sizeof(lipc_listen_options), .kind = LIPC_MESSAGE}, {.size = sizeof(lipc_listen_windows)},
         false},
        {"halves", {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .half_close = 1}, false},
        {"one way", {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .direction = LIPC_DIRECTION_CLIENT_TO_SERVER}, false},
        {"a limit", {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .instances = 100}, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        lipc_listen_options options = rows[i].options;
        lipc_listener *first, *second;
        lipc_handle clients[64];
        int count = 0;
        test_row = rows[i].what;
        name = name_for(LIPC_NAME_NAMESPACED, "s");
        options.windows = &rows[i].windows;
        CHECK_OK(lipc_listen(&name, &options, &first));
        /* Until no instance waits, as if there were no server. */
        while (lipc_connect(&name, NULL, 0, &clients[count]) == 0)
            count++;
        memset(&second, UNTOUCHED, sizeof second);
        int r = listen_in_spite_of_clients(rows[i].alike ? 1 : 1000, &second);
        if (rows[i].alike) {
            CHECK_OK(r);
            lipc_listener_close(second);
        } else {
            CHECK_ERROR(LIPC_EADDRINUSE, r);
            CHECK(is_untouched(&second, sizeof second));
        }
        close_all(clients, count);
        lipc_listener_close(first);
    }
}

/* An attempt to make the pipe is refused, and there is none: that is what a name does that this user may not have. */
static bool refuse_the_name(const char *call) {
    if (!is_call(call, "lipc__create_pipe"))
        return false;
    int which = made++ % 3;
    SetLastError(which == 0 ? ERROR_ACCESS_DENIED : ERROR_FILE_NOT_FOUND);
    return which != 1;
}

TEST(a_name_that_this_user_may_not_have_is_not_reported_as_in_use) {
    lipc_listener *none;
    memset(&none, UNTOUCHED, sizeof none);
    name = name_for(LIPC_NAME_NAMESPACED, "s");
    made = 0;
    interfere = refuse_the_name;
    int r = lipc_listen(&name, NULL, &none);
    interfere = NULL;
    CHECK_ERROR(LIPC_EACCES, r);
    CHECK(is_untouched(&none, sizeof none));
}

/* ---------------------------------------- Another machine --------------------------------------- */

static HANDLE silent; /* a pipe, for synchronous calls */
static volatile LONG asked;

/* Another machine that does not answer: the system waits until the call is cancelled. */
static bool wait_for_another_machine(const char *call) {
    char byte;
    DWORD n;
    if (!is_call(call, "CreateFileW"))
        return false;
    InterlockedIncrement(&asked);
    CHECK(!ReadFile(silent, &byte, 1, &n, NULL));
    return true;
}

TEST(connecting_to_a_machine_that_does_not_answer_ends_in_time) {
    static const int timeouts[] = {0, 1, 50};
    lipc_pipe_options options = {.size = sizeof options, .inherit = LIPC_READ}; /* which makes it synchronous */
    lipc_handle reader, writer;
    CHECK_OK(lipc_pipe(&options, &reader, &writer));
    silent = (HANDLE)reader;
    CHECK_OK(lipc_name_parse("\\\\silent.invalid\\pipe\\x", LIPC_STRLEN, &name));
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        lipc_handle none;
        memset(&none, UNTOUCHED, sizeof none);
        asked = 0;
        interfere = wait_for_another_machine;
        int r = lipc_connect(&name, NULL, timeouts[i], &none);
        interfere = NULL;
        CHECK_ERROR(timeouts[i] == 0 ? LIPC_EAGAIN : LIPC_ETIMEDOUT, r);
        CHECK_INT(1, asked);
        CHECK(is_untouched(&none, sizeof none));
    }
    close_ends(reader, writer);
}

static DWORD unanswered;

static bool answer_with_an_error(const char *call) {
    SetLastError(unanswered);
    return is_call(call, "CreateFileW");
}

TEST(a_timeout_of_another_machine_is_not_a_timeout_of_the_call) {
    static const struct {
        DWORD number;
        int code;
    } rows[] = {
        {ERROR_SEM_TIMEOUT, LIPC_ENOENT}, {ERROR_BAD_NETPATH, LIPC_ENOENT}, {ERROR_LOGON_FAILURE, LIPC_EACCES},
        {ERROR_OPERATION_ABORTED, LIPC_EOTHER},
    };
    CHECK_OK(lipc_name_parse("\\\\silent.invalid\\pipe\\x", LIPC_STRLEN, &name));
    for (size_t i = 0; i < COUNT(rows); i++) {
        lipc_handle none;
        unanswered = rows[i].number;
        interfere = answer_with_an_error;
        int r = lipc_connect(&name, NULL, -1, &none);
        interfere = NULL;
        CHECK_ERROR(rows[i].code, r);
        CHECK_INT((int)rows[i].number, lipc_error_os(r));
    }
}
