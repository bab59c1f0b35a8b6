/* The clients that a policy does not admit: they get and send no byte, and keep nobody else out. */
#include "policy.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

TEST(a_client_that_is_refused_reads_the_end_and_reaches_nobody) {
    for (int i = 0; i < KINDS; i++)
        EACH_NAME_TYPE(type) {
            lipc_name name = name_for(type, "s");
            lipc_listener *listener = listen_for(&name, kinds[i], &nobody);
            lipc_handle server, client = connect_kind(&name, kinds[i]);
            memset(&server, UNTOUCHED, sizeof server);
            CHECK_INT(1, write_one(kinds[i], client)); /* which nobody reads */
            CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
            CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server));
            CHECK(is_untouched(&server, sizeof server));
            check_end(kinds[i], client);
            CHECK_OK(lipc_close(client));
            lipc_listener_close(listener);
        }
}

static _Atomic bool asking;

static void *accept_nobody(void *listener) {
    lipc_handle connection;
    while (asking)
        CHECK(lipc_accept(listener, 1, NULL, &connection) < 0);
    return NULL;
}

static void *connect_often(void *name) {
    while (asking) {
        lipc_handle client;
        if (lipc_connect(name, NULL, 0, &client) >= 0)
            CHECK_OK(lipc_close(client));
    }
    return NULL;
}

TEST(who_was_refused_is_known_whole_while_other_threads_accept) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, &nobody);
    lipc_handle client = connect_to(&name), server;
    CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
    CHECK_OK(lipc_close(client));
    pthread_t threads[3];
    asking = true;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, i == 0 ? connect_often : accept_nobody,
                             i == 0 ? (void *)&name : (void *)listener) == 0);
    for (int i = 0; i < 100000; i++) {
        lipc_credentials who;
        lipc_listener_refused(listener, &who);
        CHECK_INT(getpid(), who.pid);
        CHECK_INT(geteuid(), who.uid);
    }
    asking = false;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    lipc_listener_close(listener);
}

TEST(refused_clients_do_not_prolong_a_wait) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, &nobody);
    lipc_handle clients[3], server; /* not in the loop: there gcc 12 -O2 puts others in their memory */
    for (int waiting = 0; waiting < 4; waiting++) {
        for (int i = 0; i < waiting; i++)
            clients[i] = connect_to(&name);
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 20, NULL, &server));
        for (int i = 0; i < waiting; i++)
            check_end(LIPC_STREAM, clients[i]);
        close_all(clients, waiting);
    }
    lipc_listener_close(listener);
}

typedef struct attempt {
    const lipc_name *to;
    int kind;
    uid_t user;
    bool admitted;
} attempt;

/* Connects as another user, and writes and reads a byte, or the end if it is not admitted. */
static void attempt_to_connect(const void *argument) {
    const attempt *a = argument;
    become(a->user, a->user, 0);
    lipc_handle client = connect_kind(a->to, a->kind);
    ready();
    char byte;
    if (!a->admitted) {
        check_end(a->kind, client);
        return;
    }
    CHECK_INT(1, a->kind == LIPC_STREAM ? lipc_read(client, &byte, 1, WAIT) : lipc_receive(client, &byte, 1, WAIT));
    CHECK_INT('x', byte);
}

TEST(a_listener_goes_on_to_the_next_client_that_its_policy_admits) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    static const uint32_t uids[] = {UID};
    lipc_peer_policy listed = list_of(uids, 1);
    static const uid_t users[] = {OTHER_UID, 0, NOBODY, UID, OTHER_UID, UID};
    enum { USERS = sizeof users / sizeof *users };
    for (int i = 0; i < KINDS; i++)
        EACH_NAME_TYPE(type) {
            if (is_in_user_directory(type))
                continue;
            lipc_name name = name_for(type, "s");
            lipc_listener *listener = listen_for(&name, kinds[i], &listed);
            pid_t processes[USERS];
            for (int j = 0; j < USERS; j++)
                processes[j] = start(attempt_to_connect, &(attempt){&name, kinds[i], users[j], users[j] == UID});
            for (int j = 0; j < USERS; j++) {
                if (users[j] != UID)
                    continue;
                lipc_handle server;
                lipc_credentials credentials;
                CHECK_OK(lipc_accept(listener, WAIT, NULL, &server));
                CHECK_OK(lipc_peer_credentials(server, &credentials));
                CHECK_INT(UID, credentials.uid);
                CHECK_INT(1, write_one(kinds[i], server));
                CHECK_OK(lipc_close(server));
            }
            for (int j = 0; j < USERS; j++)
                join(processes[j]);
            lipc_listener_close(listener);
        }
}

