/* Connecting, and pairs. That a busy listener is waited for is in timeout_test.c. */
#include "fixture.h"

/* Checks that ret_connection stays untouched, and nothing is left open. */
static void check_refused(int wanted, const lipc_name *name, const lipc_connect_options *options) {
    for (int timeout = -1; timeout <= 1; timeout++) { /* none of these is waited for */
        lipc_handle connection;
        memset(&connection, UNTOUCHED, sizeof connection);
        CHECK_ERROR(wanted, lipc_connect(name, options, timeout, &connection));
        CHECK(is_untouched(&connection, sizeof connection));
    }
}

TEST(a_connection_carries_data_both_ways) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        check_born(client);
        check_born(server);
        check_connected(client, server);
        check_connected(server, client);
        CHECK_INT(LIPC_STREAM, lipc_adopt(client));
        close_all((lipc_handle[]){client, server}, 2);
        lipc_listener_close(listener);
    }
}

TEST(an_absent_name_is_reported_at_once) {
    lipc_name name = name_for(LIPC_NAME_PATH, "absent");
    check_refused(LIPC_ENOENT, &name, NULL);
    name = name_for(LIPC_NAME_PATH, "absent/s");
    check_refused(LIPC_ENOENT, &name, NULL);
    name = name_for(LIPC_NAME_NAMESPACED, "absent");
    check_refused(ABSTRACT_NAMES ? LIPC_ECONNREFUSED : LIPC_ENOENT, &name, NULL);
}

TEST(a_name_that_nobody_listens_on_any_more_is_reported_at_once) {
    make_stale("stale");
    lipc_name name = name_for(LIPC_NAME_PATH, "stale");
    check_refused(LIPC_ECONNREFUSED, &name, NULL);
    remove_file("stale");
    EACH_NAME_TYPE(type) {
        name = name_for(type, "s");
        lipc_listener_close(listen_on(&name));
        check_refused(type == LIPC_NAME_NAMESPACED && ABSTRACT_NAMES ? LIPC_ECONNREFUSED : LIPC_ENOENT, &name, NULL);
    }
}

TEST(a_socket_of_another_kind_is_not_connected_to) {
    static const struct {
        const char *name;
        int type, backlog;
    } rows[] = {{"datagrams", SOCK_DGRAM, -1}, {"sequenced packets", SOCK_SEQPACKET, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        int fd = plain_socket(rows[i].type, "s", rows[i].backlog);
        lipc_name name = name_for(LIPC_NAME_PATH, "s");
        check_refused(LIPC_ENOTSOCK, &name, NULL);
        close(fd);
        remove_file("s");
    }
}

TEST(what_is_no_socket_is_not_connected_to) {
    lipc_handle connection;
    lipc_name file = name_for(LIPC_NAME_PATH, "file"), directory, below = name_for(LIPC_NAME_PATH, "file/s");
    CHECK(close(open(in_directory("file"), O_CREAT | O_RDWR, 0600)) == 0);
    CHECK_OK(lipc_name_path(test_directory, LIPC_STRLEN, &directory));
    CHECK(lipc_connect(&file, NULL, 0, &connection) < 0); /* the error differs between systems */
    CHECK(lipc_connect(&directory, NULL, 0, &connection) < 0);
    check_refused(LIPC_ENOENT, &below, NULL);
    remove_file("file");
}

static void connect_as_nobody(const void *name) {
    become(NOBODY, NOBODY, 0);
    check_refused(LIPC_EACCES, name, NULL);
    ready();
}

TEST(a_socket_file_that_may_not_be_written_is_not_connected_to) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    join(start(connect_as_nobody, &name));
    lipc_listener_close(listener);
}

