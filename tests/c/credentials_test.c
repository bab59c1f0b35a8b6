/* Who the peer is, and who may connect. */
#include "fixture.h"

static void check_credentials(lipc_handle handle, int64_t pid, int64_t uid, int64_t gid) {
    lipc_credentials got;
    memset(&got, UNTOUCHED, sizeof got);
    CHECK_OK(lipc_peer_credentials(handle, &got));
    if (got.pid != -1) /* not every system reports it */
        CHECK_INT(pid, got.pid);
#ifdef __linux__
    CHECK_INT(pid, got.pid);
#endif
    CHECK_INT(uid, got.uid);
    CHECK_INT(gid, got.gid);
    for (size_t i = 0; i < sizeof got.reserved / sizeof *got.reserved; i++)
        CHECK_INT(-1, got.reserved[i]);
}

static void connect_and_stay(const void *name) {
    lipc_handle client = connect_to(name);
    check_credentials(client, getppid(), geteuid(), getegid()); /* of the process that listens */
    ready();
    stay();
}

TEST(the_peer_is_the_process_that_connected_or_listened) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        pid_t process = start(connect_and_stay, &name);
        lipc_handle server = accept_from(listener);
        check_credentials(server, process, geteuid(), getegid());
        kill_hard(process);
        check_credentials(server, process, geteuid(), getegid());
        CHECK_OK(lipc_close(server));
        lipc_listener_close(listener);
    }
}

TEST(the_peer_in_a_pair_is_the_process_that_made_it) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    check_credentials(a, getpid(), geteuid(), getegid());
    check_credentials(b, getpid(), geteuid(), getegid());
    close_all((lipc_handle[]){a, b}, 2);
}

enum { UID = 4001, GID = 4002, OTHER_GID = 4003 };
static const gid_t many[] = {11, 33, 4002, 70000};
enum { MANY = sizeof many / sizeof *many };

static void connect_as_another_with_groups(const void *name) {
    CHECK(setgroups(MANY, many) == 0 && setgid(GID) == 0 && setuid(UID) == 0);
    connect_to(name);
    ready();
    stay();
}

TEST(another_user_is_reported_with_its_groups) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    EACH_NAME_TYPE(type) {
        if (is_in_user_directory(type))
            continue;
        lipc_name name = name_for(type, "s");
        lipc_listen_options options = {.size = sizeof options, .mode = 0666};
        lipc_listener *listener;
        CHECK_OK(lipc_listen(&name, &options, &listener));
        pid_t process = start(connect_as_another_with_groups, &name);
        lipc_handle server = accept_from(listener);
        check_credentials(server, process, UID, GID);
#ifdef __linux__
        uint32_t groups[MANY + 2];
        for (size_t capacity = 0; capacity <= MANY + 2; capacity++) {
            size_t stored = capacity < MANY ? 0 : MANY; /* all of them or none */
            memset(groups, UNTOUCHED, sizeof groups);
            CHECK_INT(MANY, lipc_peer_groups(server, capacity, groups));
            for (size_t i = 0; i < stored; i++)
                CHECK_INT(many[i], groups[i]);
            CHECK(is_untouched(groups + stored, sizeof groups - stored * sizeof *groups));
        }
        CHECK_INT(MANY, lipc_peer_groups(server, SIZE_MAX, groups));
        CHECK_INT(MANY, lipc_peer_groups(server, 0, NULL));
#endif
        kill_hard(process);
        CHECK_OK(lipc_close(server));
        lipc_listener_close(listener);
    }
}

static void connect_and_then_become_another(const void *name) {
    connect_to(name);
    become(UID, GID, OTHER_GID);
    ready();
    stay();
}

