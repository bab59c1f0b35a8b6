/* Pipes that go one way, and what an end may do. */
#include "fixture.h"

/* By direction, LIPC_DIRECTION_DEFAULT first. */
static const struct {
    const char *name;
    int client, server; /* what each may do */
} directions[] = {
    {"default", LIPC_READ | LIPC_WRITE, LIPC_READ | LIPC_WRITE},
    {"duplex", LIPC_READ | LIPC_WRITE, LIPC_READ | LIPC_WRITE},
    {"client to server", LIPC_WRITE, LIPC_READ},
    {"server to client", LIPC_READ, LIPC_WRITE},
};

/* Checks that the ends can do what they may, and nothing else. */
static void check_access(lipc_handle handle, lipc_handle peer, int may, int kind) {
    char got[8] = "";
    bool messages = kind == LIPC_MESSAGE;
    CHECK_INT(may, lipc_pipe_access(handle));
    if (may & LIPC_READ) {
        CHECK_INT(5, (messages ? lipc_send : lipc_write)(peer, "hello", 5, WAIT));
        CHECK_INT(5, (messages ? lipc_receive : lipc_read)(handle, got, sizeof got, WAIT));
        CHECK_STRING("hello", got);
    } else {
        CHECK_ERROR(LIPC_EBADF, (messages ? lipc_receive : lipc_read)(handle, got, sizeof got, 0));
        CHECK_ERROR(LIPC_EBADF, (messages ? lipc_receive : lipc_read)(handle, got, sizeof got, WAIT));
    }
    if (!(may & LIPC_WRITE)) {
        CHECK_ERROR(LIPC_EBADF, (messages ? lipc_send : lipc_write)(handle, "x", 1, 0));
        CHECK_ERROR(LIPC_EBADF, (messages ? lipc_send : lipc_write)(handle, "x", 1, WAIT));
    }
}

TEST(data_goes_the_way_that_the_server_chose_and_no_other) {
    for (int kind = LIPC_STREAM; kind <= LIPC_MESSAGE; kind++)
        for (int direction = 0; direction < (int)COUNT(directions); direction++) {
            lipc_listen_windows listening = {.size = sizeof listening, .direction = direction};
            test_row = directions[direction].name;
            connection c = connection_of(kind, &listening, NULL); /* the client learns it */
            check_access(c.client, c.server, directions[direction].client, kind);
            check_access(c.server, c.client, directions[direction].server, kind);
            close_ends(c.client, c.server);
        }
}

TEST(a_client_may_ask_for_the_direction_that_the_server_has) {
    for (int direction = 1; direction < (int)COUNT(directions); direction++) {
        lipc_listen_windows listening = {.size = sizeof listening, .direction = direction};
        lipc_connect_windows connecting = {.size = sizeof connecting, .direction = direction};
        test_row = directions[direction].name;
        connection c = connection_of(LIPC_STREAM, &listening, &connecting);
        check_access(c.client, c.server, directions[direction].client, LIPC_STREAM);
        check_access(c.server, c.client, directions[direction].server, LIPC_STREAM);
        close_ends(c.client, c.server);
    }
}

TEST(a_client_may_ask_for_less_than_a_server_that_goes_both_ways_has) {
    for (int direction = LIPC_DIRECTION_CLIENT_TO_SERVER; direction <= LIPC_DIRECTION_SERVER_TO_CLIENT; direction++) {
        lipc_connect_windows connecting = {.size = sizeof connecting, .direction = direction};
        test_row = directions[direction].name;
        connection c = connection_of(LIPC_STREAM, NULL, &connecting);
        check_access(c.client, c.server, directions[direction].client, LIPC_STREAM);
        close_ends(c.client, c.server);
    }
}

TEST(a_client_that_asks_for_more_than_the_server_has_is_refused) {
    for (int served = LIPC_DIRECTION_CLIENT_TO_SERVER; served <= LIPC_DIRECTION_SERVER_TO_CLIENT; served++)
        for (int asked = LIPC_DIRECTION_DUPLEX; asked <= LIPC_DIRECTION_SERVER_TO_CLIENT; asked++) {
            if (asked == served)
                continue;
            lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
            lipc_listen_windows listening = {.size = sizeof listening, .direction = served};
            lipc_connect_windows connecting = {.size = sizeof connecting, .direction = asked};
            lipc_connect_options options = {.size = sizeof options, .windows = &connecting};
            lipc_listener *listener = listen_for(&name, LIPC_STREAM, &listening);
            lipc_handle client;
            CHECK_ERROR(LIPC_EACCES, lipc_connect(&name, &options, WAIT, &client));
            lipc_listener_close(listener);
        }
}

TEST(the_kind_of_a_one_way_stream_is_that_of_an_end_of_a_pipe) {
    lipc_listen_windows listening = {.size = sizeof listening, .direction = LIPC_DIRECTION_CLIENT_TO_SERVER};
    connection c = connection_of(LIPC_STREAM, &listening, NULL);
    CHECK_INT(LIPC_PIPE_WRITER, lipc_kind(c.client));
    CHECK_INT(LIPC_PIPE_READER, lipc_kind(c.server));
    close_ends(c.client, c.server);
}

TEST(a_one_way_connection_ends_as_any_other) {
    char byte;
    lipc_listen_windows listening = {.size = sizeof listening, .direction = LIPC_DIRECTION_CLIENT_TO_SERVER};
    connection c = connection_of(LIPC_STREAM, &listening, NULL);
    CHECK_INT(1, lipc_write(c.client, "x", 1, WAIT));
    CHECK_OK(lipc_close(c.client));
    CHECK_INT(1, lipc_read(c.server, &byte, 1, WAIT));
    CHECK_INT(0, lipc_read(c.server, &byte, 1, WAIT));
    CHECK_OK(lipc_close(c.server));
    c = connection_of(LIPC_STREAM, &listening, NULL);
    CHECK_OK(lipc_close(c.server));
    CHECK_ERROR(LIPC_EPIPE, lipc_write(c.client, "x", 1, WAIT));
    CHECK_OK(lipc_close(c.client));
}

TEST(many_clients_come_over_a_one_way_name) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listen_windows listening = {.size = sizeof listening, .direction = LIPC_DIRECTION_SERVER_TO_CLIENT};
    lipc_listener *listener = listen_for(&name, LIPC_MESSAGE, &listening);
    char got[8];
    for (int i = 0; i < 20; i++) {
        lipc_handle client = connect_as(&name, LIPC_MESSAGE, NULL), server = accept_from(listener);
        CHECK_INT(1, lipc_send(server, "x", 1, WAIT));
        CHECK_INT(1, lipc_receive(client, got, sizeof got, WAIT));
        close_ends(client, server);
    }
    lipc_listener_close(listener);
}

TEST(access_is_reported_of_pipes_only) {
    lipc_handle event;
    char program[MAX_PATH];
    CHECK_OK(lipc_event(&event));
    CHECK_OK(lipc_close(event));
    CHECK_ERROR(LIPC_EBADF, lipc_pipe_access(event));
    GetModuleFileNameA(NULL, program, sizeof program);
    HANDLE file = CreateFileA(program, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_pipe_access((lipc_handle)file));
    CHECK(CloseHandle(file));
}
