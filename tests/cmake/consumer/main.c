/* Listens, connects and talks: what a library that is complete can do. */
#include <lipc.h>

#include <stdio.h>

int main(void) {
    lipc_listener *listener;
    lipc_handle client, server;
    lipc_name name;
    char text[100], listening[64];
    int64_t r = lipc_version() == LIPC_VERSION ? 0 : -1;

    snprintf(listening, sizeof listening, "@consumer-%p", (void *)&listener); /* one that runs beside it has another */
    if (r >= 0)
        r = lipc_name_parse(listening, LIPC_STRLEN, &name);
    if (r >= 0 && (r = lipc_listen(&name, NULL, &listener)) >= 0) {
        if ((r = lipc_connect(&name, NULL, 5000, &client)) >= 0) {
            if ((r = lipc_accept(listener, 5000, NULL, &server)) >= 0) {
                r = lipc_write(server, "works\n", 6, 5000);
                if (r >= 0)
                    r = lipc_read(client, text, sizeof text, 5000);
                if (r > 0)
                    printf("%.*s", (int)r, text);
                lipc_close(server);
            }
            lipc_close(client);
        }
        lipc_listener_close(listener);
    }
    if (r < 0)
        fprintf(stderr, "%s\n", lipc_strerror(r));
    return r < 0;
}
