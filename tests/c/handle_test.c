/* Handles: how they are born, what can be adopted, duplicates, names, buffer sizes. */
#include "fixture.h"

#include <netinet/in.h>

enum { NO_HANDLE = 1 << 20 }; /* no descriptor has this number */

/* The sorts of descriptor that tests give to the library. */
enum sort {
    NONE,
    CLOSED,
    FILE_SORT,
    PIPE_READER,
    PIPE_WRITER,
    TCP,
    TCP_LISTENER,
    DATAGRAM,
    SEQPACKET,
    UNCONNECTED,
    STREAM,
    LISTENER
};

/* Returns a blocking, inheritable descriptor of that sort, and in ret_other one that it needs, or -1. */
static int descriptor_of(enum sort sort, int *ret_other) {
    int fd = -1, ends[2] = {-1, -1};
    *ret_other = -1;
    switch (sort) {
    case NONE: return -1;
    case CLOSED: return NO_HANDLE;
    case FILE_SORT:
        fd = open(in_directory("f"), O_CREAT | O_RDWR, 0600);
        remove_file("f");
        break;
    case PIPE_READER: CHECK(pipe(ends) == 0); break;
    case PIPE_WRITER:
        CHECK(pipe(ends) == 0);
        *ret_other = ends[0];
        return ends[1];
    case TCP: fd = socket(AF_INET, SOCK_STREAM, 0); break;
    case TCP_LISTENER:
        fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(listen(fd, 1) == 0);
        break;
    case DATAGRAM: CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0); break;
    case SEQPACKET: CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0); break;
    case UNCONNECTED: fd = plain_socket(SOCK_STREAM, NULL, -1); break;
    case STREAM: CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); break;
    case LISTENER:
        fd = plain_socket(SOCK_STREAM, "l", 1);
        remove_file("l");
        break;
    }
    *ret_other = ends[1];
    fd = fd >= 0 ? fd : ends[0];
    CHECK(fd >= 0);
    return fd;
}

static void release(int fd, int other) {
    if (fd >= 0 && fd != NO_HANDLE)
        close(fd);
    if (other >= 0)
        close(other);
}

static const struct {
    enum sort sort;
    const char *name;
    int kind, error; /* what lipc_adopt() returns: either of the two */
} sorts[] = {
    {NONE, "no handle", 0, LIPC_EBADF},
    {CLOSED, "a closed handle", 0, LIPC_EBADF},
    {FILE_SORT, "a file", 0, LIPC_ENOTSOCK},
    {PIPE_READER, "the reading end of a pipe", LIPC_PIPE_READER, 0},
    {PIPE_WRITER, "the writing end of a pipe", LIPC_PIPE_WRITER, 0},
    {TCP, "a TCP socket", 0, LIPC_ENOTSOCK},
    {TCP_LISTENER, "a TCP listener", 0, LIPC_ENOTSOCK},
    {DATAGRAM, "a datagram socket", LIPC_DATAGRAM, 0},
    {SEQPACKET, "a sequenced-packet socket", LIPC_MESSAGE, 0},
    {UNCONNECTED, "an unconnected socket", LIPC_STREAM, 0},
    {STREAM, "a stream", LIPC_STREAM, 0},
    {LISTENER, "a listener", LIPC_STREAM_LISTENER, 0},
};

#define EACH_SORT(i) for (size_t i = 0; i < sizeof sorts / sizeof *sorts && (test_row = sorts[i].name, true); i++)

static bool is_open(enum sort sort) {
    return sort != NONE && sort != CLOSED;
}

static bool is_socket(enum sort sort) {
    return sort >= TCP;
}

static bool is_pipe(enum sort sort) {
    return sort == PIPE_READER || sort == PIPE_WRITER;
}

TEST(adopting_reports_the_kind_and_prepares_what_is_ours_alone) {
    EACH_SORT(i) {
        int other, fd = descriptor_of(sorts[i].sort, &other);
        int r = lipc_adopt(fd);
        if (sorts[i].kind != 0) {
            CHECK_INT(sorts[i].kind, r);
            check_born(fd);
        } else {
            CHECK_ERROR(sorts[i].error, r);
            CHECK(!is_open(sorts[i].sort) ||
                  ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0));
        }
        release(fd, other);
    }
}

TEST(a_listener_is_made_of_a_listening_handle_alone) {
    EACH_SORT(i) {
        int other, fd = descriptor_of(sorts[i].sort, &other);
        lipc_listener *listener;
        memset(&listener, UNTOUCHED, sizeof listener);
        if (sorts[i].kind == LIPC_STREAM_LISTENER) {
            CHECK_OK(lipc_listener_adopt(fd, NULL, &listener));
            check_born(fd);
            CHECK_INT(fd, lipc_listener_handle(listener));
            lipc_listener_close(listener);
            CHECK(fcntl(fd, F_GETFD) < 0);
        } else {
            CHECK_ERROR(sorts[i].kind ? LIPC_ENOTSOCK : sorts[i].error, lipc_listener_adopt(fd, NULL, &listener));
            CHECK(is_untouched(&listener, sizeof listener));
            CHECK(!is_open(sorts[i].sort) || fcntl(fd, F_GETFD) >= 0);
            release(fd, other);
        }
    }
}

