/* The group of a listener: its members may connect, and nobody else gets in by it. */
#include "fixture.h"

enum { UID = 4001, OWNER = 4004, GROUP = 4005, OTHER_GROUP = 4006 };

typedef struct client {
    const char *name;
    uid_t uid;
    gid_t gid, supplementary;
    bool admitted;
    const lipc_name *to;
    int kind;
} client;

/* The group of the process that listens is OTHER_GROUP. */
static const client clients[] = {
    {.name = "root", .uid = 0, .gid = 0, .admitted = true},
    {.name = "the owner", .uid = OWNER, .gid = NOBODY, .admitted = true},
    {.name = "a member", .uid = UID, .gid = GROUP, .admitted = true},
    {.name = "a member by another of its groups", .uid = UID, .gid = NOBODY, .supplementary = GROUP, .admitted = true},
    {.name = "one of the group of the listening process", .uid = UID, .gid = OTHER_GROUP},
    {.name = "one of that by another of its groups", .uid = UID, .gid = NOBODY, .supplementary = OTHER_GROUP},
    {.name = "nobody", .uid = NOBODY, .gid = NOBODY},
};
enum { CLIENTS = sizeof clients / sizeof *clients };

static void try_to_connect(const void *argument) {
    const client *c = argument;
    lipc_connect_options options = {.size = sizeof options, .kind = c->kind};
    lipc_handle connection;
    char byte;
    become(c->uid, c->gid, c->supplementary);
    int r = lipc_connect(c->to, &options, WAIT, &connection);
    CHECK_ERROR(c->admitted || c->to->type == LIPC_NAME_NAMESPACED ? 0 : LIPC_EACCES, r);
    ready();
    if (r < 0 || c->kind == LIPC_DATAGRAM)
        return;
    int64_t n = c->kind == LIPC_STREAM ? lipc_read(connection, &byte, 1, WAIT)
                                       : lipc_receive(connection, &byte, 1, WAIT);
    CHECK_ERROR(c->admitted || c->kind == LIPC_STREAM ? 0 : LIPC_EEND, n);
    CHECK(n < 0 || n == c->admitted);
}

/* Lets a client try, and accepts it if it is to be admitted. */
static void check_client(lipc_listener *listener, const lipc_name *name, int kind, const client *who) {
    client c = *who;
    lipc_handle server;
    c.to = name;
    c.kind = kind;
    pid_t process = start(try_to_connect, &c);
    if (kind != LIPC_DATAGRAM) {
        int r = lipc_accept(listener, 0, NULL, &server);
        CHECK_ERROR(c.admitted ? 0 : name->type == LIPC_NAME_NAMESPACED ? LIPC_EACCES : LIPC_EAGAIN, r);
        if (r >= 0) {
            CHECK_INT(1, kind == LIPC_STREAM ? lipc_write(server, "x", 1, WAIT) : lipc_send(server, "x", 1, WAIT));
            CHECK_OK(lipc_close(server));
        }
    }
    join(process);
}

TEST(a_member_of_the_group_may_connect_and_others_may_not) {
    NEEDS_ROOT();
    const uint32_t group = GROUP;
    CHECK(chown(test_directory, OWNER, OWNER) == 0 && chmod(test_directory, 0755) == 0);
    for (int type = LIPC_NAME_PATH; type <= (ABSTRACT_NAMES ? LIPC_NAME_NAMESPACED : LIPC_NAME_PATH); type++)
        for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
            const int kind = fixture_kinds[i].kind;
            if (type == LIPC_NAME_NAMESPACED && kind == LIPC_DATAGRAM)
                continue; /* anybody can send to it */
            lipc_name name = name_for(type, "s");
            lipc_listen_options options = {.size = sizeof options, .mode = 0660, .kind = kind, .group = &group};
            lipc_listener *listener;
            CHECK(setgroups(1, &(gid_t){GROUP}) == 0 && setegid(OTHER_GROUP) == 0 && seteuid(OWNER) == 0);
            CHECK_OK(lipc_listen(&name, &options, &listener));
            if (type == LIPC_NAME_PATH) {
                struct stat st;
                CHECK(stat(name.text, &st) == 0);
                CHECK_INT(0660, st.st_mode & 0777);
                CHECK_INT(GROUP, st.st_gid);
                CHECK_INT(OWNER, st.st_uid);
            }
            for (size_t j = 0; j < CLIENTS; j++) {
                test_row = clients[j].name;
                check_client(listener, &name, kind, &clients[j]);
            }
            lipc_listener_close(listener);
            CHECK(seteuid(0) == 0 && setegid(0) == 0);
        }
    CHECK(chown(test_directory, 0, 0) == 0);
}

