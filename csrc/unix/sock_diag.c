/* What sockets are bound to, as sock_diag(7) reports it. Its structs are declared here, since not every C library has
 * them. */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#include <sys/sysmacros.h>

/* include/uapi/linux/netlink.h, sock_diag.h, unix_diag.h */
enum { LIPC__NETLINK_SOCK_DIAG = 4, LIPC__SOCK_DIAG_BY_FAMILY = 20, LIPC__NLM_F_REQUEST = 1, LIPC__NLM_F_DUMP = 0x300 };
enum { LIPC__UDIAG_SHOW_NAME = 1, LIPC__UDIAG_SHOW_VFS = 2, LIPC__UNIX_DIAG_NAME = 0, LIPC__UNIX_DIAG_VFS = 1 };
enum { LIPC__CONNECTED = 1 }; /* TCP_ESTABLISHED, include/net/tcp_states.h */

typedef struct lipc__diag_header { /* struct nlmsghdr */
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
} lipc__diag_header;

typedef struct lipc__diag_question { /* with struct unix_diag_req */
    lipc__diag_header header;
    uint8_t family, protocol;
    uint16_t padding;
    uint32_t states, socket, show, cookie[2];
} lipc__diag_question;

typedef struct lipc__diag_socket { /* with struct unix_diag_msg; attributes follow */
    lipc__diag_header header;
    uint8_t family, type, state, padding;
    uint32_t socket, cookie[2];
} lipc__diag_socket;

typedef struct lipc__diag_attribute { /* struct nlattr */
    uint16_t length, type;
} lipc__diag_attribute;

typedef struct lipc__diag_file { /* struct unix_diag_vfs */
    uint32_t inode, device;
} lipc__diag_file;

/* What an answer says about a socket. */
typedef struct lipc__diag_found {
    lipc__diag_socket socket;
    const char *value; /* of the attribute that was looked for */
    size_t size;
} lipc__diag_found;

/* Asks about the socket with an inode number; 0: about all in this network namespace. Returns the netlink socket, or
 * -1. */
static int lipc__diag_ask(ino_t inode, uint32_t show) {
    int diag = SYS(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, LIPC__NETLINK_SOCK_DIAG));
    const uint16_t flags = LIPC__NLM_F_REQUEST | (inode == 0 ? LIPC__NLM_F_DUMP : 0);
    lipc__diag_question q = {.header = {sizeof q, LIPC__SOCK_DIAG_BY_FAMILY, flags, 0, 0},
                             .family = AF_UNIX, .states = UINT32_MAX, .socket = (uint32_t)inode,
                             .show = show, .cookie = {UINT32_MAX, UINT32_MAX}};
    if (diag >= 0 && SYS(sendto(diag, &q, sizeof q, 0, NULL, 0)) < 0) {
        close(diag);
        return -1;
    }
    return diag;
}

/* Finds the next socket with an attribute in an answer of size bytes, from at on. Returns false after the last. */
static bool lipc__diag_next(const char *answer, size_t size, uint16_t type, size_t *at, lipc__diag_found *ret_found) {
    lipc__diag_socket s;
    lipc__diag_attribute a;
    while (*at + sizeof s <= size) {
        memcpy(&s, answer + *at, sizeof s);
        if (s.header.length < sizeof s.header || s.header.length > size - *at)
            return false;
        size_t end = *at + s.header.length, attribute = *at + sizeof s;
        *at += (s.header.length + 3) & ~(size_t)3;
        while (s.header.type == LIPC__SOCK_DIAG_BY_FAMILY && attribute + sizeof a <= end) {
            memcpy(&a, answer + attribute, sizeof a);
            if (a.length < sizeof a || a.length > end - attribute)
                break;
            if (a.type == type) {
                *ret_found = (lipc__diag_found){s, answer + attribute + sizeof a, a.length - sizeof a};
                return true;
            }
            attribute += (a.length + 3) & ~(size_t)3;
        }
    }
    return false;
}

static lipc__diag_file lipc__diag_file_in(const lipc__diag_found *found) {
    lipc__diag_file file = {0, 0};
    if (found->size >= sizeof file)
        memcpy(&file, found->value, sizeof file);
    return file;
}

