/* Datagrams: bound, connected and unbound sockets, who receives from whom, what arrives, and the end. */
#include "datagram.h"

enum { BIG = 1 << 20 };
static char sent[BIG], got[BIG];

/* -------------------------------------------- Names --------------------------------------------- */

TEST(a_bound_socket_hears_from_everybody_and_answers_those_who_are_bound) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s"), name_b = name_for(type, "b"), told;
        lipc_listener *server = bind_to(&name), *client_b = bind_to(&name_b);
        lipc_handle s = lipc_listener_handle(server), b = lipc_listener_handle(client_b), u = unbound();
        check_born(s);
        check_born(u);
        CHECK_INT(LIPC_DATAGRAM, lipc_kind(s));
        CHECK_INT(LIPC_DATAGRAM, lipc_kind(u));
        lipc_listener_name(server, &told);
        CHECK(same_name(&name, &told));
        CHECK_OK(lipc_local_name(s, &told));
        check_peer(&name, &told);
        CHECK_INT(3, send_text_to(u, "one", &name));
        CHECK_INT(3, send_text_to(b, "two", &name));
        check_next(s, "one", NULL);
        memset(&told, UNTOUCHED, sizeof told);
        CHECK_INT(3, lipc_receive_from(s, got, 64, WAIT, &told));
        check_peer(&name_b, &told);
        CHECK_INT(6, send_text_to(s, "answer", &told)); /* by the name that was received */
        check_next(b, "answer", &name);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(s, got, 64, 0));
        lipc_listener_close(server);
        lipc_listener_close(client_b);
        CHECK_OK(lipc_close(u));
    }
}

TEST(the_name_goes_into_a_message_and_comes_out_of_it) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s"), name_b = name_for(type, "b"), told;
        lipc_listener *server = bind_to(&name), *client = bind_to(&name_b);
        lipc_handle s = lipc_listener_handle(server), from[] = {lipc_listener_handle(client), unbound()};
        for (int i = 0; i < 2; i++) {
            lipc_handle file = numbered_file(i);
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){"text", 4},
                                    .buffer_count = 1,
                                    .handles = &file,
                                    .handle_count = 1,
                                    .handle_capacity = 1,
                                    .peer = &name};
            CHECK_INT(4, lipc_send_message(from[i], &message, WAIT));
            CHECK_OK(lipc_close(file));
            memset(&told, UNTOUCHED, sizeof told);
            message.buffers = &(lipc_buffer){got, 64};
            message.peer = &told;
            CHECK_INT(4, lipc_receive_message(s, &message, WAIT));
            CHECK_INT(1, message.handle_count);
            check_number(file, i);
            CHECK_OK(lipc_close(file));
            if (i == 0)
                check_peer(&name_b, &told);
            else
                check_no_peer(&told);
        }
        CHECK_OK(lipc_close(from[1]));
        lipc_listener_close(server);
        lipc_listener_close(client);
    }
}

/* ---------------------------------------- Connected --------------------------------------------- */

TEST(a_socket_is_connected_reconnected_and_connected_to_none) {
    EACH_NAME_TYPE(type) {
        lipc_name names[3] = {name_for(type, "x"), name_for(type, "y"), name_for(type, "z")}, told;
        lipc_listener *listeners[3];
        lipc_handle h[3];
        for (int i = 0; i < 3; i++) {
            listeners[i] = bind_to(&names[i]);
            h[i] = lipc_listener_handle(listeners[i]);
        }
        CHECK_ERROR(LIPC_ENOTCONN, lipc_send(h[0], "x", 1, 0));
        CHECK_ERROR(LIPC_ENOTCONN, lipc_peer_name(h[0], &told));
        CHECK_OK(lipc_datagram_connect(h[0], &names[1]));
        CHECK_OK(lipc_peer_name(h[0], &told));
        check_peer(&names[1], &told);
        CHECK_INT(4, lipc_send(h[0], "to y", 4, WAIT));
        check_next(h[1], "to y", &names[0]);
        CHECK_INT(6, send_text_to(h[1], "from y", &names[0]));
        /* Only its peer reaches it. */
        CHECK_ERROR(LIPC_EACCES, send_text_to(h[2], "from z", &names[0]));
        CHECK_ERROR(LIPC_EACCES, lipc_datagram_connect(h[2], &names[0]));
        check_next(h[0], "from y", &names[1]);
        CHECK_OK(lipc_datagram_connect(h[0], &names[2]));
        CHECK_INT(4, lipc_send(h[0], "to z", 4, WAIT));
        check_next(h[2], "to z", &names[0]);
        CHECK_INT(6, send_text_to(h[2], "from z", &names[0]));
        check_next(h[0], "from z", &names[2]);
        CHECK_ERROR(LIPC_EACCES, send_text_to(h[1], "from y", &names[0]));
        CHECK_OK(lipc_datagram_connect(h[0], NULL));
        CHECK_OK(lipc_datagram_connect(h[0], NULL)); /* twice is as once */
        CHECK_ERROR(LIPC_ENOTCONN, lipc_send(h[0], "x", 1, 0));
        for (int i = 1; i < 3; i++) {
            CHECK_INT(2, send_text_to(h[i], "me", &names[0]));
            check_next(h[0], "me", &names[i]);
        }
        for (int i = 0; i < 3; i++)
            lipc_listener_close(listeners[i]);
    }
}

