/* Connecting: who gets in, who waits, and who is refused. */
#include "fixture.h"

TEST(a_name_that_nobody_listens_on_is_an_error_at_once) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "absent");
        lipc_handle client;
        static const int timeouts[] = {0, WAIT, -1};
        for (size_t i = 0; i < COUNT(timeouts); i++) {
            memset(&client, UNTOUCHED, sizeof client);
            ULONGLONG began = GetTickCount64();
            CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, timeouts[i], &client));
            CHECK(GetTickCount64() - began < 5000);
            CHECK(is_untouched(&client, sizeof client));
        }
    }
}

/* Connects until no more get in. */
static int connect_all(const lipc_name *name, lipc_handle *ret_clients, int capacity) {
    for (int n = 0; n < capacity; n++) {
        int r = lipc_connect(name, NULL, 0, &ret_clients[n]);
        if (r < 0) {
            CHECK_ERROR(LIPC_EAGAIN, r);
            return n;
        }
    }
    return capacity;
}

TEST(a_limit_of_instances_is_kept) {
    for (unsigned limit = 1; limit <= 5; limit += 2) {
        lipc_listen_windows options = {.size = sizeof options, .instances = limit};
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        lipc_listener *listener = listen_for(&name, LIPC_STREAM, &options);
        lipc_handle clients[8], servers[8], late;
        unsigned connected = 0, accepted = 0;
        for (int again = 1; again;) { /* as many as come in */
            again = 0;
            for (; connected < 8 && lipc_connect(&name, NULL, 0, &clients[connected]) == 0; again = 1)
                connected++;
            for (; accepted < 8 && lipc_accept(listener, 0, NULL, &servers[accepted]) == 0; again = 1)
                accepted++;
        }
        CHECK_INT(limit, connected);
        CHECK_INT(limit, accepted);
        CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &late));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_connect(&name, NULL, 50, &late));
        /* A connection that ends makes room for another. */
        close_end(&clients[0]);
        CHECK_OK(lipc_close(servers[0]));
        /* The instance for it is made by the next accept at the latest. */
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &servers[0]));
        clients[0] = connect_to(&name);
        servers[0] = accept_from(listener);
        check_connected(clients[0], servers[0]);
        close_all(clients, (int)limit);
        close_all(servers, (int)limit);
        lipc_listener_close(listener);
    }
}

TEST(as_many_instances_as_the_system_allows_can_be_had) {
    static lipc_handle clients[254], servers[254];
    lipc_listen_windows options = {.size = sizeof options, .instances = COUNT(clients)};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, &options);
    lipc_handle late;
    for (size_t i = 0; i < COUNT(clients); i++) {
        clients[i] = connect_to(&name);
        servers[i] = accept_from(listener);
    }
    CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &late));
    check_connected(clients[COUNT(clients) - 1], servers[COUNT(clients) - 1]);
    close_all(clients, COUNT(clients));
    close_all(servers, COUNT(clients));
    lipc_listener_close(listener);
}

typedef struct busy {
    lipc_name name;
    lipc_handle client;
    HANDLE trying;
} busy;

static DWORD WINAPI connect_in_time(void *argument) {
    busy *b = argument;
    CHECK(SetEvent(b->trying));
    CHECK_OK(lipc_connect(&b->name, NULL, WAIT, &b->client));
    return 0;
}

TEST(dialling_waits_while_the_listener_is_busy) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle clients[64], late;
    int count = connect_all(&name, clients, 64);
    CHECK(count >= 1);
    if (count < 64) { /* otherwise there is no limit to how many may wait */
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_connect(&name, NULL, 50, &late));
        busy b = {name, 0, CreateEventW(NULL, TRUE, FALSE, NULL)};
        thread t = start_thread(connect_in_time, &b);
        wait_for((lipc_handle)b.trying);
        for (int i = 0; i <= count; i++) {
            lipc_handle server = accept_from(listener);
            CHECK_OK(lipc_close(server));
        }
        join_thread(t);
        CHECK_OK(lipc_close(b.client));
        CHECK(CloseHandle(b.trying));
    }
    close_all(clients, count);
    lipc_listener_close(listener);
}

TEST(at_least_two_clients_can_wait_to_be_accepted) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle clients[64];
    int count = connect_all(&name, clients, 2);
    CHECK_INT(2, count);
    for (int i = 0; i < count; i++)
        CHECK_OK(lipc_close(accept_from(listener)));
    close_all(clients, count);
    lipc_listener_close(listener);
}

TEST(a_foreign_server_that_is_busy_is_waited_for) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE server = foreign_server(&name, PIPE_TYPE_BYTE); /* one instance, and nobody asks for a second */
    lipc_handle client = connect_to(&name), late;
    CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &late));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_connect(&name, NULL, 30, &late));
    busy b = {name, 0, CreateEventW(NULL, TRUE, FALSE, NULL)};
    thread t = start_thread(connect_in_time, &b);
    wait_for((lipc_handle)b.trying);
    HANDLE second = foreign_server(&name, PIPE_TYPE_BYTE);
    join_thread(t);
    check_connected(b.client, (lipc_handle)second);
    close_ends(client, b.client);
    CHECK(CloseHandle(server) && CloseHandle(second) && CloseHandle(b.trying));
}

TEST(a_dialler_that_waits_learns_that_the_server_is_gone) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE server = foreign_server(&name, PIPE_TYPE_BYTE);
    lipc_handle client = connect_to(&name), late;
    CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &late));
    CHECK(CloseHandle(server));
    CHECK_OK(lipc_close(client));
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, -1, &late));
}

TEST(a_client_of_messages_is_not_let_into_a_server_of_bytes) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_connect_options options = {.size = sizeof options, .kind = LIPC_MESSAGE};
    lipc_handle client;
    memset(&client, UNTOUCHED, sizeof client);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_connect(&name, &options, WAIT, &client));
    CHECK(is_untouched(&client, sizeof client));
    lipc_handle good = connect_to(&name), server = accept_from(listener); /* it does no harm */
    check_connected(good, server);
    close_ends(good, server);
    lipc_listener_close(listener);
}
