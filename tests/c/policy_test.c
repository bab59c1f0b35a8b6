/* Policies: whom they admit, and that nobody else gets or sends a byte. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

enum { UID = 4001, OTHER_UID = 4002 };

static const int kinds[] = {
    LIPC_STREAM,
#ifndef __APPLE__
    LIPC_MESSAGE,
#endif
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Admits nobody, the process's own user included. */
static const lipc_peer_policy nobody = {.size = sizeof nobody};
static const lipc_peer_policy same_user = {.size = sizeof same_user, .peers = LIPC_PEERS_SAME_USER};

static lipc_peer_policy list_of(const uint32_t *uids, size_t count) {
    return (lipc_peer_policy){.size = sizeof(lipc_peer_policy), .uids = uids, .uid_count = count};
}

static int64_t write_one(int kind, lipc_handle handle) {
    return kind == LIPC_STREAM ? lipc_write(handle, "x", 1, WAIT) : lipc_send(handle, "x", 1, WAIT);
}

/* Checks that nothing comes but the end. */
static void check_end(int kind, lipc_handle handle) {
    char byte;
    if (kind == LIPC_STREAM)
        CHECK_INT(0, lipc_read(handle, &byte, 1, WAIT));
    else
        CHECK_ERROR(LIPC_EEND, lipc_receive(handle, &byte, 1, WAIT));
}

/* ----------------------------------------- Whom it admits --------------------------------------- */

