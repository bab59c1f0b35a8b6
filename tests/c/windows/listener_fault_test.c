/* What a listener does in moments that only the seam of csrc/sys.h can bring about. */
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

/* No further instance can be made. */
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
