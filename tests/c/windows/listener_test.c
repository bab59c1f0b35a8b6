/* Listening and accepting: options, who is accepted, and what a listener survives. Who gets a name is in
 * listener_name_test.c, connecting in connect_test.c. */
#include "fixture.h"

TEST(a_client_and_a_server_talk_both_ways) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        CHECK(lipc_kind(client) == LIPC_STREAM && lipc_kind(server) == LIPC_STREAM);
        check_born(client);
        check_born(server);
        check_connected(client, server);
        check_connected(server, client);
        close_ends(client, server);
        lipc_listener_close(listener);
    }
}

TEST(both_types_of_name_mean_the_same_pipes) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), path = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    check_serves(listener, &path);
    lipc_listener_close(listener);
}

TEST(a_listener_reports_its_name) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s"), told;
        lipc_listener *listener = listen_on(&name);
        lipc_listener_name(listener, &told);
        CHECK(same_name(&name, &told));
        lipc_listener_set_unlink(listener, 0); /* there is no file; it does nothing */
        lipc_listener_close(listener);
    }
    lipc_listener_close(NULL);
}

TEST(an_accepted_connection_outlives_its_listener) {
    for (int kind = LIPC_STREAM; kind <= LIPC_MESSAGE; kind++) {
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        lipc_listener *listener = listen_for(&name, kind, NULL);
        lipc_handle client = connect_as(&name, kind, NULL), server = accept_from(listener), late;
        lipc_listener_close(listener);
        CHECK(lipc_connect(&name, NULL, 0, &late) < 0);
        char got[8];
        CHECK_INT(1, (kind == LIPC_STREAM ? lipc_write : lipc_send)(client, "x", 1, WAIT));
        CHECK_INT(1, (kind == LIPC_STREAM ? lipc_read : lipc_receive)(server, got, sizeof got, WAIT));
        close_ends(client, server);
    }
}

