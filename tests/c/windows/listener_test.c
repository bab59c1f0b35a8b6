/* Listening, accepting and connecting: who gets a name, who waits, and what a listener survives. */
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
    lipc_handle client = connect_to(&path), server = accept_from(listener);
    check_connected(client, server);
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(a_listener_tells_its_name) {
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

/* ---------------------------------------- Who gets a name --------------------------------------- */

static void check_in_use(const lipc_name *name) {
    lipc_listener *second;
    memset(&second, UNTOUCHED, sizeof second);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(name, NULL, &second));
    CHECK(is_untouched(&second, sizeof second));
}

ROLE(serve) {
    lipc_name name = name_argument(0);
    lipc_listener *listener = listen_on(&name);
    say("ready");
    listen_to_test();
    lipc_listener_close(listener);
    say("closed");
    listen_to_test();
}

TEST(a_second_listener_of_the_name_is_refused) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    for (int i = 0; i < 3; i++)
        check_in_use(&name);
    lipc_handle client = connect_to(&name), server = accept_from(listener); /* the first one goes on */
    check_connected(client, server);
    close_ends(client, server);
    lipc_listener_close(listener);
    lipc_listener_close(listen_on(&name));
}

TEST(a_name_in_use_differs_in_more_than_case) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), upper = name_for(LIPC_NAME_NAMESPACED, "S");
    lipc_listener *listener = listen_on(&name);
    check_in_use(&upper);
    lipc_listener_close(listener);
}

TEST(the_name_of_another_process_is_refused_until_it_ends) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    child c = start("serve %s", written(&name));
    expect(&c, "ready");
    check_in_use(&name);
    tell(&c, "close");
    expect(&c, "closed");
    lipc_listener_close(listen_on(&name));
    join(&c);
}

TEST(a_killed_server_leaves_nothing_in_the_way) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_handle client;
    child c = start("serve %s", written(&name));
    expect(&c, "ready");
    kill_hard(&c);
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, WAIT, &client));
    lipc_listener_close(listen_on(&name));
}

ROLE(serve_and_accept) {
    lipc_name name = name_argument(0);
    lipc_listener *listener = listen_on(&name);
    say("ready");
    for (;;) {
        accept_from(listener);
        say("accepted");
    }
}

enum { HELD = 20 };

/* Clients of a server that was killed. */
static void hold_clients_of_the_dead(const lipc_name *name, lipc_handle *ret_clients) {
    child c = start("serve_and_accept %s", written(name));
    expect(&c, "ready");
    for (int i = 0; i < HELD; i++) {
        ret_clients[i] = connect_to(name);
        expect(&c, "accepted");
    }
    kill_hard(&c);
}

TEST(a_server_that_was_killed_is_replaced_while_its_clients_hold_their_ends) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_handle held[3][HELD], late;
    char byte;
    for (int i = 0; i < 3; i++) {
        hold_clients_of_the_dead(&name, held[i]);
        CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, WAIT, &late));
    }
    lipc_listener *listener = listen_on(&name);
    check_in_use(&name);
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < HELD; n++)
            CHECK_INT(0, lipc_read(held[i][n], &byte, 1, WAIT));
        close_all(held[i], HELD);
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        check_connected(client, server);
        close_ends(client, server);
    }
    check_in_use(&name);
    lipc_listener_close(listener);
    lipc_listener_close(listen_on(&name));
}

TEST(a_pipe_that_only_clients_have_open_is_not_taken_over_from_somebody_else) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE squatter = foreign_server(&name, PIPE_TYPE_BYTE); /* of two instances, and with another descriptor */
    lipc_handle client = connect_to(&name);
    CHECK(CloseHandle(squatter));
    if (on_wine()) /* where nothing is left of it */
        lipc_listener_close(listen_on(&name));
    else
        check_in_use(&name);
    CHECK_OK(lipc_close(client));
    lipc_listener_close(listen_on(&name));
}

typedef struct lock_holder {
    lipc_name name;
    HANDLE held, free;
} lock_holder;

/* Takes what keeps servers apart that begin to listen on a name at once. */
static DWORD WINAPI hold_the_lock(void *argument) {
    lock_holder *h = argument;
    wchar_t lock[300] = L"Global\\lipc.";
    size_t at = wcslen(lock);
    for (const char *c = h->name.text; *c != '\0'; c++)
        lock[at++] = towupper((wint_t)*c);
    HANDLE mutex = CreateMutexW(NULL, TRUE, lock);
    CHECK(mutex != NULL && GetLastError() != ERROR_ALREADY_EXISTS);
    CHECK(SetEvent(h->held));
    wait_for((lipc_handle)h->free);
    CHECK(CloseHandle(mutex));
    return 0;
}

TEST(whoever_holds_the_lock_of_a_name_keeps_nobody_from_listening) {
    lock_holder h = {name_for(LIPC_NAME_NAMESPACED, "s"), CreateEventW(NULL, TRUE, FALSE, NULL),
                     CreateEventW(NULL, TRUE, FALSE, NULL)};
    thread t = start_thread(hold_the_lock, &h);
    wait_for((lipc_handle)h.held);
    lipc_listener *listener = listen_on(&h.name);
    check_in_use(&h.name);
    lipc_listener_close(listener);
    CHECK(SetEvent(h.free));
    join_thread(t);
    CHECK(CloseHandle(h.held) && CloseHandle(h.free));
}

TEST(a_name_that_another_program_took_is_refused) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE squatter = foreign_server(&name, PIPE_TYPE_BYTE); /* it would allow a second instance */
    check_in_use(&name);
    CHECK(CloseHandle(squatter));
    lipc_listener_close(listen_on(&name));
}