TEST(an_adopted_listener_admits_its_group) {
    NEEDS_ROOT();
    if (!ABSTRACT_NAMES)
        return; /* the file decides */
    const uint32_t group = GROUP;
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *first = listen_on(&name), *second;
    lipc_handle handle;
    lipc_listen_options options = {.size = sizeof options, .mode = 0660, .group = &group};
    CHECK_OK(lipc_duplicate(lipc_listener_handle(first), &handle));
    CHECK_OK(lipc_listener_adopt(handle, &options, &second));
    lipc_listener_close(first);
    for (size_t j = 0; j < CLIENTS; j++) {
        if (clients[j].uid == OWNER)
            continue; /* here it is root */
        test_row = clients[j].name;
        check_client(second, &name, LIPC_STREAM, &clients[j]);
    }
    lipc_listener_close(second);
}

TEST(a_mode_that_lets_in_no_group_lets_in_no_member) {
    NEEDS_ROOT();
    const uint32_t group = GROUP;
    CHECK(chmod(test_directory, 0755) == 0);
    for (int type = LIPC_NAME_PATH; type <= (ABSTRACT_NAMES ? LIPC_NAME_NAMESPACED : LIPC_NAME_PATH); type++) {
        lipc_name name = name_for(type, "s");
        lipc_listen_options options = {.size = sizeof options, .group = &group};
        lipc_listener *listener;
        client member = {.name = "a member", .uid = UID, .gid = GROUP};
        CHECK_OK(lipc_listen(&name, &options, &listener));
        check_client(listener, &name, LIPC_STREAM, &member);
        lipc_listener_close(listener);
    }
}

static void listen_for_groups(const void *unused) {
    (void)unused;
    const uint32_t own = OTHER_GROUP, supplementary = GROUP, foreign = 0;
    const struct {
        const uint32_t *group;
        int error;
    } rows[] = {{NULL, 0}, {&own, 0}, {&supplementary, 0}, {&foreign, LIPC_EACCES}};
    become(OWNER, OTHER_GROUP, GROUP);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof fixture_kinds / sizeof *fixture_kinds; j++)
            EACH_NAME_TYPE(type) {
                if (type == LIPC_NAME_NAMESPACED && ABSTRACT_NAMES)
                    continue;
                lipc_name name = name_for(type, "s");
                lipc_listen_options options = {.size = sizeof options, .mode = 0660, .kind = fixture_kinds[j].kind,
                                               .group = rows[i].group};
                lipc_listener *listener;
                char last[300];
                memset(&listener, UNTOUCHED, sizeof listener);
                CHECK_ERROR(rows[i].error, lipc_listen(&name, &options, &listener));
                if (rows[i].error == 0)
                    lipc_listener_close(listener);
                else
                    CHECK(is_untouched(&listener, sizeof listener));
                rmdir(in_directory("lipc"));
                CHECK_INT(0, test_entries(test_directory, last, sizeof last));
            }
    ready();
}

TEST(a_process_gives_a_file_only_to_its_own_groups) {
    NEEDS_ROOT();
    CHECK(chown(test_directory, OWNER, OTHER_GROUP) == 0);
    join(start(listen_for_groups, NULL));
    CHECK(chown(test_directory, 0, 0) == 0);
}

TEST(the_id_that_stands_for_no_group_is_refused) {
    const uint32_t none = UINT32_MAX;
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listen_options options = {.size = sizeof options, .group = &none};
        lipc_listener *listener;
        CHECK_ERROR(LIPC_EINVAL, lipc_listen(&name, &options, &listener));
        CHECK(!exists("s") && !exists("lipc"));
    }
}
