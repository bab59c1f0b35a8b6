/* Socket files and their locks: whose name it is when a server comes, dies, or is in the way. */
#include "fixture.h"

#ifdef __linux__
#include <sys/inotify.h>
#endif

static void check_refused(int wanted, const lipc_name *name) {
    lipc_listener *listener;
    memset(&listener, UNTOUCHED, sizeof listener);
    CHECK_ERROR(wanted, lipc_listen(name, NULL, &listener));
    CHECK(is_untouched(&listener, sizeof listener));
}

/* Checks that a server can listen on the name and is reached. */
static void check_usable(const lipc_name *name) {
    lipc_listener *listener = listen_on(name);
    lipc_handle client = connect_to(name), server = accept_from(listener);
    check_connected(client, server);
    close_all((lipc_handle[]){client, server}, 2);
    lipc_listener_close(listener);
}

TEST(the_files_are_there_while_the_listener_is) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    CHECK(exists("s") && exists("s.lock"));
    lipc_listener_close(listener);
    CHECK(!exists("s") && !exists("s.lock"));
}

TEST(the_files_are_removed_although_the_directory_was_left) {
    lipc_name name;
    CHECK(mkdir(in_directory("d"), 0700) == 0 && chdir(in_directory("d")) == 0);
    CHECK_OK(lipc_name_path("s", LIPC_STRLEN, &name));
    lipc_listener *listener = listen_on(&name);
    CHECK(exists("d/s") && chdir("/") == 0);
    lipc_listener_close(listener);
    CHECK(rmdir(in_directory("d")) == 0);
}

/* ------------------------------------------- Stale files ---------------------------------------- */

static void serve_plainly(const void *unused) {
    (void)unused;
    plain_socket(SOCK_STREAM, "s", 5); /* has no lock */
    ready();
    stay();
}

TEST(the_file_of_a_server_that_was_killed_is_replaced) {
    void (*const servers[])(const void *) = {serve, serve_plainly};
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (int i = 0; i < 2; i++)
        for (int round = 0; round < 3; round++) {
            kill_hard(start(servers[i], &name));
            CHECK(exists("s"));
            check_usable(&name);
            CHECK(!exists("s") && !exists("s.lock"));
        }
}

TEST(a_lock_that_nobody_holds_is_no_hindrance) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    CHECK(close(open(in_directory("s.lock"), O_CREAT | O_RDWR, 0600)) == 0);
    check_usable(&name);
    CHECK(!exists("s.lock"));
}

static void leave_a_lock_without_a_mode(const void *unused) {
    (void)unused;
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    umask(0777);
    CHECK(close(open(in_directory("s.lock"), O_CREAT | O_EXCL | O_RDWR, 0600)) == 0);
    ready();
}

static void listen_with_a_strict_umask(const void *name);

TEST(a_lock_that_a_crash_left_as_the_umask_had_it_is_no_hindrance) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    CHECK(chmod(test_directory, 0777) == 0);
    join(start(leave_a_lock_without_a_mode, NULL));
    CHECK(exists("s.lock"));
    join(start(listen_with_a_strict_umask, &name));
    CHECK(!exists("s.lock"));
}

static void serve_with_a_strict_umask(const void *name) {
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    umask(0777);
    serve(name);
}

static void listen_with_a_strict_umask(const void *name) {
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    umask(0777);
    check_usable(name);
    ready();
}

TEST(a_stale_file_is_replaced_whatever_the_umask) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    CHECK(chmod(test_directory, 0777) == 0);
    kill_hard(start(serve_with_a_strict_umask, &name));
    join(start(listen_with_a_strict_umask, &name));
}

/* A server whose mode keeps its owner's processes from connecting. */
static void serve_all_but_the_owner(const void *name) {
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    lipc_listen_options options = {.size = sizeof options, .mode = 0066};
    lipc_listener *listener;
    CHECK_OK(lipc_listen(name, &options, &listener));
    ready();
    stay();
}

static void be_refused(const void *name) {
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    check_refused(LIPC_EADDRINUSE, name);
    ready();
}

static void replace(const void *name) {
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    check_usable(name);
    ready();
}

