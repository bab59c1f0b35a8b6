/* Socket activation: what a service manager passes, which a child process plays here. */
#include "fixture.h"

#include <netinet/in.h>

enum { FIRST = 3, SPARE = 100, MOST = 8 };

/* What is passed, in order. The child makes it, blocking and inheritable. */
enum sort { END, STREAMS, MESSAGES, DATAGRAMS, PIPE_READ, PIPE_WRITE, CONNECTED, TCP, REGULAR, MISSING };

static const struct {
    const char *name;
    int kind;
} sorts[] = {
    [STREAMS] = {"a stream listener", LIPC_STREAM_LISTENER},
    [MESSAGES] = {"a message listener", LIPC_MESSAGE_LISTENER},
    [DATAGRAMS] = {"a datagram socket", LIPC_DATAGRAM},
    [PIPE_READ] = {"a reading end", LIPC_PIPE_READER},
    [PIPE_WRITE] = {"a writing end", LIPC_PIPE_WRITER},
    [CONNECTED] = {"a connection", LIPC_STREAM},
    [TCP] = {"a TCP socket", 0},
    [REGULAR] = {"a file", 0},
    [MISSING] = {"nothing", 0},
};

/* Returns a descriptor of that sort. What else it needs gets numbers above all that is passed. */
static int descriptor_of(enum sort sort) {
    int ends[2];
    switch (sort) {
    case STREAMS: return plain_socket(SOCK_STREAM, "stream", 5);
    case MESSAGES: return plain_socket(SOCK_SEQPACKET, "message", 5);
    case DATAGRAMS: return plain_socket(SOCK_DGRAM, "datagram", -1);
    case PIPE_READ: CHECK(pipe(ends) == 0); return ends[0];
    case PIPE_WRITE: CHECK(pipe(ends) == 0); return ends[1];
    case CONNECTED: CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); return ends[0];
    case TCP: return socket(AF_INET, SOCK_STREAM, 0);
    case REGULAR: return open("/dev/null", O_RDWR);
    default: return -1;
    }
}

static void remove_files(void) {
    static const char *const leaves[] = {"stream", "message", "datagram"};
    for (size_t i = 0; i < 3; i++)
        unlink(in_directory(leaves[i]));
}

/* Passes descriptors from FIRST on, as a service manager does. Returns how many. */
static int pass(const enum sort *passed) {
    int made[MOST], count = 0;
    for (; passed[count] != END; count++) {
        int fd = descriptor_of(passed[count]);
        made[count] = fd < 0 ? -1 : fcntl(fd, F_DUPFD, SPARE);
    }
    for (int fd = FIRST; fd < SPARE; fd++)
        close(fd);
    for (int i = 0; i < count; i++) {
        CHECK(made[i] < 0 || dup2(made[i], FIRST + i) == FIRST + i);
        close(made[i]);
    }
    return count;
}

/* NULL: no such variable. A PID of "me" is this process. */
static void set_variables(const char *process, const char *count, const char *names) {
    char text[32];
    if (process != NULL && strcmp(process, "me") == 0) {
        snprintf(text, sizeof text, "%ld", (long)getpid());
        process = text;
    }
    const char *const values[][2] = {{"LISTEN_PID", process}, {"LISTEN_FDS", count}, {"LISTEN_FDNAMES", names}};
    for (size_t i = 0; i < 3; i++)
        CHECK((values[i][1] != NULL ? setenv(values[i][0], values[i][1], 1) : unsetenv(values[i][0])) == 0);
}

/* Checks that the passed descriptors are unchanged. */
static void check_as_passed(const enum sort *passed) {
    for (int i = 0; passed[i] != END; i++) {
        int flags = fcntl(FIRST + i, F_GETFD);
        CHECK_INT(passed[i] == MISSING, flags < 0);
        CHECK(flags < 0 || (flags & FD_CLOEXEC) == 0);
        CHECK(flags < 0 || (fcntl(FIRST + i, F_GETFL) & O_NONBLOCK) == 0);
    }
}

static void run_in_child(void (*body)(const void *), const void *argument) {
    join(start(body, argument));
    remove_files();
}

/* ------------------------------------------- Success -------------------------------------------- */

static const enum sort everything[] = {STREAMS,   MESSAGES, DATAGRAMS, PIPE_READ, PIPE_WRITE,
                                       CONNECTED, TCP,      REGULAR,   END};
