/* Messages: whole or an error, empty ones and the end, truncation, limits, batches. */
#include "fixture.h"

#ifdef __APPLE__

TEST(macOS_has_no_message_sockets) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listen_options listening = {.size = sizeof listening, .kind = LIPC_MESSAGE};
    lipc_connect_options connecting = {.size = sizeof connecting, .kind = LIPC_MESSAGE};
    lipc_listener *listener;
    lipc_handle a, b;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_listen(&name, &listening, &listener));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_connect(&name, &connecting, 0, &a));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_pair(LIPC_MESSAGE, &a, &b));
}

#else

enum { BIG = 1 << 20 };
static char sent[BIG], got[BIG];

/* Both ends of a connection of messages. row: 0 a pair, 1 over a path, 2 over a namespaced name, 3 the other way round,
 * 4 adopted. */
enum { ROWS = 5 };
static void connect_messages(int row, lipc_handle *ret_a, lipc_handle *ret_b) {
    if (row == 0) {
        CHECK_OK(lipc_pair(LIPC_MESSAGE, ret_a, ret_b));
    } else if (row == 4) {
        int ends[2];
        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
        CHECK_INT(LIPC_MESSAGE, lipc_adopt(ends[0]));
        CHECK_INT(LIPC_MESSAGE, lipc_adopt(ends[1]));
        *ret_a = ends[0];
        *ret_b = ends[1];
    } else {
        lipc_name name = name_for(row == 2 ? LIPC_NAME_NAMESPACED : LIPC_NAME_PATH, "s");
        lipc_listen_options listening = {.size = sizeof listening, .kind = LIPC_MESSAGE};
        lipc_connect_options connecting = {.size = sizeof connecting, .kind = LIPC_MESSAGE};
        lipc_listener *listener;
        lipc_handle client, server;
        CHECK_OK(lipc_listen(&name, &listening, &listener));
        CHECK_INT(LIPC_MESSAGE_LISTENER, lipc_kind(lipc_listener_handle(listener)));
        CHECK_OK(lipc_connect(&name, &connecting, WAIT, &client));
        CHECK_OK(lipc_accept(listener, WAIT, NULL, &server));
        check_born(client);
        check_born(server);
        lipc_listener_close(listener);
        *ret_a = row == 3 ? server : client;
        *ret_b = row == 3 ? client : server;
    }
}

#define EACH_CONNECTION(a, b) \
    for (int row_ = 0; row_ < ROWS; row_++) \
        for (lipc_handle a, b, *once_ = (connect_messages(row_, &a, &b), &a); once_ != NULL; \
             once_ = (lipc_close(a), lipc_close(b), NULL))

static void fill_random(char *data, size_t size) {
    unsigned state = 1;
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((state = state * 1103515245 + 12345) >> 16);
}

TEST(messages_arrive_as_they_were_sent) {
    fill_random(sent, BIG);
    EACH_CONNECTION(a, b) {
        int64_t limit = lipc_message_limit(a);
        CHECK(limit > 100000 && limit < BIG);
        const int64_t sizes[] = {0, 1, 4096, 100000, limit, 0, 7};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK_INT(sizes[i], lipc_send(a, sent, (size_t)sizes[i], WAIT));
            CHECK_INT(sizes[i], lipc_peek(b, got, sizeof got, WAIT));
#ifdef __linux__
            CHECK_INT(sizes[i], lipc_message_size(b, WAIT));
#endif
            memset(got, UNTOUCHED, sizeof got);
            CHECK_INT(sizes[i], lipc_receive(b, got, sizeof got, WAIT));
            CHECK(memcmp(sent, got, (size_t)sizes[i]) == 0);
        }
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send(a, sent, (size_t)limit + 1, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, sizeof got, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_receive(b, got, sizeof got, 1));
    }
}

TEST(an_empty_message_is_not_the_end) {
    EACH_CONNECTION(a, b) {
        for (int i = 0; i < 3; i++)
            CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
        CHECK_INT(0, lipc_peek(b, NULL, 0, WAIT));
        CHECK_INT(0, lipc_receive(b, NULL, 0, WAIT));
        CHECK_INT(0, lipc_receive(b, got, 10, WAIT));
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_INT(0, lipc_receive(b, got, 10, WAIT)); /* the third one, sent before the end */
        for (int i = 0; i < 2; i++) {
            CHECK_ERROR(LIPC_EEND, lipc_receive(b, got, 10, 0));
            CHECK_ERROR(LIPC_EEND, lipc_peek(b, got, 10, WAIT));
        }
        CHECK_INT(2, lipc_send(b, "ok", 2, WAIT)); /* the other direction goes on */
        CHECK_INT(2, lipc_receive(a, got, 10, WAIT));
    }
}

/* A client for which a service manager starts a server connects before adoption. */
TEST(an_empty_message_is_not_the_end_for_a_client_that_connected_before_adoption) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_connect_options options = {.size = sizeof options, .kind = LIPC_MESSAGE};
    lipc_handle a, b;
    lipc_listener *listener;
    int fd = plain_socket(SOCK_SEQPACKET, "s", 5);
    CHECK_OK(lipc_connect(&name, &options, WAIT, &a));
    CHECK_INT(3, lipc_send(a, "one", 3, WAIT));
    CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
    CHECK_OK(lipc_listener_adopt(fd, NULL, &listener));
    CHECK_OK(lipc_accept(listener, WAIT, NULL, &b));
    CHECK_INT(3, lipc_send(a, "two", 3, WAIT));
    CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
    CHECK_OK(lipc_close(a));
    CHECK_INT(3, lipc_receive(b, got, 10, WAIT));
    CHECK_INT(0, lipc_receive(b, got, 10, WAIT));
    CHECK_INT(3, lipc_receive(b, got, 10, WAIT));
    CHECK_INT(0, lipc_receive(b, got, 10, WAIT));
    CHECK_ERROR(LIPC_EEND, lipc_receive(b, got, 10, WAIT));
    CHECK_OK(lipc_close(b));
    lipc_listener_close(listener);
    remove_file("s");
}