TEST(no_name_is_not_connected_to) {
    lipc_name name = {0, 0, ""};
    check_refused(LIPC_ENAME, &name, NULL);
    name.type = LIPC_NAME_PATH;
    check_refused(LIPC_ENAME, &name, NULL);
    name = (lipc_name){LIPC_NAME_PATH, LIPC_NAME_CAPACITY, "x"}; /* made by hand, not by lipc_name_path() */
    check_refused(LIPC_ENAMETOOLONG, &name, NULL);
    name = (lipc_name){LIPC_NAME_PATH, 2, "x"};
    check_refused(LIPC_ENAME, &name, NULL);
}

TEST(options_may_be_of_another_version_as_long_as_they_ask_for_nothing_new) {
    struct {
        lipc_connect_options options;
        unsigned char later[40];
    } larger;
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    static const size_t sizes[] = {sizeof(lipc_connect_options), sizeof(lipc_connect_options) + 1, sizeof larger};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lipc_handle client;
        memset(&larger, 0, sizeof larger);
        larger.options.size = sizes[i];
        CHECK_OK(lipc_connect(&name, &larger.options, WAIT, &client));
        CHECK_OK(lipc_close(client));
        larger.later[0] = 1;
        if (sizes[i] > sizeof(lipc_connect_options))
            check_refused(LIPC_ENOTSUP, &name, &larger.options);
    }
    larger.later[0] = 0;
    larger.later[39] = 1;
    check_refused(LIPC_ENOTSUP, &name, &larger.options);
    for (larger.options.size = 0; larger.options.size < sizeof(size_t); larger.options.size++)
        check_refused(LIPC_EINVAL, &name, &larger.options);
    lipc_listener_close(listener);
}

TEST(connections_that_wait_are_reset_when_the_listener_closes_and_accepted_ones_live_on) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        lipc_handle accepted = connect_to(&name), server = accept_from(listener), waiting = connect_to(&name);
        char byte;
        CHECK_INT(1, lipc_write(waiting, "x", 1, WAIT));
        lipc_listener_close(listener);
        CHECK_INT(0, lipc_read(waiting, &byte, 1, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_write(waiting, "x", 1, WAIT));
        check_connected(accepted, server);
        check_connected(server, accepted);
        close_all((lipc_handle[]){accepted, server, waiting}, 3);
    }
}

TEST(a_full_backlog_is_waited_for_and_a_place_in_it_is_taken) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_narrowly(&name);
        lipc_handle clients[16], connection;
        int n = fill_backlog(&name, clients, 16);
        CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &connection));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_connect(&name, NULL, 10, &connection));
        for (int i = 0; i < n; i++) { /* clients that gave up hold no place */
            lipc_handle server = accept_from(listener);
            check_connected(clients[i], server);
            CHECK_OK(lipc_close(server));
        }
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &connection));
        CHECK_OK(lipc_connect(&name, NULL, 0, &connection));
        CHECK_OK(lipc_close(connection));
        close_all(clients, n);
        lipc_listener_close(listener);
    }
}

TEST(too_many_handles_is_an_error_of_connecting_and_of_pairs) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle got[2];
    memset(got, UNTOUCHED, sizeof got);
    struct rlimit limit = forbid_descriptors(), one_more = limit;
    int r[3] = {lipc_connect(&name, NULL, WAIT, &got[0]), lipc_pair(LIPC_STREAM, &got[0], &got[1])};
    CHECK(getrlimit(RLIMIT_NOFILE, &one_more) == 0);
    one_more.rlim_cur++; /* room for half a pair */
    CHECK(setrlimit(RLIMIT_NOFILE, &one_more) == 0);
    r[2] = lipc_pair(LIPC_STREAM, &got[0], &got[1]);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < 3; i++)
        CHECK_ERROR(LIPC_EMFILE, r[i]);
    CHECK(is_untouched(got, sizeof got));
    lipc_listener_close(listener);
}

TEST(a_pair_is_two_connections_with_each_other) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK(a != b);
    check_born(a);
    check_born(b);
    check_connected(a, b);
    check_connected(b, a);
    close_all((lipc_handle[]){a, b}, 2);
}
