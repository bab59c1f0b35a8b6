/* Listeners: options, modes, accepting, what they own. Socket files that are in the way: socket_file_test.c. */
#include "fixture.h"

#include <poll.h>

static void check_refused(int wanted, const lipc_name *name, const lipc_listen_options *options) {
    lipc_listener *listener;
    memset(&listener, UNTOUCHED, sizeof listener);
    CHECK_ERROR(wanted, lipc_listen(name, options, &listener));
    CHECK(is_untouched(&listener, sizeof listener));
}

static mode_t mode_of(const char *leaf) {
    struct stat st;
    CHECK(lstat(in_directory(leaf), &st) == 0);
    return st.st_mode & 07777;
}

/* -------------------------------------------- Options ------------------------------------------- */

TEST(options_may_be_of_another_version_as_long_as_they_ask_for_nothing_new) {
    struct {
        lipc_listen_options options;
        unsigned char later[40];
    } larger;
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    static const struct {
        const char *name;
        size_t size;
        mode_t mode; /* of the file, with 0640 asked for */
    } rows[] = {
        {"as the library knows it", sizeof(lipc_listen_options), 0640},
        {"with the size alone", sizeof(size_t), 0600},
        {"without the backlog", offsetof(lipc_listen_options, backlog), 0640},
        {"larger", sizeof larger, 0640},
        {"larger by a byte", sizeof(lipc_listen_options) + 1, 0640},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_listener *listener;
        test_row = rows[i].name;
        memset(&larger, 0, sizeof larger);
        larger.options = (lipc_listen_options){.size = rows[i].size, .mode = 0640};
        CHECK_OK(lipc_listen(&name, &larger.options, &listener));
        CHECK_INT(rows[i].mode, mode_of("s"));
        lipc_listener_close(listener);
        larger.later[0] = 1;
        if (rows[i].size > sizeof(lipc_listen_options))
            check_refused(LIPC_ENOTSUP, &name, &larger.options);
    }
    memset(&larger, 0, sizeof larger);
    larger.later[39] = 1;
    larger.options.size = sizeof larger;
    check_refused(LIPC_ENOTSUP, &name, &larger.options);
    larger.options.backlog = -1; /* what the size leaves out is not looked at */
    larger.options.size = offsetof(lipc_listen_options, backlog);
    lipc_listener *listener;
    CHECK_OK(lipc_listen(&name, &larger.options, &listener));
    lipc_listener_close(listener);
    for (larger.options.size = 0; larger.options.size < sizeof(size_t); larger.options.size++)
        check_refused(LIPC_EINVAL, &name, &larger.options);
}

TEST(options_out_of_range_are_refused) {
    static const lipc_listen_options rows[] = {
        {.mode = 01000}, {.mode = 01777}, {.mode = UINT32_MAX}, {.mode = 04600}, {.backlog = -1},
        {.mode = 0600, .backlog = INT32_MIN}, {.kind = -1}, {.kind = LIPC_STREAM_LISTENER},
    };
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            lipc_listen_options options = rows[i];
            options.size = sizeof options;
            check_refused(LIPC_EINVAL, &name, &options);
        }
    }
}

TEST(a_backlog_above_the_limit_is_the_limit) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listen_options options = {.size = sizeof options, .backlog = INT32_MAX};
        lipc_listener *listener;
        CHECK_OK(lipc_listen(&name, &options, &listener));
        CHECK_OK(lipc_close(connect_to(&name)));
        lipc_listener_close(listener);
    }
}

TEST(the_socket_file_has_the_mode_asked_for_whatever_the_umask) {
    static const mode_t masks[] = {0, 022, 077, 0777};
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        umask(masks[i]);
        for (uint32_t mode = 0; mode <= 0777; mode++) {
            char row[64];
            snprintf(row, sizeof row, "mode %03o, umask %03o", (unsigned)mode, (unsigned)masks[i]);
            test_row = row;
            lipc_listen_options options = {.size = sizeof options, .mode = mode};
            lipc_listener *listener;
            CHECK_OK(lipc_listen(&name, &options, &listener));
            CHECK_INT(mode == 0 ? 0600 : mode, mode_of("s"));
            lipc_listener_close(listener);
        }
        lipc_listener *listener = listen_on(&name);
        CHECK_INT(0600, mode_of("s"));
        lipc_listener_close(listener);
        CHECK_INT(masks[i], umask(0));
    }
}

TEST(no_name_is_not_listened_on) {
    lipc_name name = {0, 0, ""};
    check_refused(LIPC_ENAME, &name, NULL);
    name = (lipc_name){LIPC_NAME_PATH, LIPC_NAME_CAPACITY, "x"};
    check_refused(LIPC_ENAMETOOLONG, &name, NULL);
    name = (lipc_name){LIPC_NAME_PATH, 3, "a"};
    check_refused(LIPC_ENAME, &name, NULL);
}

/* ------------------------------------------- Accepting ------------------------------------------ */