TEST(what_is_no_datagram_socket_is_not_connected_again) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = bind_to(&name);
    lipc_handle a, b;
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_datagram_connect(a, &name));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_datagram_connect(a, NULL));
    check_connected(a, b);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_datagram_connect(ends[0], &name));
    CHECK_ERROR(LIPC_EBADF, lipc_datagram_connect(LIPC_INVALID_HANDLE, &name));
    close_all((lipc_handle[]){a, b, ends[0], ends[1]}, 4);
    lipc_listener_close(listener);
}

/* The ways to reach a name. Each returns its result. */
static int64_t by_connecting(const lipc_name *name) {
    lipc_connect_options options = {.size = sizeof options, .kind = LIPC_DATAGRAM};
    lipc_handle handle;
    memset(&handle, UNTOUCHED, sizeof handle);
    int r = lipc_connect(name, &options, WAIT, &handle);
    CHECK(is_untouched(&handle, sizeof handle));
    return r;
}

static int64_t by_reconnecting(const lipc_name *name) {
    lipc_handle handle = unbound();
    int r = lipc_datagram_connect(handle, name);
    CHECK_OK(lipc_close(handle));
    return r;
}

static int64_t by_sending(const lipc_name *name) {
    lipc_handle handle = unbound();
    int64_t r = send_text_to(handle, "x", name);
    CHECK_OK(lipc_close(handle));
    return r;
}

static int64_t by_sending_a_message(const lipc_name *name) {
    lipc_handle handle = unbound();
    lipc_name peer = *name;
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){sent, 1},
                            .buffer_count = 1,
                            .peer = &peer};
    int64_t r = lipc_send_message(handle, &message, WAIT);
    CHECK_OK(lipc_close(handle));
    return r;
}

TEST(a_name_that_leads_nowhere_says_why) {
    static int64_t (*const ways[])(const lipc_name *) = {by_connecting, by_reconnecting, by_sending,
                                                          by_sending_a_message};
    close(plain_socket(SOCK_DGRAM, "dead", -1));
    int file = open(in_directory("file"), O_CREAT | O_RDWR, 0600);
    int stream = plain_socket(SOCK_STREAM, "stream", 1);
    lipc_name none = {.type = 0};
    const struct {
        const char *name;
        lipc_name to;
        int error;
    } rows[] = {
        {"absent", name_for(LIPC_NAME_PATH, "absent"), LIPC_ENOENT},
        {"no directory", name_for(LIPC_NAME_PATH, "none/absent"), LIPC_ENOENT},
        {"dead", name_for(LIPC_NAME_PATH, "dead"), LIPC_ECONNREFUSED},
        {"a stream", name_for(LIPC_NAME_PATH, "stream"), LIPC_ENOTSOCK},
#ifdef __linux__ /* others say that it is no socket */
        {"a file", name_for(LIPC_NAME_PATH, "file"), LIPC_ECONNREFUSED},
#endif
        {"no name", none, LIPC_ENAME},
        {"namespaced", name_for(LIPC_NAME_NAMESPACED, "absent"), ABSTRACT_NAMES ? LIPC_ECONNREFUSED : LIPC_ENOENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof ways / sizeof *ways; j++) {
            char row[100];
            snprintf(row, sizeof row, "%s, way %zu", rows[i].name, j);
            test_row = row;
            CHECK_ERROR(rows[i].error, ways[j](&rows[i].to));
        }
    close_all((lipc_handle[]){file, stream}, 2);
    remove_file("file");
    remove_file("stream");
    remove_file("dead");
}

TEST(a_user_that_may_not_write_to_the_file_may_not_send) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = bind_to(&name);
    CHECK(seteuid(NOBODY) == 0);
    int64_t connecting = by_connecting(&name), sending = by_sending(&name);
    CHECK(seteuid(0) == 0);
    CHECK_ERROR(LIPC_EACCES, connecting);
    CHECK_ERROR(LIPC_EACCES, sending);
    lipc_listener_close(listener);
}

