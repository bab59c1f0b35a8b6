/* Who sent a message: credentials and pidfds that come with it, and that no sender can forge them. */
#include "fixture.h"

#include <poll.h>
#include <sys/syscall.h>

enum { UID = 4001, GID = 4002 };

static char got[64];

/* Receives a message of one byte, or more, with its sender's credentials. */
static lipc_credentials receive_credentials(lipc_handle from) {
    lipc_credentials credentials;
    memset(&credentials, UNTOUCHED, sizeof credentials);
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){got, sizeof got},
                            .buffer_count = 1,
                            .credentials = &credentials};
    CHECK(CHECK_OK(lipc_receive_message(from, &message, WAIT)) > 0);
    for (size_t i = 0; i < sizeof credentials.reserved / sizeof *credentials.reserved; i++)
        CHECK_INT(-1, credentials.reserved[i]);
    return credentials;
}

static void check_credentials(lipc_credentials c, int64_t pid, int64_t uid, int64_t gid) {
    CHECK_INT(pid, c.pid);
    CHECK_INT(uid, c.uid);
    CHECK_INT(gid, c.gid);
}

#ifndef __linux__

TEST(what_this_system_cannot_do_is_not_supported) {
    lipc_handle a, b, pidfd;
    lipc_credentials own = {.pid = -1, .uid = -1, .gid = -1};
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_set_pass_pidfd(b, true));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_peer_pidfd(b, &pidfd));
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){got, 1},
                            .buffer_count = 1,
                            .credentials = &own};
    CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &message, WAIT));
    int r = lipc_set_pass_credentials(b, true);
    if (lipc_error_code(r) != LIPC_ENOTSUP) {
        CHECK_OK(r);
        CHECK_INT(1, lipc_write(a, "x", 1, WAIT));
        check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
    }
    CHECK_INT(1, lipc_write(a, "x", 1, WAIT));
    close_all((lipc_handle[]){a, b}, 2);
}

#else

static int64_t send_claiming(lipc_handle to, int64_t pid, int64_t uid, int64_t gid) {
    lipc_credentials claim = {.pid = pid, .uid = uid, .gid = gid};
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){"x", 1},
                            .buffer_count = 1,
                            .credentials = &claim};
    return lipc_send_message(to, &message, WAIT);
}

/* ----------------------------------------- Credentials ------------------------------------------ */

TEST(a_message_names_its_sender_if_that_was_asked_for_before) {
    EACH_PAIR(kind, a, b) {
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        if (kind != LIPC_MESSAGE) /* for messages it is always on */
            check_credentials(receive_credentials(b), -1, -1, -1);
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        CHECK_OK(lipc_set_pass_credentials(b, true));
        CHECK_OK(lipc_set_pass_credentials(b, true));
        CHECK_INT(1, send_handles(a, "y", 1, NULL, 0, WAIT));
        if (kind != LIPC_MESSAGE) {
            check_credentials(receive_credentials(b), -1, -1, -1);
            CHECK_INT('x', got[0]); /* a stream does not mix what was sent by different senders */
        } else {
            check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
            check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
        }
        check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
        CHECK_OK(lipc_set_pass_credentials(b, false));
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        if (kind == LIPC_MESSAGE)
            check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
        else
            check_credentials(receive_credentials(b), -1, -1, -1);
        /* An empty message is still an empty message. */
        if (kind != LIPC_STREAM) {
            CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
            CHECK_INT(0, lipc_receive(b, got, sizeof got, WAIT));
            CHECK_ERROR(LIPC_EAGAIN, lipc_receive(b, got, sizeof got, 0));
        }
    }
}