TEST(another_program_cannot_take_a_name_in_use_as_its_first_instance) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    HANDLE h = CreateNamedPipeA(path_of(&name), PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, 0,
                                PIPE_UNLIMITED_INSTANCES, 0, 0, 0, NULL);
    if (on_wine() && h != INVALID_HANDLE_VALUE) /* Wine 8 does not know the flag */
        CHECK(CloseHandle(h));
    else
        CHECK(h == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED);
    lipc_listener_close(listener);
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

TEST(a_name_is_free_again_once_its_listener_and_connections_are_closed) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    for (int round = 0; round < 200; round++) {
        lipc_listener *listener = listen_on(&name);
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        check_connected(client, server);
        if (round % 2 == 0)
            lipc_listener_close(listener);
        CHECK_INT(1, lipc_write(server, "x", 1, WAIT)); /* left unread */
        close_ends(round % 4 < 2 ? client : server, round % 4 < 2 ? server : client);
        if (round % 2 != 0)
            lipc_listener_close(listener);
    }
}

typedef struct race {
    lipc_name name;
    HANDLE go;
    volatile LONG won, lost;
    lipc_listener *winner;
} race;

static DWORD WINAPI race_to_listen(void *argument) {
    race *r = argument;
    lipc_listener *listener;
    CHECK(WaitForSingleObject(r->go, WAIT) == WAIT_OBJECT_0);
    int result = lipc_listen(&r->name, NULL, &listener);
    if (result == 0) {
        InterlockedIncrement(&r->won);
        r->winner = listener;
    } else {
        CHECK_ERROR(LIPC_EADDRINUSE, result);
        InterlockedIncrement(&r->lost);
    }
    return 0;
}

TEST(of_those_that_listen_at_once_exactly_one_succeeds) {
    for (int round = 0; round < 20; round++) {
        enum { RACERS = 4 };
        race r = {.name = name_for(LIPC_NAME_NAMESPACED, "s"), .go = CreateEventW(NULL, TRUE, FALSE, NULL)};
        thread threads[RACERS];
        for (int i = 0; i < RACERS; i++)
            threads[i] = start_thread(race_to_listen, &r);
        CHECK(SetEvent(r.go));
        for (int i = 0; i < RACERS; i++)
            join_thread(threads[i]);
        CHECK_INT(1, r.won);
        CHECK_INT(RACERS - 1, r.lost);
        lipc_listener_close(r.winner);
        CHECK(CloseHandle(r.go));
    }
}

TEST(of_those_that_replace_a_killed_server_exactly_one_succeeds) {
    for (int round = 0; round < 5; round++) {
        enum { RACERS = 4 };
        lipc_handle held[HELD];
        race r = {.name = name_for(LIPC_NAME_NAMESPACED, "s"), .go = CreateEventW(NULL, TRUE, FALSE, NULL)};
        hold_clients_of_the_dead(&r.name, held);
        thread threads[RACERS];
        for (int i = 0; i < RACERS; i++)
            threads[i] = start_thread(race_to_listen, &r);
        CHECK(SetEvent(r.go));
        for (int i = 0; i < RACERS; i++)
            join_thread(threads[i]);
        CHECK_INT(1, r.won);
        close_all(held, HELD);
        lipc_listener_close(r.winner);
        CHECK(CloseHandle(r.go));
    }
}

TEST(wrong_options_are_refused) {
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
        {"direction", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .direction = 4}},
        {"direction", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .direction = -1}},
        {"instances", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .instances = 255}},
        {"sddl", LIPC_EINVAL, {.size = sizeof(lipc_listen_options)},
         {.size = sizeof(lipc_listen_windows), .sddl = "nonsense"}},
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

TEST(accepting_waits_as_long_as_it_is_told) {
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

ROLE(connect_and_stay) {
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
        lipc_handle client = connect_to(&name), server = accept_living(listener);
        check_connected(client, server);
        close_ends(client, server);
    }
    lipc_listener_close(listener);
}

TEST(a_client_that_gave_up_is_passed_over_or_at_its_end) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    for (int i = 0; i < 30; i++) {
        lipc_handle quitter = connect_to(&name), server;
        CHECK_OK(lipc_close(quitter));
        int r = lipc_accept(listener, 0, NULL, &server);
        if (r < 0) {
            CHECK_ERROR(LIPC_EAGAIN, r);
            continue;
        }
        CHECK(is_at_its_end(server));
        CHECK_ERROR(LIPC_EPIPE, lipc_write(server, "x", 1, WAIT));
        CHECK_OK(lipc_close(server));
    }
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    check_connected(client, server);
    close_ends(client, server);
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

/* ------------------------------------------ Connecting ------------------------------------------ */

TEST(a_name_that_nobody_listens_on_is_told_at_once) {
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
        /* One that ends makes room for another. */
        close_end(&clients[0]);
        CHECK_OK(lipc_close(servers[0]));
        /* An instance is made for it when somebody asks to accept, if not before. */
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

TEST(a_name_is_kept_while_no_connection_is_left_and_no_instance_waits) {
    lipc_listen_windows options = {.size = sizeof options, .instances = 1};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, &options), *other;
    for (int i = 0; i < 3; i++) {
        lipc_handle late, client = connect_to(&name), server = accept_from(listener);
        close_end(&client);
        CHECK_OK(lipc_close(server));
        CHECK_ERROR(LIPC_EAGAIN, lipc_connect(&name, NULL, 0, &late));
        CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &other));
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server)); /* which has an instance wait */
    }
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
    lipc_handle good = connect_to(&name), server = accept_living(listener); /* it does no harm */
    check_connected(good, server);
    close_ends(good, server);
    lipc_listener_close(listener);
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

/* What takes the value of the closed handle must be left alone: an event that is set stays so. */
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
