/* Fault injection: every system call of every operation fails once, with every errno it may have. The operation then
 * succeeds, or fails with a known error, touches no out-parameter, leaves nothing behind, and works when it is tried
 * again. A test file has a table of operations, and calls fail_every_call(). */
#ifndef LIPC_FAULT_H
#define LIPC_FAULT_H

#include "fixture.h"

/* ---------------------------------------- The seam, csrc/sys.h ---------------------------------- */

static int fault_at;                          /* number of the call that is to fail; 0: none */
static int fault_errno;                       /* the errno that it fails with */
static const char *fault_calls;               /* only calls with these prefixes fail; NULL: any */
static int calls;                             /* how many calls there were */
static const char *failed_call;               /* the call that failed */
static void (*before_call)(const char *call); /* what happens elsewhere while the operation runs */

/* Whether the name of a call begins with one of the names. What lipc__sys_ puts in front of the C library's does not count. */
static inline bool begins_with(const char *call, const char *names) {
    static const char ours[] = "lipc__sys_";
    if (strncmp(call, ours, strlen(ours)) == 0)
        call += strlen(ours);
    for (; *names != '\0'; names += strcspn(names, " "), names += *names == ' ')
        if (strncmp(call, names, strcspn(names, " ")) == 0)
            return true;
    return false;
}

static const struct {
    int number;
    const char *name;
    const char *calls; /* prefixes of the calls that may fail so; NULL: any */
    bool hidden;       /* the library deals with it, and the caller never sees it */
} errors[] = {
    {EINTR, "EINTR", "open flock connect accept poll recv send readv writev pwritev2 splice", true},
    /* Every operation here has time to wait. */
    {EAGAIN, "EAGAIN", "accept poll recv send readv writev pwritev2 splice", true},
    {ECONNABORTED, "ECONNABORTED", "accept", true},
    {ECONNRESET, "ECONNRESET", "recv send splice", false},
    {EWOULDBLOCK, "EWOULDBLOCK", "flock", false},
    {EMFILE, "EMFILE", NULL, false},
    {ENFILE, "ENFILE", NULL, false},
    {ENOMEM, "ENOMEM", NULL, false},
    {ENOBUFS, "ENOBUFS", NULL, false},
    {EAGAIN, "EAGAIN", "connect", false}, /* the probe of a socket takes it as a sign of life */
    {ECONNREFUSED, "ECONNREFUSED", "connect", false},
    {EACCES, "EACCES", NULL, false},
    {EPERM, "EPERM", NULL, false},
    {EIO, "EIO", NULL, false},
};
enum { ERRORS = sizeof errors / sizeof *errors };

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    if (before_call != NULL) {
        void (*happen)(const char *) = before_call;
        int at = fault_at;
        before_call = NULL; /* what happens elsewhere does not fail */
        fault_at = 0;
        happen(call);
        fault_at = at;
        before_call = happen;
    }
    if (begins_with(call, "close(")) /* it frees the descriptor whatever it returns */
        return 0;
    if (fault_at == 0 || ++calls != fault_at || (fault_calls != NULL && !begins_with(call, fault_calls)))
        return 0;
    failed_call = call;
    errno = fault_errno;
    return 1;
}

/* --------------------------------------- What is operated on ------------------------------------ */

static struct scene {
    lipc_name name;
    lipc_listener *listener;
    lipc_handle handles[20];
    int count; /* of handles, to be closed */
    int connects;
    bool fifo; /* to be removed */
} s;

/* What the operation returns. */
static struct outputs {
    lipc_handle handles[2];
    lipc_listener *listener;
    lipc_name name;
    lipc_credentials credentials;
    uint32_t groups[4];
    lipc_activated activated[2];
    int64_t pid;
    char data[64];
} out;

static int kind = LIPC_STREAM; /* of the connections */

static inline int type_of_kind(void) {
    return kind == LIPC_STREAM ? SOCK_STREAM : kind == LIPC_MESSAGE ? SOCK_SEQPACKET : SOCK_DGRAM;
}

static lipc_buffer buffers[] = {{out.data, 10}, {NULL, 0}, {out.data + 10, sizeof out.data - 10}};

/* ------------------------------------ What several tables have ---------------------------------- */

static inline void with_pair(void) {
    CHECK_OK(lipc_pair(kind, &s.handles[0], &s.handles[1]));
    s.count = 2;
}

static inline void with_full_pair(void) {
    static char data[1 << 16];
    with_pair();
    while ((kind == LIPC_STREAM ? lipc_write : lipc_send)(s.handles[0], data, sizeof data, 0) > 0) {
    }
}

/* What happens elsewhere while the operation waits. */
static inline void give_bytes(const char *call) {
    if (begins_with(call, "poll"))
        CHECK_OK((kind == LIPC_STREAM ? lipc_write : lipc_send)(s.handles[1], "x", 1, 0));
}

static inline void make_room(const char *call) {
    static char sink[1 << 16];
    if (begins_with(call, "poll"))
        while ((kind == LIPC_STREAM ? lipc_read : lipc_receive)(s.handles[1], sink, sizeof sink, 0) > 0) {
        }
}

static inline int64_t do_adopt(void) {
    return lipc_adopt(s.handles[0]);
}

static inline int64_t do_duplicate(void) {
    return lipc_duplicate(s.handles[0], &out.handles[0]);
}

