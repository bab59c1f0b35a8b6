/* The directories of names, for the tests: what may be in their place, and a process where there are none yet. */
#ifndef LIPC_TEST_DIRECTORY_H
#define LIPC_TEST_DIRECTORY_H

#include "fixture.h"

enum { UID = 4001 };

static const int kinds[] = {
    LIPC_STREAM,
#ifndef __APPLE__
    LIPC_MESSAGE,
#endif
    LIPC_DATAGRAM,
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Checks that a path is a directory of this process's user with this mode. */
static inline void check_directory(const char *path, mode_t mode) {
    struct stat st;
    CHECK(lstat(path, &st) == 0 && S_ISDIR(st.st_mode));
    CHECK_INT(mode, st.st_mode & 0777);
    CHECK_INT(geteuid(), st.st_uid);
}

static inline void make_open_to_all(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0777) == 0);
}

static inline void make_sticky(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 01777) == 0);
}

static inline void make_link(const char *path) {
    char target[256];
    snprintf(target, sizeof target, "%s-target", path);
    CHECK(mkdir(target, 0700) == 0 && symlink(target, path) == 0);
}

static inline void make_file(const char *path) {
    CHECK(close(open(path, O_CREAT | O_EXCL | O_RDWR, 0700)) == 0);
}

typedef struct obstruction {
    void (*make)(const char *path);
    const char *name;
} obstruction;

/* Checks that a name cannot be used, and that what is in the way of its directory stays as it is. */
static inline void check_refused(const lipc_name *name, const char *directory) {
    struct stat before, after;
    lipc_handle handle, datagrams;
    lipc_listener *listener;
    memset(&listener, UNTOUCHED, sizeof listener);
    memset(&handle, UNTOUCHED, sizeof handle);
    CHECK(lstat(directory, &before) == 0);
    CHECK_OK(lipc_datagram(&datagrams));
    for (int i = 0; i < KINDS; i++) {
        lipc_listen_options options = {.size = sizeof options, .kind = kinds[i]};
        lipc_connect_options connect_options = {.size = sizeof connect_options, .kind = kinds[i]};
        CHECK_ERROR(LIPC_EACCES, lipc_listen(name, &options, &listener));
        CHECK(is_untouched(&listener, sizeof listener));
        CHECK_ERROR(LIPC_EACCES, lipc_connect(name, &connect_options, 0, &handle));
        CHECK(is_untouched(&handle, sizeof handle));
    }
    CHECK_ERROR(LIPC_EACCES, lipc_datagram_connect(datagrams, name));
    CHECK_ERROR(LIPC_EACCES, lipc_send_to(datagrams, "x", 1, name, 0));
    CHECK_OK(lipc_close(datagrams));
    CHECK(lstat(directory, &after) == 0);
    CHECK(before.st_ino == after.st_ino && before.st_mode == after.st_mode && before.st_nlink == after.st_nlink);
    if (S_ISDIR(after.st_mode)) {
        char last[300];
        CHECK_INT(0, test_entries(directory, last, sizeof last));
    }
}

#ifdef __linux__

static inline void empty_run_and_tmp(void) {
    hide_directories((const char *const[]){"/run", "/tmp"}, 2);
    CHECK(chmod("/tmp", 01777) == 0);
    umask(022);
}

/* Runs a body as root in another process where /run and /tmp are empty, and unlike ours. */
static void (*elsewhere_body)(const void *);

static inline void run_elsewhere(const void *argument) {
    empty_run_and_tmp();
    elsewhere_body(argument);
    ready();
}

static inline void elsewhere(void (*body)(const void *), const void *argument) {
    elsewhere_body = body;
    join(start(run_elsewhere, argument));
}

#endif

#endif