TEST(the_sender_is_reported_of_a_message_that_lost_something_too) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    EACH_PAIR(kind, a, b) {
        CHECK_OK(lipc_set_pass_credentials(b, true));
        lipc_credentials credentials;
        lipc_buffer buffer = {got, 2};
        lipc_handle handles[2] = {fd, fd};
        lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .credentials = &credentials};
        if (kind != LIPC_STREAM) {
            memset(&credentials, UNTOUCHED, sizeof credentials);
            CHECK_INT(3, send_handles(a, "xyz", 3, NULL, 0, WAIT));
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive_message(b, &m, WAIT));
            check_credentials(credentials, getpid(), geteuid(), getegid());
        }
        memset(&credentials, UNTOUCHED, sizeof credentials);
        CHECK_INT(1, send_handles(a, "x", 1, handles, 2, WAIT));
        m.handles = handles;
        m.handle_capacity = 1;
        CHECK_ERROR(LIPC_EHANDLES, lipc_receive_message(b, &m, WAIT));
        check_credentials(credentials, getpid(), geteuid(), getegid());
    }
    close(fd);
}

TEST(credentials_are_passed_by_sockets_alone) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_ERROR(LIPC_EBADF, lipc_set_pass_credentials(LIPC_INVALID_HANDLE, true));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_set_pass_credentials(ends[0], true));
    CHECK_ERROR(LIPC_EBADF, lipc_set_pass_pidfd(LIPC_INVALID_HANDLE, true));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_set_pass_pidfd(ends[0], true));
    close_all((lipc_handle[]){ends[0], ends[1]}, 2);
}

typedef struct sender {
    lipc_handle handle;
    const lipc_name *name; /* to connect to, where handle is invalid */
    int kind;
    bool another_user;
    const char *bound; /* where it is bound to, or NULL */
} sender;

/* Sends one byte and stays. */
static void send_and_stay(const void *argument) {
    const sender *s = argument;
    lipc_handle handle = s->handle;
    if (s->another_user)
        become(UID, GID, 0);
    if (handle == LIPC_INVALID_HANDLE) {
        lipc_connect_options options = {.size = sizeof options, .kind = s->kind};
        CHECK_OK(lipc_connect(s->name, &options, WAIT, &handle));
    }
    CHECK_INT(1, send_handles(handle, "x", 1, NULL, 0, WAIT));
    ready();
    stay();
}

TEST(the_sender_is_the_process_that_sends_not_the_one_that_connected) {
    for (int another = 0; another < (geteuid() == 0 ? 2 : 1); another++)
        EACH_PAIR(kind, a, b) {
            CHECK_OK(lipc_set_pass_credentials(b, true));
            sender s = {.handle = a, .another_user = another};
            pid_t process = start(send_and_stay, &s);
            CHECK_INT(1, send_handles(a, "y", 1, NULL, 0, WAIT));
            check_credentials(receive_credentials(b), process, another ? UID : geteuid(), another ? GID : getegid());
            CHECK_INT('x', got[0]);
            check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
            CHECK_INT('y', got[0]);
            kill_hard(process);
        }
}

/* That holds even for what was sent before the connection was accepted, as here. */
TEST(accepted_connections_report_senders_as_their_listener_was_asked_to) {
    CHECK(chmod(test_directory, 0755) == 0);
    for (int another = 0; another < (geteuid() == 0 ? 2 : 1); another++)
        EACH_NAME_TYPE(type) {
            if (another && is_in_user_directory(type))
                continue;
            for (int kind = LIPC_STREAM; kind <= LIPC_MESSAGE; kind++) {
                lipc_name name = name_for(type, "s");
                lipc_listen_options options = {.size = sizeof options, .mode = 0666, .kind = kind};
                lipc_listener *listener;
                CHECK_OK(lipc_listen(&name, &options, &listener));
                CHECK_OK(lipc_set_pass_credentials(lipc_listener_handle(listener), true));
                sender s = {LIPC_INVALID_HANDLE, &name, kind, another, NULL};
                pid_t process = start(send_and_stay, &s);
                lipc_handle server = accept_from(listener);
                check_credentials(receive_credentials(server), process, another ? UID : geteuid(),
                                  another ? GID : getegid());
                kill_hard(process);
                CHECK_OK(lipc_close(server));
                lipc_listener_close(listener);
            }
        }
}

/* The system copies the setting from the listener when a client connects, so connections in the backlog miss what is
 * set later. */
