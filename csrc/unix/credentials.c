/* Who the peer is. What differs between systems in that is in this file only. */

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
    if (cred.uid == (uid_t)-1) /* Linux reports it for a socket without a peer */
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
    pid_t reported;
    socklen_t length = sizeof reported;
    if (SYS(getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &reported, &length)) == 0)
        pid = reported;
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

static void lipc__credentials_of(const lipc__peer *peer, lipc_credentials *ret_credentials) {
    memset(ret_credentials, 0xff, sizeof *ret_credentials);
    ret_credentials->pid = peer->pid;
    ret_credentials->uid = peer->uid;
    ret_credentials->gid = peer->gid;
}

int lipc_peer_credentials(lipc_handle handle, lipc_credentials *ret_credentials) {
    lipc__peer peer = {-1, -1, -1};
    int r = lipc__peer_of((int)handle, &peer);
    if (r < 0)
        return r;
    lipc__credentials_of(&peer, ret_credentials);
    return 0;
}

#if defined(__linux__)

typedef struct ucred lipc__record;
#define LIPC__RECORD_SIZE sizeof(lipc__record)
#define LIPC__RECORD_LEVEL SOL_SOCKET
#define LIPC__RECORD_TYPE SCM_CREDENTIALS
#define LIPC__PASS_LEVEL SOL_SOCKET
#define LIPC__PASS_OPTION SO_PASSCRED

static lipc__peer lipc__peer_in(const lipc__record *c) {
    if (c->pid == 0 && c->uid == LIPC__OVERFLOW) /* the kernel has no record of the sender */
        return (lipc__peer){-1, -1, -1};
    return (lipc__peer){c->pid > 0 ? c->pid : -1, c->uid, c->gid};
}

#elif defined(__FreeBSD__) && defined(SCM_CREDS2) && defined(LOCAL_CREDS_PERSISTENT)

typedef struct sockcred2 lipc__record;
#define LIPC__RECORD_SIZE offsetof(lipc__record, sc_groups) /* there may be none */
#define LIPC__RECORD_LEVEL SOL_SOCKET
#define LIPC__RECORD_TYPE SCM_CREDS2
#define LIPC__PASS_LEVEL SOL_LOCAL
#define LIPC__PASS_OPTION LOCAL_CREDS_PERSISTENT

static lipc__peer lipc__peer_in(const lipc__record *c) {
    return (lipc__peer){c->sc_pid, c->sc_euid, c->sc_egid};
}

#elif defined(__NetBSD__) && defined(SCM_CREDS) && defined(LOCAL_CREDS)

typedef struct sockcred lipc__record;
#define LIPC__RECORD_SIZE offsetof(lipc__record, sc_groups) /* there may be none */
#define LIPC__RECORD_LEVEL SOL_SOCKET
#define LIPC__RECORD_TYPE SCM_CREDS
#define LIPC__PASS_LEVEL SOL_LOCAL
#define LIPC__PASS_OPTION LOCAL_CREDS

static lipc__peer lipc__peer_in(const lipc__record *c) {
    return (lipc__peer){c->sc_pid, c->sc_euid, c->sc_egid};
}

#endif

static bool lipc__is_credentials(const lipc_control_item *item) {
#ifdef LIPC__RECORD_TYPE
    return item->level == LIPC__RECORD_LEVEL && item->type == LIPC__RECORD_TYPE && item->size >= LIPC__RECORD_SIZE;
#else
    (void)item;
    return false;
#endif
}

int lipc_control_credentials(const lipc_control_item *item, lipc_credentials *ret_credentials) {
    if (item->kind != LIPC_CONTROL_CREDENTIALS)
        return lipc__fault(LIPC_EINVAL);
#ifdef LIPC__RECORD_TYPE
    lipc__record record;
    memcpy(&record, item->data, LIPC__RECORD_SIZE);
    lipc__peer peer = lipc__peer_in(&record);
    lipc__credentials_of(&peer, ret_credentials);
#endif
    (void)ret_credentials;
    return 0;
}

