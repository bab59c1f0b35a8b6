/* The directory of a user's names: which one it is, how it is made, and when it is refused. */
#include "directory.h"

/* ---------------------------------- What every user can test ------------------------------------ */

TEST(the_directory_is_made_for_its_user_alone_whatever_the_umask) {
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            lipc_listen_options options = {.size = sizeof options, .kind = kinds[kind]};
            lipc_name name = name_for(LIPC_NAME_USER, "s");
            lipc_listener *listener;
            umask(masks[i]);
            CHECK_OK(lipc_listen(&name, &options, &listener));
            check_directory(in_directory("lipc"), 0700);
            lipc_listener_close(listener);
            CHECK(rmdir(in_directory("lipc")) == 0); /* nothing is left in it */
        }
}

TEST(the_system_reports_a_users_name_as_the_path_of_its_location) {
    lipc_name name = name_for(LIPC_NAME_USER, "s"), told;
    char location[LIPC_NAME_CAPACITY];
    lipc_listener *listener = listen_on(&name);
    CHECK_OK(lipc_name_location(&name, location, sizeof location));
    CHECK_OK(lipc_local_name(lipc_listener_handle(listener), &told));
    CHECK_INT(LIPC_NAME_PATH, told.type);
    CHECK_STRING(location, told.text);
    lipc_listener_name(listener, &told);
    CHECK(same_name(&name, &told));
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    CHECK_OK(lipc_peer_name(client, &told));
    CHECK_STRING(location, told.text);
    close_all((lipc_handle[]){client, server}, 2);
    CHECK_OK(lipc_name_path(location, LIPC_STRLEN, &told));
    check_serves(listener, &told); /* as other programs reach it */
    lipc_listener_close(listener);
}

TEST(a_client_makes_no_directory) {
    lipc_name name = name_for(LIPC_NAME_USER, "s");
    lipc_handle client, datagrams;
    CHECK_OK(lipc_datagram(&datagrams));
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, 0, &client));
    CHECK_ERROR(LIPC_ENOENT, lipc_datagram_connect(datagrams, &name));
    CHECK_ERROR(LIPC_ENOENT, lipc_send_to(datagrams, "x", 1, &name, 0));
    CHECK(!exists("lipc"));
    CHECK_OK(lipc_close(datagrams));
}

TEST(namespaced_names_that_are_files_are_in_the_users_directory) {
    if (ABSTRACT_NAMES)
        return;
    lipc_name namespaced = name_for(LIPC_NAME_NAMESPACED, "s"), user = name_for(LIPC_NAME_USER, "s");
    lipc_listener *listener = listen_on(&namespaced), *second;
    check_serves(listener, &user);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&user, NULL, &second));
    lipc_listener_close(listener);
}

TEST(a_directory_that_became_too_long_for_a_name_is_an_error) {
    char longer[64], text[LIPC_NAME_CAPACITY];
    lipc_name name;
    lipc_listener *listener;
    lipc_handle client;
    memset(text, 'a', sizeof text);
    CHECK_OK(lipc_name_user(text, (size_t)lipc_name_limit(LIPC_NAME_USER), &name));
    snprintf(longer, sizeof longer, "%s/d", test_directory);
    CHECK(mkdir(longer, 0700) == 0 && setenv("XDG_RUNTIME_DIR", longer, 1) == 0);
    CHECK_ERROR(LIPC_ENAMETOOLONG, lipc_listen(&name, NULL, &listener));
    CHECK_ERROR(LIPC_ENAMETOOLONG, lipc_connect(&name, NULL, 0, &client));
    CHECK_ERROR(LIPC_ENAMETOOLONG, lipc_name_location(&name, text, sizeof text));
    CHECK(!exists("d/lipc"));
    CHECK(rmdir(longer) == 0);
}

TEST(a_runtime_directory_that_leaves_no_room_for_a_name_is_an_error) {
    const int limit = lipc_name_limit(LIPC_NAME_PATH);
    char path[LIPC_NAME_CAPACITY];
    for (int room = -1; room <= 1; room++) { /* how long a name there may be */
        const int length = limit - room - (int)strlen("/lipc/");
        lipc_name name;
        snprintf(path, sizeof path, "%s/", test_directory);
        memset(path + strlen(path), 'd', sizeof path - strlen(path));
        path[length] = '\0';
        CHECK(mkdir(path, 0700) == 0 && setenv("XDG_RUNTIME_DIR", path, 1) == 0);
        if (room > 0) {
            CHECK_INT(room, lipc_name_limit(LIPC_NAME_USER));
            CHECK_OK(lipc_name_user("x", 1, &name));
            lipc_listener *listener = listen_on(&name);
            check_serves(listener, &name);
            lipc_listener_close(listener);
            strcat(path, "/lipc");
            CHECK(rmdir(path) == 0);
            path[length] = '\0';
        } else {
            CHECK_ERROR(LIPC_ENAMETOOLONG, lipc_name_limit(LIPC_NAME_USER));
            CHECK_ERROR(LIPC_ENAMETOOLONG, lipc_name_user("x", 1, &name));
        }
        CHECK(rmdir(path) == 0);
    }
}