TEST(a_duplicate_is_another_handle_for_the_same_object) {
    lipc_handle a, b, again;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_duplicate(a, &again));
    CHECK(again != a);
    check_born(again);
    CHECK_OK(lipc_close(a));
    check_connected(again, b);
    check_connected(b, again);
    close_all((lipc_handle[]){again, b}, 2);
}

TEST(duplicating_fails_for_no_handle_and_for_too_many) {
    lipc_handle duplicate;
    memset(&duplicate, UNTOUCHED, sizeof duplicate);
    CHECK_ERROR(LIPC_EBADF, lipc_duplicate(LIPC_INVALID_HANDLE, &duplicate));
    CHECK_ERROR(LIPC_EBADF, lipc_duplicate(NO_HANDLE, &duplicate));
    struct rlimit limit = forbid_descriptors();
    int r = lipc_duplicate(0, &duplicate);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_ERROR(LIPC_EMFILE, r);
    CHECK(is_untouched(&duplicate, sizeof duplicate));
}

TEST(closing_what_is_not_open_is_an_error) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_close(a));
    CHECK_OK(lipc_close(b));
    CHECK_ERROR(LIPC_EBADF, lipc_close(a));
    CHECK_ERROR(LIPC_EBADF, lipc_close(LIPC_INVALID_HANDLE));
}

TEST(what_was_not_bound_has_no_name) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    CHECK_OK(lipc_local_name(a, &name));
    CHECK_INT(0, name.type);
    CHECK_INT(0, name.length);
    CHECK_STRING("", name.text);
    name = name_for(LIPC_NAME_PATH, "s");
    CHECK_OK(lipc_peer_name(a, &name));
    CHECK_INT(0, name.type);
    CHECK_INT(0, name.length);
    close_all((lipc_handle[]){a, b}, 2);
}

TEST(a_client_that_is_bound_has_a_name_on_both_sides) {
    lipc_name name = name_for(LIPC_NAME_PATH, "server"), client_name = name_for(LIPC_NAME_PATH, "client"), told[3];
    lipc_listener *listener = listen_on(&name);
    int client = plain_socket(SOCK_STREAM, "client", -1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, in_directory("server"));
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    lipc_handle server;
    CHECK_OK(lipc_accept(listener, WAIT, &told[0], &server));
    CHECK_OK(lipc_local_name(client, &told[1]));
    CHECK_OK(lipc_peer_name(server, &told[2]));
    for (int i = 0; i < 3; i++)
        CHECK(same_name(&client_name, &told[i]));
    close_all((lipc_handle[]){client, server}, 2);
    lipc_listener_close(listener);
    remove_file("client");
}

/* Checks the errors of the functions that ask for a property of a handle. ret_name is never touched. */
TEST(asking_what_is_no_connection_is_an_error) {
    EACH_SORT(i) {
        enum sort sort = sorts[i].sort;
        int other, fd = descriptor_of(sort, &other);
        lipc_name name;
        memset(&name, UNTOUCHED, sizeof name);
        int wanted = !is_open(sort)                        ? LIPC_EBADF
                     : !is_socket(sort)                    ? LIPC_ENOTSOCK
                     : sort == TCP || sort == TCP_LISTENER ? LIPC_ENOTSOCK
                                                           : 0;
        if (wanted != 0) {
            CHECK_ERROR(wanted, lipc_local_name(fd, &name));
            int peer = lipc_peer_name(fd, &name);
            CHECK_ERROR(is_socket(sort) ? LIPC_ENOTCONN : wanted, peer);
        } else if (sort == UNCONNECTED || sort == LISTENER) {
            CHECK_ERROR(LIPC_ENOTCONN, lipc_peer_name(fd, &name));
        }
        if (wanted != 0 && !is_socket(sort) && !is_pipe(sort)) /* pipes: pipe_test.c */
            for (int direction = LIPC_READ; direction <= LIPC_WRITE; direction++) {
                CHECK_ERROR(wanted, lipc_buffer_size(fd, direction));
                CHECK_ERROR(wanted, lipc_set_buffer_size(fd, direction, 4096));
            }
        CHECK(is_untouched(&name, sizeof name));
        release(fd, other);
    }
}

TEST(buffer_sizes_are_set_and_reported) {
    lipc_handle a, b;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    for (int direction = LIPC_READ; direction <= LIPC_WRITE; direction++) {
        static const int sizes[] = {8192, 16384, 65536};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK_OK(lipc_set_buffer_size(a, direction, sizes[i]));
            int got = lipc_buffer_size(a, direction);
            CHECK(got >= sizes[i] && got <= 2 * sizes[i]); /* Linux doubles it, socket(7) */
        }
        static const int wrong[] = {0, -1, INT32_MIN};
        int before = lipc_buffer_size(a, direction);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
            CHECK_ERROR(LIPC_EINVAL, lipc_set_buffer_size(a, direction, wrong[i]));
        CHECK_INT(before, lipc_buffer_size(a, direction));
    }
    static const int no_directions[] = {0, LIPC_READ | LIPC_WRITE, 4, -1};
    for (size_t i = 0; i < sizeof no_directions / sizeof *no_directions; i++) {
        CHECK_ERROR(LIPC_EINVAL, lipc_set_buffer_size(a, no_directions[i], 4096));
        CHECK_ERROR(LIPC_EINVAL, lipc_buffer_size(a, no_directions[i]));
    }
    close_all((lipc_handle[]){a, b}, 2);
}
