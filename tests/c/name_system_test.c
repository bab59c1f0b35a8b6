/* The directory of the system's names: only root makes it, and when it is refused. */
#include "directory.h"

#ifdef __linux__

static lipc_name systems_name(void) {
    lipc_name name;
    CHECK_OK(lipc_name_parse("system:s", LIPC_STRLEN, &name));
    return name;
}

static void connect_as(const void *user) {
    lipc_name name = systems_name();
    become(*(const uid_t *)user, *(const uid_t *)user, 0);
    CHECK_OK(lipc_close(connect_to(&name)));
    ready();
}

static void check_systems_directory(const void *mask) {
    lipc_name name = systems_name();
    static const uid_t users[] = {0, UID, NOBODY};
    for (int kind = 0; kind < KINDS; kind++) {
        lipc_listen_options options = {.size = sizeof options, .mode = 0666, .kind = kinds[kind]};
        lipc_listener *listener;
        umask(*(const mode_t *)mask);
        CHECK_OK(lipc_listen(&name, &options, &listener));
        check_directory("/run/lipc", 0755);
        CHECK(access("/run/lipc/s", F_OK) == 0);
        for (size_t i = 0; kinds[kind] == LIPC_STREAM && i < sizeof users / sizeof *users; i++) {
            pid_t process = start(connect_as, &users[i]);
            CHECK_OK(lipc_close(accept_from(listener)));
            join(process);
        }
        lipc_listener_close(listener);
        CHECK(rmdir("/run/lipc") == 0); /* nothing is left in it */
    }
}

TEST(root_makes_the_systems_directory_for_all_to_connect) {
    NEEDS_ROOT();
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        elsewhere(check_systems_directory, &masks[i]);
}

static void check_systems_refused(const void *row) {
    lipc_name name = systems_name();
    ((const obstruction *)row)->make("/run/lipc");
    check_refused(&name, "/run/lipc");
}

static void make_group_writable(const char *path) {
    CHECK(mkdir(path, 0755) == 0 && chmod(path, 0775) == 0);
}

static void make_another_users_0755(const char *path) {
    CHECK(mkdir(path, 0755) == 0 && chown(path, UID, UID) == 0);
}

TEST(a_systems_directory_that_another_user_could_change_is_refused) {
    NEEDS_ROOT();
    static const obstruction rows[] = {
        {make_group_writable, "writable by its group"}, {make_open_to_all, "open to all"}, {make_sticky, "sticky"},
        {make_another_users_0755, "another user's"},    {make_link, "a link"},             {make_file, "a file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        elsewhere(check_systems_refused, &rows[i]);
    }
}

static void check_narrow_directory(const void *unused) {
    (void)unused;
    lipc_name name = systems_name();
    CHECK(mkdir("/run/lipc", 0750) == 0); /* an administrator's wish */
    lipc_listener_close(listen_on(&name));
    check_directory("/run/lipc", 0750);
}

TEST(a_systems_directory_keeps_the_mode_that_an_administrator_gave_it) {
    NEEDS_ROOT();
    elsewhere(check_narrow_directory, NULL);
}

static void listen_as_nobody(const void *unused) {
    (void)unused;
    lipc_name name = systems_name();
    lipc_listener *listener;
    become(NOBODY, NOBODY, 0);
    for (int i = 0; i < KINDS; i++) {
        lipc_listen_options options = {.size = sizeof options, .kind = kinds[i]};
        CHECK_ERROR(LIPC_EACCES, lipc_listen(&name, &options, &listener));
    }
    ready();
}

static void check_listening_as_another(const void *run_mode) {
    char last[300];
    CHECK(chmod("/run", *(const mode_t *)run_mode) == 0);
    join(start(listen_as_nobody, NULL));
    CHECK(access("/run/lipc", F_OK) < 0);
    CHECK(mkdir("/run/lipc", 0755) == 0);
    join(start(listen_as_nobody, NULL));
    CHECK_INT(0, test_entries("/run/lipc", last, sizeof last));
}

TEST(only_root_can_listen_on_a_systems_name) {
    NEEDS_ROOT();
    static const mode_t run_modes[] = {0755, 01777}; /* a container's may be open to all */
    for (size_t i = 0; i < sizeof run_modes / sizeof *run_modes; i++)
        elsewhere(check_listening_as_another, &run_modes[i]);
}

/* The directory is safe, but the server, which got the socket from root, is another user. */
static void listen_in_roots_place(const void *fd) {
    become(UID, UID, 0);
    CHECK(listen(*(const int *)fd, 5) == 0);
    ready();
    stay();
}

static void be_refused(const void *user) {
    lipc_name name = systems_name();
    lipc_handle client;
    become(*(const uid_t *)user, *(const uid_t *)user, 0);
    CHECK_ERROR(LIPC_EACCES, lipc_connect(&name, NULL, WAIT, &client));
    lipc_peer_policy policy = {.size = sizeof policy, .uids = &(uint32_t){UID}, .uid_count = 1};
    lipc_connect_options options = {.size = sizeof options, .server = &policy};
    CHECK_OK(lipc_connect(&name, &options, WAIT, &client));
    CHECK_OK(lipc_close(client));
    ready();
}

static void check_server_that_is_not_root(const void *unused) {
    (void)unused;
    static const uid_t users[] = {0, UID, NOBODY};
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/lipc/s"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(mkdir("/run/lipc", 0755) == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(chmod("/run/lipc/s", 0666) == 0);
    pid_t process = start(listen_in_roots_place, &fd);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        join(start(be_refused, &users[i]));
    kill_hard(process);
    close(fd);
}

TEST(a_server_of_a_systems_name_has_to_be_root) {
    NEEDS_ROOT();
    elsewhere(check_server_that_is_not_root, NULL);
}

/* A container's root without /run and /tmp, and without /proc, unless the C library needs that: glibc's fchmodat(3). */
static void enter_an_empty_root(void) {
    hide_directories((const char *const[]){test_directory}, 1);
    CHECK(chroot(test_directory) == 0 && chdir("/") == 0);
    CHECK(ABSTRACT_NAMES || (mkdir("/proc", 0755) == 0 && mount("none", "/proc", "proc", 0, NULL) == 0));
}

static void check_without_run(const void *mask) {
    lipc_name name = systems_name(), user;
    lipc_handle client;
    lipc_listener *listener;
    enter_an_empty_root();
    unsetenv("XDG_RUNTIME_DIR");
    umask(*(const mode_t *)mask);
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, 0, &client));
    CHECK(access("/run", F_OK) < 0);
    lipc_listen_options options = {.size = sizeof options, .mode = 0666};
    CHECK_OK(lipc_listen(&name, &options, &listener));
    check_directory("/run", 0755);
    check_directory("/run/lipc", 0755);
    check_serves(listener, &name);
    lipc_listener_close(listener);
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &user));
    CHECK_ERROR(LIPC_ENOENT, lipc_listen(&user, NULL, &listener)); /* there is no /tmp either */
    CHECK(mkdir("/tmp", 0755) == 0 && chmod("/tmp", 01777) == 0);
    listener = listen_on(&user);
    check_directory("/tmp/lipc-0", 0700);
    check_serves(listener, &user);
    lipc_listener_close(listener);
    ready();
}

TEST(a_container_without_run_gets_it) {
    NEEDS_ROOT();
    static const mode_t masks[] = {0, 077, 0777};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        join(start(check_without_run, &masks[i]));
}

#endif