/* ------------------------------- The directory that is refused ---------------------------------- */

static void make_open_to_a_group(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0710) == 0);
}

static void make_readable(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0755) == 0);
}

static void make_another_users(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chown(path, UID, UID) == 0);
}

/* What may be in the place of the user's directory. */
static const obstruction refused[] = {
    {make_open_to_a_group, "open to a group"}, {make_readable, "readable"}, {make_open_to_all, "open to all"},
    {make_sticky, "sticky"},                   {make_link, "a link"},       {make_file, "a file"},
    {make_another_users, "another user's"}, /* only root can make it */
};
enum { REFUSED = sizeof refused / sizeof *refused };

TEST(a_directory_that_others_could_use_is_refused) {
    lipc_name name = name_for(LIPC_NAME_USER, "s");
    char target[64];
    for (size_t i = 0; i < REFUSED; i++) {
        if (refused[i].make == make_another_users && geteuid() != 0)
            continue;
        test_row = refused[i].name;
        refused[i].make(in_directory("lipc"));
        check_refused(&name, in_directory("lipc"));
        CHECK(remove(in_directory("lipc")) == 0);
    }
    snprintf(target, sizeof target, "%s/lipc-target", test_directory);
    CHECK(rmdir(target) == 0);
}

/* A process that was killed while it made the directory, with a umask that keeps its own user out. */
TEST(a_directory_that_keeps_its_own_user_out_is_opened_to_it) {
    static const mode_t modes[] = {0, 0300, 0500, 0600};
    lipc_name name = name_for(LIPC_NAME_USER, "s");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        CHECK(mkdir(in_directory("lipc"), 0700) == 0 && chmod(in_directory("lipc"), modes[i]) == 0);
        lipc_listener *listener = listen_on(&name);
        check_directory(in_directory("lipc"), 0700);
        check_serves(listener, &name);
        lipc_listener_close(listener);
        CHECK(rmdir(in_directory("lipc")) == 0);
    }
}

static int gate[2];

static void listen_when_the_gate_opens(const void *name) {
    char byte;
    umask(0777);
    if (geteuid() == 0)
        become(UID, UID, 0); /* the mode does not keep root out */
    ready();
    CHECK(close(gate[1]) == 0 && read(gate[0], &byte, 1) == 0);
    lipc_listener_close(listen_on(name));
}

TEST(processes_that_make_the_directory_at_the_same_time_all_succeed) {
    enum { PROCESSES = 8, ROUNDS = 20 };
    CHECK(geteuid() != 0 || chown(test_directory, UID, UID) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        lipc_name names[PROCESSES];
        pid_t processes[PROCESSES];
        CHECK(pipe(gate) == 0);
        for (int i = 0; i < PROCESSES; i++) {
            char text[16];
            snprintf(text, sizeof text, "s%d", i);
            CHECK_OK(lipc_name_user(text, LIPC_STRLEN, &names[i]));
            processes[i] = start(listen_when_the_gate_opens, &names[i]);
        }
        CHECK(close(gate[1]) == 0 && close(gate[0]) == 0);
        for (int i = 0; i < PROCESSES; i++)
            join(processes[i]);
        CHECK(rmdir(in_directory("lipc")) == 0);
    }
    CHECK(geteuid() != 0 || chown(test_directory, 0, 0) == 0);
}

/* -------------------------------- Which directory it is ----------------------------------------- */

#ifdef __linux__

static char usual[32], in_tmp[32]; /* the user's directory below /run/user, and its directory in /tmp */

static void prepare_user(uid_t user) {
    snprintf(usual, sizeof usual, "/run/user/%lu", (unsigned long)user);
    snprintf(in_tmp, sizeof in_tmp, "/tmp/lipc-%lu", (unsigned long)user);
}

