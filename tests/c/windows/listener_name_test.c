/* Who gets a name: one listener at a time, and the next one once the last is gone. */
#include "fixture.h"

static void check_in_use(const lipc_name *name) {
    lipc_listener *second;
    memset(&second, UNTOUCHED, sizeof second);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(name, NULL, &second));
    CHECK(is_untouched(&second, sizeof second));
}

CHILD(serve) {
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
    check_serves(listener, &name); /* the first one goes on */
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

CHILD(serve_and_accept) {
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
        check_serves(listener, &name);
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

/* Takes the lock that servers take when they begin to listen on a name. */
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

TEST(a_process_that_holds_the_lock_of_a_name_keeps_nobody_from_listening) {
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

TEST(exactly_one_of_those_that_listen_at_once_succeeds) {
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

TEST(exactly_one_of_those_that_replace_a_killed_server_succeeds) {
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
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server)); /* it makes an instance wait */
    }
    lipc_listener_close(listener);
}
