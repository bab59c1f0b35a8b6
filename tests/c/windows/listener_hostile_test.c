/* Clients that harm a listener if they can: they vanish, by the thousand and at every moment, and hold what they have.
 * The listener goes on, and nothing is left open: the harness counts the handles after each test. */
#include "fixture.h"

enum { VANDALS = 4, VISITS = 400 };

/* What a client does before it vanishes. All instances may be busy. */
static bool visit(const char *path, int how) {
    char bytes[16] = "x";
    DWORD n;
    DWORD access = how % 2 == 0 ? GENERIC_READ | GENERIC_WRITE : FILE_READ_ATTRIBUTES;
    HANDLE h = CreateFileA(path, access, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return false;
    switch (how % 5) {
    case 1: WriteFile(h, bytes, 1, &n, NULL); break;
    case 2: WriteFile(h, bytes, sizeof bytes, &n, NULL); break;
    case 3: Sleep(0); break;
    case 4: DisconnectNamedPipe(h); break; /* which is refused */
    }
    CHECK(CloseHandle(h));
    return true;
}

CHILD(vandalize) {
    lipc_name name = name_argument(0);
    char path[LIPC_NAME_CAPACITY + 16];
    strcpy(path, path_of(&name));
    say("begins");
    for (int i = 0; i < VISITS;)
        if (visit(path, i))
            i++;
        else
            Sleep(0); /* busy */
    say("done");
    listen_to_test();
}

/* Serves all clients, well behaved or not: it answers each byte, until the event is set. */
typedef struct serving {
    lipc_listener *listener;
    HANDLE stop;
    volatile LONG accepted;
} serving;

static DWORD WINAPI serve(void *argument) {
    serving *s = argument;
    while (WaitForSingleObject(s->stop, 0) != WAIT_OBJECT_0) {
        lipc_handle server;
        char bytes[16], sid[LIPC_SID_CAPACITY];
        int r = lipc_accept(s->listener, 5, NULL, &server);
        if (r < 0) {
            CHECK_ERROR(LIPC_ETIMEDOUT, r);
            continue;
        }
        InterlockedIncrement(&s->accepted);
        (void)lipc_peer_sid(server, sid, sizeof sid);
        int64_t n = lipc_read(server, bytes, sizeof bytes, 5);
        if (n > 0)
            (void)lipc_write(server, bytes, (size_t)n, 5);
        CHECK_OK(lipc_close(server));
    }
    return 0;
}

static serving start_serving(const lipc_name *name, unsigned limit) {
    lipc_listen_windows options = {.size = sizeof options, .instances = limit};
    return (serving){listen_for(name, LIPC_STREAM, &options), CreateEventW(NULL, TRUE, FALSE, NULL), 0};
}

static void stop_serving(serving *s, thread t) {
    CHECK(SetEvent(s->stop));
    join_thread(t);
    CHECK(CloseHandle(s->stop));
    lipc_listener_close(s->listener);
}

/* Somebody who means no harm is served within as many attempts as there may be: those that time out on either side
 * count. */
static void check_served(const lipc_name *name) {
    for (int attempt = 0; attempt < 1000; attempt++) {
        lipc_handle client = connect_to(name);
        char got = 0;
        bool served = lipc_write(client, "y", 1, WAIT) == 1 && lipc_read(client, &got, 1, WAIT) == 1;
        CHECK_OK(lipc_close(client));
        if (served) {
            CHECK_INT('y', got);
            return;
        }
    }
    FAIL("nobody is served");
}

TEST(thousands_of_clients_that_vanish_stop_no_listener) {
    static const unsigned limits[] = {0, 3};
    for (size_t i = 0; i < COUNT(limits); i++) {
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        serving s = start_serving(&name, limits[i]);
        child vandals[VANDALS];
        thread t = start_thread(serve, &s);
        for (int n = 0; n < VANDALS; n++)
            vandals[n] = start("vandalize %s", written(&name));
        for (int n = 0; n < VANDALS; n++)
            expect(&vandals[n], "begins");
        check_served(&name);
        for (int n = 0; n < VANDALS; n++) {
            expect(&vandals[n], "done");
            join(&vandals[n]);
        }
        check_served(&name);
        stop_serving(&s, t);
        CHECK(s.accepted > 0);
        lipc_listener_close(listen_on(&name));
    }
}

TEST(clients_that_are_killed_at_any_moment_stop_no_listener) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    serving s = start_serving(&name, 0);
    thread t = start_thread(serve, &s);
    for (int round = 0; round < 10; round++) {
        child vandal = start("vandalize %s", written(&name));
        expect(&vandal, "begins");
        LONG before = s.accepted;
        while (s.accepted < before + round * 7) /* somewhere in its visits */
            Sleep(0);
        kill_hard(&vandal);
        check_served(&name);
    }
    stop_serving(&s, t);
}

TEST(a_listener_is_closed_among_clients_that_vanish) {
    for (int round = 0; round < 20; round++) {
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        serving s = start_serving(&name, round % 2 == 0 ? 0 : 2);
        child vandal = start("vandalize %s", written(&name));
        thread t = start_thread(serve, &s);
        expect(&vandal, "begins");
        while (s.accepted < round)
            Sleep(0);
        stop_serving(&s, t);
        kill_hard(&vandal);
    }
}

TEST(clients_that_hold_every_instance_make_others_wait_and_nothing_else) {
    enum { LIMIT = 4 };
    lipc_listen_windows options = {.size = sizeof options, .instances = LIMIT};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, &options);
    HANDLE holders[LIMIT];
    lipc_handle servers[LIMIT], late;
    for (int i = 0; i < LIMIT; i++) {
        holders[i] = foreign_client(&name, 0);
        servers[i] = accept_from(listener);
    }
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &late));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 20, NULL, &late));
    CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &late));
    CHECK_OK(lipc_disconnect(servers[0])); /* the client still has its end */
    CHECK_OK(lipc_close(servers[0]));
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &late)); /* which has an instance wait */
    lipc_handle client = connect_to(&name);
    servers[0] = accept_from(listener);
    check_connected(client, servers[0]);
    CHECK_OK(lipc_close(client));
    close_all(servers, LIMIT);
    for (int i = 0; i < LIMIT; i++)
        CHECK(CloseHandle(holders[i]));
    lipc_listener_close(listener);
}