TEST(a_dead_server_whose_mode_kept_its_owner_out_is_replaced_and_a_living_one_is_not) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    struct stat st;
    CHECK(chmod(test_directory, 0777) == 0);
    pid_t server = start(serve_all_but_the_owner, &name);
    join(start(be_refused, &name));
    remove_file("s.lock"); /* without the lock the probe decides */
    join(start(be_refused, &name));
    CHECK(lstat(in_directory("s"), &st) == 0);
    CHECK_INT(0066, st.st_mode & 0777);
    kill_hard(server);
    join(start(replace, &name));
    CHECK(!exists("s") && !exists("s.lock"));
}

/* -------------------------------------- What is in the way -------------------------------------- */

static void make_file(const char *leaf) {
    int fd = open(in_directory(leaf), O_CREAT | O_RDWR, 0644);
    CHECK(write(fd, "precious", 8) == 8 && close(fd) == 0);
}

static int held = -1; /* what keeps a socket alive */

static void file(void) {
    make_file("s");
}

static void directory(void) {
    CHECK(mkdir(in_directory("s"), 0755) == 0);
}

static void fifo(void) {
    CHECK(mkfifo(in_directory("s"), 0600) == 0);
}

static void link_to_file(void) {
    make_file("target");
    CHECK(symlink(in_directory("target"), in_directory("s")) == 0);
}

static void link_to_stale_socket(void) {
    make_stale("target");
    CHECK(symlink(in_directory("target"), in_directory("s")) == 0);
}

static void link_to_live_socket(void) {
    held = plain_socket(SOCK_STREAM, "target", 5);
    CHECK(symlink(in_directory("target"), in_directory("s")) == 0);
}

static void link_to_nothing(void) {
    CHECK(symlink(in_directory("nothing"), in_directory("s")) == 0);
}

static void live_server(void) {
    held = plain_socket(SOCK_STREAM, "s", 5);
}

static void live_server_with_a_full_backlog(void) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_handle clients[16];
    held = plain_socket(SOCK_STREAM, "s", 0);
    close_all(clients, fill_backlog(&name, clients, 16)); /* they hold their place */
}

static void live_server_that_does_not_listen_yet(void) {
    held = plain_socket(SOCK_STREAM, "s", -1);
}

static void live_datagram_socket(void) {
    held = plain_socket(SOCK_DGRAM, "s", -1);
}

static void live_seqpacket_server(void) {
    held = plain_socket(SOCK_SEQPACKET, "s", 5);
}

static void stale_socket_of_another_user(void) {
    make_stale("s");
    CHECK(chown(in_directory("s"), NOBODY, NOBODY) == 0);
}

/* Where time_t has 32 bits, stat(2) fails on such a file unless it is asked for 64. */
TEST(a_stale_socket_dated_after_2038_is_reclaimed) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    make_stale("s");
    struct timespec times[2] = {{.tv_sec = (time_t)4000000000u}, {.tv_sec = (time_t)4000000000u}};
    CHECK(utimensat(AT_FDCWD, in_directory("s"), times, 0) == 0);
    struct stat st;
    CHECK(stat(in_directory("s"), &st) == 0);
    CHECK_INT(4000000000u, st.st_mtime);
    lipc_listener_close(listen_on(&name));
    CHECK(!exists("s"));
}

typedef struct in_the_way {
    void (*make)(void);
    const char *name;
} in_the_way;

#define IN_THE_WAY(what) {what, #what}

/* Checks that listening fails, and that all files are as they were before. */
static void check_untouched(const in_the_way *what, const char *leaf, int wanted) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    struct stat before, after, target_before, target_after;
    char last[300];
    test_row = what->name;
    what->make();
    int entries = test_entries(test_directory, last, sizeof last);
    CHECK(lstat(in_directory(leaf), &before) == 0);
    bool has_target = lstat(in_directory("target"), &target_before) == 0;
    if (wanted != 0) {
        check_refused(wanted, &name);
    } else {
        lipc_listener *listener;
        CHECK(lipc_listen(&name, NULL, &listener) < 0);
    }
    CHECK(lstat(in_directory(leaf), &after) == 0);
    CHECK_INT(before.st_ino, after.st_ino);
    CHECK_INT(before.st_mode, after.st_mode);
    CHECK_INT(before.st_size, after.st_size);
    CHECK_INT(before.st_uid, after.st_uid);
    CHECK_INT(before.st_mtime, after.st_mtime);
    CHECK_INT(entries, test_entries(test_directory, last, sizeof last));
    if (has_target) {
        CHECK(lstat(in_directory("target"), &target_after) == 0);
        CHECK_INT(target_before.st_ino, target_after.st_ino);
        CHECK_INT(target_before.st_size, target_after.st_size);
        remove_file("target");
    }
    CHECK(remove(in_directory(leaf)) == 0);
    if (held >= 0)
        close(held);
    held = -1;
}