TEST(a_server_is_what_is_in_the_way) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), remote;
    int64_t pid = 7;
    CHECK_ERROR(LIPC_EINVAL, lipc_name_obstacle(&name, 3, &pid));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_name_obstacle(&name, LIPC_DATAGRAM, &pid));
    CHECK_OK(lipc_name_path("\\\\host\\pipe\\x", LIPC_STRLEN, &remote));
    CHECK_ERROR(LIPC_ENAME, lipc_name_obstacle(&remote, LIPC_STREAM, &pid));
    CHECK(pid == 7);
    CHECK(lipc_name_obstacle(&name, LIPC_STREAM, &pid) == LIPC_OBSTACLE_NONE && pid == -1);
    lipc_listener *listener = listen_on(&name);
    CHECK(lipc_name_obstacle(&name, LIPC_STREAM, &pid) == LIPC_OBSTACLE_SERVER && pid == -1);
    lipc_handle client = connect_to(&name), server = accept_from(listener); /* the question took no instance */
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(wrong_options_are_refused) {
    static const uint32_t group = 0;
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    static const struct {
        const char *what;
        int code;
        lipc_listen_options options;
        lipc_listen_windows windows;
    } rows[] = {
        {"size", LIPC_EINVAL, {.size = 3}, {.size = 0}},
        {"mode", LIPC_EINVAL, {.size = sizeof(lipc_listen_options), .mode = 01000}, {.size = 0}},
        {"backlog", LIPC_EINVAL, {.size = sizeof(lipc_listen_options), .backlog = -1}, {.size = 0}},
        {"kind", LIPC_EINVAL, {.size = sizeof(lipc_listen_options), .kind = 3}, {.size = 0}},
        {"datagrams", LIPC_ENOTSUP, {.size = sizeof(lipc_listen_options), .kind = LIPC_DATAGRAM}, {.size = 0}},
        {"size of the Windows options", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)}, {.size = 3}},
        {"group of a file", LIPC_ENOTSUP, {.size = sizeof(lipc_listen_options), .group = &group},
         {.size = 0}},
        {"direction", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .direction = 4}},
        {"direction", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .direction = -1}},
        {"halves of one", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .direction = LIPC_DIRECTION_CLIENT_TO_SERVER, .half_close = 1}},
        {"instances", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .instances = 255}},
        {"sddl", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .sddl = "nonsense"}},
        {"group", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .group_sid = "nonsense"}},
        {"empty group", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .group_sid = ""}},
        {"group and more", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .group_sid = "S-1-5-32-545)(A;;GA;;;S-1-1-0"}},
        {"group by another name", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .group_sid = "BU"}},
        {"group and sddl", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .sddl = "D:P(A;;GA;;;WD)", .group_sid = "S-1-5-32-545"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        lipc_listener *listener;
        lipc_listen_options options = rows[i].options;
        test_row = rows[i].what;
        if (rows[i].windows.size != 0)
            options.windows = &rows[i].windows;
        memset(&listener, UNTOUCHED, sizeof listener);
        CHECK_ERROR(rows[i].code, lipc_listen(&name, &options, &listener));
        CHECK(is_untouched(&listener, sizeof listener));
    }
    static const struct {
        const char *what;
        int code;
        lipc_connect_options options;
        lipc_connect_windows windows;
    } connecting[] = {
        {"size", LIPC_EINVAL, {.size = 3}, {.size = 0}},
        {"kind", LIPC_EINVAL, {.size = sizeof(lipc_connect_options), .kind = 3}, {.size = 0}},
        {"datagrams", LIPC_ENOTSUP, {.size = sizeof(lipc_connect_options), .kind = LIPC_DATAGRAM}, {.size = 0}},
        {"direction", LIPC_EINVAL, {.size = sizeof(lipc_connect_options)},
         {.size = sizeof(lipc_connect_windows), .direction = 4}},
        {"halves of one", LIPC_EINVAL, {.size = sizeof(lipc_connect_options)},
         {.size = sizeof(lipc_connect_windows), .direction = LIPC_DIRECTION_SERVER_TO_CLIENT, .half_close = 1}},
        {"impersonation", LIPC_EINVAL, {.size = sizeof(lipc_connect_options)},
         {.size = sizeof(lipc_connect_windows), .impersonation = 5}},
        {"impersonation", LIPC_EINVAL, {.size = sizeof(lipc_connect_options)},
         {.size = sizeof(lipc_connect_windows), .impersonation = -1}},
    };
    lipc_listener *listener = listen_on(&name);
    for (size_t i = 0; i < COUNT(connecting); i++) {
        lipc_handle handle;
        lipc_connect_options options = connecting[i].options;
        test_row = connecting[i].what;
        if (connecting[i].windows.size != 0)
            options.windows = &connecting[i].windows;
        memset(&handle, UNTOUCHED, sizeof handle);
        CHECK_ERROR(connecting[i].code, lipc_connect(&name, &options, 0, &handle));
        CHECK(is_untouched(&handle, sizeof handle));
    }
    lipc_listener_close(listener);
}

TEST(what_a_later_version_asks_for_is_not_supported) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    struct {
        lipc_listen_windows known;
        uint64_t later;
    } listening = {{.size = sizeof listening}, 0};
    lipc_listen_options options = {.size = sizeof options, .windows = &listening.known};
    lipc_listener *listener;
    CHECK_OK(lipc_listen(&name, &options, &listener)); /* zero: the default */
    lipc_listener_close(listener);
    listening.later = 1;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_listen(&name, &options, &listener));
}

/* ------------------------------------------ Accepting ------------------------------------------- */

TEST(accepting_waits_as_long_as_it_was_asked_to) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle server;
    memset(&server, UNTOUCHED, sizeof server);
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server));
    ULONGLONG began = GetTickCount64();
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 60, NULL, &server));
    CHECK(GetTickCount64() - began >= 40 && GetTickCount64() - began < WAIT);
    CHECK(is_untouched(&server, sizeof server));
    lipc_handle client = connect_to(&name);
    CHECK_OK(lipc_accept(listener, -1, NULL, &server));
    check_connected(client, server);
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &client));
    close_ends(client, server);
    lipc_listener_close(listener);
}

static DWORD WINAPI connect_and_say_hello(void *argument) {
    lipc_handle client = connect_to(argument);
    CHECK_INT(5, lipc_write(client, "hello", 5, WAIT));
    CHECK_OK(lipc_close(client));
    return 0;
}

TEST(accepting_for_ever_ends_when_somebody_comes) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    for (int i = 0; i < 20; i++) {
        thread t = start_thread(connect_and_say_hello, &name);
        lipc_handle server;
        char got[8] = "";
        CHECK_OK(lipc_accept(listener, -1, NULL, &server));
        CHECK_INT(5, lipc_read(server, got, 5, WAIT));
        CHECK_STRING("hello", got);
        join_thread(t);
        CHECK_OK(lipc_close(server));
    }
    lipc_listener_close(listener);
}

