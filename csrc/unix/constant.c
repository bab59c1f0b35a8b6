/* The constants of lipc_unix.h, for csrc/portable/constant.c. */

#define LIPC__SYSTEM_CONSTANTS(X) \
    X(LIPC_CONTROL_SIZE) \
    X(LIPC_CONTROL_OTHER) \
    X(LIPC_CONTROL_HANDLES) \
    X(LIPC_CONTROL_CREDENTIALS) \
    X(LIPC_CONTROL_PIDFD) \
    X(sizeof(lipc_control)) \
    X(sizeof(lipc_control_item)) \
    X(sizeof(lipc_activated))
