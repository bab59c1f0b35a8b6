/* What the kernel tells of a socket by sock_diag(7). Its structs stand here, since not every C library comes with them. */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)

/* include/uapi/linux/netlink.h, sock_diag.h, unix_diag.h */
enum { LIPC__NETLINK_SOCK_DIAG = 4, LIPC__SOCK_DIAG_BY_FAMILY = 20, LIPC__NLM_F_REQUEST = 1 };
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

typedef struct lipc__diag_answer { /* with struct unix_diag_msg, and attributes behind it */
    lipc__diag_header header;
    uint8_t family, type, state, padding;
    uint32_t socket, cookie[2];
    char attributes[128];
} lipc__diag_answer;

typedef struct lipc__diag_file { /* struct nlattr, struct unix_diag_vfs */
    uint16_t length, type;
    uint32_t inode, device;
} lipc__diag_file;

/* Asks about a socket. Returns how many bytes of attributes came; less than 0: none, for whatever reason. */
static ssize_t lipc__diag_ask(int fd, lipc__diag_answer *ret_answer) {
    struct stat socket_file;
    ssize_t n = -1;
    int diag = SYS(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, LIPC__NETLINK_SOCK_DIAG));
    if (diag < 0)
        return -1;
    if (SYS(fstat(fd, &socket_file)) == 0) {
        lipc__diag_question q = {.header = {sizeof q, LIPC__SOCK_DIAG_BY_FAMILY, LIPC__NLM_F_REQUEST, 0, 0},
                                 .family = AF_UNIX, .states = UINT32_MAX, .socket = (uint32_t)socket_file.st_ino,
                                 .show = LIPC__UDIAG_SHOW_VFS, .cookie = {UINT32_MAX, UINT32_MAX}};
        if (SYS(sendto(diag, &q, sizeof q, 0, NULL, 0)) >= 0)
            n = SYS(recvfrom(diag, ret_answer, sizeof *ret_answer, MSG_DONTWAIT, NULL, NULL)); /* it is there by then */
        if (n > 0 && (ret_answer->header.type != LIPC__SOCK_DIAG_BY_FAMILY || ret_answer->socket != q.socket))
            n = -1;
    }
    close(diag);
    return n - (ssize_t)offsetof(lipc__diag_answer, attributes);
}

/* Whether a file is the one that a socket was bound to: 1 or 0, or LIPC_ENOTSUP if the kernel does not say. */
static int lipc__bound_to(int fd, const struct stat *file) {
    lipc__diag_answer answer;
    lipc__diag_file found;
    ssize_t size = lipc__diag_ask(fd, &answer);
    for (ssize_t at = 0; at + (ssize_t)sizeof found <= size;) {
        memcpy(&found, answer.attributes + at, sizeof found);
        if (found.type == LIPC__UNIX_DIAG_VFS && found.length == sizeof found)
            return found.inode == (uint32_t)file->st_ino; /* which no other file gets while the socket is open */
        if (found.length == 0)
            break;
        at += (found.length + 3) & ~3;
    }
    return lipc__fault(LIPC_ENOTSUP);
}

#else

static int lipc__bound_to(int fd, const struct stat *file) {
    (void)fd, (void)file;
    return lipc__fault(LIPC_ENOTSUP);
}

#endif
