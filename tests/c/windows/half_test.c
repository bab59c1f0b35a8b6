/* Half-closes: a message of no bytes, on a pipe of messages that is used as a stream, is the end of its direction. */
#include "fixture.h"
#include <stddef.h>

static const lipc_listen_windows listening = {.size = sizeof listening, .half_close = 1};
static const lipc_connect_windows connecting = {.size = sizeof connecting, .half_close = 1};

#define EACH_WAY(way, a, b) \
    for (int way = 0; way < 2; way++) \
        for (lipc_handle a, b, *once_ = (connect_halves(way, &a, &b), &a); once_ != NULL; \
             once_ = (close_ends(a, b), NULL))

static void connect_halves(int way, lipc_handle *ret_a, lipc_handle *ret_b) {
    connection c = connection_of(LIPC_STREAM, &listening, &connecting);
    test_row = way == 0 ? "client to server" : "server to client";
    *ret_a = way == 0 ? c.client : c.server;
    *ret_b = way == 0 ? c.server : c.client;
}

TEST(one_half_ends_and_the_other_goes_on) {
    char got[16] = "";
    EACH_WAY(way, a, b) {
        CHECK(lipc_kind(a) == LIPC_STREAM && lipc_kind(b) == LIPC_STREAM);
        CHECK_INT(4, lipc_write(a, "last", 4, WAIT));
        CHECK_INT(0, lipc_write(a, "", 0, WAIT)); /* that is not the end */
        CHECK_INT(4, lipc_read(b, got, sizeof got, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(b, got, sizeof got, 0));
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_INT(0, lipc_read(b, got, sizeof got, WAIT));
        check_connected(b, a);
        CHECK_OK(lipc_shutdown(b, LIPC_WRITE));
        CHECK_INT(0, lipc_read(a, got, sizeof got, WAIT));
    }
}

TEST(a_half_ends_only_behind_what_the_peer_has_read) {
    char got[8];
    EACH_WAY(way, a, b) {
        if (way == 0 && on_wine()) /* where a client's flush returns at once */
            continue;
        CHECK_INT(6, lipc_write(a, "unread", 6, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_shutdown(a, LIPC_WRITE));
        CHECK_INT(5, lipc_read(b, got, 5, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_shutdown(a, LIPC_WRITE));
        CHECK_INT(1, lipc_write(a, "!", 1, WAIT)); /* nothing has ended */
        for (int i = 0; i < 2; i++)
            CHECK_INT(1, lipc_read(b, got, 1, WAIT));
        CHECK_OK(lipc_flush(a, WAIT));
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_INT(0, lipc_read(b, got, sizeof got, WAIT));
    }
}

static DWORD WINAPI write_and_end(void *argument) {
    lipc_handle handle = *(lipc_handle *)argument;
    CHECK_INT(3, lipc_write(handle, "abc", 3, WAIT));
    CHECK_OK(lipc_flush(handle, WAIT));
    CHECK_OK(lipc_shutdown(handle, LIPC_WRITE));
    return 0;
}

TEST(the_end_of_a_half_is_not_read_behind_bytes) {
    for (int i = 0; i < 50; i++)
        EACH_WAY(way, a, b) {
            char first[3], second[8];
            const lipc_buffer buffers[] = {{first, sizeof first}, {second, sizeof second}};
            thread writer = start_thread(write_and_end, &a);
            CHECK_INT(3, lipc_readv(b, buffers, COUNT(buffers), WAIT));
            CHECK_INT(0, lipc_readv(b, buffers, COUNT(buffers), WAIT));
            join_thread(writer);
        }
}

TEST(the_end_of_a_half_is_one_for_the_calls_with_buffers_too) {
    EACH_WAY(way, a, b) {
        char got[8];
        const lipc_buffer buffer = {got, sizeof got};
        lipc_message message = {.size = sizeof message, .buffers = &buffer, .buffer_count = 1};
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_ERROR(LIPC_EEND, lipc_receive_message(b, &message, WAIT));
    }
}

TEST(asynchronous_reads_get_the_end_of_a_half_again_and_again) {
    EACH_WAY(way, a, b) {
        char got[8];
        lipc_handle port;
        lipc_completion completion;
        lipc_async reading = {0};
        CHECK_OK(lipc_port(&port));
        CHECK_OK(lipc_port_add(port, b, 7));
        CHECK_ERROR(LIPC_EAGAIN, lipc_async_read(b, got, sizeof got, &reading));
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_INT(1, lipc_port_wait(port, WAIT, 1, &completion));
        for (int i = 0; i < 2; i++) {
            CHECK_ERROR(LIPC_EEND, lipc_async_finish(b, &reading));
            CHECK_ERROR(LIPC_EEND, lipc_async_read(b, got, sizeof got, &reading));
        }
        check_connected(b, a);
        CHECK_OK(lipc_close(port));
    }
}

TEST(a_pipe_of_bytes_has_no_halves) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_connect_options options = {.size = sizeof options, .windows = &connecting};
    lipc_handle client, server;
    memset(&client, UNTOUCHED, sizeof client);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_connect(&name, &options, WAIT, &client));
    CHECK(is_untouched(&client, sizeof client));
    client = connect_to(&name);
    server = accept_from(listener);
    CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(client, LIPC_WRITE));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(server, LIPC_WRITE));
    check_connected(client, server);
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(only_writing_ends_and_only_on_connections_of_bytes) {
    EACH_WAY(way, a, b) {
        CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(a, LIPC_READ));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(a, LIPC_READ | LIPC_WRITE));
        check_connected(a, b);
    }
    connection c = connection_of(LIPC_MESSAGE, &listening, &connecting);
    char got[8];
    CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(c.client, LIPC_WRITE));
    CHECK_INT(0, lipc_send(c.client, NULL, 0, WAIT));
    CHECK_INT(0, lipc_receive(c.server, got, sizeof got, WAIT)); /* a message as any other */
    CHECK_INT(1, lipc_send(c.client, "x", 1, WAIT));
    CHECK_INT(1, lipc_receive(c.server, got, sizeof got, WAIT));
    close_ends(c.client, c.server);
}

