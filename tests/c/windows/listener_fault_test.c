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