static const char *const everything_named[] = {"web.socket", "b", "", "d", "e", "f", "g"}; /* and the longest */

static void take_everything(const void *names) {
    lipc_activated activated[MOST + 1];
    int ready_was = fcntl(ready_to, F_DUPFD, SPARE);
    CHECK_INT(MOST, pass(everything));
    ready_to = ready_was;
    set_variables("me", "8", names);
    CHECK_INT(MOST, lipc_activation(0, NULL)); /* how many there are */
    for (size_t capacity = 0; capacity < MOST; capacity += MOST - 1) {
        memset(activated, UNTOUCHED, sizeof activated);
        CHECK_INT(MOST, lipc_activation(capacity, activated));
        CHECK(is_untouched(activated, sizeof activated));
        check_as_passed(everything);
    }
    for (size_t capacity = MOST; capacity <= MOST + 1; capacity++) {
        memset(activated, UNTOUCHED, sizeof activated);
        CHECK_INT(MOST, lipc_activation(capacity, activated));
        CHECK(is_untouched(&activated[MOST], sizeof activated[MOST]));
    }
    for (int i = 0; i < MOST; i++) {
        char name[256] = "unknown";
        test_row = sorts[everything[i]].name;
        if (names != NULL && i == MOST - 1)
            memset(name, 'x', 255);
        else if (names != NULL)
            snprintf(name, sizeof name, "%s", everything_named[i]);
        CHECK_INT(FIRST + i, activated[i].handle);
        CHECK_INT(sorts[everything[i]].kind, activated[i].kind);
        CHECK_STRING(name, activated[i].name);
        CHECK(fcntl(FIRST + i, F_GETFD) & FD_CLOEXEC);
        CHECK((fcntl(FIRST + i, F_GETFL) & O_NONBLOCK) == 0); /* until it is adopted */
    }
    CHECK(getenv("LISTEN_PID") != NULL && getenv("LISTEN_FDS") != NULL); /* the environment stays */
    ready();
}

#ifndef __APPLE__ /* it has no message sockets */
TEST(what_was_passed_comes_with_its_kind_and_name) {
    char names[400] = "web.socket:b::d:e:f:g:";
    memset(names + strlen(names), 'x', 255);
    const char *const rows[] = {NULL, names};
    for (size_t i = 0; i < 2; i++)
        run_in_child(take_everything, rows[i]);
}
#endif

static void serve_activated(const void *unused) {
    (void)unused;
    static const enum sort passed[] = {STREAMS, DATAGRAMS, PIPE_READ, END};
    lipc_activated activated[3];
    int ready_was = fcntl(ready_to, F_DUPFD, SPARE);
    pass(passed);
    ready_to = ready_was;
    set_variables("me", "3", "streams:datagrams:pipe");
    CHECK_INT(3, lipc_activation(3, activated));
    lipc_listener *listener;
    CHECK_OK(lipc_listener_adopt(activated[0].handle, NULL, &listener));
    CHECK_INT(LIPC_DATAGRAM, lipc_adopt(activated[1].handle));
    CHECK_INT(LIPC_PIPE_READER, lipc_adopt(activated[2].handle));
    for (int i = 0; i < 3; i++)
        check_born(activated[i].handle);
    ready();
    lipc_handle connection = accept_from(listener);
    char got[8] = "";
    CHECK_INT(2, lipc_read(connection, got, sizeof got, WAIT));
    CHECK_INT(2, lipc_write(connection, got, 2, WAIT));
    CHECK_INT(2, lipc_receive(activated[1].handle, got, sizeof got, WAIT));
    CHECK_STRING("dg", got);
    CHECK_OK(lipc_close(connection));
    lipc_listener_close(listener); /* the file stays for the process that made it */
    CHECK(exists("stream"));
}

TEST(what_was_passed_works) {
    pid_t process = start(serve_activated, NULL);
    lipc_name streams = name_for(LIPC_NAME_PATH, "stream"), datagrams = name_for(LIPC_NAME_PATH, "datagram");
    lipc_handle client = connect_to(&streams), sender;
    char got[8] = "";
    CHECK_INT(2, lipc_write(client, "hi", 2, WAIT));
    CHECK_INT(2, lipc_read(client, got, sizeof got, WAIT));
    CHECK_STRING("hi", got);
    CHECK_OK(lipc_datagram(&sender));
    CHECK_INT(2, lipc_send_to(sender, "dg", 2, &datagrams, WAIT));
    join(process);
    close_all((lipc_handle[]){client, sender}, 2);
    remove_files();
}

