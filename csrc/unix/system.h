/* Which system has what: decided once, here.
 *
 * LIPC_PLAIN_POSIX turns off everything beyond POSIX.1-2008 and BSD sockets. So the code for systems that lack the rest
 * runs, and is tested, on a system that has it. */
#ifndef LIPC_UNIX_SYSTEM_H
#define LIPC_UNIX_SYSTEM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* Linux: accept4, struct ucred */
#endif
/* Without these stat(2) fails with EOVERFLOW on 32-bit systems with glibc, for a socket whose inode number takes more
 * than 32 bits, or whose times lie after 2038. */
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define _BSD_SOURCE 1
#define _DEFAULT_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef LIPC_PLAIN_POSIX
#ifdef __linux__
#define LIPC__ABSTRACT 1 /* unix(7): names that begin with a NUL */
#define LIPC__MODE_BEFORE_BIND 1 /* bind(2) takes the socket file's mode from the socket's inode */
#define LIPC__FULL_BACKLOG_IS_EAGAIN 1 /* elsewhere it is ECONNREFUSED, as without a listener */
#endif
#if !defined(__APPLE__) && !defined(__OpenBSD__)
#define LIPC__TELLS_LISTENERS 1 /* SO_ACCEPTCONN works; macOS and OpenBSD define it but refuse it */
#endif
#if !defined(__APPLE__)
#define LIPC__BORN_CLOEXEC 1 /* SOCK_CLOEXEC, SOCK_NONBLOCK and accept4(2) */
#endif
#endif

#if defined(__APPLE__) || defined(__NetBSD__)
#define LIPC__ST_CTIM st_ctimespec
#else
#define LIPC__ST_CTIM st_ctim
#endif

/* The mode in which a directory is opened to reach the files in it. O_PATH and O_SEARCH need no permission to list
 * it. */
#if defined(O_PATH) && !defined(LIPC_PLAIN_POSIX)
#define LIPC__O_DIRECTORY O_PATH
#elif defined(O_SEARCH)
#define LIPC__O_DIRECTORY O_SEARCH
#else
#define LIPC__O_DIRECTORY O_RDONLY
#endif

#ifndef LIPC_PLAIN_POSIX
#ifdef MSG_CMSG_CLOEXEC
#define LIPC__RECEIVES_CLOEXEC MSG_CMSG_CLOEXEC
#endif
#endif

/* Constants that the C library's headers may be too old to have. Sources: include/uapi/asm-generic/socket.h, Linux 6.5
 * (PA-RISC and SPARC have other numbers); include/linux/socket.h; include/uapi/linux/fs.h, Linux 6.18. */
#ifdef __linux__
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif
#endif

/* The calls that move data. On 64-bit Linux they go to the kernel directly, not through the C library, for two reasons:
 *
 * The C library's functions are cancellation points. In a process with threads glibc's cost more instructions than all
 * that the core does in a call.
 *
 * musl's sendmsg(3) refuses more than 1024 bytes of control data, since 1.2.4 more than 1056. The most handles that a
 * message can have take 1032 bytes, and with credentials 1064. (musl's msghdr and cmsghdr are the kernel's as long as
 * their padding is zero, which it is here.)
 *
 * On 32-bit Linux the kernel may have only socketcall(2). The sanitizers check what goes through the C library's
 * functions. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define LIPC__SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIPC__SANITIZED 1
#endif

#if defined(__linux__) && LONG_MAX > INT_MAX && !defined(LIPC_PLAIN_POSIX) && !defined(LIPC__SANITIZED)
#define LIPC__CALLS_KERNEL 1
#endif

static inline ssize_t lipc__sys_send(int fd, const void *data, size_t size, int flags) {
#ifdef LIPC__CALLS_KERNEL
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0L);
#else
    return send(fd, data, size, flags);
#endif
}

static inline ssize_t lipc__sys_recv(int fd, void *data, size_t size, int flags) {
#ifdef LIPC__CALLS_KERNEL
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
#else
    return recv(fd, data, size, flags);
#endif
}

static inline ssize_t lipc__sys_sendmsg(int fd, const struct msghdr *message, int flags) {
#if defined(LIPC__CALLS_KERNEL) || (defined(__linux__) && LONG_MAX > INT_MAX && !defined(__GLIBC__))
    return syscall(SYS_sendmsg, fd, message, flags);
#else
    return sendmsg(fd, message, flags);
#endif
}

static inline ssize_t lipc__sys_recvmsg(int fd, struct msghdr *message, int flags) {
#ifdef LIPC__CALLS_KERNEL
    return syscall(SYS_recvmsg, fd, message, flags);
#else
    return recvmsg(fd, message, flags);
#endif
}

#ifdef __linux__
static inline ssize_t lipc__sys_splice(int from, int to, size_t size, unsigned flags) {
#ifdef LIPC__CALLS_KERNEL
    return syscall(SYS_splice, from, NULL, to, NULL, size, flags);
#else
    return splice(from, NULL, to, NULL, size, flags);
#endif
}
#endif

/* Signals have numbers below this; those of FreeBSD, and of Linux on MIPS, go up to 128. */
enum { LIPC__SIGNALS = 129 };

#if (defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)) && !defined(LIPC_PLAIN_POSIX)
#define LIPC__QUEUES_SIGNALS 1 /* sigqueue(3) */
#endif

/* Whether a message has to be sent with MSG_EOR; a stream refuses that flag there. */
#ifdef __linux__
#define LIPC__MARKS_MESSAGES 0
#else
#define LIPC__MARKS_MESSAGES 1
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* older macOS: lipc__prepare() sets SO_NOSIGPIPE */
#endif

#endif