/* Makes a directory of that user's, to which the variable is set. */
static void make_runtime(const char *path, uid_t user, mode_t mode) {
    CHECK(mkdir(path, 0700) == 0 && chown(path, user, user) == 0 && chmod(path, mode) == 0);
    CHECK(setenv("XDG_RUNTIME_DIR", path, 1) == 0);
}

static void set_right(uid_t user) {
    make_runtime("/tmp/rt", user, 0700);
}

static void set_readable(uid_t user) {
    make_runtime("/tmp/rt", user, 0755);
}

static void set_with_slash(uid_t user) {
    make_runtime("/tmp/rt", user, 0700);
    CHECK(setenv("XDG_RUNTIME_DIR", "/tmp/rt/", 1) == 0);
}

static void set_group_writable(uid_t user) {
    make_runtime("/tmp/rt", user, 0770);
}

static void set_writable(uid_t user) {
    make_runtime("/tmp/rt", user, 0702);
}

static void set_sticky(uid_t user) {
    make_runtime("/tmp/rt", user, 01777);
}

static void set_another_users(uid_t user) { /* as sudo(8) leaves it */
    make_runtime("/tmp/rt", user == 0 ? UID : 0, 0700);
}

static void set_link(uid_t user) {
    make_runtime("/tmp/rt", user, 0700);
    CHECK(symlink("/tmp/rt", "/tmp/link") == 0 && lchown("/tmp/link", user, user) == 0);
    CHECK(setenv("XDG_RUNTIME_DIR", "/tmp/link", 1) == 0);
}

static void set_link_with_slash(uid_t user) {
    set_link(user);
    CHECK(setenv("XDG_RUNTIME_DIR", "/tmp/link/", 1) == 0);
}

/* The user's directory in one in which others can put another in its place. */
static void set_in(uid_t owner, mode_t mode, uid_t user) {
    CHECK(mkdir("/tmp/above", 0700) == 0 && chown("/tmp/above", owner, owner) == 0 && chmod("/tmp/above", mode) == 0);
    make_runtime("/tmp/above/rt", user, 0700);
}

static void set_in_writable(uid_t user) {
    set_in(user, 0757, user);
}

static void set_in_group_writable(uid_t user) {
    set_in(user, 0775, user);
}

static void set_in_another_users(uid_t user) {
    set_in(UID, 0755, user);
}

static void set_in_sticky(uid_t user) {
    set_in(0, 01777, user);
}

/* Another user's link, which leads to the user's directory for now. */
static void set_behind_link(uid_t user) {
    CHECK(mkdir("/tmp/above", 0755) == 0);
    make_runtime("/tmp/above/rt", user, 0700);
    CHECK(symlink("/tmp/above", "/tmp/link") == 0 && lchown("/tmp/link", UID, UID) == 0);
    CHECK(setenv("XDG_RUNTIME_DIR", "/tmp/link/rt", 1) == 0);
}

static void set_file(uid_t user) {
    make_file("/tmp/rt");
    CHECK(chown("/tmp/rt", user, user) == 0 && setenv("XDG_RUNTIME_DIR", "/tmp/rt", 1) == 0);
}

static void set_missing(uid_t user) {
    (void)user;
    CHECK(setenv("XDG_RUNTIME_DIR", "/tmp/rt", 1) == 0);
}

static void set_relative(uid_t user) {
    make_runtime("/tmp/rt", user, 0700);
    CHECK(chdir("/tmp") == 0 && setenv("XDG_RUNTIME_DIR", "rt", 1) == 0);
}

static void set_empty(uid_t user) {
    (void)user;
    CHECK(setenv("XDG_RUNTIME_DIR", "", 1) == 0);
}

static void set_run(uid_t user) { /* where /run/lipc is the machine's */
    CHECK(chown("/run", user, user) == 0 && setenv("XDG_RUNTIME_DIR", "/run", 1) == 0);
}

static void set_run_by_another_path(uid_t user) {
    CHECK(chown("/run", user, user) == 0 && setenv("XDG_RUNTIME_DIR", "/run/user/..", 1) == 0);
}

static void set_nothing(uid_t user) {
    (void)user;
    CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
}

/* What is at /run/user/UID. */
enum usual { NO_USUAL, OWN_USUAL, ANOTHERS_USUAL, OPEN_USUAL, LINK_USUAL };

static void make_usual(enum usual which, uid_t user) {
    CHECK(mkdir("/run/user", 0755) == 0);
    if (which == NO_USUAL)
        return;
    if (which == LINK_USUAL) {
        CHECK(mkdir("/run/target", 0700) == 0 && chown("/run/target", user, user) == 0);
        CHECK(symlink("/run/target", usual) == 0 && lchown(usual, user, user) == 0);
        return;
    }
    CHECK(mkdir(usual, 0700) == 0 && chmod(usual, which == OPEN_USUAL ? 0777 : 0700) == 0);
    uid_t owner = which == ANOTHERS_USUAL ? user + 1 : user;
    CHECK(chown(usual, owner, owner) == 0);
}

