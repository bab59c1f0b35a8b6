/* What tests share: names, listeners, connections, other processes. */
#ifndef LIPC_FIXTURE_H
#define LIPC_FIXTURE_H

#include "test.h"

#include <stddef.h>

#ifdef _WIN32
#include "lipc_windows.h"
#else
#include <grp.h>
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lipc_unix.h"
#endif

/* Whether namespaced names are in the kernel. Otherwise they are files. */
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define ABSTRACT_NAMES 1
#else
#define ABSTRACT_NAMES 0
#endif

enum { NOBODY = 65534, WAIT = 30000 /* ms: longer than anything takes that works */ };

/* Tests fill out-parameters that must stay untouched with this. */
#define UNTOUCHED 0x5a

#ifdef _WIN32
#define LAST_NAME_TYPE LIPC_NAME_NAMESPACED
#else
#define LAST_NAME_TYPE LIPC_NAME_USER
#endif

static inline bool is_untouched(const void *memory, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)memory)[i] != UNTOUCHED)
            return false;
    return true;
}

/* ------------------------------------------- Names ---------------------------------------------- */

#ifdef _WIN32

/* A name of that type that no other test uses. */
static inline lipc_name name_for(int type, const char *leaf) {
    lipc_name name;
    char text[128];
    snprintf(text, sizeof text, "%slipc-test.%lu.%s", type == LIPC_NAME_PATH ? "\\\\.\\pipe\\" : "@",
             GetCurrentProcessId(), leaf);
    CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
    return name;
}

#else

/* A path in the test's directory; good for the next seven calls. */
static inline const char *in_directory(const char *leaf) {
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_directory, leaf);
    return path;
}

static inline bool exists(const char *leaf) {
    struct stat st;
    return lstat(in_directory(leaf), &st) == 0;
}

static inline void remove_file(const char *leaf) {
    CHECK(unlink(in_directory(leaf)) == 0);
}

/* A name of that type that no other test uses. */
static inline lipc_name name_for(int type, const char *leaf) {
    lipc_name name;
    if (type == LIPC_NAME_PATH) {
        CHECK_OK(lipc_name_path(in_directory(leaf), LIPC_STRLEN, &name));
    } else {
        char text[64];
        snprintf(text, sizeof text, "%s-%s", strrchr(test_directory, '/') + 1, leaf);
        CHECK_OK((type == LIPC_NAME_USER ? lipc_name_user : lipc_name_namespaced)(text, LIPC_STRLEN, &name));
    }
    return name;
}

#endif

/* A word for a type of name, which test_row may be set to. */
static inline const char *word_for_type(int type) {
    switch (type) {
    case LIPC_NAME_PATH: return "path";
    case LIPC_NAME_NAMESPACED: return "namespaced";
    case LIPC_NAME_USER: return "user's";
    default: return "system's";
    }
}

#ifndef _WIN32
/* Whether names of this type are files in the user's own directory, which no other user can enter. The system reports
 * them as paths. */
static inline bool is_in_user_directory(int type) {
    return type == LIPC_NAME_USER || (type == LIPC_NAME_NAMESPACED && !ABSTRACT_NAMES);
}
#endif

/* The types of name that every user can listen on. */
#define EACH_NAME_TYPE(type) \
    for (int type = LIPC_NAME_PATH; type <= LAST_NAME_TYPE && (test_row = word_for_type(type), true); type *= 2)

static inline bool same_name(const lipc_name *a, const lipc_name *b) {
    return a->type == b->type && a->length == b->length && memcmp(a->text, b->text, a->length + 1) == 0;
}

/* ------------------------------------ Listeners and connections --------------------------------- */

static inline lipc_listener *listen_on(const lipc_name *name) {
    lipc_listener *listener = NULL;
    CHECK_OK(lipc_listen(name, NULL, &listener));
    return listener;
}

/* A listener with a small backlog. */
static inline lipc_listener *listen_narrowly(const lipc_name *name) {
    lipc_listen_options options = {.size = sizeof options, .backlog = 1};
    lipc_listener *listener = NULL;
    CHECK_OK(lipc_listen(name, &options, &listener));
    return listener;
}

static inline lipc_handle connect_to(const lipc_name *name) {
    lipc_handle connection = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_connect(name, NULL, WAIT, &connection));
    return connection;
}

static inline lipc_handle accept_from(lipc_listener *listener) {
    lipc_handle connection = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_accept(listener, WAIT, NULL, &connection));
    return connection;
}

