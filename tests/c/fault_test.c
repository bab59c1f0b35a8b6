/* Fault injection, see fault.h: names, listeners, connections, messages, datagrams, activation. */
#include "fault.h"

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

static void with_user_name(void) {
    s.name = name_for(LIPC_NAME_USER, "s");
}

static int64_t do_listen_for_group(void) {
    const uint32_t group = geteuid() == 0 ? 4005 : getegid();
    lipc_listen_options options = {.size = sizeof options, .mode = 0660, .kind = kind, .group = &group};
    return lipc_listen(&s.name, &options, &out.listener);
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

static void with_user_listener(void) {
    with_user_name();
    CHECK_OK(do_listen());
    s.listener = out.listener;
}

static int64_t do_connect_to_same_user(void) {
    const lipc_peer_policy policy = {.size = sizeof policy, .peers = LIPC_PEERS_SAME_USER};
    lipc_connect_options options = {.size = sizeof options, .kind = kind, .server = &policy};
    return lipc_connect(&s.name, &options, WAIT, &out.handles[0]);
}

static int64_t do_obstacle(void) {
    return lipc_name_obstacle(&s.name, kind, &out.pid);
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
    if (begins_with(call, "send") && ++s.connects > 1)
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

/* ------------------------------------------ Activation ------------------------------------------ */

/* Takes descriptor 3, which is free for this in the test's own process. */
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

static const operation operations[] = {
    {"listen on a path", with_path, do_listen, NULL, 0, LISTENS},
    {"listen on a stale path", with_stale_path, do_listen, NULL, 0, LISTENS | REPLACES},
    {"listen on a namespaced name", with_namespaced_name, do_listen, NULL, 0, LISTENS},
    {"listen on a user's name", with_user_name, do_listen, NULL, 0, LISTENS},
    {"listen for a group", with_path, do_listen_for_group, NULL, 0, LISTENS},
    {"obstacle of a path", with_listener, do_obstacle, NULL, 0, 0},
    {"obstacle of a namespaced name", with_namespaced_listener, do_obstacle, NULL, 0, 0},
    {"adopt a listener", with_foreign_socket, do_adopt_listener, NULL, 0, LISTENS | ADOPTS | FOR_CONNECTIONS},
    {"connect", with_listener, do_connect, NULL, 1, 0},
    {"connect to a namespaced name", with_namespaced_listener, do_connect, NULL, 1, 0},
    {"connect to a user's name", with_user_listener, do_connect, NULL, 1, FOR_CONNECTIONS},
    {"connect to the same user", with_listener, do_connect_to_same_user, NULL, 1, FOR_CONNECTIONS},
    {"connect when the backlog is full", with_full_listener, do_connect, accept_one, 1, FOR_STREAMS},
    {"accept", with_listener, do_accept, connect_once, 1, 0},
    {"accept on a namespaced name", with_namespaced_listener, do_accept, connect_once, 1, 0},
    {"pair", NULL, do_pair, NULL, 2, 0},
    {"adopt", with_foreign_socket, do_adopt, NULL, 0, ADOPTS},
    {"duplicate", with_pair, do_duplicate, NULL, 1, 0},
    {"read", with_pair, do_read, give_bytes, 0, 0},
    {"readv", with_pair, do_readv, give_bytes, 0, 0},
    {"write", with_full_pair, do_write, make_room, 0, 0},
    {"writev", with_full_pair, do_writev, make_room, 0, 0},
    {"send", with_full_pair, do_send, make_room, 0, 0},
    {"receive", with_pair, do_receive, give_bytes, 0, TAKES_MESSAGES},
    {"peek", with_pair, do_peek, give_bytes, 0, TAKES_MESSAGES},
    {"message limit", with_pair, do_message_limit, NULL, 0, 0},
    {"credentials", with_pair, do_credentials, NULL, 0, 0},
    {"groups", with_pair, do_groups, NULL, 0, 0},
    {"buffer sizes", with_pair, do_buffer_sizes, NULL, 0, 0},
    {"local name", with_pair, do_local_name, NULL, 0, 0},
    {"peer name", with_pair, do_peer_name, NULL, 0, 0},
    {"shut down", with_pair, do_shutdown, NULL, 0, 0},
    {"datagram socket", NULL, do_datagram, NULL, 1, 0},
    {"datagram connect", with_bound_socket, do_datagram_connect, NULL, 0, 0},
    {"datagram sent to a name", with_bound_socket, do_send_to, NULL, 0, 0},
    {"datagram sent to a full receiver", with_full_receiver, do_send_to, take_a_datagram, 0, 0},
    {"datagram received", with_datagram_in_flight, do_receive_from, NULL, 0, 0},
    {"activation", with_activation, do_activation, NULL, 0, 0},
};

#ifndef __APPLE__
TEST(every_call_may_fail_once_with_messages) {
    kind = LIPC_MESSAGE;
    FAIL_EVERY_CALL(operations, "listen obstacle adopt connect accept pair send receive peek message");
}
#endif

TEST(every_call_may_fail_once_when_listening) {
    FAIL_EVERY_CALL(operations, "listen obstacle");
}

TEST(every_call_may_fail_once_with_datagrams) {
    kind = LIPC_DATAGRAM;
    FAIL_EVERY_CALL(operations, "listen obstacle pair adopt send receive peek message datagram");
}

TEST(every_call_may_fail_once_with_what_a_service_manager_passed) {
    FAIL_EVERY_CALL(operations, "activation");
}

TEST(every_call_may_fail_once_when_adopting) {
    FAIL_EVERY_CALL(operations, "adopt duplicate");
}

TEST(every_call_may_fail_once_when_connections_are_made) {
    FAIL_EVERY_CALL(operations, "connect accept pair");
}

TEST(every_call_may_fail_once_when_bytes_are_moved) {
    FAIL_EVERY_CALL(operations, "read write shut");
}

TEST(every_call_may_fail_once_when_a_handle_is_asked) {
    FAIL_EVERY_CALL(operations, "credentials groups buffer local peer");
}

/* Some systems refuse a full backlog and a dead server alike. There a probe distinguishes them. */
TEST(a_refusal_means_a_full_backlog_only_where_the_system_reports_one_so) {
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