TEST(connections_that_waited_in_the_backlog_report_senders_too) {
    for (int kind = LIPC_STREAM; kind <= LIPC_MESSAGE; kind++) {
        lipc_name name = name_for(LIPC_NAME_PATH, "s");
        lipc_listen_options options = {.size = sizeof options, .kind = kind};
        lipc_listener *listener;
        CHECK_OK(lipc_listen(&name, &options, &listener));
        sender s = {LIPC_INVALID_HANDLE, &name, kind, false, NULL};
        pid_t process = start(send_and_stay, &s);
        CHECK_OK(lipc_set_pass_credentials(lipc_listener_handle(listener), true));
        int with_pidfd = lipc_set_pass_pidfd(lipc_listener_handle(listener), true);
        lipc_handle server = accept_from(listener), pidfd = LIPC_INVALID_HANDLE;
        lipc_credentials credentials;
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){got, 1},
                                .buffer_count = 1,
                                .credentials = &credentials,
                                .pidfd = &pidfd};
        CHECK_INT(1, lipc_receive_message(server, &message, WAIT));
        check_credentials(credentials, process, geteuid(), getegid());
        if (with_pidfd >= 0)
            CHECK_OK(lipc_close(pidfd));
        kill_hard(process);
        CHECK_OK(lipc_close(server));
        lipc_listener_close(listener);
    }
}

TEST(true_credentials_may_be_claimed) {
    EACH_PAIR(kind, a, b) {
        CHECK_OK(lipc_set_pass_credentials(b, true));
        CHECK_INT(1, send_claiming(a, -1, -1, -1));
        check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
        CHECK_INT(1, send_claiming(a, getpid(), geteuid(), getegid()));
        check_credentials(receive_credentials(b), getpid(), geteuid(), getegid());
        CHECK_ERROR(LIPC_EINVAL, send_claiming(a, 0, -1, -1)); /* the system itself reports ESRCH */
        CHECK_ERROR(LIPC_EINVAL, send_claiming(a, ((int64_t)1 << 32) + getpid(), -1, -1));
        CHECK_ERROR(LIPC_EINVAL, send_claiming(a, -1, ((int64_t)1 << 32) + geteuid(), -1));
        CHECK_ERROR(LIPC_EINVAL, send_claiming(a, -1, -1, ((int64_t)1 << 32) + getegid()));
        CHECK_INT(1, send_claiming(a, -1, getuid(), -1));
        check_credentials(receive_credentials(b), getpid(), getuid(), getegid());
    }
}

/* A process without privileges. */
static void claim_what_is_not_so(const void *argument) {
    const lipc_handle *to = argument;
    if (geteuid() == 0)
        become(UID, GID, 0);
    CHECK_ERROR(LIPC_EACCES, send_claiming(*to, -1, 0, -1));
    CHECK_ERROR(LIPC_EACCES, send_claiming(*to, -1, -1, 0));
    CHECK_ERROR(LIPC_EACCES, send_claiming(*to, getppid(), -1, -1));
    CHECK_INT(1, send_claiming(*to, -1, -1, -1));
    ready();
}

TEST(false_credentials_are_refused) {
    NEEDS_ROOT();
    EACH_PAIR(kind, a, b) {
        CHECK_OK(lipc_set_pass_credentials(b, true));
        pid_t process = start(claim_what_is_not_so, &a);
        check_credentials(receive_credentials(b), process, UID, GID);
        char byte;
        int64_t r = kind == LIPC_STREAM ? lipc_read(b, &byte, 1, 0) : lipc_receive(b, &byte, 1, 0);
        CHECK_ERROR(LIPC_EAGAIN, r); /* nothing came of the others */
        join(process);
        /* A process that may change its ids may claim others. */
        CHECK_INT(1, send_claiming(a, -1, UID, GID));
        check_credentials(receive_credentials(b), getpid(), UID, GID);
        CHECK_INT(1, send_claiming(a, getppid(), -1, -1));
        check_credentials(receive_credentials(b), getppid(), 0, 0);
    }
}