TEST(only_a_stale_socket_is_ever_replaced) {
    static const in_the_way rows[] = {
        IN_THE_WAY(file),
        IN_THE_WAY(directory),
        IN_THE_WAY(fifo),
        IN_THE_WAY(link_to_file),
        IN_THE_WAY(link_to_stale_socket),
        IN_THE_WAY(link_to_live_socket),
        IN_THE_WAY(link_to_nothing),
        IN_THE_WAY(live_server),
        IN_THE_WAY(live_server_with_a_full_backlog),
        IN_THE_WAY(live_server_that_does_not_listen_yet),
        IN_THE_WAY(live_datagram_socket),
        IN_THE_WAY(live_seqpacket_server),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_untouched(&rows[i], "s", LIPC_EADDRINUSE);
}

TEST(a_stale_socket_of_another_user_is_not_replaced) {
    NEEDS_ROOT();
    check_untouched(&(in_the_way)IN_THE_WAY(stale_socket_of_another_user), "s", LIPC_EADDRINUSE);
}

static void lock_is_a_link(void) {
    make_file("target");
    CHECK(symlink(in_directory("target"), in_directory("s.lock")) == 0);
}

static void lock_is_a_link_to_nothing(void) {
    CHECK(symlink(in_directory("nothing"), in_directory("s.lock")) == 0);
}

static void lock_is_a_fifo(void) {
    CHECK(mkfifo(in_directory("s.lock"), 0600) == 0);
}

static void lock_is_a_directory(void) {
    CHECK(mkdir(in_directory("s.lock"), 0700) == 0);
}

/* Another user may be able to link one of our files to this name. */
static void lock_is_another_file_by_this_name(void) {
    CHECK(close(open(in_directory("target"), O_CREAT | O_RDWR, 0600)) == 0 && chmod(in_directory("target"), 0666) == 0);
    CHECK(link(in_directory("target"), in_directory("s.lock")) == 0);
}

TEST(a_lock_file_that_is_none_is_refused_and_left_alone) {
    static const in_the_way rows[] = {IN_THE_WAY(lock_is_another_file_by_this_name),
                                      IN_THE_WAY(lock_is_a_link), IN_THE_WAY(lock_is_a_link_to_nothing),
                                      IN_THE_WAY(lock_is_a_fifo), IN_THE_WAY(lock_is_a_directory)};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_untouched(&rows[i], "s.lock", 0);
}

TEST(a_file_that_only_has_the_name_of_a_lock_is_not_removed) {
    lipc_name name = name_for(LIPC_NAME_PATH, "cargo");
    lipc_listener *listener = NULL;
    struct stat st;
    make_file("cargo.lock");
    lipc_listen(&name, NULL, &listener); /* whether this is refused or not */
    lipc_listener_close(listener);
    CHECK(lstat(in_directory("cargo.lock"), &st) == 0);
    CHECK_INT(8, st.st_size);
    remove_file("cargo.lock");
}

static void lock_that_another_made(void) {
    CHECK(close(open(in_directory("s.lock"), O_CREAT | O_RDWR, 0600)) == 0);
}

/* Another process locks the file by fcntl(2), which flock(2) does not see on Linux. */
static void hold_by_fcntl(const void *unused) {
    (void)unused;
    int fd = open(in_directory("s.lock"), O_RDWR);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fd >= 0 && fcntl(fd, F_SETLK, &whole) == 0);
    ready();
    stay();
}