/* ------------------------------- Nothing for us, and what is malformed -------------------------- */

static const struct row {
    const char *name, *process, *count, *names;
    int error; /* 0: the result is 0, too */
    const enum sort *passed;
} rows[] = {
#define ONE (const enum sort[]){REGULAR, END}
#define TWO (const enum sort[]){REGULAR, REGULAR, END}
#define GAP (const enum sort[]){REGULAR, MISSING, REGULAR, END}
    {"no variables", NULL, NULL, NULL, 0, ONE},
    {"no process", NULL, "1", NULL, 0, ONE},
    {"no count", "me", NULL, NULL, 0, ONE},
    {"none", "me", "0", NULL, 0, ONE},
    {"none, named", "me", "0", "a", 0, ONE},
    {"another process", "1", "1", NULL, 0, ONE},
    {"process 0", "0", "1", NULL, 0, ONE},
    {"another process, not so many", "1", "5", NULL, 0, ONE},
    {"process: a word", "abc", "1", NULL, LIPC_EINVAL, ONE},
    {"process: empty", "", "1", NULL, LIPC_EINVAL, ONE},
    {"process: negative", "-1", "1", NULL, LIPC_EINVAL, ONE},
    {"process: a sign", "+1", "1", NULL, LIPC_EINVAL, ONE},
    {"process: more behind it", "1 ", "1", NULL, LIPC_EINVAL, ONE},
    {"process: too large", "99999999999999999999999999", "1", NULL, LIPC_EINVAL, ONE},
    {"process: just too large", "2147483648", "1", NULL, LIPC_EINVAL, ONE},
    {"count: a word", "me", "one", NULL, LIPC_EINVAL, ONE},
    {"count: empty", "me", "", NULL, LIPC_EINVAL, ONE},
    {"count: negative", "me", "-1", NULL, LIPC_EINVAL, ONE},
    {"count: hexadecimal", "me", "0x1", NULL, LIPC_EINVAL, ONE},
    {"count: a line end", "me", "1\n", NULL, LIPC_EINVAL, ONE},
    {"count: too large", "me", "99999999999999999999999999", NULL, LIPC_EINVAL, ONE},
    {"count: the largest number", "me", "2147483647", NULL, LIPC_EINVAL, ONE},
    {"count: beyond the descriptors", "me", "2147483645", NULL, LIPC_EINVAL, ONE},
    {"count: more than are open", "me", "2", NULL, LIPC_EBADF, ONE},
    {"count: far more than are open", "me", "2147483644", NULL, LIPC_EBADF, ONE},
    {"a gap", "me", "3", NULL, LIPC_EBADF, GAP},
    {"too few names", "me", "2", "one", LIPC_EINVAL, TWO},
    {"too many names", "me", "2", "one:two:three", LIPC_EINVAL, TWO},
    {"one name too many, empty", "me", "2", "one:two:", LIPC_EINVAL, TWO},
    {"no names at all", "me", "2", "", LIPC_EINVAL, TWO},
    {"a name too long", "me", "1", "long", LIPC_EINVAL, ONE}, /* see below */
};

static void take_nothing(const void *argument) {
    const struct row *row = argument;
    char long_name[300];
    memset(long_name, 'x', 256);
    long_name[256] = '\0';
    lipc_activated activated[4];
    int ready_was = fcntl(ready_to, F_DUPFD, SPARE);
    pass(row->passed);
    ready_to = ready_was;
    bool is_long = row->names != NULL && strcmp(row->names, "long") == 0;
    set_variables(row->process, row->count, is_long ? long_name : row->names);
    memset(activated, UNTOUCHED, sizeof activated);
    for (size_t capacity = 0; capacity <= 4; capacity += 4) {
        int r = lipc_activation(capacity, capacity > 0 ? activated : NULL);
        if (row->error != 0)
            CHECK_ERROR(row->error, r);
        else
            CHECK_INT(0, r);
    }
    CHECK(is_untouched(activated, sizeof activated));
    check_as_passed(row->passed);
    ready();
}

TEST(what_is_not_for_us_or_malformed_changes_nothing) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        run_in_child(take_nothing, &rows[i]);
    }
}
