/* Flushing and disconnecting, and what Windows does not have. */
#include "fixture.h"

static char got[65536];

typedef struct flushing {
    lipc_handle handle;
    HANDLE begun;
    volatile LONG read;
} flushing;

static DWORD WINAPI read_what_is_flushed(void *argument) {
    flushing *f = argument;
    wait_for((lipc_handle)f->begun);
    InterlockedExchange(&f->read, 1);
    CHECK_INT(5, lipc_read(f->handle, got, sizeof got, WAIT));
    return 0;
}

TEST(a_server_waits_until_all_was_read) {
    static const int timeouts[] = {WAIT, -1};
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        connection c = connection_of(LIPC_STREAM, NULL, NULL);
        flushing f = {c.client, CreateEventW(NULL, TRUE, FALSE, NULL), 0};
        thread t = start_thread(read_what_is_flushed, &f);
        CHECK_INT(5, lipc_write(c.server, "hello", 5, WAIT));
        CHECK(SetEvent(f.begun));
        CHECK_OK(lipc_flush(c.server, timeouts[i]));
        CHECK_INT(1, f.read);
        join_thread(t);
        CHECK(CloseHandle(f.begun));
        close_ends(c.client, c.server);
    }
}

TEST(flushing_when_there_is_nothing_is_done_at_once) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    CHECK_OK(lipc_flush(c.server, WAIT));
    CHECK_OK(lipc_flush(c.client, -1));
    check_connected(c.client, c.server);
    check_connected(c.server, c.client);
    CHECK_OK(lipc_flush(c.server, WAIT));
    close_ends(c.client, c.server);
}

TEST(flushing_waits_as_long_as_it_was_asked_to) {
    connection c = connection_of(LIPC_MESSAGE, NULL, NULL);
    CHECK_INT(5, lipc_send(c.server, "hello", 5, WAIT));
    CHECK_ERROR(LIPC_EAGAIN, lipc_flush(c.server, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_flush(c.server, 50));
    CHECK_INT(5, lipc_receive(c.client, got, sizeof got, WAIT)); /* nothing was lost */
    CHECK_OK(lipc_flush(c.server, WAIT));
    close_ends(c.client, c.server);
}

static DWORD WINAPI close_when_begun(void *argument) {
    flushing *f = argument;
    wait_for((lipc_handle)f->begun);
    CHECK_OK(lipc_close(f->handle));
    return 0;
}

TEST(flushing_ends_when_the_peer_is_gone) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    flushing f = {c.client, CreateEventW(NULL, TRUE, FALSE, NULL), 0};
    thread t = start_thread(close_when_begun, &f);
    CHECK_INT(5, lipc_write(c.server, "hello", 5, WAIT));
    CHECK(SetEvent(f.begun));
    int r = lipc_flush(c.server, -1);
    join_thread(t);
    if (!on_wine() || r < 0) /* Wine 8 ends the wait, but calls it a success */
        CHECK_ERROR(LIPC_EPIPE, r);
    CHECK_ERROR(LIPC_EPIPE, lipc_write(c.server, "x", 1, WAIT));
    CHECK(CloseHandle(f.begun));
    CHECK_OK(lipc_close(c.server));
}

TEST(an_end_that_does_not_write_is_not_flushed) {
    lipc_handle reader, writer;
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    CHECK_ERROR(LIPC_EBADF, lipc_flush(reader, WAIT));
    close_ends(reader, writer);
    CHECK_ERROR(LIPC_EBADF, lipc_flush(reader, WAIT));
}

TEST(disconnecting_ends_the_connection_at_once) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_disconnect(c.client));
    CHECK_INT(4, lipc_write(c.server, "lost", 4, WAIT));
    CHECK_OK(lipc_disconnect(c.server));
    CHECK_INT(0, lipc_read(c.client, got, sizeof got, WAIT)); /* not "lost" */
    CHECK_ERROR(LIPC_EPIPE, lipc_write(c.client, "x", 1, WAIT));
    CHECK_INT(0, lipc_read(c.server, got, sizeof got, WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_write(c.server, "x", 1, WAIT));
    close_ends(c.client, c.server);
    CHECK_ERROR(LIPC_EBADF, lipc_disconnect(c.server));
}

static DWORD WINAPI read_the_end(void *argument) {
    flushing *f = argument;
    CHECK(SetEvent(f->begun));
    CHECK_INT(0, lipc_read(f->handle, got, sizeof got, -1));
    return 0;
}

TEST(disconnecting_wakes_a_waiter) {
    for (int own = 0; own < 2; own++) {
        connection c = connection_of(LIPC_STREAM, NULL, NULL);
        flushing f = {own ? c.server : c.client, CreateEventW(NULL, TRUE, FALSE, NULL), 0};
        thread t = start_thread(read_the_end, &f);
        wait_for((lipc_handle)f.begun);
        CHECK_OK(lipc_disconnect(c.server));
        join_thread(t);
        CHECK(CloseHandle(f.begun));
        close_ends(c.client, c.server);
    }
}

TEST(what_windows_does_not_have_is_not_supported) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_listener *listener;
        uint32_t groups[1];
        CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(a, LIPC_READ));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(a, LIPC_WRITE));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_shutdown(a, LIPC_READ | LIPC_WRITE));
        CHECK_ERROR(LIPC_EINVAL, lipc_shutdown(a, 0));
        CHECK_ERROR(LIPC_EINVAL, lipc_shutdown(a, 4));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_set_buffer_size(a, LIPC_READ, 4096));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_set_buffer_size(a, LIPC_WRITE, 4096));
        CHECK_ERROR(LIPC_EINVAL, lipc_set_buffer_size(a, LIPC_WRITE, 0));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_set_pass_credentials(a, 1));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_peer_groups(a, 1, groups));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_peer_groups(b, 0, NULL));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_listener_adopt(a, NULL, &listener));
        check_connected(a, b); /* nothing has changed */
    }
}
