/* Sends a line to a server, and prints the line that comes back.
 *
 *     cc say.c $(pkg-config --cflags --libs lipc) -o say
 *     ./say NAME TEXT
 *
 * NAME is "user:echo" if the server is "echo serve user:echo". */
#include <stdio.h>
#include <string.h>

#include <lipc.h>

static int fail(const char *what, int64_t result) {
    fprintf(stderr, "say: %s: %s (%s, system error %d)\n", what, lipc_strerror(result), lipc_error_name(result),
            lipc_error_os(result));
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: say NAME TEXT\n");
        return 2;
    }
    lipc_name name;
    int64_t r = lipc_name_parse(argv[1], LIPC_STRLEN, &name);
    if (r < 0)
        return fail(argv[1], r);
    lipc_handle server;
    r = lipc_connect(&name, NULL, 5000, &server);
    if (r < 0)
        return fail(argv[1], r);

    lipc_credentials peer;
    r = lipc_peer_credentials(server, &peer);
    if (r >= 0)
        printf("talking to process %lld\n", (long long)peer.pid);

    lipc_buffer line[] = {{argv[2], strlen(argv[2])}, {(void *)"\n", 1}};
    r = lipc_writev(server, line, 2, 5000);
    char answer[1000];
    size_t length = 0;
    while (r > 0 && length < sizeof answer && (length == 0 || answer[length - 1] != '\n')) {
        r = lipc_read(server, answer + length, sizeof answer - length, 5000);
        if (r > 0)
            length += (size_t)r;
    }
    lipc_close(server);
    if (r < 0)
        return fail("talking", r);
    if (r == 0) {
        fprintf(stderr, "say: the server closed the connection\n");
        return 1;
    }
    printf("got back: %.*s", (int)length, answer);
    return 0;
}