static void check_sets(const void *unused) {
    (void)unused;
    const int64_t own = geteuid(), other = own == UID ? OTHER_UID : UID;
    const struct {
        int peers;
        int64_t uid;
        bool admitted;
    } rows[] = {
        {LIPC_PEERS_ANY, own, true},
        {LIPC_PEERS_ANY, 0, true},
        {LIPC_PEERS_ANY, other, true},
        {LIPC_PEERS_ANY, -1, true},
        {LIPC_PEERS_SAME_USER, own, true},
        {LIPC_PEERS_SAME_USER, other, false},
        {LIPC_PEERS_SAME_USER, 0, own == 0},
        {LIPC_PEERS_SAME_USER, -1, false},
        {LIPC_PEERS_ADMIN, 0, true},
        {LIPC_PEERS_ADMIN, other, false},
        {LIPC_PEERS_ADMIN, own, own == 0},
        {LIPC_PEERS_ADMIN, -1, false},
        {LIPC_PEERS_SAME_USER | LIPC_PEERS_ADMIN, own, true},
        {LIPC_PEERS_SAME_USER | LIPC_PEERS_ADMIN, 0, true},
        {LIPC_PEERS_SAME_USER | LIPC_PEERS_ADMIN, other, false},
        {LIPC_PEERS_ANY | LIPC_PEERS_ADMIN, other, true},
        {0, own, false},
        {0, 0, false},
        {0, -1, false},
        {LIPC_PEERS_SAME_USER, own + ((int64_t)1 << 32), false}, /* not cut to 32 bits */
        {LIPC_PEERS_ADMIN, INT64_MIN, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[64];
        lipc_peer_policy policy = {.size = sizeof policy, .peers = rows[i].peers};
        snprintf(row, sizeof row, "user %d, peers %d, uid %lld", (int)own, rows[i].peers, (long long)rows[i].uid);
        test_row = row;
        CHECK_ERROR(rows[i].admitted ? 0 : LIPC_EACCES, lipc_peer_policy_check(&policy, rows[i].uid, NULL));
    }
    CHECK_OK(lipc_peer_policy_check(NULL, other, NULL));
    CHECK_OK(lipc_peer_policy_check(NULL, -1, NULL));
}

static void check_sets_as(const void *user) {
    become(*(const uid_t *)user, *(const uid_t *)user, 0);
    check_sets(NULL);
    ready();
}

TEST(each_set_admits_the_users_that_it_stands_for) {
    check_sets(NULL);
    for (uid_t user = UID; geteuid() == 0 && user <= OTHER_UID; user++)
        join(start(check_sets_as, &user));
}

static void check_as_effective_user(const void *unused) {
    (void)unused;
    CHECK(seteuid(UID) == 0); /* as in a set-user-ID program */
    CHECK_OK(lipc_peer_policy_check(&same_user, UID, NULL));
    CHECK_ERROR(LIPC_EACCES, lipc_peer_policy_check(&same_user, 0, NULL));
    CHECK(seteuid(0) == 0);
    ready();
}

TEST(the_same_user_is_the_effective_one) {
    NEEDS_ROOT();
    join(start(check_as_effective_user, NULL));
}

TEST(a_list_admits_its_users_besides_the_sets) {
    static const uint32_t uids[] = {7, UID, 7, 70000, UINT32_MAX};
    for (size_t count = 0; count <= sizeof uids / sizeof *uids; count++) {
        lipc_peer_policy policy = list_of(uids, count);
        CHECK_ERROR(count >= 1 ? 0 : LIPC_EACCES, lipc_peer_policy_check(&policy, 7, NULL));
        CHECK_ERROR(count >= 2 ? 0 : LIPC_EACCES, lipc_peer_policy_check(&policy, UID, NULL));
        CHECK_ERROR(count >= 4 ? 0 : LIPC_EACCES, lipc_peer_policy_check(&policy, 70000, NULL));
        CHECK_ERROR(LIPC_EACCES, lipc_peer_policy_check(&policy, OTHER_UID, NULL));
        CHECK_ERROR(LIPC_EACCES, lipc_peer_policy_check(&policy, -1, NULL)); /* not the last */
        policy.peers = LIPC_PEERS_ADMIN;
        CHECK_OK(lipc_peer_policy_check(&policy, 0, NULL));
    }
}

TEST(users_of_other_systems_admit_nobody_here) {
    static const char *const sids[] = {"S-1-5-18"};
    lipc_peer_policy policy = {.size = sizeof policy, .sids = sids, .sid_count = 1};
    CHECK_ERROR(LIPC_EACCES, lipc_peer_policy_check(&policy, geteuid(), "S-1-5-18"));
}

/* A policy of a program that was built against a later version. */
typedef struct later_policy {
    lipc_peer_policy known;
    uint64_t unknown;
} later_policy;

TEST(a_policy_that_is_invalid_is_refused_wherever_it_is_given) {
    static const struct {
        const char *name;
        later_policy policy;
        int error;
    } rows[] = {
        {"another bit", {{.size = sizeof nobody, .peers = 8}, 0}, LIPC_EINVAL},
        {"another bit beside one", {{.size = sizeof nobody, .peers = LIPC_PEERS_ANY | 0x100}, 0}, LIPC_EINVAL},
        {"a negative set", {{.size = sizeof nobody, .peers = -1}, 0}, LIPC_EINVAL},
        {"no size", {{.peers = LIPC_PEERS_ANY}, 0}, LIPC_EINVAL},
        {"too small", {{.size = sizeof(size_t) - 1}, 0}, LIPC_EINVAL},
        {"a missing list", {{.size = sizeof nobody, .uid_count = 1}, 0}, LIPC_EINVAL},
        {"a missing list of other systems", {{.size = sizeof nobody, .sid_count = 1}, 0}, LIPC_EINVAL},
        {"something unknown", {{.size = sizeof(later_policy), .peers = LIPC_PEERS_ANY}, 1}, LIPC_ENOTSUP},
    };
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name), *second;
    lipc_handle client = connect_to(&name), handle;
    lipc_name other = name_for(LIPC_NAME_PATH, "o");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const lipc_peer_policy *policy = &rows[i].policy.known;
        lipc_listen_options listen_options = {.size = sizeof listen_options, .clients = policy};
        lipc_connect_options connect_options = {.size = sizeof connect_options, .server = policy};
        test_row = rows[i].name;
        CHECK_ERROR(rows[i].error, lipc_peer_policy_check(policy, geteuid(), NULL));
        CHECK_ERROR(rows[i].error, lipc_peer_check(client, policy));
        CHECK_ERROR(rows[i].error, lipc_connect(&name, &connect_options, 0, &handle));
        CHECK_ERROR(rows[i].error, lipc_listen(&other, &listen_options, &second));
        CHECK_ERROR(rows[i].error, lipc_listener_adopt(lipc_listener_handle(listener), &listen_options, &second));
        CHECK(!exists("o"));
    }
    later_policy fine = {{.size = sizeof(later_policy), .peers = LIPC_PEERS_SAME_USER}, 0};
    lipc_peer_policy begun = {.size = offsetof(lipc_peer_policy, uid_count), .peers = LIPC_PEERS_SAME_USER,
                              .uid_count = 1}; /* what an earlier version may know */
    CHECK_OK(lipc_peer_check(client, &fine.known));
    CHECK_OK(lipc_peer_check(client, &begun));
    CHECK_OK(lipc_close(client));
    lipc_listener_close(listener);
}

