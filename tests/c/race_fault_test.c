/* What other processes may do at the worst moment. The seam, csrc/sys.h, makes it happen at that moment. */
#include "fixture.h"

#include <sys/file.h>
#ifdef __linux__
#include <pthread.h>
#endif

static const char *moment;        /* the call before which it happens (a prefix) */
static void (*happen)(void);      /* once */
static int fail_with;             /* the errno to fail that call with, or 0 */
static int calls_of_moment;

/* The calls that give an existing file another mode. */
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define PINS_FILES 1
#define SET_MODE "lipc__sys_fchmodat2("
#else
#define PINS_FILES 0
#define SET_MODE "fchmodat("
#endif

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    if (moment == NULL || strncmp(call, moment, strlen(moment)) != 0)
        return 0;
    calls_of_moment++;
    void (*now)(void) = happen;
    happen = NULL;
    if (now != NULL)
        now();
    errno = fail_with;
    return fail_with != 0;
}

static int other_lock = -1, other_server = -1;

/* The last holder removes the lock file, and the next server makes and locks its own. */
static void another_takes_the_lock(void) {
    remove_file("s.lock");
    other_lock = open(in_directory("s.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(other_lock >= 0 && flock(other_lock, LOCK_EX | LOCK_NB) == 0);
}

TEST(a_lock_whose_file_was_removed_before_it_was_taken_counts_for_nothing) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    moment = "flock(";
    happen = another_takes_the_lock;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    CHECK(exists("s.lock") && !exists("s"));
    CHECK(close(other_lock) == 0);
    remove_file("s.lock");
}

/* The last holder removes the lock file, and nobody makes another. */
static void the_lock_is_removed(void) {
    remove_file("s.lock");
}

TEST(a_lock_whose_file_is_gone_is_made_again) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    moment = "flock(";
    happen = the_lock_is_removed;
    CHECK_OK(lipc_listen(&name, NULL, &listener));
    CHECK_INT(2, calls_of_moment);
    CHECK(exists("s.lock") && exists("s"));
    lipc_listener_close(listener);
}

/* A server that knows nothing of locks replaces the stale file. */
static void another_replaces_the_file(void) {
    other_server = plain_socket(SOCK_STREAM, "other", 5);
    CHECK(rename(in_directory("other"), in_directory("s")) == 0); /* so that it cannot get the same inode */
}

TEST(a_file_that_changed_after_it_was_found_stale_is_not_removed) {
    make_stale("s");
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    moment = "connect("; /* the probe, which reaches the other server's file and finds it dead */
    happen = another_replaces_the_file;
    fail_with = ECONNREFUSED;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    moment = NULL;
    lipc_handle client;
    CHECK_OK(lipc_connect(&name, NULL, WAIT, &client));
    CHECK_OK(lipc_close(client));
    CHECK(close(other_server) == 0);
    remove_file("s");
}

/* Somebody puts a link where the socket file was just made. */
static void the_file_becomes_a_link(void) {
    remove_file("s");
    CHECK(symlink(in_directory("precious"), in_directory("s")) == 0);
}

TEST(the_mode_is_never_set_through_a_link) {
    int precious = open(in_directory("precious"), O_CREAT | O_WRONLY, 0600);
    CHECK(precious >= 0);
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    lipc_listen_options options = {.size = sizeof options, .mode = 0666};
    mode_t before = umask(022);
    moment = SET_MODE;
    happen = the_file_becomes_a_link;
    CHECK(lipc_listen(&name, &options, &listener) < 0);
    CHECK_INT(1, calls_of_moment);
    umask(before);
    struct stat st;
    CHECK(fstat(precious, &st) == 0);
    CHECK_INT(0600, st.st_mode & 0777);
    CHECK(close(precious) == 0);
    remove_file("s");
    remove_file("precious");
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
TEST(a_server_that_takes_the_place_of_the_file_that_was_just_bound_is_left_alone) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    struct stat found;
    const uint32_t modes[] = {0600, 0666};
    mode_t before = umask(022);
    for (int i = 0; i < 2; i++) {
        lipc_listen_options options = {.size = sizeof options, .mode = modes[i]};
        lipc_listener *listener;
        moment = "fstatat(directory, leaf, &made"; /* the first look at what was bound */
        happen = another_replaces_the_file;
        CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, &options, &listener));
        CHECK(happen == NULL);
        moment = NULL;
        CHECK(lstat(in_directory("s"), &found) == 0);
        CHECK_INT(0755, found.st_mode & 0777);
        lipc_handle client;
        CHECK_OK(lipc_connect(&name, NULL, WAIT, &client));
        CHECK_OK(lipc_close(client));
        CHECK(!exists("s.lock"));
        CHECK(close(other_server) == 0);
        remove_file("s");
    }
    umask(before);
}
#endif