TEST(options_of_an_earlier_version_mean_no_halves) {
    lipc_listen_windows before = {.size = offsetof(lipc_listen_windows, half_close), .half_close = 1};
    connection c = connection_of(LIPC_STREAM, &before, NULL);
    CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(c.server, LIPC_WRITE));
    close_ends(c.client, c.server);
}

TEST(a_peer_that_is_gone_is_a_broken_pipe) {
    EACH_WAY(way, a, b) {
        close_end(&b);
        CHECK_ERROR(LIPC_EPIPE, lipc_shutdown(a, LIPC_WRITE));
    }
}

/* ---------------------------------------- Other programs ---------------------------------------- */

TEST(a_client_of_another_program_has_halves_too) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, &listening);
    HANDLE client = foreign_client(&name, 0);
    lipc_handle server = accept_from(listener);
    char got[8];
    DWORD n, type;
    CHECK(GetNamedPipeInfo(client, &type, NULL, NULL, NULL) && (type & PIPE_TYPE_MESSAGE));
    CHECK(WriteFile(client, "abc", 3, &n, NULL));
    CHECK_INT(3, lipc_read(server, got, sizeof got, WAIT));
    CHECK(WriteFile(client, NULL, 0, &n, NULL));
    CHECK_INT(0, lipc_read(server, got, sizeof got, WAIT));
    CHECK_OK(lipc_shutdown(server, LIPC_WRITE));
    CHECK(ReadFile(client, got, sizeof got, &n, NULL) && n == 0);
    CHECK(CloseHandle(client));
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

TEST(a_server_of_another_program_has_halves_if_its_pipe_is_one_of_messages) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE server = foreign_server(&name, PIPE_TYPE_MESSAGE);
    lipc_handle client = connect_as(&name, LIPC_STREAM, &connecting);
    char got[8];
    CHECK_OK(lipc_shutdown(client, LIPC_WRITE));
    CHECK_INT(0, lipc_read((lipc_handle)server, got, sizeof got, WAIT));
    CHECK_INT(3, lipc_write((lipc_handle)server, "abc", 3, WAIT));
    CHECK_INT(3, lipc_read(client, got, sizeof got, WAIT));
    CHECK_OK(lipc_shutdown((lipc_handle)server, LIPC_WRITE));
    CHECK_INT(0, lipc_read(client, got, sizeof got, WAIT));
    CHECK_OK(lipc_close(client));
    CHECK(CloseHandle(server));
}