TEST(a_peer_that_is_gone_is_noticed_when_sending) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = bind_to(&name);
    lipc_handle client = connect_datagrams(&name), a, b;
    CHECK_INT(1, lipc_send(client, "x", 1, WAIT));
    lipc_listener_close(listener);
    CHECK_ERROR(LIPC_EAGAIN, lipc_receive(client, got, 64, 0)); /* the system does not report it */
    CHECK_ERROR(LIPC_ECONNREFUSED, lipc_send(client, "x", 1, WAIT));
    listener = bind_to(&name);
    CHECK_OK(lipc_datagram_connect(client, &name)); /* its successor is another socket */
    CHECK_INT(2, lipc_send(client, "ok", 2, WAIT));
    check_next(lipc_listener_handle(listener), "ok", NULL);
    lipc_listener_close(listener);
    CHECK_OK(lipc_close(client));
    CHECK_OK(lipc_pair(LIPC_DATAGRAM, &a, &b));
    CHECK_INT(4, lipc_send(b, "last", 4, WAIT));
    CHECK_OK(lipc_close(b));
    check_next(a, "last", NULL);
    CHECK(lipc_send(a, "x", 1, WAIT) < 0); /* SIGPIPE would kill the test */
    CHECK_OK(lipc_close(a));
}

/* ------------------------------------------- Content -------------------------------------------- */

/* Both ends of a connection of datagrams. row: 0 a pair, 1 over a path, 2 over a namespaced name. */
enum { ROWS = 3 };
static lipc_listener *row_listener;

static void connect_row(int row, lipc_handle *ret_a, lipc_handle *ret_b) {
    row_listener = NULL;
    if (row == 0) {
        CHECK_OK(lipc_pair(LIPC_DATAGRAM, ret_a, ret_b));
        return;
    }
    lipc_name name = name_for(row == 1 ? LIPC_NAME_PATH : LIPC_NAME_NAMESPACED, "s");
    row_listener = bind_to(&name);
    *ret_a = connect_datagrams(&name);
    *ret_b = lipc_listener_handle(row_listener);
}

static void close_row(lipc_handle a, lipc_handle b) {
    CHECK_OK(lipc_close(a));
    if (row_listener != NULL)
        lipc_listener_close(row_listener);
    else
        CHECK_OK(lipc_close(b));
}

#define EACH_CONNECTION(a, b) \
    for (int row_ = 0; row_ < ROWS; row_++) \
        for (lipc_handle a, b, *once_ = (connect_row(row_, &a, &b), &a); once_ != NULL; \
             once_ = (close_row(a, b), NULL))

TEST(datagrams_arrive_whole_and_in_order) {
    unsigned state = 1;
    for (size_t i = 0; i < BIG; i++)
        sent[i] = (char)((state = state * 1103515245 + 12345) >> 16);
    EACH_CONNECTION(a, b) {
        int64_t limit = lipc_message_limit(a);
        CHECK(limit > 1000 && limit < BIG);
        const int64_t sizes[] = {0, 1, 500, 0, 1999, 7};
        enum { COUNT = sizeof sizes / sizeof *sizes };
        for (int i = 0; i < COUNT; i++) {
#ifndef __linux__
            CHECK_OK(lipc_set_buffer_size(a, LIPC_WRITE, 8192));
#endif
            CHECK_INT(sizes[i], lipc_send(a, sent + i, (size_t)sizes[i], WAIT));
        }
        for (int i = 0; i < COUNT; i++) {
            CHECK_INT(sizes[i], lipc_peek(b, got, BIG, WAIT));
#ifdef __linux__
            CHECK_INT(sizes[i], lipc_message_size(b, WAIT));
#endif
            memset(got, UNTOUCHED, 4096);
            CHECK_INT(sizes[i], lipc_receive(b, got, BIG, WAIT));
            CHECK(memcmp(sent + i, got, (size_t)sizes[i]) == 0);
            CHECK(is_untouched(got + sizes[i], 2000));
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, BIG, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_receive(b, got, BIG, 1));
    }
}

