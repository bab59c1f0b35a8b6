/* Makes COUNT calls of a kind, each followed by its opposite, for ../profile to count.
 *
 *     calls KIND COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lipc.h"

enum { SIZE = 64 };
static lipc_handle a, b; /* what is written to a is read from b */
static char data[SIZE];
static lipc_buffer halves[] = {{data, SIZE / 2}, {data + SIZE / 2, SIZE / 2}};

static struct msghdr message(void) {
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = (struct iovec *)halves; /* which has the same layout */
    m.msg_iovlen = 2;
    return m;
}

static int64_t plain(void) {
    return send((int)a, data, SIZE, MSG_NOSIGNAL | MSG_DONTWAIT) + recv((int)b, data, SIZE, MSG_DONTWAIT);
}

static int64_t plain_vectored(void) {
    struct msghdr out = message(), in = message();
    return sendmsg((int)a, &out, MSG_NOSIGNAL | MSG_DONTWAIT) + recvmsg((int)b, &in, MSG_DONTWAIT);
}

static int64_t plain_pipe(void) {
    return write((int)a, data, SIZE) + read((int)b, data, SIZE);
}

static int64_t stream(void) {
    return lipc_write(a, data, SIZE, 0) + lipc_read(b, data, SIZE, 0);
}

static int64_t vectored(void) {
    return lipc_writev(a, halves, 2, 0) + lipc_readv(b, halves, 2, 0);
}

static int64_t messages(void) {
    return lipc_send(a, data, SIZE, 0) + lipc_receive(b, data, SIZE, 0);
}

static int64_t known_pipe(void) {
    static const lipc_buffer whole = {data, SIZE};
    return lipc_pipe_writev(a, &whole, 1, 0) + lipc_pipe_readv(b, &whole, 1, 0);
}

static const struct {
    const char *name;
    int kind; /* of the connection */
    int64_t (*calls)(void);
} kinds[] = {
    {"plain", LIPC_STREAM, plain},
    {"stream", LIPC_STREAM, stream},
    {"plain-vectored", LIPC_STREAM, plain_vectored},
    {"vectored", LIPC_STREAM, vectored},
    {"plain-messages", LIPC_MESSAGE, plain},
    {"messages", LIPC_MESSAGE, messages},
    {"plain-pipe", LIPC_PIPE_READER, plain_pipe},
    {"pipe", LIPC_PIPE_READER, known_pipe},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        int r = kinds[i].kind == LIPC_PIPE_READER ? lipc_pipe(NULL, &b, &a) : lipc_pair(kinds[i].kind, &a, &b);
        for (long n = atol(argv[2]); r >= 0 && n > 0; n--)
            if (kinds[i].calls() <= 0)
                r = -1;
        if (r < 0)
            fprintf(stderr, "calls: %s: a call failed\n", argv[1]);
        return r < 0;
    }
    fprintf(stderr, "usage: calls KIND COUNT\n");
    return 2;
}