TEST(both_the_mode_and_the_policy_have_to_admit_a_client) {
    NEEDS_ROOT();
    if (!ABSTRACT_NAMES)
        return; /* the mode of a file does not let the client connect */
    const lipc_peer_policy any = {.size = sizeof any, .peers = LIPC_PEERS_ANY};
    const struct {
        uint32_t mode;
        const lipc_peer_policy *clients;
        bool admitted;
    } rows[] = {{0666, &any, true}, {0666, NULL, true}, {0600, &any, false}, {0666, &same_user, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        lipc_listen_options options = {.size = sizeof options, .mode = rows[i].mode, .clients = rows[i].clients};
        lipc_listener *listener;
        lipc_handle server;
        CHECK_OK(lipc_listen(&name, &options, &listener));
        pid_t process = start(attempt_to_connect, &(attempt){&name, LIPC_STREAM, UID, rows[i].admitted});
        int r = lipc_accept(listener, 0, NULL, &server);
        CHECK_ERROR(rows[i].admitted ? 0 : LIPC_EACCES, r);
        if (r >= 0)
            CHECK(lipc_write(server, "x", 1, WAIT) == 1 && lipc_close(server) == 0);
        join(process);
        lipc_listener_close(listener);
    }
}

TEST(a_listener_keeps_a_copy_of_its_policy) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    enum { COUNT = 1000 };
    lipc_peer_policy *policy = malloc(sizeof *policy);
    uint32_t *uids = malloc(COUNT * sizeof *uids);
    CHECK(policy != NULL && uids != NULL);
    for (uint32_t i = 0; i < COUNT; i++)
        uids[i] = UINT32_MAX - 1 - i;
    uids[COUNT - 1] = geteuid();
    *policy = list_of(uids, COUNT);
    lipc_listener *listener = listen_for(&name, LIPC_STREAM, policy);
    memset(uids, 0x5a, COUNT * sizeof *uids);
    memset(policy, 0x5a, sizeof *policy);
    check_serves(listener, &name);
    free(uids); /* not before: a compiler may leave out what writes to memory that is then freed */
    free(policy);
    check_serves(listener, &name);
    lipc_listener_close(listener);
}

TEST(an_adopted_listener_admits_by_its_policy) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        const struct {
            const lipc_peer_policy *clients;
            int result;
        } rows[] = {{&nobody, LIPC_EACCES}, {&same_user, 0}, {NULL, 0}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            lipc_listener *first = listen_on(&name), *second;
            lipc_listen_options options = {.size = sizeof options, .clients = rows[i].clients};
            lipc_handle handle, server;
            CHECK_OK(lipc_duplicate(lipc_listener_handle(first), &handle));
            CHECK_OK(lipc_listener_adopt(handle, &options, &second));
            lipc_handle client = connect_to(&name);
            int r = lipc_accept(second, 0, NULL, &server);
            CHECK_ERROR(rows[i].result, r);
            if (r >= 0)
                CHECK_OK(lipc_close(server));
            CHECK_OK(lipc_close(client));
            lipc_listener_close(second);
            lipc_listener_close(first);
        }
    }
}

TEST(datagrams_have_no_policy) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listen_options options = {.size = sizeof options, .kind = LIPC_DATAGRAM};
    lipc_connect_options connect_options = {.size = sizeof connect_options, .kind = LIPC_DATAGRAM};
    lipc_listener *listener;
    lipc_handle handle;
    const lipc_peer_policy any = {.size = sizeof any, .peers = LIPC_PEERS_ANY}, *policies[] = {&any, &same_user};
    for (int i = 0; i < 2; i++) {
        options.clients = policies[i];
        CHECK_ERROR(LIPC_ENOTSUP, lipc_listen(&name, &options, &listener));
        CHECK(!exists("s") && !exists("s.lock"));
    }
    options.clients = NULL;
    CHECK_OK(lipc_listen(&name, &options, &listener));
    for (int i = 0; i < 2; i++) {
        connect_options.server = policies[i];
        CHECK_ERROR(LIPC_ENOTSUP, lipc_connect(&name, &connect_options, 0, &handle));
    }
    connect_options.server = NULL;
    CHECK_OK(lipc_connect(&name, &connect_options, 0, &handle));
    CHECK_ERROR(LIPC_ENOTCONN, lipc_peer_check(handle, &same_user)); /* the receiver may be anybody by now */
    CHECK_OK(lipc_close(handle));
    lipc_listener_close(listener);
}

