/* The floor: plain system calls, as few as a careful program can make. */
#include "contender.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listener;

static int new_socket(int flags) {
    int type = task.variant->transport->messages ? SOCK_SEQPACKET : SOCK_STREAM;
    int s = socket(AF_UNIX, type | SOCK_CLOEXEC | flags, 0);
    if (s < 0)
        fail("socket: %s", strerror(errno));
    return s;
}

static struct sockaddr_un address(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(task.address) >= sizeof a.sun_path)
        fail("the address is too long: %s", task.address);
    strcpy(a.sun_path, task.address);
    return a;
}

/* unix_dgram_sendmsg() takes messages of at most the size of the send buffer less 32 bytes. */
static void check_size(int s) {
    int room = 0;
    socklen_t length = sizeof room;
    if (getsockopt(s, SOL_SOCKET, SO_SNDBUF, &room, &length) < 0)
        fail("getsockopt: %s", strerror(errno));
    if (task.variant->transport->messages && task.size > (size_t)room - 32)
        unsupported("a message of %zu bytes is more than the system takes", task.size);
}

static intptr_t socket_listen(void) {
    struct sockaddr_un a = address();
    listener = new_socket(task.events ? SOCK_NONBLOCK : 0);
    check_size(listener);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) < 0)
        fail("bind: %s: %s", task.address, strerror(errno));
    if (listen(listener, SOMAXCONN) < 0)
        fail("listen: %s", strerror(errno));
    return listener;
}

static intptr_t socket_accept(void) {
    for (;;) {
        int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (task.events ? SOCK_NONBLOCK : 0));
        if (s >= 0)
            return s;
        if (errno == EAGAIN)
            return WAIT;
        if (errno != EINTR && errno != ECONNABORTED)
            fail("accept: %s", strerror(errno));
    }
}

static intptr_t socket_connect(void) {
    struct sockaddr_un a = address();
    int s = new_socket(0);
    if (task.work != CONNECT)
        check_size(s);
    if (connect(s, (struct sockaddr *)&a, sizeof a) < 0)
        fail("connect: %s: %s", task.address, strerror(errno));
    if (task.events && fcntl(s, F_SETFL, O_NONBLOCK) < 0)
        fail("fcntl: %s", strerror(errno));
    return s;
}

static void socket_close(intptr_t s) {
    close((int)s);
}

/* Whether to repeat a failed call: false if it would have to wait. */
static bool again(const char *call) {
    if (errno == EAGAIN)
        return false;
    if (errno != EINTR)
        fail("%s: %s", call, strerror(errno));
    return true;
}

static int64_t socket_read(intptr_t s, void *data, size_t size) {
    ssize_t n;
    do
        n = recv((int)s, data, size, 0);
    while (n < 0 && again("recv"));
    return n;
}

static int64_t socket_write(intptr_t s, const void *data, size_t size) {
    ssize_t n;
    do
        n = send((int)s, data, size, MSG_NOSIGNAL);
    while (n < 0 && again("send"));
    return n;
}

/* ========================================== Spin ============================================== */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t spin_read(intptr_t s, void *data, size_t size) {
    for (;;) {
        ssize_t n = recv((int)s, data, size, MSG_DONTWAIT);
        if (n >= 0)
            return n;
        if (!again("recv"))
            relax();
    }
}

/* ========================================== Files ============================================= */

typedef union {
    struct cmsghdr header; /* for its alignment */
    char data[CMSG_SPACE(sizeof(int))];
} control;

static void socket_send_file(intptr_t s, char byte, int file) {
    control c = {.header = {.cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&c.header), &file, sizeof file);
    struct iovec piece = {&byte, 1};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
    ssize_t n;
    do
        n = sendmsg((int)s, &m, MSG_NOSIGNAL);
    while (n < 0 && again("sendmsg"));
}

static int socket_receive_file(intptr_t s, char *ret_byte) {
    control c;
    struct iovec piece = {ret_byte, 1};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
    ssize_t n;
    do
        n = recvmsg((int)s, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && again("recvmsg"));
    if (n == 0)
        return END;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&m);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        fail("a byte came without a file");
    int file;
    memcpy(&file, CMSG_DATA(header), sizeof file);
    close(file);
    return 1;
}

/* ========================================== Pipes ============================================= */

enum { READER = 3, WRITER = 4 };

static intptr_t pipe_open(void) {
    signal(SIGPIPE, SIG_IGN);
    return READER;
}

/* There is one connection. */
static intptr_t pipe_accept(void) {
    static bool accepted;
    while (accepted)
        pause();
    accepted = true;
    return READER;
}

static void pipe_close(intptr_t reader) {
    close((int)reader);
    close(WRITER);
}

static int64_t pipe_read(intptr_t reader, void *data, size_t size) {
    ssize_t n;
    do
        n = read((int)reader, data, size);
    while (n < 0 && again("read"));
    return n;
}

static int64_t pipe_write(intptr_t reader, const void *data, size_t size) {
    (void)reader;
    ssize_t n;
    do
        n = write(WRITER, data, size);
    while (n < 0 && again("write"));
    return n;
}

/* ======================================== Variants ============================================ */

#define SOCKET \
    .listen = socket_listen, .accept = socket_accept, .connect = socket_connect, .close = socket_close, \
    .write = socket_write, .send_file = socket_send_file, .receive_file = socket_receive_file

static const transport stream_socket = {SOCKET, .read = socket_read};
static const transport message_socket = {SOCKET, .read = socket_read, .messages = true};
static const transport spinning_socket = {SOCKET, .read = spin_read};
static const transport pipes = {
    .listen = pipe_open, .accept = pipe_accept, .connect = pipe_open, .close = pipe_close, .read = pipe_read,
    .write = pipe_write,
};

static const variant variants[] = {
    {.name = "unix", .works = ROUNDTRIP | STREAM | BUFFERED | CONNECT | FILES | IDLE | BUSY | CHATTY,
     .transport = &stream_socket},
    {.name = "spin", .works = ROUNDTRIP | STREAM | BUFFERED, .transport = &spinning_socket},
    {.name = "pipe", .works = ROUNDTRIP | STREAM | BUFFERED, .transport = &pipes},
    {.name = "seqpacket", .works = ROUNDTRIP | STREAM | CONNECT | FILES | IDLE | BUSY, .transport = &message_socket},
};

int main(int argc, char **argv) {
    return contend(argc, argv, variants, sizeof variants / sizeof *variants, NULL);
}