int lipc_control_add_credentials(lipc_control *control, const lipc_credentials *c) {
#if defined(__linux__)
    if (c->pid == 0 || c->pid > INT_MAX || c->uid > UINT32_MAX || c->gid > UINT32_MAX)
        return lipc__fault(LIPC_EINVAL);
    struct ucred record = {.pid = c->pid < 0 ? getpid() : (pid_t)c->pid,
                           .uid = c->uid < 0 ? geteuid() : (uid_t)c->uid,
                           .gid = c->gid < 0 ? getegid() : (gid_t)c->gid};
    return lipc_control_add(control, SOL_SOCKET, SCM_CREDENTIALS, &record, sizeof record);
#else
    (void)control, (void)c;
    return lipc__fault(LIPC_ENOTSUP);
#endif
}

#ifdef LIPC__PASS_OPTION

/* Sets an option of a connection if it is set of its listener. */
static int lipc__pass_option_on(int listener, int fd, int level, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    if (SYS(getsockopt(listener, level, option, &value, &length)) < 0 || value == 0)
        return 0;
    return SYS(setsockopt(fd, level, option, &value, sizeof value)) < 0 ? lipc__error_from(errno) : 0;
}

/* Sets the options for messages of a connection that are set of its listener. The system copies them when a client
 * connects, so a connection that was in the backlog when an option was set does not have it (Linux 6.18:
 * unix_stream_connect(), FreeBSD: unp_connectat()). marked: the option for credentials was set before a client could
 * connect. */
static int lipc__pass_on(int listener, int fd, bool marked) {
    if (!marked) {
        int r = lipc__pass_option_on(listener, fd, LIPC__PASS_LEVEL, LIPC__PASS_OPTION);
        if (r < 0)
            return r;
    }
#ifdef __linux__
    return lipc__pass_option_on(listener, fd, SOL_SOCKET, SO_PASSPIDFD);
#else
    return 0;
#endif
}

int lipc_set_pass_credentials(lipc_handle handle, int on) {
    int value = on != 0, type = lipc__option((int)handle, SO_TYPE);
    if (type < 0)
        return type;
#ifdef __linux__
    if (type == SOCK_SEQPACKET)
        value = 1; /* stays on, see lipc__mark_messages() */
#endif
    if (SYS(setsockopt((int)handle, LIPC__PASS_LEVEL, LIPC__PASS_OPTION, &value, sizeof value)) < 0)
        return lipc__error_from(errno);
    return 0;
}

#else

static int lipc__pass_on(int listener, int fd, bool marked) {
    (void)listener, (void)fd, (void)marked;
    return 0;
}

int lipc_set_pass_credentials(lipc_handle handle, int on) {
    (void)handle, (void)on;
    return lipc__fault(LIPC_ENOTSUP);
}

#endif

int lipc_set_pass_pidfd(lipc_handle handle, int on) {
#ifdef __linux__
    int value = on != 0;
    if (SYS(setsockopt((int)handle, SOL_SOCKET, SO_PASSPIDFD, &value, sizeof value)) < 0)
        return errno == ENOPROTOOPT ? lipc__fault(LIPC_ENOTSUP) : lipc__error_from(errno);
    return 0;
#else
    (void)handle, (void)on;
    return lipc__fault(LIPC_ENOTSUP);
#endif
}

