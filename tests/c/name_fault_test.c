/* What other users may do to names at the worst moment, and what is so at every moment. The seam, csrc/sys.h, makes it
 * happen at that moment. */
#include "fixture.h"

enum { UID = 4001, GROUP = 4005 };

static const char *moment;   /* the call before which it happens (a prefix); NULL: none, or it has happened */
static int passes;           /* how many such calls come before it */
static void (*happen)(void);
static int fail_with;        /* the errno to fail that call with, or 0 */
static void (*at_each_call)(const char *call);

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    if (at_each_call != NULL)
        at_each_call(call);
    if (moment == NULL || strncmp(call, moment, strlen(moment)) != 0 || passes-- > 0)
        return 0;
    moment = NULL;
    if (happen != NULL)
        happen();
    errno = fail_with;
    return fail_with != 0;
}

static void let_happen(const char *before, void (*what)(void)) {
    moment = before;
    passes = 0;
    happen = what;
}

/* ------------------------------------------ Clients --------------------------------------------- */

static const lipc_peer_policy same_user = {.size = sizeof same_user, .peers = LIPC_PEERS_SAME_USER};

/* A server of another user, which lets everybody in. */
static void serve_everybody(const void *leaf) {
    become(UID, UID, 0);
    plain_socket(SOCK_STREAM, leaf, 5);
    CHECK(chmod(in_directory(leaf), 0777) == 0);
    ready();
    stay();
}

static char taken[64]; /* the file of the user's server, in the test's directory */

static void the_socket_is_replaced(void) {
    CHECK(rename(in_directory("theirs/s"), in_directory(taken)) == 0);
}

static void the_directory_becomes_a_link(void) {
    CHECK(rename(in_directory("lipc"), in_directory("aside")) == 0);
    CHECK(symlink("theirs", in_directory("lipc")) == 0);
}

/* That takes a directory that others can write to, or a user who fell for one. */
TEST(a_server_that_takes_anothers_place_before_a_client_connects_is_refused) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    static const struct {
        const char *name;
        void (*what)(void);
        int type;
    } rows[] = {{"the socket of a user's name", the_socket_is_replaced, LIPC_NAME_USER},
                {"the directory of a user's name", the_directory_becomes_a_link, LIPC_NAME_USER},
                {"the socket of a path", the_socket_is_replaced, LIPC_NAME_PATH}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        lipc_name name;
        lipc_handle client;
        if (rows[i].type == LIPC_NAME_USER)
            CHECK_OK(lipc_name_user("s", LIPC_STRLEN, &name));
        else
            name = name_for(LIPC_NAME_PATH, "s");
        snprintf(taken, sizeof taken, "%s", rows[i].type == LIPC_NAME_USER ? "lipc/s" : "s");
        CHECK(mkdir(in_directory("theirs"), 0755) == 0 && chown(in_directory("theirs"), UID, UID) == 0);
        pid_t process = start(serve_everybody, "theirs/s");
        lipc_listener *listener = listen_on(&name);
        lipc_connect_options options = {.size = sizeof options,
                                        .server = rows[i].type == LIPC_NAME_USER ? NULL : &same_user};
        CHECK_OK(lipc_connect(&name, &options, WAIT, &client));
        CHECK_OK(lipc_close(client));
        memset(&client, UNTOUCHED, sizeof client);
        let_happen("connect(", rows[i].what);
        CHECK_ERROR(LIPC_EACCES, lipc_connect(&name, &options, WAIT, &client));
        CHECK(moment == NULL && is_untouched(&client, sizeof client));
        kill_hard(process);
        lipc_listener_close(listener);
        if (rows[i].what == the_directory_becomes_a_link)
            CHECK(unlink(in_directory("lipc")) == 0 && rename(in_directory("aside"), in_directory("lipc")) == 0);
        unlink(in_directory(taken));
        unlink(in_directory("theirs/s"));
        CHECK(rmdir(in_directory("theirs")) == 0);
    }
}

TEST(a_client_is_refused_if_the_system_does_not_say_who_it_is) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listen_options options = {.size = sizeof options, .clients = &same_user};
    lipc_listener *listener;
    lipc_handle server, client;
    char byte;
    CHECK_OK(lipc_listen(&name, &options, &listener));
    lipc_connect_options connect_options = {.size = sizeof connect_options, .server = &same_user};
    for (int i = 0; i < 2; i++) { /* the second time it is asked again */
        CHECK_OK(lipc_connect(&name, NULL, WAIT, &client));
        moment = "getsockopt(fd, ";
        passes = i;
        fail_with = ENOBUFS;
        CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
        CHECK_INT(0, lipc_read(client, &byte, 1, WAIT));
        CHECK_OK(lipc_close(client));
        moment = "getsockopt(fd, ";
        passes = i;
        CHECK(lipc_connect(&name, &connect_options, WAIT, &client) < 0);
        CHECK(lipc_accept(listener, 0, NULL, &server) == 0 && lipc_close(server) == 0);
    }
    lipc_listener_close(listener);
}

#ifdef __linux__

static int mapping[2], mapped[2]; /* pipes */

static void the_map_is_written(void) {
    char byte;
    CHECK(write(mapping[1], "", 1) == 1 && read(mapped[0], &byte, 1) == 1);
}

static void check_a_peer_that_gets_an_id(const void *unused) {
    (void)unused;
    static const uint32_t uids[] = {65534};
    lipc_peer_policy policy = {.size = sizeof policy, .uids = uids, .uid_count = 1};
    lipc_handle a, b;
    CHECK(unshare(CLONE_NEWUSER) == 0);
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    ready();
    let_happen("open(path", the_map_is_written);
    passes = 1; /* the second look is at the map */
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(a, &policy));
    CHECK(moment == NULL);
    CHECK_INT(0, geteuid());
    close_all((lipc_handle[]){a, b}, 2);
}

