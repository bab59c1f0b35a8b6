/* Policies: whom they admit, and which servers a client stays with. */
#include "policy.h"

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