typedef struct choice {
    const char *name;
    void (*set)(uid_t user);
    enum usual usual;
    const char *wanted; /* NULL: in /tmp */
    uid_t user;
} choice;

/* A listener and its client agree on the directory, and it is the one that is wanted. */
static void check_choice(const void *argument) {
    const choice *c = argument;
    char wanted[64], location[LIPC_NAME_CAPACITY];
    prepare_user(c->user);
    make_usual(c->usual, c->user);
    c->set(c->user);
    if (c->user != 0)
        become(c->user, c->user, 0);
    if (c->wanted == usual)
        snprintf(wanted, sizeof wanted, "%s/lipc", usual);
    else
        snprintf(wanted, sizeof wanted, "%s", c->wanted != NULL ? c->wanted : in_tmp);
    lipc_name name;
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &name));
    CHECK_OK(lipc_name_location(&name, location, sizeof location));
    CHECK(strncmp(location, wanted, strlen(wanted)) == 0);
    CHECK_STRING("/s", location + strlen(wanted));
    CHECK_INT(lipc_name_limit(LIPC_NAME_PATH) - (int)strlen(location) + 1, lipc_name_limit(LIPC_NAME_USER));
    lipc_listener *listener = listen_on(&name);
    check_directory(wanted, 0700);
    check_serves(listener, &name);
    lipc_listener_close(listener);
    char last[300];
    CHECK_INT(0, test_entries(wanted, last, sizeof last));
}

TEST(the_directory_is_the_first_that_nobody_else_can_change) {
    NEEDS_ROOT();
    static const choice rows[] = {
        {"right", set_right, NO_USUAL, "/tmp/rt/lipc", 0},
        {"right, and the usual one", set_right, OWN_USUAL, "/tmp/rt/lipc", 0},
        {"readable", set_readable, OWN_USUAL, "/tmp/rt/lipc", 0},
        {"with a slash", set_with_slash, OWN_USUAL, "/tmp/rt//lipc", 0},
        {"unset", set_nothing, NO_USUAL, NULL, 0},
        {"unset, and the usual one", set_nothing, OWN_USUAL, usual, 0},
        {"unset, and the usual one is another user's", set_nothing, ANOTHERS_USUAL, NULL, 0},
        {"unset, and the usual one can be written to", set_nothing, OPEN_USUAL, NULL, 0},
        {"unset, and the usual one is a link", set_nothing, LINK_USUAL, NULL, 0},
        {"empty", set_empty, NO_USUAL, NULL, 0},
        {"empty, and the usual one", set_empty, OWN_USUAL, usual, 0},
        {"relative", set_relative, NO_USUAL, NULL, 0},
        {"relative, and the usual one", set_relative, OWN_USUAL, usual, 0},
        {"missing", set_missing, NO_USUAL, NULL, 0},
        {"missing, and the usual one", set_missing, OWN_USUAL, usual, 0},
        {"a file", set_file, NO_USUAL, NULL, 0},
        {"a link", set_link, NO_USUAL, NULL, 0},
        {"a link, and the usual one", set_link, OWN_USUAL, usual, 0},
        {"a link with a slash", set_link_with_slash, NO_USUAL, NULL, 0},
        {"in a sticky directory", set_in_sticky, NO_USUAL, "/tmp/above/rt/lipc", 0},
        {"in a directory that others can write to", set_in_writable, NO_USUAL, NULL, 0},
        {"in a directory that its group can write to", set_in_group_writable, OWN_USUAL, usual, 0},
        {"in another user's directory", set_in_another_users, NO_USUAL, NULL, 0},
        {"behind another user's link", set_behind_link, NO_USUAL, NULL, 0},
        {"writable by its group", set_group_writable, NO_USUAL, NULL, 0},
        {"writable by others", set_writable, NO_USUAL, NULL, 0},
        {"sticky", set_sticky, NO_USUAL, NULL, 0},
        {"that of the machine's names", set_run, NO_USUAL, NULL, 0},
        {"that of the machine's names, by another path", set_run_by_another_path, OWN_USUAL, usual, 0},
        {"another user's", set_another_users, NO_USUAL, NULL, 0},
        {"another user's, and the usual one", set_another_users, OWN_USUAL, usual, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int nobody = 0; nobody < 2; nobody++) {
            choice c = rows[i];
            char row[100];
            c.user = nobody ? NOBODY : 0;
            snprintf(row, sizeof row, "%s, user %lu", c.name, (unsigned long)c.user);
            test_row = row;
            elsewhere(check_choice, &c);
        }
}

/* A set-user-ID program, and a set-group-ID program: the variable is the word of whoever started it. */
static void check_changed_ids(const void *argument) {
    const bool group_only = *(const bool *)argument;
    char location[LIPC_NAME_CAPACITY], wanted[64];
    prepare_user(group_only ? 0 : NOBODY);
    make_runtime("/tmp/rt", group_only ? 0 : NOBODY, 0700);
    CHECK(setegid(NOBODY) == 0 && (group_only || seteuid(NOBODY) == 0));
    lipc_name name;
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &name));
    CHECK_OK(lipc_name_location(&name, location, sizeof location));
    snprintf(wanted, sizeof wanted, "%s/s", in_tmp);
    CHECK_STRING(wanted, location);
    lipc_listener *listener = listen_on(&name);
    check_serves(listener, &name);
    lipc_listener_close(listener);
}