TEST(a_server_that_takes_the_place_of_a_file_to_be_removed_is_left_alone) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (int stale = 0; stale < 2; stale++) {
        lipc_listener *listener = NULL;
        if (stale)
            make_stale("s");
        else
            listener = listen_on(&name);
        moment = "renameat("; /* what is to be removed is known by now */
        happen = another_replaces_the_file;
        if (stale)
            CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
        else
            lipc_listener_close(listener);
        CHECK(happen == NULL);
        moment = NULL;
        lipc_handle client;
        CHECK_OK(lipc_connect(&name, NULL, WAIT, &client));
        CHECK_OK(lipc_close(client));
        CHECK(!exists("s.lock"));
        CHECK(close(other_server) == 0);
        remove_file("s");
    }
}

/* A third server binds the name while the file of the second one is moved away. */
static int third_server = -1;

static void a_third_binds(void) {
    third_server = plain_socket(SOCK_STREAM, "s", 5);
}

static void another_replaces_the_file_and_a_third_that(void) {
    another_replaces_the_file();
    moment = "lipc__rename_to_free(";
    happen = a_third_binds;
}

/* Moves a file whose name begins so back to its own name. */
static void move_back(const char *beginning, const char *leaf) {
    char path[300];
    DIR *directory = opendir(test_directory);
    CHECK(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strncmp(entry->d_name, beginning, strlen(beginning)) == 0) {
            snprintf(path, sizeof path, "%s/%s", test_directory, entry->d_name);
            CHECK(rename(path, in_directory(leaf)) == 0);
        }
    closedir(directory);
}

static void check_connects(const lipc_name *name) {
    lipc_handle client;
    CHECK_OK(lipc_connect(name, NULL, WAIT, &client));
    CHECK_OK(lipc_close(client));
}

TEST(no_server_is_removed_however_many_take_each_others_place) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    moment = "renameat(";
    happen = another_replaces_the_file_and_a_third_that;
    lipc_listener_close(listener);
    CHECK(third_server >= 0);
    moment = NULL;
    check_connects(&name);
    CHECK(close(third_server) == 0);
    remove_file("s");
    move_back(".lipc-", "s"); /* that of the second one, which was moved away */
    check_connects(&name);
    CHECK(close(other_server) == 0);
    remove_file("s");
}

/* A path whose directory is a link that changes. */
static void the_link_leads_to_the_new_directory(void) {
    remove_file("link");
    CHECK(symlink("new", in_directory("link")) == 0);
}

TEST(a_server_in_the_directory_that_a_path_led_to_at_first_keeps_its_file) {
    lipc_name name = name_for(LIPC_NAME_PATH, "link/s"), old = name_for(LIPC_NAME_PATH, "old/s");
    lipc_listener *listener;
    CHECK(mkdir(in_directory("old"), 0755) == 0 && mkdir(in_directory("new"), 0755) == 0);
    CHECK(symlink("old", in_directory("link")) == 0);
    int living = plain_socket(SOCK_STREAM, "old/s", 5);
    make_stale("new/s");
    moment = "connect("; /* the probe */
    happen = the_link_leads_to_the_new_directory;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    CHECK(happen == NULL);
    moment = NULL;
    check_connects(&old);
    CHECK(close(living) == 0);
    remove_file("old/s");
    remove_file("new/s");
    remove_file("link");
    CHECK(rmdir(in_directory("old")) == 0 && rmdir(in_directory("new")) == 0); /* nothing is left in them */
}

#if PINS_FILES
TEST(what_was_bound_in_the_directory_that_a_path_leads_to_by_then_is_removed) {
    lipc_name name = name_for(LIPC_NAME_PATH, "link/s");
    lipc_listener *listener;
    CHECK(mkdir(in_directory("old"), 0755) == 0 && mkdir(in_directory("new"), 0755) == 0);
    CHECK(symlink("old", in_directory("link")) == 0);
    moment = "bind(";
    happen = the_link_leads_to_the_new_directory;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    CHECK(happen == NULL);
    remove_file("link");
    CHECK(rmdir(in_directory("old")) == 0 && rmdir(in_directory("new")) == 0);
}
#endif

TEST(what_is_no_regular_file_is_not_opened_for_a_lock) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    CHECK(mkfifo(in_directory("s.lock"), 0600) == 0); /* a writer that waits for a reader would be let go */
    moment = "openat(directory, leaf, flags)";
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    CHECK_INT(0, calls_of_moment);
    remove_file("s.lock");
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)