TEST(the_largest_datagram_goes_and_one_byte_more_does_not) {
    EACH_CONNECTION(a, b) {
        int64_t limit = lipc_message_limit(a);
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send(a, sent, (size_t)limit + 1, WAIT));
        CHECK_ERROR(LIPC_EMSGSIZE, send_handles(a, sent, (size_t)limit + 1, NULL, 0, WAIT));
#ifdef __linux__ /* elsewhere the receiver's buffer may be too small for it */
        CHECK_INT(limit, lipc_send(a, sent, (size_t)limit, WAIT));
        CHECK_INT(limit, lipc_receive(b, got, BIG, WAIT));
        CHECK(memcmp(sent, got, (size_t)limit) == 0);
#endif
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, BIG, 0));
    }
}

TEST(a_datagram_that_does_not_fit_is_cut_and_names_its_sender) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s"), from = name_for(LIPC_NAME_PATH, "from"), told;
    lipc_listener *server = bind_to(&name), *client = bind_to(&from);
    lipc_handle s = lipc_listener_handle(server), c = lipc_listener_handle(client);
    for (int way = 0; way < 3; way++) {
        lipc_handle handles[] = {STDERR_FILENO, STDERR_FILENO};
        lipc_message too_long = {.size = sizeof too_long,
                                 .buffers = &(lipc_buffer){"too long", 8},
                                 .buffer_count = 1,
                                 .handles = handles,
                                 .handle_count = way == 2 ? 2 : 0,
                                 .peer = &name};
        CHECK_INT(8, lipc_send_message(c, &too_long, WAIT));
        CHECK_INT(4, send_text_to(c, "next", &name));
        memset(&told, UNTOUCHED, sizeof told);
        memset(got, UNTOUCHED, 16);
        if (way == 0) {
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive_from(s, got, 3, WAIT, &told));
        } else { /* or its handles do not fit */
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){got, way == 1 ? 3 : 8},
                                    .buffer_count = 1,
                                    .handles = handles,
                                    .handle_capacity = 1,
                                    .peer = &told};
            CHECK_ERROR(way == 1 ? LIPC_ETRUNCATED : LIPC_EHANDLES, lipc_receive_message(s, &message, WAIT));
            CHECK_INT(way == 1 ? 3 : 8, message.length);
        }
        CHECK(memcmp(got, "too", 3) == 0 && is_untouched(got + 8, 8));
        CHECK(way == 2 || is_untouched(got + 3, 5));
        check_peer(&from, &told);
        check_next(s, "next", &from);
        memset(&told, UNTOUCHED, sizeof told);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive_from(s, got, 3, 0, &told));
        CHECK(is_untouched(&told, sizeof told));
    }
    lipc_listener_close(server);
    lipc_listener_close(client);
}

TEST(a_batch_of_datagrams_says_how_far_it_got) {
    EACH_CONNECTION(a, b) {
        int64_t limit = lipc_message_limit(a);
        lipc_buffer out[] = {{"one", 3}, {NULL, 0}, {"three", 5}, {sent, (size_t)limit + 1}};
        lipc_buffer in[] = {{got, 10}, {got + 10, 10}, {got + 20, 4}, {got + 30, 10}};
        CHECK_INT(3, lipc_send_batch(a, out, 4, WAIT));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send_batch(a, out + 3, 1, WAIT));
        CHECK_INT(3, lipc_receive_batch(b, in, 4, WAIT));
        CHECK_INT(3, in[0].size);
        CHECK_INT(0, in[1].size);
        CHECK_INT(5, in[2].size); /* more than it had room for */
        CHECK(memcmp(got, "one", 3) == 0 && memcmp(got + 20, "thre", 4) == 0);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive_batch(b, in, 4, 0));
        CHECK_INT(1, lipc_send_batch(a, out, 1, WAIT));
        CHECK_INT(1, lipc_receive_batch(b, in, 4, WAIT)); /* those that are there */
    }
}