TEST(an_empty_lock_file_that_another_made_stays_when_listening_fails) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    make_file("s"); /* is in the way */
    check_untouched(&(in_the_way)IN_THE_WAY(lock_that_another_made), "s.lock", LIPC_EADDRINUSE);
    remove_file("s");
    lock_that_another_made();
    pid_t holder = start(hold_by_fcntl, NULL);
    check_refused(LIPC_EADDRINUSE, &name);
    CHECK(exists("s.lock") && !exists("s"));
    kill_hard(holder);
    check_usable(&name);
}

TEST(a_full_listener_of_ours_is_alive) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_narrowly(&name);
    lipc_handle clients[16];
    int n = fill_backlog(&name, clients, 16);
    check_refused(LIPC_EADDRINUSE, &name);
    remove_file("s.lock"); /* without the lock the probe decides */
    check_refused(LIPC_EADDRINUSE, &name);
    close_all(clients, n);
    lipc_listener_close(listener);
}

TEST(a_directory_that_is_missing_or_none_is_reported) {
    lipc_name missing = name_for(LIPC_NAME_PATH, "missing/s"), below = name_for(LIPC_NAME_PATH, "file/s");
    make_file("file");
    check_refused(LIPC_ENOENT, &missing);
    check_refused(LIPC_ENOENT, &below);
    remove_file("file");
}

static void listen_as_nobody(const void *name) {
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    check_refused(LIPC_EACCES, name);
    ready();
}

TEST(a_directory_that_may_not_be_written_is_reported) {
    lipc_name name = name_for(LIPC_NAME_PATH, "d/s");
    CHECK(chmod(test_directory, 0755) == 0 && mkdir(in_directory("d"), 0555) == 0);
    join(start(listen_as_nobody, &name));
    CHECK(rmdir(in_directory("d")) == 0);
}

/* -------------------------------------------- Closing ------------------------------------------- */

TEST(closing_removes_only_the_file_that_the_listener_made) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    CHECK(rename(in_directory("s"), in_directory("moved")) == 0);
    make_file("s");
    lipc_listener_close(listener);
    CHECK(exists("s") && !exists("s.lock"));
    remove_file("s");
    remove_file("moved");
}

TEST(a_listener_leaves_its_file_if_asked_to) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (int unlinks = 0; unlinks < 2; unlinks++) {
        lipc_listener *listener = listen_on(&name);
        lipc_listener_set_unlink(listener, 0);
        lipc_listener_set_unlink(listener, unlinks);
        lipc_listener_close(listener);
        CHECK_INT(!unlinks, exists("s"));
    }
}

static void close_inherited(const void *listener) {
    lipc_listener *l = *(lipc_listener *const *)listener;
    lipc_listener_set_unlink(l, 0);
    lipc_listener_close(l);
    ready();
}

TEST(after_fork_one_process_may_close_and_the_other_keeps_name_and_lock) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    join(start(close_inherited, &listener));
    CHECK(exists("s"));
    CHECK(exists("s.lock")); /* it stays locked for as long as the listener lives */
    check_refused(LIPC_EADDRINUSE, &name);
    check_serves(listener, &name);
    lipc_listener_close(listener);
}

/* -------------------------------------------- Races --------------------------------------------- */

static struct race {
    int go[2], results[2], finish[2];
} race;

/* Waits for the start, listens, reports the result, and ends once all have reported. */
static void run_the_race(const void *name) {
    lipc_listener *listener = NULL;
    char byte;
    close(race.go[1]);
    close(race.finish[1]);
    ready();
    CHECK_INT(0, read(race.go[0], &byte, 1));
    int r = lipc_listen(name, NULL, &listener);
    CHECK(write(race.results[1], &r, sizeof r) == sizeof r);
    CHECK_INT(0, read(race.finish[0], &byte, 1));
    lipc_listener_close(listener);
}

TEST(exactly_one_of_two_processes_that_race_for_a_stale_file_wins) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (int round = 0; round < 200; round++) {
        int results[2];
        make_stale("s");
        CHECK(pipe(race.go) == 0 && pipe(race.results) == 0 && pipe(race.finish) == 0);
        pid_t a = start(run_the_race, &name), b = start(run_the_race, &name);
        close(race.go[1]);
        for (int i = 0; i < 2; i++)
            CHECK(read(race.results[0], &results[i], sizeof results[i]) == sizeof results[i]);
        CHECK((results[0] == 0) != (results[1] == 0));
        CHECK_ERROR(LIPC_EADDRINUSE, results[0] == 0 ? results[1] : results[0]);
        CHECK_OK(lipc_close(connect_to(&name)));
        close(race.finish[1]);
        join(a);
        join(b);
        close_all((lipc_handle[]){race.go[0], race.results[0], race.results[1], race.finish[0]}, 4);
        CHECK(!exists("s") && !exists("s.lock"));
    }
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)

