/* Policies, for the tests: some of them, and how a client finds that it was refused. */
#ifndef LIPC_TEST_POLICY_H
#define LIPC_TEST_POLICY_H

#include "fixture.h"

enum { UID = 4001, OTHER_UID = 4002 };

static const int kinds[] = {
    LIPC_STREAM,
#ifndef __APPLE__
    LIPC_MESSAGE,
#endif
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Admits nobody, the process's own user included. */
static const lipc_peer_policy nobody = {.size = sizeof nobody};
static const lipc_peer_policy same_user = {.size = sizeof same_user, .peers = LIPC_PEERS_SAME_USER};

static inline lipc_peer_policy list_of(const uint32_t *uids, size_t count) {
    return (lipc_peer_policy){.size = sizeof(lipc_peer_policy), .uids = uids, .uid_count = count};
}

static inline int64_t write_one(int kind, lipc_handle handle) {
    return kind == LIPC_STREAM ? lipc_write(handle, "x", 1, WAIT) : lipc_send(handle, "x", 1, WAIT);
}

/* Checks that nothing comes but the end. */
static inline void check_end(int kind, lipc_handle handle) {
    char byte;
    if (kind == LIPC_STREAM)
        CHECK_INT(0, lipc_read(handle, &byte, 1, WAIT));
    else
        CHECK_ERROR(LIPC_EEND, lipc_receive(handle, &byte, 1, WAIT));
}

static inline lipc_listener *listen_for(const lipc_name *name, int kind, const lipc_peer_policy *clients) {
    lipc_listen_options options = {.size = sizeof options, .kind = kind, .mode = 0666, .clients = clients};
    lipc_listener *listener = NULL;
    CHECK_OK(lipc_listen(name, &options, &listener));
    return listener;
}

static inline lipc_handle connect_kind(const lipc_name *name, int kind) {
    lipc_connect_options options = {.size = sizeof options, .kind = kind};
    lipc_handle handle = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_connect(name, &options, WAIT, &handle));
    return handle;
}

#endif