TEST(the_peer_of_an_accepted_connection_has_no_name) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), peer;
    lipc_listener *listener = listen_on(&name);
    lipc_handle client = connect_to(&name), server;
    memset(&peer, UNTOUCHED, sizeof peer);
    CHECK_OK(lipc_accept(listener, WAIT, &peer, &server));
    CHECK_INT(0, peer.type);
    CHECK_INT(0, peer.length);
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(the_handle_of_a_listener_is_signalled_when_there_is_somebody_to_accept) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle handle = lipc_listener_handle(listener);
    for (int round = 0; round < 3; round++) {
        lipc_handle nobody;
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &nobody));
        CHECK(!is_signalled(handle));
        lipc_handle clients[2] = {connect_to(&name), connect_to(&name)}, servers[2];
        for (int i = 0; i < 2; i++) {
            wait_for(handle);
            CHECK_OK(lipc_accept(listener, 0, NULL, &servers[i]));
        }
        close_all(clients, 2);
        close_all(servers, 2);
    }
    lipc_listener_close(listener);
}

TEST(many_clients_are_accepted_one_after_the_other) {
    enum { CLIENTS = 100 };
    static lipc_handle clients[CLIENTS], servers[CLIENTS];
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(&name);
        servers[i] = accept_from(listener);
    }
    for (int i = 0; i < CLIENTS; i++) {
        char byte = (char)i, got;
        CHECK_INT(1, lipc_write(clients[i], &byte, 1, WAIT));
        CHECK_INT(1, lipc_read(servers[i], &got, 1, WAIT));
        CHECK_INT(byte, got);
    }
    close_all(clients, CLIENTS);
    close_all(servers, CLIENTS);
    lipc_listener_close(listener);
}

typedef struct accepting {
    lipc_listener *listener;
    volatile LONG accepted;
} accepting;

enum { ACCEPTORS = 4, EACH = 25 };

static DWORD WINAPI accept_many(void *argument) {
    accepting *a = argument;
    for (int i = 0; i < EACH; i++) {
        lipc_handle server;
        char byte;
        CHECK_OK(lipc_accept(a->listener, WAIT, NULL, &server));
        CHECK_INT(1, lipc_read(server, &byte, 1, WAIT));
        CHECK_INT(1, lipc_write(server, &byte, 1, WAIT));
        InterlockedIncrement(&a->accepted);
        CHECK_OK(lipc_close(server));
    }
    return 0;
}

static DWORD WINAPI connect_many(void *argument) {
    for (int i = 0; i < EACH; i++) {
        lipc_handle client = connect_to(argument);
        char byte = (char)i, got;
        CHECK_INT(1, lipc_write(client, &byte, 1, WAIT));
        CHECK_INT(1, lipc_read(client, &got, 1, WAIT));
        CHECK_INT(byte, got);
        CHECK_OK(lipc_close(client));
    }
    return 0;
}

TEST(a_client_is_accepted_in_its_turn_however_many_others_come) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listen_options options = {.size = sizeof options, .backlog = 8};
    lipc_listener *listener;
    lipc_handle others[64], client = LIPC_INVALID_HANDLE;
    char byte;
    CHECK_OK(lipc_listen(&name, &options, &listener));
    for (int i = 0; i < 4; i++) {
        others[i] = connect_to(&name);
        if (i == 2)
            client = connect_to(&name);
    }
    CHECK_INT(1, lipc_write(client, "x", 1, WAIT));
    int count = 4 + fill_backlog(&name, &others[4], 32), accepted = 0;
    for (bool found = false; !found; accepted++) {
        CHECK(accepted < 16); /* 8 instances wait */
        lipc_handle server = accept_from(listener);
        found = lipc_read(server, &byte, 1, 0) == 1;
        CHECK_OK(lipc_close(server));
        others[count++] = connect_to(&name); /* another takes the instance that was added */
    }
    close_ends(client, LIPC_INVALID_HANDLE);
    close_all(others, count);
    lipc_listener_close(listener);
}