/* ------------------------------------------ Strangers ------------------------------------------- */

enum { STRANGERS = 4, ROUNDS = 50 };

/* How many strangers have been turned away, as they count, and how many had been when the client had connected. */
static struct flood {
    _Atomic long refused, before;
    lipc_name name;
} *flood;

static void begin_flood(int type, const char *leaf) {
    flood = mmap(NULL, sizeof *flood, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(flood != MAP_FAILED);
    flood->name = name_for(type, leaf);
}

static void connect_again_and_again(const void *user) {
    become(*(const uid_t *)user, *(const uid_t *)user, 0);
    ready();
    for (;;) {
        lipc_handle client = connect_to(&flood->name);
        check_end(LIPC_STREAM, client);
        CHECK_OK(lipc_close(client));
        flood->refused++;
    }
}

static void connect_amid_the_flood(const void *unused) {
    (void)unused;
    for (long begin = flood->refused; flood->refused < begin + STRANGERS;)
        sched_yield();
    lipc_handle client = connect_to(&flood->name);
    flood->before = flood->refused;
    ready();
    char byte;
    CHECK_INT(1, lipc_read(client, &byte, 1, WAIT));
}

/* Each stranger has at most one connection that waits and one refusal that it has not counted yet. So no more than
 * these come between a client and its turn, however many there are in all. */
TEST(a_flood_of_strangers_does_not_keep_a_client_from_its_turn) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    for (int type = LIPC_NAME_PATH; type <= (ABSTRACT_NAMES ? LIPC_NAME_NAMESPACED : LIPC_NAME_PATH); type++)
        for (int waiting = 0; waiting < 2; waiting++) {
            pid_t strangers[STRANGERS];
            const uid_t user = UID;
            begin_flood(type, "s");
            lipc_listener *listener = listen_for(&flood->name, LIPC_STREAM, &same_user);
            for (int i = 0; i < STRANGERS; i++)
                strangers[i] = start(connect_again_and_again, &user);
            for (int round = 0; round < ROUNDS; round++) {
                lipc_handle server;
                int ends[2], r;
                CHECK(pipe(ends) == 0);
                pid_t process = fork(); /* start() would wait for what takes the loop below */
                CHECK(process >= 0);
                if (process == 0) {
                    ready_to = ends[1];
                    connect_amid_the_flood(NULL);
                    _exit(TEST_PASSED);
                }
                do
                    r = lipc_accept(listener, waiting ? WAIT : 0, NULL, &server);
                while (!waiting && (lipc_error_code(r) == LIPC_EACCES || lipc_error_code(r) == LIPC_EAGAIN));
                long now = flood->refused;
                CHECK_OK(r);
                char byte;
                CHECK(read(ends[0], &byte, 1) == 1); /* it has counted */
                if (now > flood->before + 2 * STRANGERS)
                    FAIL("%ld strangers came before the client", now - flood->before);
                CHECK_INT(1, lipc_write(server, "x", 1, WAIT));
                join(process);
                close_all((lipc_handle[]){server, ends[0], ends[1]}, 3);
            }
            for (int i = 0; i < STRANGERS; i++)
                kill_hard(strangers[i]);
            lipc_listener_close(listener);
            CHECK(munmap(flood, sizeof *flood) == 0);
        }
}

TEST(a_flood_of_strangers_does_not_prolong_a_wait) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    begin_flood(LIPC_NAME_PATH, "s");
    const uid_t user = UID;
    lipc_listener *listener = listen_for(&flood->name, LIPC_STREAM, &same_user);
    pid_t stranger = start(connect_again_and_again, &user);
    lipc_handle server;
    for (int i = 0; i < 3; i++) {
        long before = flood->refused;
        while (flood->refused < before + 10) /* the flood goes on */
            CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 10, NULL, &server));
    }
    kill_hard(stranger);
    lipc_listener_close(listener);
    CHECK(munmap(flood, sizeof *flood) == 0);
}