/* Whether a socket is bound to a file. Returns 1 or 0, or LIPC_ENOTSUP if the kernel does not report it. */
static int lipc__bound_to(int fd, const struct stat *file) {
    struct stat socket_file;
    char answer[256];
    size_t at = 0;
    lipc__diag_found found;
    int diag = SYS(fstat(fd, &socket_file)) < 0 ? -1 : lipc__diag_ask(socket_file.st_ino, LIPC__UDIAG_SHOW_VFS);
    if (diag < 0)
        return lipc__fault(LIPC_ENOTSUP);
    /* The answer is there as soon as sendto(2) returns. */
    ssize_t n = SYS(recvfrom(diag, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL));
    close(diag);
    if (n < 0 || !lipc__diag_next(answer, (size_t)n, LIPC__UNIX_DIAG_VFS, &at, &found))
        return lipc__fault(LIPC_ENOTSUP);
    /* No other file gets the inode number while the socket is open. */
    return lipc__diag_file_in(&found).inode == (uint32_t)file->st_ino;
}

/* Whether there is a socket in this network namespace with an attribute that is what is looked for. Returns 1 or 0, or
 * LIPC_ENOTSUP if the kernel does not report it. */
static int lipc__diag_any(uint32_t show, uint16_t type, bool (*is)(const lipc__diag_found *, const void *),
                          const void *wanted) {
    char answer[16 << 10];
    lipc__diag_found found;
    int any = 0, diag = lipc__diag_ask(0, show);
    if (diag < 0)
        return lipc__fault(LIPC_ENOTSUP);
    /* The kernel sends the answer in parts, as it is read. The last is a message without a socket. */
    for (ssize_t n = 1; n > 0 && !any;) {
        n = SYS(recvfrom(diag, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL));
        for (size_t at = 0; n > 0 && !any && lipc__diag_next(answer, (size_t)n, type, &at, &found);)
            any = is(&found, wanted);
    }
    close(diag);
    return any;
}

static bool lipc__diag_is_file(const lipc__diag_found *found, const void *wanted) {
    const struct stat *file = wanted;
    const uint32_t device = major(file->st_dev) << 20 | minor(file->st_dev); /* include/linux/kdev_t.h */
    lipc__diag_file f = lipc__diag_file_in(found);
    return f.inode == (uint32_t)file->st_ino && f.device == device;
}

/* Whether a socket in this network namespace is known to be bound to a file. */
static bool lipc__is_bound(const struct stat *file) {
    return lipc__diag_any(LIPC__UDIAG_SHOW_VFS, LIPC__UNIX_DIAG_VFS, lipc__diag_is_file, file) > 0;
}

typedef struct lipc__abstract {
    const lipc__address *address;
    size_t size; /* of sun_path */
    int type;
} lipc__abstract;

/* An accepted connection has its listener's name, but does not keep others from taking it. */
static bool lipc__diag_is_name(const lipc__diag_found *found, const void *wanted) {
    const lipc__abstract *name = wanted;
    bool accepted = found->socket.state == LIPC__CONNECTED && name->type != SOCK_DGRAM;
    return found->socket.type == name->type && !accepted && found->size == name->size &&
           memcmp(found->value, name->address->local.sun_path, name->size) == 0;
}

/* Whether a socket of a type has an abstract name. What cannot be found out counts as so. */
static bool lipc__has_abstract_name(const lipc__address *address, socklen_t length, int type) {
    const lipc__abstract name = {address, length - LIPC__ADDRESS_HEADER, type};
    return lipc__diag_any(LIPC__UDIAG_SHOW_NAME, LIPC__UNIX_DIAG_NAME, lipc__diag_is_name, &name) != 0;
}

#else

static int lipc__bound_to(int fd, const struct stat *file) {
    (void)fd, (void)file;
    return lipc__fault(LIPC_ENOTSUP);
}

static bool lipc__is_bound(const struct stat *file) {
    (void)file;
    return false;
}

static bool lipc__has_abstract_name(const lipc__address *address, socklen_t length, int type) {
    (void)address, (void)length, (void)type;
    return true;
}

#endif
