/* Which files sockets are bound to, as sock_diag(7) reports it. Its structs are declared here, since not every C
 * library has them. */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#include <sys/sysmacros.h>

/* include/uapi/linux/netlink.h, sock_diag.h, unix_diag.h */
enum { LIPC__NETLINK_SOCK_DIAG = 4, LIPC__SOCK_DIAG_BY_FAMILY = 20, LIPC__NLM_F_REQUEST = 1, LIPC__NLM_F_DUMP = 0x300 };
enum { LIPC__UDIAG_SHOW_VFS = 2, LIPC__UNIX_DIAG_VFS = 1 };

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

typedef struct lipc__diag_file { /* struct nlattr, struct unix_diag_vfs */
    uint16_t length, type;
    uint32_t inode, device;
} lipc__diag_file;

/* Asks about the socket with an inode number; 0: about all in this network namespace. Returns the netlink socket, or
 * -1. */
static int lipc__diag_ask(ino_t inode) {
    int diag = SYS(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, LIPC__NETLINK_SOCK_DIAG));
    const uint16_t flags = LIPC__NLM_F_REQUEST | (inode == 0 ? LIPC__NLM_F_DUMP : 0);
    lipc__diag_question q = {.header = {sizeof q, LIPC__SOCK_DIAG_BY_FAMILY, flags, 0, 0},
                             .family = AF_UNIX, .states = UINT32_MAX, .socket = (uint32_t)inode,
                             .show = LIPC__UDIAG_SHOW_VFS, .cookie = {UINT32_MAX, UINT32_MAX}};
    if (diag >= 0 && SYS(sendto(diag, &q, sizeof q, 0, NULL, 0)) < 0) {
        close(diag);
        return -1;
    }
    return diag;
}

/* Finds the next file that a socket is bound to in an answer of size bytes, from at on. Returns false after the
 * last. */
static bool lipc__diag_next(const char *answer, size_t size, size_t *at, lipc__diag_file *ret_file) {
    lipc__diag_socket s;
    while (*at + sizeof s <= size) {
        memcpy(&s, answer + *at, sizeof s);
        if (s.header.length < sizeof s.header || s.header.length > size - *at)
            return false;
        size_t end = *at + s.header.length, attribute = *at + sizeof s;
        *at += (s.header.length + 3) & ~(size_t)3;
        while (s.header.type == LIPC__SOCK_DIAG_BY_FAMILY && attribute + sizeof *ret_file <= end) {
            memcpy(ret_file, answer + attribute, sizeof *ret_file);
            if (ret_file->type == LIPC__UNIX_DIAG_VFS)
                return true;
            if (ret_file->length == 0)
                break;
            attribute += (ret_file->length + 3) & ~(size_t)3;
        }
    }
    return false;
}

/* Whether a socket is bound to a file. Returns 1 or 0, or LIPC_ENOTSUP if the kernel does not report it. */
static int lipc__bound_to(int fd, const struct stat *file) {
    struct stat socket_file;
    char answer[256];
    size_t at = 0;
    lipc__diag_file found;
    int diag = SYS(fstat(fd, &socket_file)) < 0 ? -1 : lipc__diag_ask(socket_file.st_ino);
    if (diag < 0)
        return lipc__fault(LIPC_ENOTSUP);
    /* The answer is there as soon as sendto(2) returns. */
    ssize_t n = SYS(recvfrom(diag, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL));
    close(diag);
    if (n < 0 || !lipc__diag_next(answer, (size_t)n, &at, &found))
        return lipc__fault(LIPC_ENOTSUP);
    return found.inode == (uint32_t)file->st_ino; /* which no other file gets while the socket is open */
}

/* Whether a socket in this network namespace is known to be bound to a file. */
static bool lipc__is_bound(const struct stat *file) {
    char answer[16 << 10];
    lipc__diag_file found;
    const uint32_t device = major(file->st_dev) << 20 | minor(file->st_dev); /* include/linux/kdev_t.h */
    bool is = false;
    int diag = lipc__diag_ask(0);
    if (diag < 0)
        return false;
    /* The kernel sends the answer in parts, as it is read. The last is a message without a socket. */
    for (ssize_t n = 1; n > 0 && !is;) {
        n = SYS(recvfrom(diag, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL));
        for (size_t at = 0; n > 0 && !is && lipc__diag_next(answer, (size_t)n, &at, &found);)
            is = found.inode == (uint32_t)file->st_ino && found.device == device;
    }
    close(diag);
    return is;
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

#endif