/* lstat(2) of a file that may be missing for a moment. */
static void look_at(const char *path, struct stat *ret_file) {
    for (int tries = 0; lstat(path, ret_file) < 0; tries++) {
        CHECK(tries < 10000);
        usleep(10);
    }
}

/* Removes files that still have the name under which they were moved away: their own name was taken again, or the
 * process was killed. */
static void remove_aside(void) {
    char path[300];
    DIR *directory = opendir(test_directory);
    CHECK(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strncmp(entry->d_name, ".lipc-", 6) == 0) {
            snprintf(path, sizeof path, "%s/%s", test_directory, entry->d_name);
            unlink(path);
        }
    closedir(directory);
}

/* A server that knows of no locks: whatever has its name is removed, and it binds. Then nobody may take the name from
 * it. */
static void serve_rudely(const void *unused) {
    (void)unused;
    ready();
    for (int round = 0;; round++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct stat own, now;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path, sizeof address.sun_path, "%s", in_directory("s"));
        unlink(address.sun_path);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) { /* the other was quicker */
            close(fd);
            continue;
        }
        CHECK(listen(fd, 1) == 0);
        look_at(address.sun_path, &own);
        for (int look = 0; look < 50; look++) {
            look_at(address.sun_path, &now);
            CHECK_INT(own.st_ino, now.st_ino);
            CHECK_INT(own.st_mode, now.st_mode);
        }
        close(fd);
        for (int look = 0; look < 50; look++) /* now the other may have it */
            lstat(address.sun_path, &now);
    }
}

TEST(a_server_that_replaces_the_file_at_any_moment_never_loses_its_own) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    mode_t before = umask(022);
    pid_t rude = start(serve_rudely, NULL);
    int won = 0;
    for (int i = 0; i < 5000 || won == 0; i++) {
        lipc_listener *listener;
        int r = lipc_listen(&name, NULL, &listener);
        CHECK_ERROR(r < 0 ? LIPC_EADDRINUSE : 0, r);
        if (r == 0)
            lipc_listener_close(listener);
        won += r == 0;
    }
    umask(before);
    kill_hard(rude);
    unlink(in_directory("s"));
    remove_aside();
    CHECK(!exists("s.lock"));
}

static void listen_again_and_again(const void *name) {
    ready();
    for (;;) {
        lipc_listener *listener;
        int r = lipc_listen(name, NULL, &listener);
        CHECK_ERROR(r < 0 ? LIPC_EADDRINUSE : 0, r);
        if (r == 0)
            lipc_listener_close(listener);
    }
}

/* Within bind(2) the file is there before the socket is found by it. What watches the directory makes that take
 * longer. */
TEST(a_server_that_is_just_binding_keeps_its_file) {
    enum { ROUNDS = 15000, WATCHES = 100 };
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    int watches[WATCHES];
    for (int i = 0; i < WATCHES; i++) {
        watches[i] = inotify_init1(IN_NONBLOCK);
        CHECK(watches[i] >= 0 && inotify_add_watch(watches[i], test_directory, IN_ALL_EVENTS) >= 0);
    }
    pid_t other = start(listen_again_and_again, &name);
    for (int i = 0; i < ROUNDS; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct stat file;
        snprintf(address.sun_path, sizeof address.sun_path, "%s", in_directory("s"));
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            do
                look_at(address.sun_path, &file); /* it would be gone for good */
            while (unlink(address.sun_path) < 0);
        }
        close(fd);
    }
    kill_hard(other);
    for (int i = 0; i < WATCHES; i++)
        close(watches[i]);
    unlink(in_directory("s"));
    unlink(in_directory("s.lock")); /* of the other, which was killed */
    remove_aside();
}

#endif
