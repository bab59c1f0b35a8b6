/* Every system call of every operation fails once, with every errno it may have. The operation then succeeds, or
 * fails with a known error, touches no out-parameter, leaves nothing behind, and works when it is tried again. */
#include "fixture.h"

/* ---------------------------------------- The seam, csrc/sys.h ---------------------------------- */

static int fault_at;                          /* the how manyth call is to fail; 0: none */
static int fault_errno;                       /* how */
static const char *fault_calls;               /* and only if it is one of these (prefixes); NULL: any */
static int calls;                             /* how many there were */
static const char *failed_call;               /* the one that failed */
static void (*before_call)(const char *call); /* what happens elsewhere while the operation runs */

static bool begins_with(const char *call, const char *names) {
    for (; *names != '\0'; names += strcspn(names, " "), names += *names == ' ')
        if (strncmp(call, names, strcspn(names, " ")) == 0)
            return true;
    return false;
}

/* Prefixes. */
#define CALLS_THAT_WAIT \
    "lipc__sys_accept poll lipc__sys_recv recvfrom lipc__sys_send sendto sendfile lipc__sys_splice readv writev " \
    "lipc__sys_pwritev2"

static const struct {
    int number;
    const char *name;
    const char *calls; /* which may fail so (prefixes); NULL: any */
    bool hidden;       /* the library deals with it, the caller never sees it */
} errors[] = {
    {EINTR, "EINTR", CALLS_THAT_WAIT " open flock connect", true},
    /* Every operation here has time to wait. */
    {EAGAIN, "EAGAIN", CALLS_THAT_WAIT, true},
    {ECONNABORTED, "ECONNABORTED", "lipc__sys_accept", true},
    {ECONNRESET, "ECONNRESET", "lipc__sys_recv recvfrom lipc__sys_send sendto sendfile lipc__sys_splice", false},
    {EWOULDBLOCK, "EWOULDBLOCK", "flock", false},
    {EMFILE, "EMFILE", NULL, false},
    {ENFILE, "ENFILE", NULL, false},
    {ENOMEM, "ENOMEM", NULL, false},
    {ENOBUFS, "ENOBUFS", NULL, false},
    {EAGAIN, "EAGAIN", "connect", false}, /* from the probe for life it means that there is some */
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
    if (begins_with(call, "close(")) /* which frees the descriptor, whatever it says */
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

/* What the operation gives, and whether it is to be closed. */
static struct outputs {
    lipc_handle handles[2];
    lipc_listener *listener;
    lipc_name name;
    lipc_credentials credentials;
    uint32_t groups[4];
    lipc_activated activated[2];
    char data[64];
} out;

static int kind = LIPC_STREAM; /* of the connections */

static int type_of_kind(void) {
    return kind == LIPC_STREAM ? SOCK_STREAM : kind == LIPC_MESSAGE ? SOCK_SEQPACKET : SOCK_DGRAM;
}

static lipc_buffer buffers[] = {{out.data, 10}, {NULL, 0}, {out.data + 10, sizeof out.data - 10}};

static void with_path(void) {
    s.name = name_for(LIPC_NAME_PATH, "s");
}

static void with_stale_path(void) {
    make_stale("s");
    with_path();
}

static void with_namespaced_name(void) {
    s.name = name_for(LIPC_NAME_NAMESPACED, "s");
}

static int64_t do_listen(void) {
    lipc_listen_options options = {.size = sizeof options, .backlog = 1, .kind = kind};
    return lipc_listen(&s.name, &options, &out.listener);
}

static int64_t do_connect(void) {
    lipc_connect_options options = {.size = sizeof options, .kind = kind};
    return lipc_connect(&s.name, &options, WAIT, &out.handles[0]);
}

static void with_listener(void) {
    with_path();
    CHECK_OK(do_listen());
    s.listener = out.listener;
}

static void with_namespaced_listener(void) {
    with_namespaced_name();
    CHECK_OK(do_listen());
    s.listener = out.listener;
}

static void with_pair(void) {
    CHECK_OK(lipc_pair(kind, &s.handles[0], &s.handles[1]));
    s.count = 2;
}

static void with_full_pair(void) {
    static char data[1 << 16];
    with_pair();
    while ((kind == LIPC_STREAM ? lipc_write : lipc_send)(s.handles[0], data, sizeof data, 0) > 0) {
    }
}

static void with_foreign_socket(void) {
    s.handles[s.count++] = plain_socket(type_of_kind(), "l", kind == LIPC_DATAGRAM ? -1 : 1);
    remove_file("l");
}

static void with_full_listener(void) {
    with_listener();
    s.count = fill_backlog(&s.name, s.handles, 16);
    s.connects = 0;
}

/* What happens elsewhere while the operation waits. */
static void give_bytes(const char *call) {
    if (begins_with(call, "poll"))
        CHECK_OK((kind == LIPC_STREAM ? lipc_write : lipc_send)(s.handles[1], "x", 1, 0));
}

static void make_room(const char *call) {
    static char sink[1 << 16];
    if (begins_with(call, "poll"))
        while ((kind == LIPC_STREAM ? lipc_read : lipc_receive)(s.handles[1], sink, sizeof sink, 0) > 0) {
        }
}

static void connect_once(const char *call) {
    lipc_connect_options options = {.size = sizeof options, .kind = kind};
    if (begins_with(call, "poll"))
        CHECK_OK(lipc_connect(&s.name, &options, WAIT, &s.handles[s.count++]));
}

static void accept_one(const char *call) {
    lipc_handle server;
    if (begins_with(call, "connect") && ++s.connects > 1 && lipc_accept(s.listener, 0, NULL, &server) == 0)
        CHECK_OK(lipc_close(server));
}

static int64_t do_adopt_listener(void) {
    int r = lipc_listener_adopt(s.handles[0], NULL, &out.listener);
    s.count = r == 0 ? 0 : 1; /* it belongs to the listener now */
    return r;
}

static int64_t do_accept(void) {
    return lipc_accept(s.listener, WAIT, &out.name, &out.handles[0]);
}

static int64_t do_pair(void) {
    return lipc_pair(kind, &out.handles[0], &out.handles[1]);
}

static int64_t do_adopt(void) {
    return lipc_adopt(s.handles[0]);
}

static int64_t do_duplicate(void) {
    return lipc_duplicate(s.handles[0], &out.handles[0]);
}

static int64_t do_read(void) {
    return lipc_read(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_readv(void) {
    return lipc_readv(s.handles[0], buffers, 3, WAIT);
}

static int64_t do_write(void) {
    return lipc_write(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_writev(void) {
    return lipc_writev(s.handles[0], buffers, 3, WAIT);
}

static int64_t do_send(void) {
    return lipc_send(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_receive(void) {
    return lipc_receive(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_peek(void) {
    return lipc_peek(s.handles[0], out.data, sizeof out.data, WAIT);
}

static int64_t do_message_limit(void) {
    return lipc_message_limit(s.handles[0]);
}

static int64_t do_credentials(void) {
    return lipc_peer_credentials(s.handles[0], &out.credentials);
}

static int64_t do_groups(void) {
    int r = lipc_peer_groups(s.handles[0], 4, out.groups);
    return lipc_error_code(r) == LIPC_ENOTSUP ? 0 : r;
}

static int64_t do_buffer_sizes(void) {
    int r = lipc_set_buffer_size(s.handles[0], LIPC_WRITE, 8192);
    return r < 0 ? r : lipc_buffer_size(s.handles[0], LIPC_WRITE);
}

static int64_t do_local_name(void) {
    return lipc_local_name(s.handles[0], &out.name);
}

static int64_t do_peer_name(void) {
    return lipc_peer_name(s.handles[0], &out.name);
}

static int64_t do_shutdown(void) {
    return lipc_shutdown(s.handles[0], LIPC_WRITE);
}

/* --------------------------------------- What travels along ------------------------------------- */

/* There is a message with a handle to receive. */
static void with_handle_in_flight(void) {
    with_pair();
    lipc_handle file = numbered_file(7);
    CHECK_INT(5, send_handles(s.handles[1], "hello", 5, &file, 1, 0));
    CHECK_OK(lipc_close(file));
}

static void with_credentials(void) {
    with_pair();
    lipc_set_pass_credentials(s.handles[0], true); /* where the system has them */
    lipc_set_pass_pidfd(s.handles[0], true);
    lipc_handle file = numbered_file(7);
    CHECK_INT(5, send_handles(s.handles[1], "hello", 5, &file, 1, 0));
    CHECK_OK(lipc_close(file));
}

static void give_a_handle(const char *call) {
    lipc_handle file = STDERR_FILENO;
    if (begins_with(call, "poll"))
        CHECK_INT(1, send_handles(s.handles[1], "x", 1, &file, 1, 0));
}

/* The handle that is sent is only lent: what is left behind is seen by what is open. */
static int64_t do_send_message(void) {
    lipc_handle file = STDERR_FILENO;
    return send_handles(s.handles[0], out.data, sizeof out.data, &file, 1, WAIT);
}

static int64_t do_receive_message(void) {
    lipc_message message = {.size = sizeof message,
                            .buffers = buffers,
                            .buffer_count = 3,
                            .handles = out.handles,
                            .handle_capacity = 2};
    int64_t r = lipc_receive_message(s.handles[0], &message, WAIT);
    CHECK_INT(r < 0 ? 0 : 1, (int64_t)message.handle_count);
    return r;
}

/* All of it, a pidfd too. */
static int64_t do_receive_everything(void) {
    char room[LIPC_CONTROL_SIZE];
    lipc_control control = {room, sizeof room, 0, 0};
    lipc_handle pidfd;
    memset(&pidfd, UNTOUCHED, sizeof pidfd);
    lipc_message message = {.size = sizeof message,
                            .buffers = buffers,
                            .buffer_count = 3,
                            .handles = out.handles,
                            .handle_capacity = 2,
                            .credentials = &out.credentials,
                            .peer = &out.name,
                            .pidfd = &pidfd,
                            .control = &control};
    int64_t r = lipc_receive_message(s.handles[0], &message, WAIT);
    CHECK(r >= 0 || is_untouched(&pidfd, sizeof pidfd));
    if (r >= 0 && pidfd != LIPC_INVALID_HANDLE)
        CHECK_OK(lipc_close(pidfd));
    CHECK_INT(0, r < 0 ? (int64_t)control.length : 0);
    lipc_control_close(&control);
    return r;
}

static int64_t do_peer_pidfd(void) {
    int r = lipc_peer_pidfd(s.handles[0], &out.handles[0]);
    if (lipc_error_code(r) != LIPC_ENOTSUP)
        return r;
    return lipc_duplicate(s.handles[0], &out.handles[0]); /* something to close */
}

static int64_t do_pass(void) {
    int r = lipc_set_pass_credentials(s.handles[0], true);
    if (r >= 0 || lipc_error_code(r) == LIPC_ENOTSUP)
        r = lipc_set_pass_pidfd(s.handles[0], true);
    return lipc_error_code(r) == LIPC_ENOTSUP ? 0 : r;
}

/* ------------------------------------------ Datagrams ------------------------------------------- */

static void with_bound_socket(void) {
    with_path();
    lipc_listen_options options = {.size = sizeof options, .kind = LIPC_DATAGRAM};
    CHECK_OK(lipc_listen(&s.name, &options, &s.listener));
    CHECK_OK(lipc_datagram(&s.handles[0]));
    s.count = 1;
}

static void with_datagram_in_flight(void) {
    with_bound_socket();
    CHECK_INT(5, lipc_send_to(s.handles[0], "hello", 5, &s.name, 0));
}

static void with_full_receiver(void) {
    with_bound_socket();
    while (lipc_send_to(s.handles[0], "hello", 5, &s.name, 0) > 0) {
    }
}

/* Before a send to a full receiver that is not the first. */
static void take_a_datagram(const char *call) {
    char sink[8];
    if (begins_with(call, "lipc__sys_send sendto") && ++s.connects > 1)
        lipc_receive(lipc_listener_handle(s.listener), sink, sizeof sink, 0);
}

static int64_t do_datagram(void) {
    return lipc_datagram(&out.handles[0]);
}

static int64_t do_datagram_connect(void) {
    int r = lipc_datagram_connect(s.handles[0], &s.name);
    return r < 0 ? r : lipc_datagram_connect(s.handles[0], NULL);
}

static int64_t do_send_to(void) {
    return lipc_send_to(s.handles[0], "hello", 5, &s.name, WAIT);
}

static int64_t do_receive_from(void) {
    return lipc_receive_from(lipc_listener_handle(s.listener), out.data, sizeof out.data, WAIT, &out.name);
}

/* -------------------------------------- Pipes, FIFOs, activation -------------------------------- */

static void with_pipe(void) {
    CHECK_OK(lipc_pipe(NULL, &s.handles[0], &s.handles[1]));
    s.count = 2;
}

/* As the reading and writing below need it: the end that it is about comes first. */
static void with_full_pipe(void) {
    static char data[1 << 16];
    CHECK_OK(lipc_pipe(NULL, &s.handles[1], &s.handles[0]));
    s.count = 2;
    while (lipc_write(s.handles[0], data, sizeof data, 0) > 0) {
    }
}

static int64_t do_pipe(void) {
    lipc_pipe_options options = {.size = sizeof options, .inherit = LIPC_READ};
    return lipc_pipe(&options, &out.handles[0], &out.handles[1]);
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
static int64_t do_pipe_of_a_size(void) {
    lipc_pipe_options options = {.size = sizeof options, .buffer_size = 8192};
    return lipc_pipe(&options, &out.handles[0], &out.handles[1]);
}

static int64_t do_pipe_sizes(void) {
    int r = lipc_set_buffer_size(s.handles[1], LIPC_WRITE, 8192);
    return r < 0 ? r : lipc_buffer_size(s.handles[0], LIPC_READ);
}

/* A connection without room, and a file of one number. */
static void with_file(void) {
    with_full_pair();
    s.handles[s.count++] = numbered_file(7);
    CHECK(lseek((int)s.handles[2], 0, SEEK_SET) == 0);
}

static int64_t do_send_file(void) {
    return lipc_send_file(s.handles[0], s.handles[2], 100, WAIT);
}

/* A connection, and a pipe. */
static void with_relay(void) {
    with_pair();
    CHECK_OK(lipc_pipe(NULL, &s.handles[2], &s.handles[3]));
    s.count = 4;
}

static void with_relay_to(void) {
    with_full_pair();
    CHECK_OK(lipc_pipe(NULL, &s.handles[2], &s.handles[3]));
    s.count = 4;
    CHECK_INT(5, lipc_write(s.handles[3], "hello", 5, 0));
}

static int64_t do_splice_in(void) {
    return lipc_splice(s.handles[0], s.handles[3], 100, WAIT);
}

static int64_t do_splice_out(void) {
    return lipc_splice(s.handles[2], s.handles[0], 100, WAIT);
}
#endif

static int64_t do_kind(void) {
    return lipc_kind(s.handles[0]);
}

static int64_t do_set_inherit(void) {
    int r = lipc_set_inherit(s.handles[0], true);
    if (r < 0) /* it is as it was */
        check_born(s.handles[0]);
    return r;
}

static void with_fifo(void) {
    CHECK_OK(lipc_fifo_create(in_directory("f"), 0));
    s.fifo = true;
}

static void with_fifo_reader(void) {
    with_fifo();
    CHECK_OK(lipc_fifo_open_reader(in_directory("f"), &s.handles[0]));
    s.count = 1;
}

/* Somebody writes from the second attempt on. */
static void open_the_writer(const char *call) {
    if (begins_with(call, "readv") && ++s.connects == 2)
        CHECK_OK(lipc_fifo_open_writer(in_directory("f"), 0, &s.handles[s.count++]));
}

static void open_the_reader(const char *call) {
    if (begins_with(call, "stat") && ++s.connects == 2)
        CHECK_OK(lipc_fifo_open_reader(in_directory("f"), &s.handles[s.count++]));
}

/* With a mode that the umask takes something of. */
static int64_t do_fifo_create(void) {
    mode_t before = umask(077);
    int r = lipc_fifo_create(in_directory("f"), 0666);
    umask(before);
    CHECK_INT(r >= 0, exists("f"));
    s.fifo = r >= 0;
    return r;
}

static int64_t do_fifo_reader(void) {
    return lipc_fifo_open_reader(in_directory("f"), &out.handles[0]);
}

static int64_t do_fifo_writer(void) {
    return lipc_fifo_open_writer(in_directory("f"), WAIT, &out.handles[0]);
}

static int64_t do_fifo_wait(void) {
    return lipc_fifo_wait_writer(s.handles[0], WAIT);
}

/* Of the descriptor 3, which is the test's in a child process of its own. */
static int64_t do_activation(void) {
    char process[32];
    snprintf(process, sizeof process, "%ld", (long)getpid());
    CHECK(setenv("LISTEN_PID", process, 1) == 0 && setenv("LISTEN_FDS", "1", 1) == 0);
    int r = lipc_activation(2, out.activated);
    CHECK(r < 0 || (fcntl(3, F_GETFD) & FD_CLOEXEC));
    return r;
}

static void with_activation(void) {
    int fd = open("/dev/null", O_RDWR);
    CHECK(fd >= 0 && dup2(fd, 3) == 3);
    if (fd != 3)
        close(fd);
    CHECK(fcntl(3, F_SETFD, 0) == 0);
    s.handles[0] = 3;
    s.count = 1;
}

static const struct operation {
    const char *name;
    void (*prepare)(void);
    int64_t (*perform)(void);
    void (*meanwhile)(const char *call);
    int handles; /* how many it makes */
    bool listener; /* whether it makes one */
} operations[] = {
    {"listen on a path", with_path, do_listen, NULL, 0, true},
    {"listen on a stale path", with_stale_path, do_listen, NULL, 0, true},
    {"listen on a namespaced name", with_namespaced_name, do_listen, NULL, 0, true},
    {"adopt a listener", with_foreign_socket, do_adopt_listener, NULL, 0, true},
    {"connect", with_listener, do_connect, NULL, 1, false},
    {"connect to a namespaced name", with_namespaced_listener, do_connect, NULL, 1, false},
    {"connect when the backlog is full", with_full_listener, do_connect, accept_one, 1, false},
    {"accept", with_listener, do_accept, connect_once, 1, false},
    {"accept on a namespaced name", with_namespaced_listener, do_accept, connect_once, 1, false},
    {"pair", NULL, do_pair, NULL, 2, false},
    {"adopt", with_foreign_socket, do_adopt, NULL, 0, false},
    {"duplicate", with_pair, do_duplicate, NULL, 1, false},
    {"read", with_pair, do_read, give_bytes, 0, false},
    {"readv", with_pair, do_readv, give_bytes, 0, false},
    {"write", with_full_pair, do_write, make_room, 0, false},
    {"writev", with_full_pair, do_writev, make_room, 0, false},
    {"send", with_full_pair, do_send, make_room, 0, false},
    {"receive", with_pair, do_receive, give_bytes, 0, false},
    {"peek", with_pair, do_peek, give_bytes, 0, false},
    {"message limit", with_pair, do_message_limit, NULL, 0, false},
    {"credentials", with_pair, do_credentials, NULL, 0, false},
    {"groups", with_pair, do_groups, NULL, 0, false},
    {"buffer sizes", with_pair, do_buffer_sizes, NULL, 0, false},
    {"local name", with_pair, do_local_name, NULL, 0, false},
    {"peer name", with_pair, do_peer_name, NULL, 0, false},
    {"shut down", with_pair, do_shutdown, NULL, 0, false},
    {"hand over", with_full_pair, do_send_message, make_room, 0, false},
    {"hand over at once", with_pair, do_send_message, NULL, 0, false},
    {"take over", with_pair, do_receive_message, give_a_handle, 1, false},
    {"take over what is there", with_handle_in_flight, do_receive_message, NULL, 1, false},
    {"take over everything", with_credentials, do_receive_everything, NULL, 1, false},
    {"pass credentials", with_pair, do_pass, NULL, 0, false},
    {"pidfd of the peer", with_pair, do_peer_pidfd, NULL, 1, false},
    {"datagram socket", NULL, do_datagram, NULL, 1, false},
    {"datagram connect", with_bound_socket, do_datagram_connect, NULL, 0, false},
    {"datagram sent to a name", with_bound_socket, do_send_to, NULL, 0, false},
    {"datagram sent to a full receiver", with_full_receiver, do_send_to, take_a_datagram, 0, false},
    {"datagram received", with_datagram_in_flight, do_receive_from, NULL, 0, false},
    {"pipe", NULL, do_pipe, NULL, 2, false},
#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
    {"pipe of a size", NULL, do_pipe_of_a_size, NULL, 2, false},
    {"pipe sizes", with_pipe, do_pipe_sizes, NULL, 0, false},
    {"copy from a file", with_file, do_send_file, make_room, 0, false},
    {"copy to a pipe", with_relay, do_splice_in, give_bytes, 0, false},
    {"copy from a pipe", with_relay_to, do_splice_out, make_room, 0, false},
#endif
    {"pipe read", with_pipe, do_read, give_bytes, 0, false},
    {"pipe readv", with_pipe, do_readv, give_bytes, 0, false},
    {"pipe write", with_full_pipe, do_write, make_room, 0, false},
    {"pipe writev", with_full_pipe, do_writev, make_room, 0, false},
    {"pipe kind", with_pipe, do_kind, NULL, 0, false},
    {"pipe adopt", with_pipe, do_adopt, NULL, 0, false},
    {"pipe inherit", with_pipe, do_set_inherit, NULL, 0, false},
    {"FIFO create", NULL, do_fifo_create, NULL, 0, false},
    {"FIFO reader", with_fifo, do_fifo_reader, NULL, 1, false},
    {"FIFO writer", with_fifo, do_fifo_writer, open_the_reader, 1, false},
    {"FIFO wait", with_fifo_reader, do_fifo_wait, open_the_writer, 0, false},
    {"activation", with_activation, do_activation, NULL, 0, false},
};

/* -------------------------------------------- Running ------------------------------------------- */

/* Call number n fails; 0: none does. */
static int64_t perform(const struct operation *o, int n) {
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

/* No files, but a lock file that another may hold; stale: and the socket file that was there before. */
static void check_no_files(bool stale) {
    char socket_file[64], lock_file[80], last[300];
    snprintf(socket_file, sizeof socket_file, s.name.type == LIPC_NAME_PATH ? "s" : "lipc/%.40s", s.name.text);
    snprintf(lock_file, sizeof lock_file, "%s.lock", socket_file);
    if (failed_call != NULL && begins_with(failed_call, "flock") && fault_errno == EWOULDBLOCK)
        unlink(in_directory(lock_file));
    CHECK(!exists(lock_file));
    CHECK(stale || !exists(socket_file));
    CHECK(test_entries(in_directory("lipc"), last, sizeof last) <= 0);
}

/* Runs an operation of which call number n fails. hidden: the caller is not to notice. Returns false if it makes
 * fewer calls. */
static bool run(const struct operation *o, int n, bool hidden) {
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
        if (o->listener)
            check_no_files(o->prepare == with_stale_path);
        if (o->prepare == with_foreign_socket) /* it is as it was */
            CHECK((fcntl((int)s.handles[0], F_GETFD) & FD_CLOEXEC) == 0 &&
                  (fcntl((int)s.handles[0], F_GETFL) & O_NONBLOCK) == 0);
        CHECK(!hidden);
        CHECK_OK(perform(o, 0));
    }
    close_all(out.handles, o->handles);
    if (o->listener)
        lipc_listener_close(out.listener);
    lipc_listener_close(s.listener);
    close_all(s.handles, s.count);
    if (s.fifo)
        remove_file("f");
    test_same_descriptors(&before);
    test_directory_empty();
    return made;
}

/* A reset is reported ahead of messages that are still there, and passed over. */
static bool hides_resets(size_t operation, int error) {
    int64_t (*const perform)(void) = operations[operation].perform;
    return errors[error].number == ECONNRESET && (perform == do_receive || perform == do_peek ||
                                                  perform == do_receive_message || perform == do_receive_everything);
}

/* Of the operations whose name begins so. */
static void fail_every_call(const char *names) {
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (kind != LIPC_STREAM && operations[i].prepare == with_full_listener)
            continue; /* streams show it */
        if (kind == LIPC_DATAGRAM && operations[i].perform == do_adopt_listener)
            continue; /* there are none */
        for (int j = 0; j < ERRORS && begins_with(operations[i].name, names); j++) {
            bool made = true;
            for (int n = 1; made; n++) {
                char row[200];
                snprintf(row, sizeof row, "%s, call %d, %s", operations[i].name, n, errors[j].name);
                test_row = row;
                fault_errno = errors[j].number;
                fault_calls = errors[j].calls;
                made = run(&operations[i], n, errors[j].hidden || (kind == LIPC_MESSAGE && hides_resets(i, j)));
                CHECK(n < 100);
            }
        }
    }
}

#ifndef __APPLE__
TEST(every_call_may_fail_once_with_messages) {
    kind = LIPC_MESSAGE;
    fail_every_call("listen adopt connect accept pair send receive peek message");
}
#endif

TEST(every_call_may_fail_once_when_listening) {
    fail_every_call("listen");
}

TEST(every_call_may_fail_once_when_handles_travel) {
    for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
        kind = fixture_kinds[i].kind;
        fail_every_call("hand take pass pidfd");
    }
}

TEST(every_call_may_fail_once_with_datagrams) {
    kind = LIPC_DATAGRAM;
    fail_every_call("listen pair adopt send receive peek message datagram");
}

TEST(every_call_may_fail_once_with_pipes_and_FIFOs) {
    fail_every_call("pipe FIFO");
}

TEST(every_call_may_fail_once_with_what_a_service_manager_passed) {
    fail_every_call("activation");
}

TEST(every_call_may_fail_once_when_adopting) {
    fail_every_call("adopt duplicate");
}

TEST(every_call_may_fail_once_when_connections_are_made) {
    fail_every_call("connect accept pair");
}

TEST(every_call_may_fail_once_when_bytes_are_moved) {
    fail_every_call("read write shut");
}

TEST(every_call_may_fail_once_when_a_handle_is_asked) {
    fail_every_call("credentials groups buffer local peer");
}

/* Where a full backlog and a dead server are refused alike, a probe tells them apart. */
TEST(a_refusal_is_a_full_backlog_only_where_that_is_how_the_system_tells) {
    with_listener();
    fault_errno = ECONNREFUSED;
    fault_calls = "connect";
    failed_call = NULL;
    for (int n = 1; failed_call == NULL; n++) { /* until n is the number of connect(2) */
        lipc_handle client;
        fault_at = n;
        calls = 0;
        int r = lipc_connect(&s.name, NULL, WAIT, &client);
        CHECK_ERROR(failed_call != NULL && ABSTRACT_NAMES ? LIPC_ECONNREFUSED : 0, r);
        fault_at = 0;
        if (r == 0)
            close_all((lipc_handle[]){client, accept_from(s.listener)}, 2);
    }
    lipc_listener_close(s.listener);
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
TEST(every_call_may_fail_once_when_the_system_copies) {
    fail_every_call("copy");
}

/* Before 6.18 Linux cannot be asked for a write that raises no signal. */
TEST(a_system_without_quiet_writes_is_made_up_for) {
    static const int errnos[] = {EOPNOTSUPP, ENOSYS};
    signal(SIGPIPE, SIG_DFL); /* it would kill the test */
    for (size_t i = 0; i < 2; i++) {
        with_pipe();
        fault_errno = errnos[i];
        fault_calls = "lipc__sys_pwritev2";
        for (int gone = 0; gone < 2; gone++) {
            failed_call = NULL;
            for (int n = 1; failed_call == NULL; n++) { /* until n is the number of pwritev2(2) */
                fault_at = n;
                calls = 0;
                CHECK_ERROR(gone ? LIPC_EPIPE : 0, lipc_write(s.handles[1], "x", 1, WAIT));
                CHECK(n < 10);
            }
            fault_at = 0;
            if (!gone)
                CHECK_OK(lipc_close(s.handles[0]));
        }
        CHECK_OK(lipc_close(s.handles[1]));
    }
}
#endif

TEST(every_errno_has_its_portable_code) {
    static const struct {
        int number, code;
    } rows[] = {
        {EAGAIN, LIPC_EAGAIN},   {ETIMEDOUT, LIPC_ETIMEDOUT},   {EINVAL, LIPC_EINVAL},
        {ENOENT, LIPC_ENOENT},   {ENOTDIR, LIPC_ENOENT},        {ENAMETOOLONG, LIPC_ENAMETOOLONG},
        {EACCES, LIPC_EACCES},   {EPERM, LIPC_EACCES},          {EROFS, LIPC_EACCES},
        {EPIPE, LIPC_EPIPE},     {EADDRINUSE, LIPC_EADDRINUSE}, {ECONNREFUSED, LIPC_ECONNREFUSED},
        {ENOSYS, LIPC_ENOTSUP},  {EOPNOTSUPP, LIPC_ENOTSUP},    {ECONNRESET, LIPC_EPIPE},
        {EMFILE, LIPC_EMFILE},   {ENFILE, LIPC_EMFILE},         {ENOMEM, LIPC_ENOMEM},
        {ENOBUFS, LIPC_ENOMEM},  {EBADF, LIPC_EBADF},           {ENOTSOCK, LIPC_ENOTSOCK},
        {EPROTOTYPE, LIPC_ENOTSOCK}, {ENOTCONN, LIPC_ENOTCONN}, {EMSGSIZE, LIPC_EMSGSIZE},
        {EIO, LIPC_EIO},         {EDOM, LIPC_EOTHER},           {ETOOMANYREFS, LIPC_EMFILE},
        {EEXIST, LIPC_EEXIST},
    };
    lipc_handle a, b;
    lipc_name name;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fault_errno = rows[i].number;
        fault_at = 1;
        calls = 0;
        CHECK_ERROR(rows[i].code, lipc_local_name(a, &name));
    }
    fault_at = 0;
    close_all((lipc_handle[]){a, b}, 2);
}