TEST(the_peer_of_a_connection_is_checked) {
    EACH_PAIR(kind, a, b) {
        CHECK_OK(lipc_peer_check(a, NULL));
        CHECK_OK(lipc_peer_check(a, &same_user));
        CHECK_ERROR(LIPC_EACCES, lipc_peer_check(b, &nobody));
    }
    int ends[2], unconnected = plain_socket(SOCK_STREAM, NULL, -1);
    CHECK(pipe(ends) == 0);
    CHECK_ERROR(LIPC_EBADF, lipc_peer_check(-1, &same_user));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_peer_check(ends[0], &same_user));
    CHECK_ERROR(LIPC_ENOTCONN, lipc_peer_check(unconnected, &same_user));
    close_all((lipc_handle[]){ends[0], ends[1], unconnected}, 3);
}

#ifdef __linux__

typedef struct mapping {
    const char *map;
    int64_t inside; /* the id that the process has there */
    bool known;
} mapping;

/* In a namespace that maps not all ids, one of them stands for the others. */
static void check_mapped(const void *argument) {
    const mapping *m = argument;
    const uint32_t list[] = {65534, (uint32_t)m->inside};
    lipc_peer_policy policy = list_of(list, 2), any = {.size = sizeof any, .peers = LIPC_PEERS_ANY};
    const int wanted = m->known ? 0 : LIPC_EACCES;
    if (m->map != NULL)
        CHECK(setresuid((uid_t)m->inside, (uid_t)m->inside, (uid_t)m->inside) == 0);
    CHECK_INT(m->inside, geteuid());
    CHECK_ERROR(wanted, lipc_peer_policy_check(&same_user, m->inside, NULL));
    CHECK_ERROR(wanted, lipc_peer_policy_check(&policy, m->inside, NULL));
    CHECK_OK(lipc_peer_policy_check(&any, m->inside, NULL));
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_ERROR(wanted, lipc_peer_check(a, &same_user));
    CHECK_ERROR(wanted, lipc_peer_check(a, &policy));
    CHECK_OK(lipc_peer_check(a, &any));
    close_all((lipc_handle[]){a, b}, 2);
    ready();
}

TEST(an_id_that_may_stand_for_others_is_admitted_only_by_a_policy_that_admits_everybody) {
    NEEDS_ROOT();
    static const mapping rows[] = {
        {NULL, 65534, false},        {"0 0 65536", 65534, false}, {"0 0 65536", 4001, true}, {"0 0 65536", 0, true},
        {"0 0 4294967295", 65534, true}, {"0 0 1000\n1000 1000 4294966295", 65534, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[32];
        snprintf(row, sizeof row, "row %zu", i);
        test_row = row;
        join(start_mapped(check_mapped, &rows[i], rows[i].map));
    }
}

#endif

/* ------------------------------------------ Clients --------------------------------------------- */

static lipc_listener *listen_for(const lipc_name *name, int kind, const lipc_peer_policy *clients) {
    lipc_listen_options options = {.size = sizeof options, .kind = kind, .mode = 0666, .clients = clients};
    lipc_listener *listener = NULL;
    CHECK_OK(lipc_listen(name, &options, &listener));
    return listener;
}

static lipc_handle connect_kind(const lipc_name *name, int kind) {
    lipc_connect_options options = {.size = sizeof options, .kind = kind};
    lipc_handle handle = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_connect(name, &options, WAIT, &handle));
    return handle;
}

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