/* Some servers set such a mode until they are ready. */
static void listen_beside_a_server_that_keeps_its_owner_out(const void *unused) {
    (void)unused;
    if (geteuid() == 0)
        become(NOBODY, NOBODY, 0);
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    mode_t before = umask(0777);
    int living = plain_socket(SOCK_STREAM, "s", 5);
    umask(before);
    moment = SET_MODE;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    CHECK_INT(0, calls_of_moment);
    CHECK(close(living) == 0);
    lipc_listener_close(listen_on(&name)); /* now it is dead */
    CHECK_INT(1, calls_of_moment);
    CHECK(!exists("s"));
    ready();
}

TEST(the_mode_of_a_living_server_that_keeps_its_owner_out_is_not_touched) {
    CHECK(chmod(test_directory, 0777) == 0);
    join(start(listen_beside_a_server_that_keeps_its_owner_out, NULL));
}

TEST(closing_removes_no_other_file_although_the_handle_was_closed_before) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    CHECK_OK(lipc_close(lipc_listener_detach(listener)));
    remove_file("s");
    int living = plain_socket(SOCK_STREAM, "s", 5); /* on many file systems the inode would be the same */
    lipc_listener_close(listener);
    check_connects(&name);
    CHECK(close(living) == 0);
    remove_file("s");
}

static void hide_proc(void) {
    hide_directories((const char *const[]){"/proc"}, 1);
    CHECK(access("/proc/self", F_OK) < 0);
}

/* Before Linux 6.6 there is no fchmodat2(2). */
static void widen_without_proc(const void *unused) {
    (void)unused;
    lipc_name name = name_for(LIPC_NAME_PATH, "d/s");
    static const struct {
        mode_t directory;
        bool safe;
    } rows[] = {{0755, true}, {01777, true}, {0777, false}};
    hide_proc();
    umask(022);
    moment = SET_MODE;
    fail_with = ENOSYS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stat st;
        lipc_listen_options options = {.size = sizeof options, .mode = 0666};
        lipc_listener *listener;
        CHECK(chmod(in_directory("d"), rows[i].directory) == 0);
        int r = lipc_listen(&name, &options, &listener);
        CHECK_ERROR(rows[i].safe ? 0 : LIPC_EACCES, r);
        if (rows[i].safe) {
            CHECK(stat(in_directory("d/s"), &st) == 0);
            CHECK_INT(0666, st.st_mode & 0777);
            lipc_listener_close(listener);
        }
        CHECK_ERROR(rows[i].safe ? 0 : LIPC_EACCES, lipc_fifo_create(in_directory("d/f"), 0622));
        if (rows[i].safe) {
            CHECK(stat(in_directory("d/f"), &st) == 0);
            CHECK_INT(0622, st.st_mode & 0777);
            remove_file("d/f");
        }
        CHECK(!exists("d/s") && !exists("d/f"));
    }
    ready();
}

TEST(a_mode_that_the_umask_narrows_is_set_without_proc_on_old_systems_too) {
    NEEDS_ROOT();
    CHECK(mkdir(in_directory("d"), 0755) == 0);
    join(start(widen_without_proc, NULL));
    CHECK(rmdir(in_directory("d")) == 0);
}

enum { COPIES = 64 };
static int precious_copies[COPIES];

/* Runs in a thread with descriptors of its own, while other threads have another file under the same number. */
static void *listen_with_own_descriptors(void *name) {
    lipc_listen_options options = {.size = sizeof options, .mode = 0666};
    lipc_listener *listener;
    CHECK(unshare(CLONE_FILES) == 0);
    for (int i = 0; i < COPIES; i++)
        close(precious_copies[i]);
    moment = SET_MODE; /* as before Linux 6.6 */
    fail_with = ENOSYS;
    CHECK_OK(lipc_listen(name, &options, &listener));
    CHECK_INT(1, calls_of_moment);
    lipc_listener_close(listener);
    return NULL;
}

static void listen_in_a_thread(const void *unused) {
    (void)unused;
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    struct stat st;
    pthread_t thread;
    umask(022);
    for (int i = 0; i < COPIES; i++)
        CHECK((precious_copies[i] = open(in_directory("precious"), O_CREAT | O_RDONLY, 0600)) >= 0);
    CHECK(pthread_create(&thread, NULL, listen_with_own_descriptors, &name) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(fstat(precious_copies[0], &st) == 0);
    CHECK_INT(0600, st.st_mode & 0777);
    ready();
}

TEST(the_mode_is_that_of_the_own_file_in_a_thread_with_descriptors_of_its_own) {
    join(start(listen_in_a_thread, NULL));
    remove_file("precious");
}

TEST(listening_works_where_the_kernel_does_not_report_what_a_socket_is_bound_to) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    moment = "socket(AF_NETLINK";
    fail_with = EAFNOSUPPORT;
    lipc_listener_close(listen_on(&name));
    CHECK_INT(1, calls_of_moment);
    CHECK(!exists("s") && !exists("s.lock"));
}

#endif

static lipc_handle leaving;