TEST(a_message_that_does_not_fit_is_cut_and_says_so) {
    EACH_CONNECTION(a, b) {
        CHECK_INT(8, lipc_send(a, "too long", 8, WAIT));
        CHECK_INT(4, lipc_send(a, "next", 4, WAIT));
        memset(got, UNTOUCHED, 16);
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_peek(b, got, 3, WAIT));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive(b, got, 3, WAIT));
        CHECK(memcmp(got, "too", 3) == 0 && is_untouched(got + 3, 13));
        CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive(b, NULL, 0, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, 16, 0));
    }
}

TEST(a_peer_that_is_gone_is_the_end_and_a_broken_pipe) {
    for (int row = 0; row < ROWS; row++) {
        lipc_handle a, b;
        connect_messages(row, &a, &b);
        CHECK_INT(6, lipc_send(a, "unread", 6, WAIT)); /* Linux then reports a reset, ahead of the rest */
        CHECK_INT(3, lipc_send(b, "one", 3, WAIT));
        CHECK_INT(0, lipc_send(b, NULL, 0, WAIT));
        CHECK_OK(lipc_close(b));
        CHECK_INT(3, lipc_receive(a, got, 10, WAIT));
        CHECK_INT(0, lipc_receive(a, got, 10, WAIT));
        CHECK_ERROR(LIPC_EEND, lipc_receive(a, got, 10, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_send(a, "x", 1, WAIT));
        CHECK_OK(lipc_close(a));
    }
}

TEST(a_batch_says_how_far_it_got) {
    EACH_CONNECTION(a, b) {
        int64_t limit = lipc_message_limit(a);
        lipc_buffer out[] = {{"one", 3}, {NULL, 0}, {"three", 5}, {sent, (size_t)limit + 1}, {"five", 4}};
        CHECK_INT(3, lipc_send_batch(a, out, 5, WAIT));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send_batch(a, out + 3, 2, WAIT));
        CHECK_INT(1, lipc_send_batch(a, out + 4, 1, WAIT));
        lipc_buffer in[] = {{got, 10}, {got + 10, 10}, {got + 20, 4}, {got + 30, 10}};
        CHECK_INT(3, lipc_receive_batch(b, in, 4, WAIT));
        CHECK_INT(3, in[0].size);
        CHECK_INT(0, in[1].size);
        CHECK_INT(5, in[2].size); /* more than it had room for */
        CHECK(memcmp(got, "one", 3) == 0 && memcmp(got + 20, "thre", 4) == 0);
        CHECK_INT(1, lipc_receive_batch(b, in + 3, 1, 0));
        CHECK_INT(4, in[3].size);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive_batch(b, in + 3, 1, 0));
        CHECK_INT(0, lipc_receive_batch(b, in, 0, 0));
        CHECK_INT(0, lipc_send_batch(b, out, 0, 0));
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_ERROR(LIPC_EEND, lipc_receive_batch(b, in, 1, WAIT));
    }
}

TEST(a_full_connection_takes_no_part_of_a_message) {
    EACH_CONNECTION(a, b) {
        int count = 0;
        int64_t r;
        while ((r = lipc_send(a, sent, 1000, 0)) >= 0)
            count++;
        CHECK_ERROR(LIPC_EAGAIN, r);
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_send(a, sent, 1000, 1));
        lipc_buffer two[] = {{sent, 1000}, {sent, 1000}};
        CHECK_ERROR(LIPC_EAGAIN, lipc_send_batch(a, two, 2, 0));
        for (; count > 0; count--)
            CHECK_INT(1000, lipc_receive(b, got, sizeof got, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, sizeof got, 0));
    }
}

TEST(kinds_do_not_mix) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listen_options listening = {.size = sizeof listening, .kind = LIPC_MESSAGE};
    lipc_connect_options connecting = {.size = sizeof connecting, .kind = LIPC_MESSAGE};
    lipc_listener *listener;
    lipc_handle connection;
    CHECK_OK(lipc_listen(&name, &listening, &listener));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_connect(&name, NULL, WAIT, &connection));
    CHECK_OK(lipc_connect(&name, &connecting, WAIT, &connection));
    CHECK_OK(lipc_close(connection));
    lipc_listener_close(listener);
    const int kinds[] = {-1, 3, LIPC_LISTENER, LIPC_STREAM_LISTENER, 1 << 30};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        listening.kind = connecting.kind = kinds[i];
        lipc_handle a, b;
        CHECK_ERROR(LIPC_EINVAL, lipc_listen(&name, &listening, &listener));
        CHECK_ERROR(LIPC_EINVAL, lipc_connect(&name, &connecting, 0, &a));
        CHECK_ERROR(LIPC_EINVAL, lipc_pair(kinds[i], &a, &b));
    }
}

TEST(what_is_no_socket_carries_no_messages) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_send(ends[1], "x", 1, 0));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_receive(ends[0], got, 1, 0));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_message_limit(ends[0]));
    close(ends[0]);
    close(ends[1]);
    CHECK_ERROR(LIPC_EBADF, lipc_send(LIPC_INVALID_HANDLE, "x", 1, 0));
    CHECK_ERROR(LIPC_EBADF, lipc_receive(LIPC_INVALID_HANDLE, got, 1, 0));
}

#endif