/* Binds a socket to a path, and makes the file look like one of root. */
static void send_from_a_path_of_others(const void *argument) {
    const sender *s = argument;
    lipc_listen_options options = {.size = sizeof options, .kind = LIPC_DATAGRAM};
    lipc_name from;
    CHECK_OK(lipc_name_path(in_directory(s->bound), LIPC_STRLEN, &from));
    lipc_handle handle;
    if (s->kind == LIPC_DATAGRAM) {
        lipc_listener *listener;
        CHECK_OK(lipc_listen(&from, &options, &listener));
        handle = lipc_listener_handle(listener);
        CHECK_OK(lipc_datagram_connect(handle, s->name));
    } else {
        handle = plain_socket(s->kind == LIPC_STREAM ? SOCK_STREAM : SOCK_SEQPACKET, s->bound, -1);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        memcpy(address.sun_path, s->name->text, s->name->length);
        CHECK(connect((int)handle, (struct sockaddr *)&address, sizeof address) == 0);
    }
    CHECK(chown(from.text, UID, GID) == 0);
    CHECK_INT(1, send_handles(handle, "x", 1, NULL, 0, WAIT));
    ready();
    stay();
}

TEST(the_owner_of_the_file_that_a_sender_is_bound_to_means_nothing) {
    NEEDS_ROOT();
    lipc_name name = name_for(LIPC_NAME_PATH, "s"), from;
    for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
        test_row = fixture_kinds[i].name;
        lipc_listen_options options = {.size = sizeof options, .kind = fixture_kinds[i].kind};
        lipc_listener *listener;
        CHECK_OK(lipc_listen(&name, &options, &listener));
        lipc_handle server = lipc_listener_handle(listener);
        CHECK_OK(lipc_set_pass_credentials(server, true));
        pid_t process = start(send_from_a_path_of_others,
                              &(sender){.name = &name, .kind = fixture_kinds[i].kind, .bound = "from"});
        struct stat st;
        CHECK(stat(in_directory("from"), &st) == 0 && st.st_uid == UID);
        if (fixture_kinds[i].kind != LIPC_DATAGRAM) {
            CHECK_OK(lipc_accept(listener, WAIT, &from, &server));
            lipc_credentials peer;
            CHECK_OK(lipc_peer_credentials(server, &peer));
            check_credentials(peer, process, 0, 0);
        }
        check_credentials(receive_credentials(server), process, 0, 0);
        kill_hard(process);
        if (fixture_kinds[i].kind != LIPC_DATAGRAM)
            CHECK_OK(lipc_close(server));
        else
            remove_file("from.lock");
        remove_file("from");
        lipc_listener_close(listener);
    }
}

/* -------------------------------------------- Pidfds -------------------------------------------- */

/* Whether this kernel has them. */
static bool has_pidfds(lipc_handle handle) {
    int r = lipc_set_pass_pidfd(handle, true);
    if (lipc_error_code(r) != LIPC_ENOTSUP)
        CHECK_OK(r);
    return r >= 0;
}

static bool is_readable(lipc_handle handle, int timeout_ms) {
    struct pollfd p = {.fd = (int)handle, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0 && (p.revents & POLLIN);
}

static lipc_handle receive_pidfd(lipc_handle from) {
    lipc_handle pidfd = -7;
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){got, sizeof got},
                            .buffer_count = 1,
                            .pidfd = &pidfd};
    CHECK(CHECK_OK(lipc_receive_message(from, &message, WAIT)) > 0);
    return pidfd;
}

/* The result of pidfd_send_signal(2) with signal 0: 0, or an errno. */
static int probe(lipc_handle pidfd) {
    return syscall(SYS_pidfd_send_signal, (int)pidfd, 0, NULL, 0) == 0 ? 0 : errno;
}

/* Checks that a pidfd is that of a process, and kills the process. */
static void check_pidfd(lipc_handle pidfd, pid_t process) {
    CHECK(fcntl((int)pidfd, F_GETFD) & FD_CLOEXEC);
    CHECK(!is_readable(pidfd, 0));
    CHECK_INT(0, probe(pidfd));
    CHECK(kill(process, SIGKILL) == 0);
    CHECK(is_readable(pidfd, WAIT));
    int status;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK_INT(ESRCH, probe(pidfd));
    CHECK_OK(lipc_close(pidfd));
}