/* ------------------------------------------- The end -------------------------------------------- */

#ifdef __linux__ /* others report one empty datagram after the other */
TEST(a_socket_that_was_shut_down_has_an_end_behind_what_had_arrived) {
    for (int timeout = -1; timeout <= 1; timeout++) {
        const int end = timeout == 0 ? LIPC_EAGAIN : LIPC_EEND;
        EACH_CONNECTION(a, b) {
            CHECK_INT(3, lipc_send(a, "one", 3, WAIT));
            CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
            CHECK_OK(lipc_shutdown(b, LIPC_READ));
            CHECK_ERROR(LIPC_EPIPE, lipc_send(a, "x", 1, timeout));
            CHECK_INT(3, lipc_peek(b, got, 64, timeout));
            CHECK_INT(3, lipc_receive(b, got, 64, timeout));
            CHECK_INT(0, lipc_message_size(b, timeout));
            CHECK_INT(0, lipc_receive(b, got, 64, timeout));
            for (int i = 0; i < 2; i++) {
                lipc_name peer;
                size_t none = 0;
                lipc_buffer buffer = {got, 64};
                CHECK_ERROR(end, lipc_receive(b, got, 64, timeout));
                CHECK_ERROR(end, lipc_peek(b, got, 64, timeout));
                CHECK_ERROR(end, lipc_message_size(b, timeout));
                CHECK_ERROR(end, lipc_receive_from(b, got, 64, timeout, &peer));
                CHECK_ERROR(end, receive_handles(b, got, 64, NULL, &none, timeout));
                CHECK_ERROR(end, lipc_receive_batch(b, &buffer, 1, timeout));
            }
        }    }
}

static void receive_until_the_end(const void *argument) {
    const lipc_handle *handle = argument;
    ready();
    CHECK_ERROR(LIPC_EEND, lipc_receive(*handle, got, 64, -1));
}

TEST(shutting_down_ends_a_wait_for_datagrams) {
    EACH_CONNECTION(a, b) {
        CHECK_INT(LIPC_DATAGRAM, lipc_kind(a));
        pid_t process = start(receive_until_the_end, &b);
        CHECK_OK(lipc_shutdown(b, LIPC_READ));
        join(process);
    }
}
#endif

TEST(a_socket_that_was_shut_down_for_writing_sends_no_more) {
    EACH_CONNECTION(a, b) {
        CHECK_INT(3, lipc_send(a, "one", 3, WAIT));
        CHECK_OK(lipc_shutdown(a, LIPC_WRITE));
        CHECK_ERROR(LIPC_EPIPE, lipc_send(a, "x", 1, WAIT));
        check_next(b, "one", NULL);
        CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, 64, 0)); /* that is no end for the other side */
    }
}

/* ------------------------------------------- Errors --------------------------------------------- */

TEST(a_handle_that_carries_no_datagrams_is_an_error) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s"), told;
    int ends[2];
    CHECK(pipe(ends) == 0);
    memset(&told, UNTOUCHED, sizeof told);
    CHECK_ERROR(LIPC_EBADF, lipc_send_to(LIPC_INVALID_HANDLE, "x", 1, &name, 0));
    CHECK_ERROR(LIPC_EBADF, lipc_receive_from(LIPC_INVALID_HANDLE, got, 1, 0, &told));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_send_to(ends[1], "x", 1, &name, 0));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_receive_from(ends[0], got, 1, 0, &told));
    CHECK(is_untouched(&told, sizeof told));
    struct rlimit limit = forbid_descriptors();
    lipc_handle handle;
    memset(&handle, UNTOUCHED, sizeof handle);
    int r = lipc_datagram(&handle);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_ERROR(LIPC_EMFILE, r);
    CHECK(is_untouched(&handle, sizeof handle));
    close_all((lipc_handle[]){ends[0], ends[1]}, 2);
}
