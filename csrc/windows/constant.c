/* The constants of lipc_windows.h, for csrc/portable/constant.c. */

#define LIPC__SYSTEM_CONSTANTS(X) \
    X(LIPC_DIRECTION_DEFAULT) \
    X(LIPC_DIRECTION_DUPLEX) \
    X(LIPC_DIRECTION_CLIENT_TO_SERVER) \
    X(LIPC_DIRECTION_SERVER_TO_CLIENT) \
    X(LIPC_IMPERSONATION_DEFAULT) \
    X(LIPC_IMPERSONATION_ANONYMOUS) \
    X(LIPC_IMPERSONATION_IDENTIFY) \
    X(LIPC_IMPERSONATION_IMPERSONATE) \
    X(LIPC_IMPERSONATION_DELEGATE) \
    X(LIPC_REMOTE) \
    X(LIPC_SID_CAPACITY) \
    X(sizeof(lipc_listen_windows)) \
    X(sizeof(lipc_connect_windows)) \
    X(sizeof(lipc_pipe_ids)) \
    X(sizeof(lipc_async)) \
    X(sizeof(lipc_completion)) \
    X(sizeof(lipc_watch))