TEST(credentials_go_with_as_many_handles_as_fit) {
    EACH_PAIR(kind, a, b) {
        CHECK_OK(lipc_set_pass_credentials(b, true));
        lipc_handle file = numbered_file(5), handles[LIPC_MESSAGE_HANDLES];
        for (int i = 0; i < LIPC_MESSAGE_HANDLES; i++)
            handles[i] = file;
        lipc_credentials claim = {.pid = getpid(), .uid = geteuid(), .gid = getegid()}, credentials;
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){got, 1},
                                .buffer_count = 1,
                                .handles = handles,
                                .handle_count = LIPC_MESSAGE_HANDLES,
                                .credentials = &claim};
        CHECK_INT(1, lipc_send_message(a, &message, WAIT));
        CHECK_OK(lipc_close(file));
        message.handle_count = 0;
        message.handle_capacity = LIPC_MESSAGE_HANDLES;
        message.credentials = &credentials;
        CHECK_INT(1, lipc_receive_message(b, &message, WAIT));
        check_credentials(credentials, getpid(), geteuid(), getegid());
        CHECK_INT(LIPC_MESSAGE_HANDLES, message.handle_count);
        check_number(handles[LIPC_MESSAGE_HANDLES - 1], 5);
        close_all(handles, LIPC_MESSAGE_HANDLES);
    }
}

TEST(a_pidfd_of_the_sender_reports_that_it_ended) {
    EACH_PAIR(kind, a, b) {
        if (!has_pidfds(b))
            continue;
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        lipc_handle own = receive_pidfd(b);
        CHECK_INT(0, probe(own));
        CHECK_OK(lipc_close(own));
        sender s = {.handle = a};
        pid_t process = start(send_and_stay, &s);
        check_pidfd(receive_pidfd(b), process);
        CHECK_OK(lipc_set_pass_pidfd(b, false));
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        CHECK_INT(LIPC_INVALID_HANDLE, receive_pidfd(b));
    }
}

TEST(a_pidfd_comes_with_handles_and_credentials) {
    EACH_PAIR(kind, a, b) {
        if (!has_pidfds(b))
            continue;
        CHECK_OK(lipc_set_pass_credentials(b, true));
        lipc_handle file = numbered_file(3), handles[LIPC_MESSAGE_HANDLES], pidfd;
        for (int i = 0; i < LIPC_MESSAGE_HANDLES; i++)
            handles[i] = file;
        CHECK_INT(1, send_handles(a, "x", 1, handles, LIPC_MESSAGE_HANDLES, WAIT));
        CHECK_OK(lipc_close(file));
        lipc_credentials credentials;
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){got, 1},
                                .buffer_count = 1,
                                .handles = handles,
                                .handle_capacity = LIPC_MESSAGE_HANDLES,
                                .credentials = &credentials,
                                .pidfd = &pidfd};
        CHECK_INT(1, lipc_receive_message(b, &message, WAIT));
        check_credentials(credentials, getpid(), geteuid(), getegid());
        CHECK_INT(0, probe(pidfd));
        CHECK_INT(LIPC_MESSAGE_HANDLES, message.handle_count);
        check_number(handles[LIPC_MESSAGE_HANDLES - 1], 3);
        close_all(handles, LIPC_MESSAGE_HANDLES);
        CHECK_OK(lipc_close(pidfd));
    }
}

/* Without a descriptor for it there is an error, and no handle is left. */
TEST(a_pidfd_that_cannot_be_opened_is_an_error) {
    EACH_PAIR(kind, a, b) {
        if (!has_pidfds(b))
            continue;
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        lipc_handle pidfd;
        memset(&pidfd, UNTOUCHED, sizeof pidfd);
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){got, 1},
                                .buffer_count = 1,
                                .pidfd = &pidfd};
        struct rlimit limit = forbid_descriptors();
        int64_t r = lipc_receive_message(b, &message, WAIT);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK_ERROR(LIPC_EHANDLES, r);
        CHECK_INT(EMFILE, lipc_error_os(r));
        CHECK_INT(1, message.length);
        CHECK(is_untouched(&pidfd, sizeof pidfd));
    }
}