/* ------------------------------------------ Servers --------------------------------------------- */

typedef struct service {
    const lipc_name *name;
    int kind;
    uid_t user;
} service;

/* Listens as another user, and checks of each client that it writes nothing. */
static void serve_as(const void *argument) {
    const service *s = argument;
    become(s->user, s->user, 0);
    lipc_listener *listener = listen_for(s->name, s->kind, NULL);
    ready();
    for (;;) {
        lipc_handle server;
        CHECK_OK(lipc_accept(listener, -1, NULL, &server));
        check_end(s->kind, server);
        CHECK_OK(lipc_close(server));
    }
}

TEST(a_client_refuses_a_server_that_its_policy_does_not_admit) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 01777) == 0);
    static const uint32_t listed[] = {UID}, others[] = {OTHER_UID, NOBODY};
    const struct {
        const char *name;
        lipc_peer_policy policy;
        bool admitted[2]; /* the server is another user, or root */
    } rows[] = {
        {"the same user", same_user, {false, true}},
        {"root", {.size = sizeof same_user, .peers = LIPC_PEERS_ADMIN}, {false, true}},
        {"listed", list_of(listed, 1), {true, false}},
        {"others listed", list_of(others, 2), {false, false}},
        {"listed, or root", {.size = sizeof same_user, .peers = LIPC_PEERS_ADMIN, .uids = listed, .uid_count = 1},
         {true, true}},
        {"anybody", {.size = sizeof same_user, .peers = LIPC_PEERS_ANY}, {true, true}},
        {"nobody", nobody, {false, false}},
    };
    for (int type = LIPC_NAME_PATH; type <= (ABSTRACT_NAMES ? LIPC_NAME_NAMESPACED : LIPC_NAME_PATH); type++)
        for (int i = 0; i < KINDS; i++)
            for (int root = 0; root < 2; root++) {
                lipc_name name = name_for(type, "s");
                pid_t process = start(serve_as, &(service){&name, kinds[i], root ? 0 : UID});
                for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
                    lipc_connect_options options = {.size = sizeof options, .kind = kinds[i],
                                                    .server = &rows[j].policy};
                    lipc_handle client;
                    test_row = rows[j].name;
                    memset(&client, UNTOUCHED, sizeof client);
                    int r = lipc_connect(&name, &options, WAIT, &client);
                    CHECK_ERROR(rows[j].admitted[root] ? 0 : LIPC_EACCES, r);
                    if (r < 0)
                        CHECK(is_untouched(&client, sizeof client));
                    else
                        CHECK_OK(lipc_close(client));
                }
                CHECK_OK(lipc_close(connect_kind(&name, kinds[i]))); /* by default anybody may be the server */
                kill_hard(process);
                if (type == LIPC_NAME_PATH)
                    CHECK(unlink(name.text) == 0 && unlink(in_directory("s.lock")) == 0);
            }
}

/* The directory is safe, but the server, which got the socket from this user, is another. */
static void listen_in_our_place(const void *fd) {
    become(UID, UID, 0);
    CHECK(listen(*(const int *)fd, 5) == 0);
    ready();
    stay();
}

TEST(a_server_of_a_users_name_has_to_be_that_user) {
    NEEDS_ROOT();
    lipc_name name = name_for(LIPC_NAME_USER, "s");
    char leaf[100];
    lipc_handle client;
    snprintf(leaf, sizeof leaf, "lipc/%.80s", name.text);
    CHECK(mkdir(in_directory("lipc"), 0700) == 0);
    int fd = plain_socket(SOCK_STREAM, leaf, -1);
    pid_t process = start(listen_in_our_place, &fd);
    CHECK_ERROR(LIPC_EACCES, lipc_connect(&name, NULL, WAIT, &client));
    lipc_peer_policy any = {.size = sizeof any, .peers = LIPC_PEERS_ANY};
    lipc_connect_options options = {.size = sizeof options, .server = &any};
    CHECK_OK(lipc_connect(&name, &options, WAIT, &client));
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(client, &same_user));
    CHECK_OK(lipc_close(client));
    kill_hard(process);
    CHECK(close(fd) == 0);
    remove_file(leaf);
}