TEST(several_threads_accept_from_one_listener) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    accepting a = {listen_on(&name), 0};
    thread threads[2 * ACCEPTORS];
    for (int i = 0; i < ACCEPTORS; i++) {
        threads[2 * i] = start_thread(accept_many, &a);
        threads[2 * i + 1] = start_thread(connect_many, &name);
    }
    for (int i = 0; i < 2 * ACCEPTORS; i++)
        join_thread(threads[i]);
    CHECK_INT(ACCEPTORS * EACH, a.accepted);
    lipc_listener_close(a.listener);
}

CHILD(connect_and_stay) {
    lipc_name name = name_argument(0);
    connect_to(&name);
    say("connected");
    listen_to_test();
}

TEST(a_client_that_dies_before_it_is_accepted_does_not_stop_the_listener) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    for (int round = 0; round < 3; round++) {
        child c = start("connect_and_stay %s", written(&name));
        expect(&c, "connected");
        kill_hard(&c);
        lipc_handle quitter = connect_to(&name);
        CHECK_OK(lipc_close(quitter));
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        check_connected(client, server);
        close_ends(client, server);
    }
    lipc_listener_close(listener);
}

TEST(a_client_that_gave_up_is_passed_over) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle quitter, server;
    for (int i = 0; i < 30; i++) {
        quitter = connect_to(&name);
        CHECK_OK(lipc_close(quitter));
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server));
    }
    quitter = connect_to(&name);
    CHECK_OK(lipc_close(quitter));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 30, NULL, &server));
    check_serves(listener, &name);
    lipc_listener_close(listener);
}

TEST(an_empty_message_of_a_client_that_left_is_not_lost) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_MESSAGE, NULL);
    lipc_handle client = connect_as(&name, LIPC_MESSAGE, NULL);
    char got[8];
    CHECK_INT(0, lipc_send(client, NULL, 0, WAIT));
    CHECK_OK(lipc_close(client));
    lipc_handle server = accept_from(listener);
    CHECK_INT(0, lipc_receive(server, got, sizeof got, WAIT));
    CHECK_ERROR(LIPC_EEND, lipc_receive(server, got, sizeof got, WAIT));
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

TEST(what_a_client_wrote_before_it_left_is_not_lost) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle client = connect_to(&name);
    char got[8] = "";
    CHECK_INT(3, lipc_write(client, "bye", 3, WAIT));
    CHECK_OK(lipc_close(client));
    lipc_handle server = accept_from(listener);
    CHECK_INT(3, lipc_read(server, got, sizeof got, WAIT));
    CHECK_STRING("bye", got);
    CHECK_INT(0, lipc_read(server, got, sizeof got, WAIT));
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

TEST(clients_that_wait_when_the_listener_closes_read_the_end) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle clients[3], late;
    char byte;
    for (int i = 0; i < 3; i++) {
        int r = lipc_connect(&name, NULL, 0, &clients[i]);
        if (r < 0) { /* no more of them may wait */
            CHECK(i > 0);
            clients[i] = LIPC_INVALID_HANDLE;
        }
    }
    lipc_listener_close(listener);
    for (int i = 0; i < 3; i++)
        if (clients[i] != LIPC_INVALID_HANDLE) {
            CHECK_INT(0, lipc_read(clients[i], &byte, 1, WAIT));
            CHECK_ERROR(LIPC_EPIPE, lipc_write(clients[i], "x", 1, WAIT));
            CHECK_OK(lipc_close(clients[i]));
        }
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, WAIT, &late));
}

TEST(a_detached_handle_is_the_callers) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle handle = lipc_listener_detach(listener);
    lipc_handle client = connect_to(&name);
    wait_for(handle);
    lipc_handle server = accept_from(listener);
    check_connected(client, server);
    lipc_listener_close(listener);
    CHECK_OK(lipc_close(handle));
    close_ends(client, server);
}

/* A handle that gets the value of the closed one must be left alone: an event that is set stays set. */
TEST(a_detached_handle_may_be_closed_before_the_listener) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    lipc_handle handle = lipc_listener_detach(listener), others[64];
    int count = 0;
    CHECK_OK(lipc_close(handle));
    do
        CHECK_OK(lipc_event(&others[count]));
    while (others[count++] != handle && count < 64);
    CHECK(others[count - 1] == handle);
    CHECK(SetEvent((HANDLE)handle));
    lipc_listener_close(listener);
    CHECK(is_signalled(handle));
    close_all(others, count);
}