TEST(credentials_stay_as_they_were_when_the_peer_connected) {
    NEEDS_ROOT();
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    pid_t process = start(connect_and_then_become_another, &name);
    lipc_handle server = accept_from(listener);
    check_credentials(server, process, geteuid(), getegid());
    kill_hard(process);
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

TEST(the_groups_are_those_of_the_process) {
    gid_t own[1024];
    int n = getgroups(1024, own);
    uint32_t groups[1024];
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    int got = lipc_peer_groups(a, 1024, groups);
#ifdef __linux__
    CHECK_INT(n, got);
#else
    CHECK(lipc_error_code(got) == LIPC_ENOTSUP || (got >= 0 && got <= n));
#endif
    for (int i = 0; i < got; i++) {
        bool found = false;
        for (int j = 0; j < n; j++)
            found = found || own[j] == groups[i];
        CHECK(found);
    }
    if (got >= 0)
        CHECK_INT(got, lipc_peer_groups(a, 0, NULL));
    close_all((lipc_handle[]){a, b}, 2);
}

TEST(what_has_no_peer_has_no_credentials) {
    int pipe_ends[2], unconnected = plain_socket(SOCK_STREAM, NULL, -1);
    CHECK(pipe(pipe_ends) == 0);
    const struct {
        const char *name;
        int fd, error;
    } rows[] = {{"no handle", -1, LIPC_EBADF},
                {"closed", 1 << 20, LIPC_EBADF},
                {"a pipe", pipe_ends[0], LIPC_ENOTSOCK},
                {"unconnected", unconnected, LIPC_ENOTCONN}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_credentials credentials;
        uint32_t groups[4];
        test_row = rows[i].name;
        memset(&credentials, UNTOUCHED, sizeof credentials);
        memset(groups, UNTOUCHED, sizeof groups);
        CHECK_ERROR(rows[i].error, lipc_peer_credentials(rows[i].fd, &credentials));
        CHECK(is_untouched(&credentials, sizeof credentials));
        int r = lipc_peer_groups(rows[i].fd, 4, groups);
        if (lipc_error_code(r) != LIPC_ENOTSUP)
            CHECK_ERROR(rows[i].error, r);
        CHECK(is_untouched(groups, sizeof groups));
    }
    close_all((lipc_handle[]){pipe_ends[0], pipe_ends[1], unconnected}, 3);
}

/* ------------------------------------------ Admission ------------------------------------------- */

typedef struct client {
    const char *name;
    uid_t uid;
    gid_t gid, supplementary;
    uint32_t needs; /* write bits of the mode: each of them admits it; 0: it is always admitted */
    lipc_name *to;
    bool admitted;
} client;

enum { OWNER = 4004, GROUP = 4005 };

static void try_to_connect(const void *argument) {
    const client *c = argument;
    lipc_handle connection;
    become(c->uid, c->gid, c->supplementary);
    int r = lipc_connect(c->to, NULL, WAIT, &connection);
    if (c->admitted || c->to->type == LIPC_NAME_NAMESPACED)
        CHECK_OK(r);
    else
        CHECK_ERROR(LIPC_EACCES, r);
    ready();
    if (r < 0)
        return;
    char byte; /* the connection of a client that is not admitted ends */
    CHECK_INT(c->admitted, lipc_read(connection, &byte, 1, WAIT));
}

TEST(the_mode_says_who_may_connect) {
    NEEDS_ROOT();
    static const uint32_t modes[] = {0, 0600, 0620, 0602, 0640, 0604, 0660, 0666, 0622, 0777};
    client clients[] = {
        {.name = "the owner", .uid = OWNER, .gid = OTHER_GID},
        {.name = "root", .uid = 0, .gid = OTHER_GID},
        {.name = "one of the group", .uid = UID, .gid = GROUP, .needs = 0020},
        {.name = "one of the group as another of its groups", .uid = UID, .gid = GID, .supplementary = GROUP,
         .needs = 0020},
        {.name = "anyone", .uid = UID, .gid = GID, .supplementary = OTHER_GID, .needs = 0002},
    };
    CHECK(chown(test_directory, OWNER, GROUP) == 0 && chmod(test_directory, 0755) == 0);
    for (int type = LIPC_NAME_PATH; type <= (ABSTRACT_NAMES ? LIPC_NAME_NAMESPACED : LIPC_NAME_PATH); type++)
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            CHECK(setegid(GROUP) == 0 && seteuid(OWNER) == 0);
            lipc_name name = name_for(type, "s");
            lipc_listen_options options = {.size = sizeof options, .mode = modes[i]};
            lipc_listener *listener;
            CHECK_OK(lipc_listen(&name, &options, &listener));
            for (size_t j = 0; j < sizeof clients / sizeof *clients; j++) {
                client *c = &clients[j];
                char row[100];
                snprintf(row, sizeof row, "type %d, mode %03o, %s", type, (unsigned)modes[i], c->name);
                test_row = row;
                c->to = &name;
                /* A file that lets others in and not its group keeps the group out; without a file what all
                 * may do the group may too. */
                c->admitted = c->needs == 0 || (modes[i] & c->needs) != 0 ||
                              (type == LIPC_NAME_NAMESPACED && (modes[i] & 0002) != 0);
                pid_t process = start(try_to_connect, c);
                lipc_handle server;
                int r = lipc_accept(listener, 0, NULL, &server);
                if (!c->admitted) {
                    CHECK_ERROR(type == LIPC_NAME_NAMESPACED ? LIPC_EACCES : LIPC_EAGAIN, r);
                } else {
                    CHECK_OK(r);
                    CHECK_INT(1, lipc_write(server, "x", 1, WAIT));
                    CHECK_OK(lipc_close(server));
                }
                join(process);
            }
            lipc_listener_close(listener);
            CHECK(seteuid(0) == 0 && setegid(0) == 0);
        }
    CHECK(chown(test_directory, 0, 0) == 0);
}

