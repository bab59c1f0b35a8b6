/* What lipc_name_obstacle() says about what is in the way of a listener, and that it disturbs nothing. */
#include "fixture.h"

#include <sys/file.h>

/* Whether the system reports who holds a lock. */
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define REPORTS_HOLDERS 1
#else
#define REPORTS_HOLDERS 0
#endif

static void check_obstacle(int wanted, int64_t wanted_pid, const lipc_name *name, int kind) {
    int64_t pid = 0;
    CHECK_INT(wanted, lipc_name_obstacle(name, kind, &pid));
    CHECK_INT(REPORTS_HOLDERS ? wanted_pid : -1, pid);
}

static const int kinds[] = {
    LIPC_STREAM,
#ifndef __APPLE__
    LIPC_MESSAGE,
#endif
    LIPC_DATAGRAM,
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void serve_kind(const void *argument) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listen_options options = {.size = sizeof options, .kind = *(const int *)argument};
    lipc_listener *listener;
    CHECK_OK(lipc_listen(&name, &options, &listener));
    ready();
    stay();
}

TEST(a_living_server_is_reported_with_its_process_until_it_is_gone) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (int i = 0; i < KINDS; i++)
        for (int asked = 0; asked < KINDS; asked++) { /* a file is in the way whatever the kind */
            check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, kinds[asked]);
            pid_t process = start(serve_kind, &kinds[i]);
            check_obstacle(LIPC_OBSTACLE_SERVER, process, &name, kinds[asked]);
            kill_hard(process);
            CHECK(exists("s") && exists("s.lock"));
            check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, kinds[asked]); /* listening replaces it */
            lipc_listener_close(listen_on(&name));
        }
}

TEST(asking_does_not_disturb_a_server) {
    for (int i = 0; i < KINDS; i++)
        EACH_NAME_TYPE(type) {
            lipc_name name = name_for(type, "s");
            lipc_listen_options options = {.size = sizeof options, .kind = kinds[i], .backlog = 1};
            lipc_connect_options connect_options = {.size = sizeof connect_options, .kind = kinds[i]};
            lipc_listener *listener;
            lipc_handle client, server;
            CHECK_OK(lipc_listen(&name, &options, &listener));
            int64_t holder = type == LIPC_NAME_NAMESPACED && ABSTRACT_NAMES ? -1 : getpid();
            for (int j = 0; j < 10; j++)
                check_obstacle(LIPC_OBSTACLE_SERVER, holder, &name, kinds[i]);
            if (kinds[i] != LIPC_DATAGRAM)
                CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server));
            CHECK_OK(lipc_connect(&name, &connect_options, 0, &client));
            check_obstacle(LIPC_OBSTACLE_SERVER, holder, &name, kinds[i]);
            if (kinds[i] == LIPC_DATAGRAM) {
                char byte;
                CHECK_INT(1, lipc_send(client, "x", 1, WAIT));
                CHECK_INT(1, lipc_receive(lipc_listener_handle(listener), &byte, 1, WAIT));
                CHECK_ERROR(LIPC_EAGAIN, lipc_receive(lipc_listener_handle(listener), &byte, 1, 0));
            } else {
                CHECK_OK(lipc_accept(listener, WAIT, NULL, &server));
                CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &(lipc_handle){0}));
                CHECK_OK(lipc_close(server));
            }
            CHECK_OK(lipc_close(client));
            lipc_listener_close(listener);
        }
}

TEST(a_server_without_a_lock_is_reported_without_a_process) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    int other = plain_socket(SOCK_STREAM, "s", 1);
    check_obstacle(LIPC_OBSTACLE_SERVER, -1, &name, LIPC_STREAM);
    CHECK(close(other) == 0);
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_STREAM);
    remove_file("s");
}