TEST(a_pidfd_that_nobody_asked_for_is_closed) {
    EACH_PAIR(kind, a, b) {
        if (!has_pidfds(b))
            continue;
        lipc_handle handles[2];
        size_t count = 2;
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        CHECK_INT(1, receive_handles(b, got, 1, handles, &count, WAIT)); /* the harness looks for descriptors left */
        CHECK_INT(0, count);
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        receive_credentials(b);
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        if (kind == LIPC_STREAM)
            CHECK_INT(1, lipc_read(b, got, 1, WAIT));
        else
            CHECK_INT(1, lipc_receive(b, got, 1, WAIT));
    }
}

static void connect_and_stay(const void *name) {
    connect_to(name);
    ready();
    stay();
}

TEST(a_pidfd_of_the_peer_reports_that_it_ended) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = listen_on(&name);
    pid_t process = start(connect_and_stay, &name);
    lipc_handle server = accept_from(listener), pidfd;
    memset(&pidfd, UNTOUCHED, sizeof pidfd);
    int r = lipc_peer_pidfd(server, &pidfd);
    if (lipc_error_code(r) != LIPC_ENOTSUP) {
        CHECK_OK(r);
        check_pidfd(pidfd, process);
        memset(&pidfd, UNTOUCHED, sizeof pidfd);
        struct rlimit limit = forbid_descriptors();
        r = lipc_peer_pidfd(server, &pidfd);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK(r < 0 && is_untouched(&pidfd, sizeof pidfd));
    } else {
        CHECK(is_untouched(&pidfd, sizeof pidfd));
        kill_hard(process);
    }
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

TEST(what_has_no_peer_has_no_pidfd) {
    int ends[2], plain = plain_socket(SOCK_STREAM, NULL, -1);
    CHECK(pipe(ends) == 0);
    lipc_handle pidfd;
    memset(&pidfd, UNTOUCHED, sizeof pidfd);
    CHECK_ERROR(LIPC_EBADF, lipc_peer_pidfd(LIPC_INVALID_HANDLE, &pidfd));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_peer_pidfd(ends[0], &pidfd));
    int r = lipc_peer_pidfd(plain, &pidfd);
    if (lipc_error_code(r) != LIPC_ENOTSUP)
        CHECK_ERROR(LIPC_ENOTCONN, r);
    CHECK(is_untouched(&pidfd, sizeof pidfd));
    close_all((lipc_handle[]){ends[0], ends[1], plain}, 3);
}

/* --------------------------------- A process id that is used again ------------------------------ */

static void only_stay(const void *unused) {
    (void)unused;
    ready();
    stay();
}

/* Makes that process id the next one, where this process may. */
static bool choose_next_id(pid_t id) {
    int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    bool chosen = last >= 0 && dprintf(last, "%d", (int)id - 1) > 0;
    close(last);
    return chosen;
}

/* Starts a process with that id, which is free. Returns 0 if another process got it. */
static pid_t start_with_id(pid_t id) {
    for (int tries = 0; tries < 1000; tries++) {
        CHECK(choose_next_id(id));
        pid_t process = start(only_stay, NULL);
        if (process == id)
            return process;
        kill_hard(process); /* somebody else made a process in between */
        if (kill(id, 0) == 0)
            break;
    }
    return 0;
}

TEST(a_pidfd_does_not_mean_another_process_with_the_same_id) {
    NEEDS_ROOT();
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (pid_t again = 0; has_pidfds(b) && choose_next_id(getpid() + 1) && again == 0;) {
        sender s = {.handle = a};
        pid_t process = start(send_and_stay, &s);
        lipc_handle pidfd = receive_pidfd(b);
        CHECK_INT(0, probe(pidfd));
        kill_hard(process);
        again = start_with_id(process);
        if (again != 0) {
            CHECK_INT(0, kill(process, 0)); /* the id would mean another */
            CHECK_INT(ESRCH, probe(pidfd));
            CHECK(is_readable(pidfd, 0));
            kill_hard(again);
        }
        CHECK_OK(lipc_close(pidfd));
    }
    close_all((lipc_handle[]){a, b}, 2);
}

#endif