TEST(an_adopted_listener_admits_as_its_options_say) {
    NEEDS_ROOT();
    if (!ABSTRACT_NAMES)
        return; /* the mode of a file does it */
    const mode_t modes[] = {0, 0666};
    for (size_t i = 0; i < 2; i++) {
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        lipc_listener *first = listen_on(&name), *second;
        lipc_handle handle, server;
        CHECK_OK(lipc_duplicate(lipc_listener_handle(first), &handle));
        lipc_listen_options options = {.size = sizeof options, .mode = modes[i]};
        CHECK_OK(lipc_listener_adopt(handle, &options, &second));
        lipc_listener_close(first);
        client stranger = {.name = "stranger", .uid = UID, .gid = GID, .supplementary = OTHER_GID, .to = &name,
                           .admitted = modes[i] != 0};
        pid_t process = start(try_to_connect, &stranger);
        int r = lipc_accept(second, 0, NULL, &server);
        if (stranger.admitted) {
            CHECK_OK(r);
            CHECK_INT(1, lipc_write(server, "x", 1, WAIT));
            CHECK_OK(lipc_close(server));
        } else {
            CHECK_ERROR(LIPC_EACCES, r);
            CHECK_ERROR(LIPC_EAGAIN, lipc_accept(second, 0, NULL, &server));
        }
        join(process);
        lipc_listener_close(second);
    }
}

#if ABSTRACT_NAMES

/* A server in a user namespace of its own. */
typedef struct secluded {
    const char *map; /* of users and groups, NULL: none is mapped */
    id_t inside;     /* the server's user and group, as it sees them */
    id_t outside;    /* those of the client, as they are outside */
    bool admitted;
} secluded;

static lipc_name secluded_names[2];

static void serve_in_a_user_namespace(const void *argument) {
    const secluded *s = argument;
    const mode_t modes[] = {0600, 0660};
    if (s->map != NULL)
        CHECK(setresgid(s->inside, s->inside, s->inside) == 0 && setresuid(s->inside, s->inside, s->inside) == 0);
    CHECK_INT(s->inside, geteuid());
    lipc_listener *listeners[2];
    for (int i = 0; i < 2; i++) {
        lipc_listen_options options = {.size = sizeof options, .mode = modes[i]};
        CHECK_OK(lipc_listen(&secluded_names[i], &options, &listeners[i]));
    }
    ready();
    for (int i = 0; i < 2; i++) {
        lipc_handle connection;
        int r;
        while (lipc_error_code(r = lipc_accept(listeners[i], 0, NULL, &connection)) == LIPC_EAGAIN)
            usleep(100);
        CHECK_ERROR(s->admitted ? 0 : LIPC_EACCES, r);
        if (r >= 0)
            CHECK(lipc_write(connection, "x", 1, WAIT) == 1 && lipc_close(connection) == 0);
    }
}

/* Ids that are not mapped appear as 65534. */
TEST(in_a_user_namespace_nobody_is_admitted_for_an_id_that_may_be_anybodys) {
    NEEDS_ROOT();
    const char *all = "0 0 4294967295", *some = "0 0 65536";
    const secluded rows[] = {
        {NULL, 65534, 4001, false},   {NULL, 65534, 65534, false}, {some, 65534, 70000, false},
        {some, 65534, 65534, false}, /* it cannot be told from the one before */
        {some, 4001, 70000, false},   {some, 4001, 4001, true},    {some, 0, 70000, false},
        {all, 65534, 65534, true},    {all, 65534, 70000, false},
        {"0 0 1000\n1000 1000 4294966295", 65534, 65534, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        secluded_names[0] = name_for(LIPC_NAME_NAMESPACED, "a");
        secluded_names[1] = name_for(LIPC_NAME_NAMESPACED, "b");
        char row[64];
        snprintf(row, sizeof row, "row %zu", i);
        test_row = row;
        pid_t server = start_mapped(serve_in_a_user_namespace, &rows[i], rows[i].map);
        for (int j = 0; j < 2; j++) {
            client c = {.uid = rows[i].outside, .gid = rows[i].outside, .supplementary = rows[i].outside,
                        .to = &secluded_names[j], .admitted = rows[i].admitted};
            join(start(try_to_connect, &c));
        }
        join(server);
    }
}

#endif