/* Connects until the backlog is full. Returns how many connections it took. */
static inline int fill_backlog(const lipc_name *name, lipc_handle *ret_clients, int capacity) {
    for (int n = 0; n < capacity; n++) {
        int r = lipc_connect(name, NULL, 0, &ret_clients[n]);
        if (r < 0) {
            CHECK_ERROR(LIPC_EAGAIN, r);
            return n;
        }
    }
    FAIL("the backlog took more than %d connections", capacity);
}

static inline void close_all(const lipc_handle *handles, int count) {
    for (int i = 0; i < count; i++)
        CHECK_OK(lipc_close(handles[i]));
}

/* Checks that data goes from a to b. */
static inline void check_connected(lipc_handle a, lipc_handle b) {
    char got[8] = "";
    CHECK_INT(5, lipc_write(a, "hello", 5, WAIT));
    CHECK_INT(5, lipc_read(b, got, sizeof got, WAIT));
    CHECK_STRING("hello", got);
}

/* Checks that the listener accepts a client of its name, and that data goes through. */
static inline void check_serves(lipc_listener *listener, const lipc_name *name) {
    lipc_handle client = connect_to(name), server = accept_from(listener);
    check_connected(client, server);
    close_all((lipc_handle[]){client, server}, 2);
}

#ifdef _WIN32
#include "fixture_windows.h"
#else

/* Checks the flags of a new handle of the library. */
static inline void check_born(lipc_handle handle) {
    CHECK(fcntl((int)handle, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl((int)handle, F_GETFL) & O_NONBLOCK);
}

/* A socket without the library: bound, if leaf is not NULL; listening, if backlog >= 0. */
static inline int plain_socket(int type, const char *leaf, int backlog) {
    int fd = socket(AF_UNIX, type, 0);
    CHECK(fd >= 0);
    if (leaf != NULL) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", in_directory(leaf));
        CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    }
    CHECK(backlog < 0 || listen(fd, backlog) == 0);
    return fd;
}

/* A socket file whose server is gone. */
static inline void make_stale(const char *leaf) {
    close(plain_socket(SOCK_STREAM, leaf, 1));
}

/* The kinds of connection that this system has. */
static const struct {
    int kind;
    const char *name;
} fixture_kinds[] = {
    {LIPC_STREAM, "stream"},
#ifndef __APPLE__
    {LIPC_MESSAGE, "message"},
#endif
    {LIPC_DATAGRAM, "datagram"},
};

/* Runs its body with a pair of each kind in turn, and closes the pair. The body may set test_row. */
#define EACH_PAIR(kind, a, b) \
    for (size_t i_ = 0; i_ < sizeof fixture_kinds / sizeof *fixture_kinds; i_++) \
        for (lipc_handle a = fixture_pair(i_, 0), b = fixture_pair(i_, 1), kind = fixture_kinds[i_].kind, *once_ = &a; \
             once_ != NULL && kind != 0; once_ = (close_all((lipc_handle[]){a, b}, 2), NULL))

static inline lipc_handle fixture_pair(size_t i, int end) {
    static lipc_handle ends[2];
    test_row = fixture_kinds[i].name;
    if (end == 0)
        CHECK_OK(lipc_pair(fixture_kinds[i].kind, &ends[0], &ends[1]));
    return ends[end];
}

/* ------------------------------------- Handles that travel -------------------------------------- */

enum {
#ifdef __linux__
    MOST_HANDLES = LIPC_MESSAGE_HANDLES
#else
    MOST_HANDLES = 32 /* what every system takes */
#endif
};

/* Lets the process have as many descriptors as the test takes: some systems begin with 256. */
static inline void allow_descriptors(void) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < 1000) {
        limit.rlim_cur = 1000;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
}

/* A file whose content is the number. Its name is already removed. */
static inline lipc_handle numbered_file(int number) {
    int fd = open(in_directory("numbered"), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, &number, sizeof number) == sizeof number);
    remove_file("numbered");
    return fd;
}

static inline void check_number(lipc_handle handle, int number) {
    int got = -1;
    CHECK(fcntl((int)handle, F_GETFD) & FD_CLOEXEC);
    CHECK(pread((int)handle, &got, sizeof got, 0) == sizeof got);
    CHECK_INT(number, got);
}

/* Returns the writing end of a pipe, to be sent. The other end, the trace, reads the end of the file once the writing
 * end is closed everywhere. */
static inline lipc_handle traced(int *ret_trace) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    *ret_trace = ends[0];
    return ends[1];
}

/* Checks that the handle is closed everywhere, in all processes and on its way. Closes the trace. */
static inline void check_gone(int trace) {
    char byte;
    ssize_t n = read(trace, &byte, 1);
    if (n != 0)
        FAIL("the handle that was sent is still open somewhere (%zd)", n);
    close(trace);
}