int lipc_peer_pidfd(lipc_handle handle, lipc_handle *ret_pidfd) {
#ifdef __linux__
    int pidfd = -1;
    socklen_t length = sizeof pidfd;
    if (SYS(getsockopt((int)handle, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length)) < 0) {
        if (errno == ENODATA) /* there is no peer */
            return lipc__fault(LIPC_ENOTCONN);
        return errno == ENOPROTOOPT ? lipc__fault(LIPC_ENOTSUP) : lipc__error_from(errno);
    }
    fcntl(pidfd, F_SETFL, O_NONBLOCK); /* cannot fail */
    *ret_pidfd = pidfd;
    return 0;
#else
    (void)handle, (void)ret_pidfd;
    return lipc__fault(LIPC_ENOTSUP);
#endif
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
    if (errno == ENODATA) /* there is no peer */
        return lipc__fault(LIPC_ENOTCONN);
    if (errno != ERANGE)
        return lipc__error_from(errno);
    return (int)(length / sizeof *groups); /* more than capacity: the kernel stores none, but reports how many */
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

/* A user, for the policy. */
typedef struct lipc__identity {
    int64_t uid; /* -1: not known */
    int fd;      /* the connection whose peer it is; -1: the caller knows it from elsewhere */
} lipc__identity;

static lipc__identity lipc__identity_from(int64_t uid, const char *sid) {
    (void)sid;
    return (lipc__identity){uid, -1};
}

static int lipc__identity_of(lipc_handle handle, lipc__identity *ret_identity) {
    lipc__peer peer = {-1, -1, -1};
    int r = lipc__peer_of((int)handle, &peer);
    if (r >= 0)
        *ret_identity = (lipc__identity){peer.uid, (int)handle};
    return r;
}

/* An id that may stand for several users is not known to be any of them. A peer is asked for again: between the first
 * time and the look at the map of ids the namespace may have got its map, which it gets only once. */
static bool lipc__is_known(const lipc__identity *who) {
    lipc__peer again = {-1, who->uid, -1};
    if (who->uid < 0 || lipc__is_stand_in_uid(lipc__stand_in_uid(), who->uid))
        return false;
    return who->fd < 0 || (lipc__peer_of(who->fd, &again) >= 0 && again.uid == who->uid);
}

static bool lipc__is_same_user(const lipc__identity *who) {
    return who->uid == geteuid();
}

static bool lipc__is_admin(const lipc__identity *who) {
    return who->uid == 0;
}

static bool lipc__is_listed(const lipc_peer_policy *p, const lipc__identity *who) {
    for (size_t i = 0; i < p->uid_count; i++)
        if (who->uid == p->uids[i])
            return true;
    return false;
}

/* Who may connect, where no file decides that. */
typedef struct lipc__admission {
    mode_t mode;   /* 0: the system decides */
    int64_t group; /* -1: that of the process */
    int64_t stand_in_uid, stand_in_gid;
} lipc__admission;

#ifdef LIPC__ABSTRACT

/* Whether the peer could connect to a socket file of this process with that mode and group. */
static bool lipc__admits(const lipc__admission *admission, int fd) {
    const mode_t mode = admission->mode;
    if (mode & 0002)
        return true;
    const uid_t user = geteuid();
    const bool group_may = mode & 0020;
    const gid_t group = group_may && admission->group < 0 ? getegid() : (gid_t)admission->group;
    /* These come before the peer's ids, since the namespace may get its map, which it gets only once, in between. */
    const bool means_user = !lipc__is_stand_in_uid(admission->stand_in_uid, user);
    const bool means_root = !lipc__is_stand_in_uid(admission->stand_in_uid, 0);
    const bool means_group = group_may && !lipc__is_stand_in_gid(admission->stand_in_gid, group);
    lipc__peer peer;
    if (lipc__peer_of(fd, &peer) < 0)
        return false;
    if ((means_user && peer.uid == user) || (means_root && peer.uid == 0))
        return true;
    if (!means_group)
        return false;
    if (peer.gid == group)
        return true;
    enum { MOST = 1024 }; /* of a peer in more groups only the first, peer.gid, counts */
    uint32_t groups[MOST];
    int n = lipc_peer_groups(fd, MOST, groups);
    for (int i = 0; n <= MOST && i < n; i++)
        if (groups[i] == group)
            return true;
    return false;
}

#endif