TEST(a_program_that_runs_as_another_user_than_started_it_ignores_the_variable) {
    NEEDS_ROOT();
    for (int group_only = 0; group_only < 2; group_only++)
        elsewhere(check_changed_ids, &(bool){group_only});
}

static void check_refused_in_tmp(const void *row) {
    lipc_name name;
    unsetenv("XDG_RUNTIME_DIR");
    prepare_user(0);
    ((const obstruction *)row)->make(in_tmp);
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &name));
    check_refused(&name, in_tmp);
}

TEST(a_directory_in_tmp_that_another_user_took_or_could_use_is_refused) {
    NEEDS_ROOT();
    for (size_t i = 0; i < REFUSED; i++) {
        test_row = refused[i].name;
        elsewhere(check_refused_in_tmp, &refused[i]);
    }
}

static void check_tmp_that_is_not_sticky(const void *mode) {
    lipc_name name;
    unsetenv("XDG_RUNTIME_DIR");
    prepare_user(0);
    CHECK(chmod("/tmp", *(const mode_t *)mode) == 0);
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &name));
    lipc_listener *listener;
    CHECK_ERROR(LIPC_EACCES, lipc_listen(&name, NULL, &listener));
    CHECK(access(in_tmp, F_OK) < 0);
    CHECK(mkdir(in_tmp, 0700) == 0);
    check_refused(&name, in_tmp);
}

TEST(a_directory_that_others_could_replace_is_refused) {
    NEEDS_ROOT();
    static const mode_t modes[] = {0777, 0775, 0757};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        elsewhere(check_tmp_that_is_not_sticky, &modes[i]);
}

/* Tries a name as another user, which the directory of the first keeps out. */
static void check_as_another(const void *roots_location) {
    lipc_name name, path;
    lipc_handle client;
    char location[LIPC_NAME_CAPACITY];
    become(NOBODY, NOBODY, 0);
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &name));
    CHECK_OK(lipc_name_location(&name, location, sizeof location));
    CHECK(strcmp(location, roots_location) != 0);
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, 0, &client));
    lipc_listener *listener = listen_on(&name);
    check_serves(listener, &name);
    lipc_listener_close(listener);
    CHECK_OK(lipc_name_path(roots_location, LIPC_STRLEN, &path));
    CHECK_ERROR(LIPC_EACCES, lipc_connect(&path, NULL, 0, &client));
    ready();
}

static void check_two_users(const void *variable) {
    lipc_name name;
    lipc_listen_options options = {.size = sizeof options, .mode = 0666};
    lipc_listener *listener;
    char location[LIPC_NAME_CAPACITY];
    if (*(const bool *)variable)
        make_runtime("/run/rt", 0, 0700); /* which the other user inherits, as by sudo(8) */
    else
        unsetenv("XDG_RUNTIME_DIR");
    CHECK_OK(lipc_name_parse("user:s", LIPC_STRLEN, &name));
    CHECK_OK(lipc_name_location(&name, location, sizeof location));
    CHECK_OK(lipc_listen(&name, &options, &listener));
    join(start(check_as_another, location));
    check_serves(listener, &name);
    lipc_listener_close(listener);
}

TEST(two_users_have_two_directories) {
    NEEDS_ROOT();
    for (int variable = 0; variable < 2; variable++)
        elsewhere(check_two_users, &(bool){variable});
}

#endif