TEST(a_peer_is_not_admitted_for_an_id_that_it_had_before_the_namespace_got_its_map) {
    NEEDS_ROOT();
    char byte;
    CHECK(pipe(mapping) == 0 && pipe(mapped) == 0);
    pid_t process = start(check_a_peer_that_gets_an_id, NULL);
    CHECK(close(mapping[1]) == 0);
    CHECK(read(mapping[0], &byte, 1) == 1);
    write_map(process, "uid_map", "0 0 4294967295");
    CHECK(write(mapped[1], "", 1) == 1);
    join(process);
    close_all((lipc_handle[]){mapping[0], mapped[0], mapped[1]}, 3);
}

#endif

/* ----------------------------------------- Directories ------------------------------------------ */

static void a_link_takes_the_name(void) {
    CHECK(symlink("precious", in_directory("lipc")) == 0);
}

static void the_new_directory_becomes_a_link(void) {
    CHECK(rmdir(in_directory("lipc")) == 0);
    a_link_takes_the_name();
}

static void another_user_takes_the_name(void) {
    CHECK(mkdir(in_directory("lipc"), 0700) == 0 && (geteuid() != 0 || chown(in_directory("lipc"), UID, UID) == 0));
    CHECK(geteuid() == 0 || chmod(in_directory("lipc"), 0777) == 0);
}

TEST(nothing_is_made_or_changed_through_what_takes_the_directorys_name) {
    static const struct {
        const char *name, *moment;
        void (*what)(void);
    } rows[] = {
        {"a link, before it is made", "mkdir(", a_link_takes_the_name},
        {"another user's, before it is made", "mkdir(", another_user_takes_the_name},
#if ABSTRACT_NAMES
        {"a link, before it is looked at", "openat(", the_new_directory_becomes_a_link},
        {"a link, before its mode is set", "lipc__sys_fchmodat2(", the_new_directory_becomes_a_link},
#else
        {"a link, before it is looked at", "fstatat(", the_new_directory_becomes_a_link},
        {"a link, before its mode is set", "fchmodat(", the_new_directory_becomes_a_link},
#endif
    };
    CHECK(mkdir(in_directory("precious"), 0755) == 0 && chmod(in_directory("precious"), 0755) == 0);
    lipc_name name = name_for(LIPC_NAME_USER, "s");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stat st;
        char last[300];
        lipc_listener *listener;
        test_row = rows[i].name;
        let_happen(rows[i].moment, rows[i].what);
        CHECK(lipc_listen(&name, NULL, &listener) < 0);
        CHECK(moment == NULL);
        CHECK(stat(in_directory("precious"), &st) == 0);
        CHECK_INT(0755, st.st_mode & 07777);
        CHECK_INT(0, test_entries(in_directory("precious"), last, sizeof last));
        CHECK(remove(in_directory("lipc")) == 0); /* a directory would have to be empty */
    }
    CHECK(rmdir(in_directory("precious")) == 0);
}

/* ------------------------------------------- Groups --------------------------------------------- */

/* Before each call: as soon as the file lets others in than its owner, it lets in the group alone, and that is the one
 * asked for. Where bind(2) takes the mode from the umask, that holds from listen(2) on. */
static void check_access(const char *call) {
    struct stat st;
    if (stat(in_directory("s"), &st) < 0 || (!ABSTRACT_NAMES && strncmp(call, "listen(", 7) != 0))
        return;
    const mode_t others = st.st_mode & 077;
    if (others != 0)
        CHECK(others == 060 && st.st_gid == GROUP);
    if (strncmp(call, "listen(", 7) == 0)
        CHECK(others == 060);
}

TEST(a_socket_file_lets_in_no_other_group_at_any_moment) {
    NEEDS_ROOT();
    static const int kinds[] = {LIPC_STREAM, LIPC_MESSAGE, LIPC_DATAGRAM};
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++) {
            lipc_name name = name_for(LIPC_NAME_PATH, "s");
            lipc_listen_options options = {.size = sizeof options, .kind = kinds[i], .mode = 0660,
                                           .group = &(uint32_t){GROUP}};
            lipc_listener *listener;
            struct stat st;
            umask(masks[j]);
            at_each_call = check_access;
            CHECK_OK(lipc_listen(&name, &options, &listener));
            at_each_call = NULL;
            CHECK(stat(in_directory("s"), &st) == 0);
            CHECK_INT(0660, st.st_mode & 0777);
            CHECK_INT(GROUP, st.st_gid);
            lipc_listener_close(listener);
        }
}

static void the_file_becomes_a_link(void) {
    CHECK(unlink(in_directory("s")) == 0 && symlink("precious", in_directory("s")) == 0);
}

TEST(no_other_file_is_given_to_the_group) {
    NEEDS_ROOT();
    int precious = open(in_directory("precious"), O_CREAT | O_WRONLY, 0600);
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listen_options options = {.size = sizeof options, .mode = 0660, .group = &(uint32_t){GROUP}};
    lipc_listener *listener;
    struct stat st;
    let_happen("fchownat(", the_file_becomes_a_link);
    CHECK(precious >= 0 && lipc_listen(&name, &options, &listener) < 0);
    CHECK(moment == NULL);
    CHECK(fstat(precious, &st) == 0);
    CHECK_INT(0600, st.st_mode & 0777);
    CHECK(st.st_gid != GROUP);
    CHECK(close(precious) == 0);
    remove_file("s");
    remove_file("precious");
}
