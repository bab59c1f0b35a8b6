/* Who the peer is: the one file that knows how each system tells. */

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__DragonFly__)
#include <sys/ucred.h>
#define LIPC__XUCRED 1
#ifndef SOL_LOCAL
#define SOL_LOCAL 0 /* FreeBSD, unix(4): the level is 0 */
#endif
#endif

#if defined(__linux__) && !defined(SO_PEERGROUPS)
#define SO_PEERGROUPS 59 /* include/uapi/asm-generic/socket.h, Linux 4.13; libc headers may be older */
#endif

typedef struct lipc__peer {
    int64_t pid, uid, gid;
} lipc__peer;

#ifdef LIPC__XUCRED

static int lipc__xucred(int fd, struct xucred *ret_cred) {
    socklen_t length = sizeof *ret_cred;
    memset(ret_cred, 0, sizeof *ret_cred);
    if (SYS(getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, ret_cred, &length)) < 0)
        return lipc__error_from(errno);
    if (ret_cred->cr_version != XUCRED_VERSION || ret_cred->cr_ngroups < 1)
        return lipc__fault(LIPC_ENOTCONN);
    return 0;
}

#endif

static int lipc__peer_of(int fd, lipc__peer *ret_peer) {
#if defined(__linux__)
    struct ucred cred;
    socklen_t length = sizeof cred;
    if (SYS(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length)) < 0)
        return lipc__error_from(errno);
    if (cred.uid == (uid_t)-1) /* what Linux reports for a socket without a peer */
        return lipc__fault(LIPC_ENOTCONN);
    *ret_peer = (lipc__peer){cred.pid > 0 ? cred.pid : -1, cred.uid, cred.gid};
#elif defined(__OpenBSD__)
    struct sockpeercred cred;
    socklen_t length = sizeof cred;
    if (SYS(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length)) < 0)
        return lipc__error_from(errno);
    *ret_peer = (lipc__peer){cred.pid, cred.uid, cred.gid};
#elif defined(__NetBSD__)
    struct unpcbid cred;
    socklen_t length = sizeof cred;
    if (SYS(getsockopt(fd, 0, LOCAL_PEEREID, &cred, &length)) < 0)
        return lipc__error_from(errno);
    *ret_peer = (lipc__peer){cred.unp_pid, cred.unp_euid, cred.unp_egid};
#elif defined(LIPC__XUCRED)
    struct xucred cred;
    int r = lipc__xucred(fd, &cred);
    if (r < 0)
        return r;
    int64_t pid = -1;
#if defined(LOCAL_PEERPID)
    pid_t told;
    socklen_t length = sizeof told;
    if (SYS(getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &told, &length)) == 0)
        pid = told;
#elif defined(__FreeBSD__) && __FreeBSD_version >= 1300030
    if (cred.cr_pid > 0)
        pid = cred.cr_pid;
#endif
    *ret_peer = (lipc__peer){pid, cred.cr_uid, cred.cr_groups[0]};
#else
    (void)fd, (void)ret_peer;
    return lipc__fault(LIPC_ENOTSUP);
#endif
    return 0;
}

int lipc_peer_credentials(lipc_handle handle, lipc_credentials *ret_credentials) {
    lipc__peer peer;
    int r = lipc__peer_of((int)handle, &peer);
    if (r < 0)
        return r;
    memset(ret_credentials, 0xff, sizeof *ret_credentials);
    ret_credentials->pid = peer.pid;
    ret_credentials->uid = peer.uid;
    ret_credentials->gid = peer.gid;
    return 0;
}

LIPC__STATIC_ASSERT(gid_is_32_bits, sizeof(gid_t) == sizeof(uint32_t));

int lipc_peer_groups(lipc_handle handle, size_t capacity, uint32_t *ret_groups) {
#if defined(__linux__)
    gid_t *groups = ret_groups;
    if (capacity > INT_MAX / sizeof *groups)
        capacity = INT_MAX / sizeof *groups;
    socklen_t length = (socklen_t)(capacity * sizeof *groups);
    if (SYS(getsockopt((int)handle, SOL_SOCKET, SO_PEERGROUPS, groups, &length)) == 0)
        return (int)(length / sizeof *groups);
    if (errno == ENOPROTOOPT)
        return lipc__fault(LIPC_ENOTSUP);
    if (errno == ENODATA) /* no peer */
        return lipc__fault(LIPC_ENOTCONN);
    if (errno != ERANGE)
        return lipc__error_from(errno);
    return (int)(length / sizeof *groups); /* too many for the caller: the kernel says how many, and gives none */
#elif defined(LIPC__XUCRED)
    struct xucred cred;
    int r = lipc__xucred((int)handle, &cred);
    if (r < 0)
        return r;
    size_t total = (size_t)cred.cr_ngroups - 1;
    for (size_t i = 0; total <= capacity && i < total; i++)
        ret_groups[i] = cred.cr_groups[i + 1];
    return (int)total;
#else
    (void)handle, (void)capacity, (void)ret_groups;
    return lipc__fault(LIPC_ENOTSUP);
#endif
}

#ifdef LIPC__ABSTRACT

/* Whether mode, on a file of this process, would let the peer connect. */
static bool lipc__admits(mode_t mode, int fd) {
    if (mode & 0002)
        return true;
    lipc__peer peer;
    if (lipc__peer_of(fd, &peer) < 0)
        return false;
    if (peer.uid == geteuid() || peer.uid == 0)
        return true;
    if (!(mode & 0020))
        return false;
    if (peer.gid == getegid())
        return true;
    enum { MOST = 1024 }; /* a peer in more groups than that gets in by its own group alone */
    uint32_t groups[MOST];
    int n = lipc_peer_groups(fd, MOST, groups);
    for (int i = 0; n <= MOST && i < n; i++)
        if (groups[i] == getegid())
            return true;
    return false;
}

#endif
