/* What tests of datagrams share: sockets of datagrams, and checks of what they received. */
#ifndef LIPC_DATAGRAM_H
#define LIPC_DATAGRAM_H

#include "fixture.h"

static const lipc_listen_options as_datagrams = {.size = sizeof as_datagrams, .kind = LIPC_DATAGRAM};

static inline lipc_listener *bind_to(const lipc_name *name) {
    lipc_listener *listener = NULL;
    CHECK_OK(lipc_listen(name, &as_datagrams, &listener));
    return listener;
}

static inline lipc_handle connect_datagrams(const lipc_name *name) {
    lipc_connect_options options = {.size = sizeof options, .kind = LIPC_DATAGRAM};
    lipc_handle handle = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_connect(name, &options, WAIT, &handle));
    return handle;
}

static inline lipc_handle unbound(void) {
    lipc_handle handle;
    CHECK_OK(lipc_datagram(&handle));
    return handle;
}

static inline void check_peer(const lipc_name *wanted, const lipc_name *told) {
    if (is_in_user_directory((int)wanted->type)) {
        CHECK_INT(LIPC_NAME_PATH, told->type);
        CHECK_STRING(wanted->text, strrchr(told->text, '/') + 1);
    } else {
        CHECK(same_name(wanted, told));
    }
}

static inline void check_no_peer(const lipc_name *told) {
    CHECK_INT(0, told->type);
    CHECK_INT(0, told->length);
    CHECK_STRING("", told->text);
}

/* Checks that the next datagram has that text and that sender. from NULL: a sender without a name. */
static inline void check_next(lipc_handle handle, const char *text, const lipc_name *from) {
    lipc_name peer;
    memset(&peer, UNTOUCHED, sizeof peer);
    char got[64] = "";
    CHECK_INT((int64_t)strlen(text), lipc_receive_from(handle, got, sizeof got - 1, WAIT, &peer));
    CHECK_STRING(text, got);
    if (from != NULL)
        check_peer(from, &peer);
    else
        check_no_peer(&peer);
}

static inline int64_t send_text_to(lipc_handle handle, const char *text, const lipc_name *peer) {
    return lipc_send_to(handle, text, strlen(text), peer, WAIT);
}

#endif