TEST(what_is_no_socket_is_reported_as_what_it_is) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    CHECK(mkdir(in_directory("s"), 0700) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    check_obstacle(LIPC_OBSTACLE_DIRECTORY, -1, &name, LIPC_STREAM);
    CHECK(rmdir(in_directory("s")) == 0);
    CHECK(close(open(in_directory("s"), O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    check_obstacle(LIPC_OBSTACLE_FILE, -1, &name, LIPC_STREAM);
    remove_file("s");
    CHECK(symlink("nowhere", in_directory("s")) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    check_obstacle(LIPC_OBSTACLE_FILE, -1, &name, LIPC_STREAM);
    remove_file("s");
    CHECK(mkfifo(in_directory("s"), 0600) == 0);
    check_obstacle(LIPC_OBSTACLE_FILE, -1, &name, LIPC_STREAM);
    remove_file("s");
}

static void lock_and_stay(const void *with_fcntl) {
    int fd = open(in_directory("s.lock"), O_CREAT | O_RDWR, 0600);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fd >= 0 && (*(const bool *)with_fcntl ? fcntl(fd, F_SETLK, &range) : flock(fd, LOCK_EX | LOCK_NB)) == 0);
    ready();
    stay();
}

TEST(a_lock_that_a_process_holds_is_reported_with_it) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    for (int with_fcntl = !REPORTS_HOLDERS; with_fcntl < 2; with_fcntl++)
        for (int stale = 0; stale < 2; stale++) {
            if (stale)
                make_stale("s");
            pid_t process = start(lock_and_stay, &(bool){with_fcntl});
            CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
            check_obstacle(LIPC_OBSTACLE_LOCK, process, &name, LIPC_STREAM);
            kill_hard(process);
            check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_STREAM);
            remove_file("s.lock");
            if (stale)
                remove_file("s");
        }
}

TEST(a_file_with_the_locks_name_that_is_no_lock_file_is_reported) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener;
    int fd = open(in_directory("s.lock"), O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_STREAM);
    CHECK(link(in_directory("s.lock"), in_directory("l")) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    check_obstacle(LIPC_OBSTACLE_LOCK, -1, &name, LIPC_STREAM);
    remove_file("l");
    CHECK(write(fd, "theirs", 6) == 6 && close(fd) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    check_obstacle(LIPC_OBSTACLE_LOCK, -1, &name, LIPC_STREAM);
    remove_file("s.lock");
    CHECK(mkdir(in_directory("s.lock"), 0700) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    check_obstacle(LIPC_OBSTACLE_LOCK, -1, &name, LIPC_STREAM);
    CHECK(rmdir(in_directory("s.lock")) == 0);
}

TEST(a_directory_that_is_not_there_has_nothing_in_the_way) {
    lipc_name name = name_for(LIPC_NAME_PATH, "d/s");
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_STREAM);
    name = name_for(LIPC_NAME_USER, "s");
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_STREAM);
    CHECK(!exists("lipc"));
}

TEST(what_no_listener_can_have_is_an_error) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s"), empty = {LIPC_NAME_PATH, 0, ""}, slash;
    int64_t pid;
    memset(&pid, UNTOUCHED, sizeof pid);
    CHECK_ERROR(LIPC_EINVAL, lipc_name_obstacle(&name, 99, &pid));
    CHECK_ERROR(LIPC_ENAME, lipc_name_obstacle(&empty, LIPC_STREAM, &pid));
    CHECK_OK(lipc_name_path("/tmp/", LIPC_STRLEN, &slash));
    CHECK_ERROR(LIPC_ENAME, lipc_name_obstacle(&slash, LIPC_STREAM, &pid));
    CHECK(is_untouched(&pid, sizeof pid));
}

enum { UID = 4001 };

static void ask_as_another(const void *process) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    const pid_t server = *(const pid_t *)process;
    become(UID, UID, 0);
    if (server > 0 && REPORTS_HOLDERS)
        check_obstacle(LIPC_OBSTACLE_SERVER, server, &name, LIPC_STREAM);
    else
        check_obstacle(LIPC_OBSTACLE_OTHER_USER, -1, &name, LIPC_STREAM);
    lipc_listener *listener;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
    ready();
}

TEST(another_users_server_is_reported_and_then_its_file) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 01777) == 0);
    pid_t process = start(serve_kind, &kinds[0]); /* which keeps the other user out */
    join(start(ask_as_another, &process));
    kill_hard(process);
    process = 0;
    join(start(ask_as_another, &process));
    remove_file("s.lock");
    join(start(ask_as_another, &process)); /* the socket file alone */
    remove_file("s");
}

static void serve_as_another(const void *kind) {
    become(UID, UID, 0);
    serve_kind(kind);
}

/* A user that gives its lock to a child and ends can have the system report a process that got the same id later. */
TEST(another_user_does_not_choose_which_process_is_reported) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 01777) == 0);
    pid_t process = start(serve_as_another, &kinds[0]);
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    check_obstacle(LIPC_OBSTACLE_SERVER, -1, &name, LIPC_STREAM);
    kill_hard(process);
    check_obstacle(LIPC_OBSTACLE_OTHER_USER, -1, &name, LIPC_STREAM);
    remove_file("s.lock");
    remove_file("s");
}

#if ABSTRACT_NAMES

TEST(each_kind_has_its_own_abstract_names_and_a_connection_does_not_keep_its_listeners) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), longer = name_for(LIPC_NAME_NAMESPACED, "st");
    lipc_listener *listener = listen_on(&name);
    check_obstacle(LIPC_OBSTACLE_SERVER, -1, &name, LIPC_STREAM);
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_MESSAGE);
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_DATAGRAM);
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &longer, LIPC_STREAM);
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    lipc_listener_close(listener);
    check_obstacle(LIPC_OBSTACLE_NONE, -1, &name, LIPC_STREAM);
    lipc_listener_close(listen_on(&name));
    close_all((lipc_handle[]){client, server}, 2);
}

#endif