/* Closes a handle, and checks that no copy of it is left. */
static inline void close_traced(lipc_handle handle, int trace) {
    CHECK_OK(lipc_close(handle));
    check_gone(trace);
}

static inline int64_t send_handles(lipc_handle to, const void *data, size_t size, const lipc_handle *handles,
                                   size_t count, int timeout_ms) {
    lipc_buffer buffer = {(void *)(uintptr_t)data, size};
    lipc_message message = {.size = sizeof message,
                            .buffers = &buffer,
                            .buffer_count = 1,
                            .handles = (lipc_handle *)(uintptr_t)handles,
                            .handle_count = count};
    return lipc_send_message(to, &message, timeout_ms);
}

/* *count is how many handles there is room for, and on return how many arrived. */
static inline int64_t receive_handles(lipc_handle from, void *data, size_t size, lipc_handle *handles, size_t *count,
                                      int timeout_ms) {
    lipc_buffer buffer = {data, size};
    lipc_message message = {.size = sizeof message,
                            .buffers = &buffer,
                            .buffer_count = 1,
                            .handles = handles,
                            .handle_capacity = *count};
    int64_t r = lipc_receive_message(from, &message, timeout_ms);
    if (r >= 0)
        *count = message.handle_count;
    return r;
}

/* ----------------------------------------- Processes -------------------------------------------- */

static int ready_to = -1;

/* Lets start() in the parent return. */
static inline void ready(void) {
    CHECK(write(ready_to, "", 1) == 1);
}

__attribute__((noreturn)) static inline void stay(void) {
    for (;;)
        pause();
}

/* Runs body in another process, and returns once that has called ready(). */
static inline pid_t start(void (*body)(const void *), const void *argument) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        close(ends[0]);
        ready_to = ends[1];
        body(argument);
        _exit(TEST_PASSED);
    }
    close(ends[1]);
    char byte;
    CHECK(read(ends[0], &byte, 1) == 1);
    close(ends[0]);
    return process;
}

static inline void join(pid_t process) {
    int status;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK_INT(0, status);
}

static inline void kill_hard(pid_t process) {
    int status;
    CHECK(kill(process, SIGKILL) == 0);
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A body for start(): a server that never ends, on a lipc_name. */
static inline void serve(const void *name) {
    listen_on(name);
    ready();
    stay();
}

/* Becomes another user for good, with one supplementary group, or with none if that is 0. */
static inline void become(uid_t user, gid_t group, gid_t supplementary) {
    CHECK(seteuid(0) == 0);
    CHECK(setgroups(supplementary != 0, &supplementary) == 0);
    CHECK(setgid(group) == 0 && setuid(user) == 0);
}

#ifdef __linux__

static inline void write_map(pid_t process, const char *leaf, const char *map) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, leaf);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map) && close(fd) == 0);
}

/* start() in a user namespace with this map of both users and groups. NULL: none is mapped. */
static inline pid_t start_mapped(void (*body)(const void *), const void *argument, const char *map) {
    int entered[2], mapped[2], told[2];
    char byte;
    CHECK(pipe(entered) == 0 && pipe(mapped) == 0 && pipe(told) == 0);
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        ready_to = told[1];
        CHECK(unshare(CLONE_NEWUSER) == 0);
        CHECK(write(entered[1], "", 1) == 1 && read(mapped[0], &byte, 1) == 1);
        body(argument);
        _exit(TEST_PASSED);
    }
    close_all((lipc_handle[]){entered[1], mapped[0], told[1]}, 3);
    CHECK(read(entered[0], &byte, 1) == 1);
    if (map != NULL) {
        write_map(process, "uid_map", map);
        write_map(process, "gid_map", map);
    }
    CHECK(write(mapped[1], "", 1) == 1 && read(told[0], &byte, 1) == 1);
    close_all((lipc_handle[]){entered[0], mapped[1], told[0]}, 3);
    return process;
}

/* Puts an empty file system in the place of each of these directories, for this process alone. The test is root's. */
static inline void hide_directories(const char *const *directories, int count) {
    CHECK(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    for (int i = 0; i < count; i++)
        CHECK(mount("none", directories[i], "tmpfs", 0, "mode=755") == 0);
}

#endif

/* Forbids further descriptors. Returns the limit of before. */
static inline struct rlimit forbid_descriptors(void) {
    struct rlimit was, limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    limit = was;
    limit.rlim_cur = (rlim_t)next;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return was;
}

#endif

#endif