static inline int64_t do_read(void) {
    return lipc_read(s.handles[0], out.data, sizeof out.data, WAIT);
}

static inline int64_t do_readv(void) {
    return lipc_readv(s.handles[0], buffers, 3, WAIT);
}

static inline int64_t do_write(void) {
    return lipc_write(s.handles[0], out.data, sizeof out.data, WAIT);
}

static inline int64_t do_writev(void) {
    return lipc_writev(s.handles[0], buffers, 3, WAIT);
}

/* -------------------------------------------- Running ------------------------------------------- */

/* An operation, and the scene that it needs. */
typedef struct operation {
    const char *name;
    void (*prepare)(void);
    int64_t (*perform)(void);
    void (*meanwhile)(const char *call);
    int handles; /* how many it makes */
    unsigned traits;
} operation;

enum {
    LISTENS = 1 << 0,           /* it makes a listener */
    REPLACES = 1 << 1,          /* there is a stale socket file, which stays when it fails */
    ADOPTS = 1 << 2,            /* a socket from elsewhere, which stays as it was when it fails */
    TAKES_MESSAGES = 1 << 3,    /* it passes over a reset, which is reported ahead of messages that are still there */
    FOR_STREAMS = 1 << 4,       /* only streams are tested: other kinds do the same */
    FOR_CONNECTIONS = 1 << 5,   /* not for datagrams */
};

/* Performs an operation of which call number n fails; 0: none fails. */
static inline int64_t perform(const operation *o, int n) {
    memset(&out, UNTOUCHED, sizeof out);
    fault_at = n;
    calls = 0;
    failed_call = NULL;
    before_call = o->meanwhile;
    int64_t r = o->perform();
    before_call = NULL;
    fault_at = 0;
    return r;
}

/* Checks that no files are left but a lock file that another process may hold, and, if stale, the socket file that was
 * there before. */
static inline void check_no_files(bool stale) {
    char socket_file[64], lock_file[80], last[300];
    snprintf(socket_file, sizeof socket_file, s.name.type == LIPC_NAME_PATH ? "s" : "lipc/%.40s", s.name.text);
    snprintf(lock_file, sizeof lock_file, "%s.lock", socket_file);
    if (failed_call != NULL && begins_with(failed_call, "flock") && fault_errno == EWOULDBLOCK)
        unlink(in_directory(lock_file));
    CHECK(!exists(lock_file));
    CHECK(stale || !exists(socket_file));
    CHECK(test_entries(in_directory("lipc"), last, sizeof last) <= 0);
}

/* Runs an operation of which call number n fails. hidden: the caller must not notice. Returns false if the operation
 * makes fewer calls. */
static inline bool run(const operation *o, int n, bool hidden) {
    test_open before;
    test_descriptors(&before);
    memset(&s, 0, sizeof s);
    if (o->prepare != NULL)
        o->prepare();
    int64_t r = perform(o, n);
    bool made = calls >= n;
    if (r < 0) {
        CHECK(failed_call != NULL);
        CHECK(strcmp(lipc_error_name(r), "unknown") != 0 && lipc_error_os(r) != EINTR);
        CHECK(is_untouched(&out, sizeof out));
        if (o->traits & LISTENS)
            check_no_files(o->traits & REPLACES);
        if (o->traits & ADOPTS)
            CHECK((fcntl((int)s.handles[0], F_GETFD) & FD_CLOEXEC) == 0 &&
                  (fcntl((int)s.handles[0], F_GETFL) & O_NONBLOCK) == 0);
        CHECK(!hidden);
        CHECK_OK(perform(o, 0));
    }
    close_all(out.handles, o->handles);
    if (o->traits & LISTENS)
        lipc_listener_close(out.listener);
    lipc_listener_close(s.listener);
    close_all(s.handles, s.count);
    if (s.fifo)
        remove_file("f");
    test_same_descriptors(&before);
    test_directory_empty();
    return made;
}

/* Whether the operation must succeed although a call fails so. */
static inline bool is_hidden(const operation *o, int error) {
    bool passed_over = kind == LIPC_MESSAGE && (o->traits & TAKES_MESSAGES) && errors[error].number == ECONNRESET;
    return errors[error].hidden || passed_over;
}

static inline bool is_for_this_kind(const operation *o) {
    return !(o->traits & FOR_STREAMS && kind != LIPC_STREAM) && !(o->traits & FOR_CONNECTIONS && kind == LIPC_DATAGRAM);
}

/* Tests the operations of a table whose names begin with one of these words. */
static inline void fail_every_call(const operation *operations, size_t count, const char *names) {
    for (const operation *o = operations; o < operations + count; o++) {
        if (!is_for_this_kind(o) || !begins_with(o->name, names))
            continue;
        for (int j = 0; j < ERRORS; j++) {
            bool made = true;
            for (int n = 1; made; n++) {
                char row[200];
                snprintf(row, sizeof row, "%s, call %d, %s", o->name, n, errors[j].name);
                test_row = row;
                fault_errno = errors[j].number;
                fault_calls = errors[j].calls;
                made = run(o, n, is_hidden(o, j));
                CHECK(n < 100);
            }
        }
    }
}

#define FAIL_EVERY_CALL(operations, names) \
    fail_every_call(operations, sizeof(operations) / sizeof *(operations), names)

#endif