TEST(a_listener_is_a_handle_with_a_name_that_accepts) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s"), told;
        lipc_listener *listener = listen_on(&name);
        struct pollfd p = {.fd = (int)lipc_listener_handle(listener), .events = POLLIN};
        check_born(p.fd);
        CHECK_INT(LIPC_STREAM_LISTENER, lipc_adopt(p.fd));
        lipc_listener_name(listener, &told);
        CHECK(same_name(&name, &told));
        CHECK_INT(0, poll(&p, 1, 0));
        lipc_handle client = connect_to(&name), server;
        CHECK_INT(1, poll(&p, 1, WAIT));
        CHECK_OK(lipc_accept(listener, 0, &told, &server));
        CHECK_INT(0, told.type);
        CHECK_INT(0, told.length);
        CHECK_INT(0, poll(&p, 1, 0));
        close_all((lipc_handle[]){client, server}, 2);
        lipc_listener_close(listener);
    }
}

TEST(nothing_is_touched_where_nothing_is_accepted) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s"), peer;
    lipc_handle server;
    lipc_listener *listener = listen_on(&name);
    memset(&peer, UNTOUCHED, sizeof peer);
    memset(&server, UNTOUCHED, sizeof server);
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, &peer, &server));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 1, &peer, &server));
    CHECK(is_untouched(&peer, sizeof peer) && is_untouched(&server, sizeof server));
    lipc_listener_close(listener);
}

TEST(connections_are_accepted_in_order_and_with_what_was_written_before) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle clients[20];
    for (int i = 0; i < 20; i++) {
        clients[i] = connect_to(&name);
        CHECK_INT(1, lipc_write(clients[i], &(char){(char)i}, 1, 0));
        if (i % 2)
            CHECK_OK(lipc_close(clients[i])); /* gone before it is accepted */
    }
    for (int i = 0; i < 20; i++) {
        lipc_handle server = accept_from(listener);
        char got = -1;
        CHECK_INT(1, lipc_read(server, &got, 1, 0));
        CHECK_INT(i, got);
        CHECK_OK(lipc_close(server));
        if (i % 2 == 0)
            CHECK_OK(lipc_close(clients[i]));
    }
    lipc_listener_close(listener);
}

TEST(too_many_handles_leave_the_connection_waiting_and_the_listener_working) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        lipc_handle client = connect_to(&name), server;
        memset(&server, UNTOUCHED, sizeof server);
        struct rlimit limit = forbid_descriptors();
        for (int i = 0; i < 3; i++)
            CHECK_ERROR(LIPC_EMFILE, lipc_accept(listener, WAIT, NULL, &server));
        lipc_name other = name_for(type, "other");
        check_refused(LIPC_EMFILE, &other, NULL);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK(is_untouched(&server, sizeof server) && !exists("other") && !exists("other.lock"));
        CHECK_OK(lipc_accept(listener, 0, NULL, &server));
        check_connected(client, server);
        close_all((lipc_handle[]){client, server}, 2);
        lipc_listener_close(listener);
    }
}

/* --------------------------------------- Names and ownership ------------------------------------ */

TEST(a_name_has_one_listener_at_a_time) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        for (int round = 0; round < 3; round++) {
            lipc_listener *listener = listen_on(&name);
            check_refused(LIPC_EADDRINUSE, &name, NULL);
            check_refused(LIPC_EADDRINUSE, &name, NULL);
            check_serves(listener, &name);
            lipc_listener_close(listener);
        }
    }
}

TEST(two_names_are_two_listeners) {
    lipc_name path = name_for(LIPC_NAME_PATH, "s"), namespaced = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *a = listen_on(&path), *b = listen_on(&namespaced);
    lipc_handle client = connect_to(&namespaced), server;
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(a, 0, NULL, &server));
    CHECK_OK(lipc_accept(b, 0, NULL, &server));
    close_all((lipc_handle[]){client, server}, 2);
    lipc_listener_close(a);
    lipc_listener_close(b);
}

TEST(closing_no_listener_does_nothing) {
    lipc_listener_close(NULL);
}

TEST(a_detached_handle_is_the_callers_and_goes_on_accepting) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        lipc_handle handle = lipc_listener_detach(listener), client = connect_to(&name);
        CHECK_INT(lipc_listener_handle(listener), handle);
        lipc_handle server = accept_from(listener);
        check_connected(client, server);
        lipc_listener_close(listener);
        CHECK(!exists("s") && !exists("s.lock"));
        CHECK_INT(LIPC_STREAM_LISTENER, lipc_adopt(handle)); /* still open */
        close_all((lipc_handle[]){client, server, handle}, 3);
    }
}

TEST(an_adopted_listener_works_and_removes_no_file) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s"), told;
    lipc_listener *listener;
    CHECK_OK(lipc_listener_adopt(plain_socket(SOCK_STREAM, "s", 5), NULL, &listener));
    lipc_listener_name(listener, &told);
    CHECK(same_name(&name, &told));
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    check_born(server);
    check_connected(client, server);
    close_all((lipc_handle[]){client, server}, 2);
    lipc_listener_set_unlink(listener, 1); /* it made none */
    lipc_listener_close(listener);
    CHECK(exists("s") && !exists("s.lock"));
    remove_file("s");
}

#if ABSTRACT_NAMES

TEST(an_adopted_listener_may_have_an_abstract_name) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), told;
    lipc_listener *first = listen_on(&name), *listener;
    lipc_handle handle = lipc_listener_detach(first);
    lipc_listener_close(first);
    CHECK_OK(lipc_listener_adopt(handle, NULL, &listener));
    lipc_listener_name(listener, &told);
    CHECK(same_name(&name, &told));
    check_serves(listener, &name);
    lipc_listener_close(listener);
}

#endif