/* The peer sends its last message and leaves after nothing was found, and before the call returns that. */
static void the_peer_sends_and_leaves(void) {
    moment = NULL; /* only this call finds nothing */
    CHECK_INT(4, send_handles(leaving, "last", 4, NULL, 0, 0));
    CHECK_OK(lipc_close(leaving));
}

TEST(the_last_message_of_a_peer_that_leaves_comes_before_the_end) {
    static const int kinds[] = {
        LIPC_STREAM,
#ifndef __APPLE__
        LIPC_MESSAGE,
#endif
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int timeout = -1; timeout <= 1; timeout++) {
            lipc_handle b;
            char got[8];
            size_t none = 0;
            CHECK_OK(lipc_pair(kinds[i], &leaving, &b));
            moment = "lipc__sys_recvmsg(";
            happen = the_peer_sends_and_leaves;
            fail_with = EAGAIN;
            int64_t n = receive_handles(b, got, sizeof got, NULL, &none, timeout);
            if (n != 4) /* without waiting it may come too late as well */
                CHECK_ERROR(timeout == 0 ? LIPC_EAGAIN : 0, n);
            if (n != 4)
                CHECK_INT(4, receive_handles(b, got, sizeof got, NULL, &none, WAIT));
            CHECK(memcmp(got, "last", 4) == 0);
            CHECK_ERROR(LIPC_EEND, receive_handles(b, got, sizeof got, NULL, &none, timeout));
            CHECK_OK(lipc_close(b));
        }
}

/* Somebody puts a file where the FIFO is, or was just made. */
static void the_fifo_becomes_a_file(void) {
    remove_file("f");
    int fd = open(in_directory("f"), O_CREAT | O_EXCL | O_WRONLY, 0644);
    CHECK(fd >= 0 && write(fd, "theirs", 6) == 6 && close(fd) == 0);
}

TEST(a_file_that_takes_the_place_of_a_fifo_is_left_alone) {
    struct stat st;
    mode_t before = umask(022);
    moment = SET_MODE;
    happen = the_fifo_becomes_a_file;
    CHECK_ERROR(LIPC_EACCES, lipc_fifo_create(in_directory("f"), 0666));
    umask(before);
    CHECK_INT(1, calls_of_moment);
    CHECK(stat(in_directory("f"), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 6);
    remove_file("f");
}

TEST(a_file_that_takes_the_place_of_a_fifo_is_not_opened) {
    lipc_handle handle;
    memset(&handle, UNTOUCHED, sizeof handle);
    for (int writing = 0; writing < 2; writing++) {
        struct stat st;
        CHECK_OK(lipc_fifo_create(in_directory("f"), 0));
        moment = "open(";
        happen = the_fifo_becomes_a_file;
        int r = writing ? lipc_fifo_open_writer(in_directory("f"), -1, &handle)
                        : lipc_fifo_open_reader(in_directory("f"), &handle);
        moment = NULL;
        CHECK_ERROR(LIPC_ENOTFIFO, r);
        CHECK(is_untouched(&handle, sizeof handle));
        CHECK(stat(in_directory("f"), &st) == 0 && st.st_size == 6);
        remove_file("f");
    }
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
TEST(the_default_mode_is_there_from_the_first_moment) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    const mode_t masks[] = {0, 022, 077};
    moment = SET_MODE;
    for (size_t i = 0; i < 3; i++) {
        mode_t before = umask(masks[i]);
        lipc_listener_close(listen_on(&name));
        umask(before);
    }
    CHECK_INT(0, calls_of_moment);
}
#endif

TEST(a_reset_is_a_broken_pipe_for_a_writer) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    lipc_buffer buffer = {(void *)"x", 1};
    moment = "lipc__sys_send"; /* send and sendmsg */
    fail_with = ECONNRESET;
    CHECK_ERROR(LIPC_EPIPE, lipc_write(a, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EPIPE, lipc_writev(a, &buffer, 1, WAIT));
    CHECK_OK(lipc_close(a));
    CHECK_OK(lipc_close(b));
}

TEST(closing_leaves_a_lock_file_that_is_another_ones) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    another_takes_the_lock();
    lipc_listener_close(listener);
    CHECK(exists("s.lock") && !exists("s"));
    CHECK(close(other_lock) == 0);
    remove_file("s.lock");
}

TEST(everything_that_a_listener_holds_is_close_on_exec) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    bool before[256];
    for (int fd = 0; fd < 256; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    lipc_listener *listener = listen_on(&name);
    int held = 0;
    for (int fd = 0; fd < 256; fd++)
        if (!before[fd] && fcntl(fd, F_GETFD) >= 0) {
            held++;
            CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        }
    CHECK_INT(PINS_FILES ? 4 : 3, held); /* the socket, its file, the lock, the directory */
    lipc_listener_close(listener);
}
