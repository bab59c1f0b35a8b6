/* The constants of the headers by name, for callers that cannot read the headers. */

typedef struct lipc__constant {
    const char *name;
    int64_t value;
} lipc__constant;

/* name may also be a sizeof expression. The text of a macro is its name, since stringizing does not expand it. */
#define LIPC__CONSTANT(name) {#name, (int64_t)(name)},

static const lipc__constant lipc__constants[] = {
    LIPC__CONSTANT(LIPC_VERSION)
    LIPC__CONSTANT(LIPC_VERSION_MAJOR)
    LIPC__CONSTANT(LIPC_VERSION_MINOR)
    LIPC__CONSTANT(LIPC_VERSION_PATCH)
#define LIPC__ERROR_CONSTANT(code, number, text) {#code, number},
    LIPC_ERRORS(LIPC__ERROR_CONSTANT)
#undef LIPC__ERROR_CONSTANT
    LIPC__CONSTANT(LIPC_ERROR_OS_BITS)
    LIPC__CONSTANT(LIPC_NAME_PATH)
    LIPC__CONSTANT(LIPC_NAME_NAMESPACED)
    LIPC__CONSTANT(LIPC_NAME_USER)
    LIPC__CONSTANT(LIPC_NAME_SYSTEM)
    LIPC__CONSTANT(LIPC_NAME_CAPACITY)
    LIPC__CONSTANT(LIPC_OBSTACLE_NONE)
    LIPC__CONSTANT(LIPC_OBSTACLE_SERVER)
    LIPC__CONSTANT(LIPC_OBSTACLE_FILE)
    LIPC__CONSTANT(LIPC_OBSTACLE_DIRECTORY)
    LIPC__CONSTANT(LIPC_OBSTACLE_OTHER_USER)
    LIPC__CONSTANT(LIPC_OBSTACLE_LOCK)
    LIPC__CONSTANT(LIPC_PEERS_ANY)
    LIPC__CONSTANT(LIPC_PEERS_SAME_USER)
    LIPC__CONSTANT(LIPC_PEERS_ADMIN)
    LIPC__CONSTANT(LIPC_STRLEN)
    LIPC__CONSTANT(LIPC_INVALID_HANDLE)
    LIPC__CONSTANT(LIPC_STREAM)
    LIPC__CONSTANT(LIPC_MESSAGE)
    LIPC__CONSTANT(LIPC_DATAGRAM)
    LIPC__CONSTANT(LIPC_PIPE_READER)
    LIPC__CONSTANT(LIPC_PIPE_WRITER)
    LIPC__CONSTANT(LIPC_PIPE_DUPLEX)
    LIPC__CONSTANT(LIPC_LISTENER)
    LIPC__CONSTANT(LIPC_STREAM_LISTENER)
    LIPC__CONSTANT(LIPC_MESSAGE_LISTENER)
    LIPC__CONSTANT(LIPC_READ)
    LIPC__CONSTANT(LIPC_WRITE)
    LIPC__CONSTANT(LIPC_MESSAGE_HANDLES)
    LIPC__CONSTANT(LIPC_CHANNEL_PREFER)
    LIPC__CONSTANT(LIPC_CHANNEL_REQUIRE)
    LIPC__CONSTANT(LIPC_CHANNEL_NEVER)
    LIPC__CONSTANT(LIPC_CHANNEL_RING_MIN)
    LIPC__CONSTANT(LIPC_CHANNEL_RING_MAX)
    LIPC__CONSTANT(LIPC_CHANNEL_RING_DEFAULT)
    LIPC__CONSTANT(LIPC_CHANNEL_MESSAGE_MAX)
    LIPC__CONSTANT(LIPC_CHANNEL_MESSAGE_DEFAULT)
    LIPC__CONSTANT(LIPC_CHANNEL_SPIN_DEFAULT)
    LIPC__CONSTANT(LIPC_CHANNEL_HANDLES_DEFAULT)
    LIPC__CONSTANT(LIPC_CHANNEL_ARM)
    LIPC__CONSTANT(LIPC_CHANNEL_SPIN)
    LIPC__CONSTANT(sizeof(lipc_name))
    LIPC__CONSTANT(sizeof(lipc_peer_policy))
    LIPC__CONSTANT(sizeof(lipc_handle))
    LIPC__CONSTANT(sizeof(lipc_listen_options))
    LIPC__CONSTANT(sizeof(lipc_connect_options))
    LIPC__CONSTANT(sizeof(lipc_buffer))
    LIPC__CONSTANT(sizeof(lipc_message))
    LIPC__CONSTANT(sizeof(lipc_credentials))
    LIPC__CONSTANT(sizeof(lipc_pipe_options))
    LIPC__CONSTANT(sizeof(lipc_spin))
    LIPC__CONSTANT(sizeof(lipc_channel_options))
    LIPC__CONSTANT(sizeof(lipc_channel_budget))
    LIPC__CONSTANT(sizeof(lipc_channel_versions))
    LIPC__CONSTANT(LIPC_SIGNAL_BREAK)
    LIPC__CONSTANT(LIPC_SIGNAL_CLOSE)
    LIPC__CONSTANT(LIPC_SIGNAL_LOGOFF)
    LIPC__CONSTANT(LIPC_SIGNAL_SHUTDOWN)
    LIPC__CONSTANT(LIPC_SIGNAL_WATCHES)
    LIPC__CONSTANT(LIPC_SIGNAL_QUEUE_DEFAULT)
    LIPC__CONSTANT(LIPC_SIGNAL_QUEUE_MAX)
    LIPC__CONSTANT(sizeof(lipc_signal_options))
    LIPC__CONSTANT(sizeof(lipc_signal_info))
    LIPC__SYSTEM_CONSTANTS(LIPC__CONSTANT)
};
enum { LIPC__CONSTANT_COUNT = sizeof lipc__constants / sizeof *lipc__constants };

int lipc_constant(const char *name, int64_t *ret_value) {
    for (size_t i = 0; i < LIPC__CONSTANT_COUNT; i++)
        if (strcmp(lipc__constants[i].name, name) == 0) {
            *ret_value = lipc__constants[i].value;
            return 0;
        }
    return lipc__fault(LIPC_ENOENT);
}

const char *lipc_constant_name(size_t index) {
    return index < LIPC__CONSTANT_COUNT ? lipc__constants[index].name : NULL;
}
