/* Files in directories where other processes may make, rename and remove files at the same time. */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define LIPC__PINS_FILES 1

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* include/uapi/asm-generic/unistd.h, Linux 6.6 */
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000 /* include/uapi/linux/fcntl.h */
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1 /* include/uapi/linux/fs.h */
#endif
#endif

static bool lipc__same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

static bool lipc__leads_to(const char *path, const struct stat *file, int flags) {
    struct stat st;
    return fstatat(AT_FDCWD, path, &st, flags) == 0 && lipc__same_file(file, &st);
}

/* ------------------------------------------ Looking at a file ------------------------------------- */

/* A file as it was when it was looked at. On Linux a descriptor holds it: then changes reach this file and no other,
 * and its inode number is not given to another file. */
typedef struct lipc__file {
    int directory;    /* where it is; AT_FDCWD: leaf is a path */
    const char *leaf; /* its name there; not copied */
    int pin;          /* the descriptor that holds it; -1: there is none */
    struct stat stat;
} lipc__file;

static int lipc__file_open(int directory, const char *leaf, lipc__file *ret_file) {
    lipc__file f = {.directory = directory, .leaf = leaf, .pin = -1};
#ifdef LIPC__PINS_FILES
    do
        f.pin = SYS(openat(directory, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    while (f.pin < 0 && errno == EINTR);
    if (f.pin < 0)
        return lipc__error_from(errno);
    if (SYS(fstat(f.pin, &f.stat)) < 0) {
        int r = lipc__error_from(errno);
        close(f.pin);
        return r;
    }
#else
    if (SYS(fstatat(directory, leaf, &f.stat, AT_SYMLINK_NOFOLLOW)) < 0)
        return lipc__error_from(errno);
#endif
    *ret_file = f;
    return 0;
}

static void lipc__file_close(lipc__file *f) {
    if (f->pin >= 0)
        close(f->pin);
    f->pin = -1;
}

/* ------------------------------------------- Modes ------------------------------------------------ */

#ifdef LIPC__PINS_FILES

/* The C library's fchmodat(3) takes AT_SYMLINK_NOFOLLOW only since glibc 2.32, and then needs /proc. */
static int lipc__sys_fchmodat2(int pin, mode_t mode) {
    return (int)syscall(SYS_fchmodat2, pin, "", mode, AT_EMPTY_PATH);
}

/* Makes a path to the file that the descriptor holds. Returns whether it leads there, which it does if there is
 * /proc. The path names the thread, since a thread may have descriptors of its own, unshare(2). */
static bool lipc__pin_path(const lipc__file *f, char *ret_path, size_t size) {
    (void)snprintf(ret_path, size, "/proc/thread-self/fd/%d", f->pin);
    return lipc__leads_to(ret_path, &f->stat, 0);
}

#endif

/* The write bits of everybody but the owner. */
enum { LIPC__OTHERS_WRITE = 0022 };

/* Whether only this user and root can put another file in the place of one of ours. others: the bits of a directory's
 * mode by which others could. */
static bool lipc__in_own_directory(const lipc__file *f, mode_t others) {
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(f->leaf, '/');
    size_t length = slash == NULL || slash == f->leaf ? 1 : (size_t)(slash - f->leaf);
    struct stat st;
    if (length >= sizeof parent)
        return false;
    if (slash != NULL)
        memcpy(parent, f->leaf, length);
    if (fstatat(f->directory, parent, &st, 0) < 0 || (st.st_uid != geteuid() && st.st_uid != 0))
        return false;
    return (st.st_mode & others) == 0 || (st.st_mode & S_ISVTX);
}

/* Changes the mode of the file that was looked at, and of no other. */
static int lipc__file_set_mode(lipc__file *f, mode_t mode) {
    int r;
#ifdef LIPC__PINS_FILES
    r = SYS(lipc__sys_fchmodat2(f->pin, mode));
    if (r < 0) { /* before Linux 6.6, or a filter of system calls does not know this one */
        char path[40];
        if (lipc__pin_path(f, path, sizeof path))
            r = SYS(chmod(path, mode));
        else if (lipc__in_own_directory(f, LIPC__OTHERS_WRITE))
            r = SYS(fchmodat(f->directory, f->leaf, mode, 0));
        else
            return lipc__fault(LIPC_EACCES);
    }
    if (r < 0)
        return lipc__error_from(errno);
    r = SYS(fstat(f->pin, &f->stat));
#else
    struct stat before = f->stat;
    if (SYS(fchmodat(f->directory, f->leaf, mode, AT_SYMLINK_NOFOLLOW)) < 0)
        return lipc__error_from(errno);
    r = SYS(fstatat(f->directory, f->leaf, &f->stat, AT_SYMLINK_NOFOLLOW));
    if (r == 0 && !lipc__same_file(&before, &f->stat))
        return lipc__fault(LIPC_EACCES); /* another process put a file in its place */
#endif
    if (r < 0)
        return lipc__error_from(errno);
    return (f->stat.st_mode & 0777) == mode ? 0 : lipc__fault(LIPC_EACCES);
}

/* Gives the file that was looked at, and no other, to a group. */
static int lipc__file_set_group(lipc__file *f, gid_t group) {
    struct stat before = f->stat;
#ifdef LIPC__PINS_FILES
    if (SYS(fchownat(f->pin, "", (uid_t)-1, group, AT_EMPTY_PATH)) < 0 || SYS(fstat(f->pin, &f->stat)) < 0)
        return lipc__error_from(errno);
#else
    if (SYS(fchownat(f->directory, f->leaf, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW)) < 0 ||
        SYS(fstatat(f->directory, f->leaf, &f->stat, AT_SYMLINK_NOFOLLOW)) < 0)
        return lipc__error_from(errno);
#endif
    return lipc__same_file(&before, &f->stat) && f->stat.st_gid == group ? 0 : lipc__fault(LIPC_EACCES);
}

/* Whether the file belongs to this user. Where the kernel reports several users by one id, see user_namespace.c, the
 * file's mode is set to what it is: only the owner can do that. */
static bool lipc__file_is_own(lipc__file *f) {
    if (f->stat.st_uid != geteuid())
        return false;
    return !lipc__is_stand_in_uid(lipc__stand_in_uid(), f->stat.st_uid) ||
           lipc__file_set_mode(f, f->stat.st_mode & 0777) >= 0;
}

/* ------------------------------------------ Removing ---------------------------------------------- */

/* Renames a file, unless there is a file with the new name. */
static int lipc__rename_to_free(int directory, const char *from, const char *to) {
    struct stat st;
#ifdef LIPC__PINS_FILES
    if (syscall(SYS_renameat2, directory, from, directory, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return -1;
#endif
    if (linkat(directory, from, directory, to, 0) == 0)
        return unlinkat(directory, from, 0);
    if (errno == EEXIST || fstatat(directory, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -1;
    return renameat(directory, from, directory, to); /* a file system without links */
}

/* Removes the file with a name, if it is this file. LIPC_EADDRINUSE: it is another. No system call removes a file only
 * if it is a certain one, so the file is first renamed to something that no other process knows. If it then turns out
 * to be another, it gets its old name back; if that was taken meanwhile, it keeps the new one. */
static int lipc__file_remove(int directory, const char *leaf, const struct stat *file) {
    char aside[PATH_MAX];
    struct stat taken;
    struct timespec now;
    const char *slash = strrchr(leaf, '/');
    int folder = slash == NULL ? 0 : (int)(slash - leaf) + 1;
    if (SYS(fstatat(directory, leaf, &taken, AT_SYMLINK_NOFOLLOW)) < 0)
        return errno == ENOENT ? 0 : lipc__error_from(errno);
    if (!lipc__same_file(file, &taken))
        return lipc__fault(LIPC_EADDRINUSE);
    clock_gettime(CLOCK_REALTIME, &now);
#ifdef __linux__
    const long thread = syscall(SYS_gettid);
#else
    const long thread = 0;
#endif
    (void)snprintf(aside, sizeof aside, "%.*s.lipc-%ld-%ld-%ld-%ld", folder, leaf, (long)getpid(), thread,
                   (long)now.tv_sec, now.tv_nsec);
    if (SYS(renameat(directory, leaf, directory, aside)) < 0)
        return errno == ENOENT ? 0 : lipc__error_from(errno);
    bool right = fstatat(directory, aside, &taken, AT_SYMLINK_NOFOLLOW) == 0 && lipc__same_file(file, &taken);
    if (right && SYS(unlinkat(directory, aside, 0)) == 0)
        return 0;
    int r = right ? lipc__error_from(errno) : lipc__fault(LIPC_EADDRINUSE);
    (void)SYS(lipc__rename_to_free(directory, aside, leaf));
    return r;
}

/* ------------------------------------------ Making ------------------------------------------------ */

/* Whether a file is the one that was just made. fd is the socket that was bound to it, or -1 if it is a FIFO. The
 * kernel may report what a socket is bound to. If it does not, and for a FIFO, another file of the same type and user
 * counts as well. */
static bool lipc__is_made(const struct stat *file, int fd) {
    bool own = file->st_uid == geteuid();
    if (fd < 0)
        return own && S_ISFIFO(file->st_mode);
    if (!S_ISSOCK(file->st_mode))
        return false;
    int bound = lipc__bound_to(fd, file);
    return bound < 0 ? own : bound > 0;
}

/* Who can use a file that is made. */
typedef struct lipc__access {
    mode_t mode;
    int64_t group; /* -1: the one that the system gives it */
} lipc__access;

/* Gives a file that was just made its group, and then its mode. LIPC_ENOENT: another file has its name by now. */
static int lipc__set_made_access(lipc__file *f, const struct stat *made, lipc__access access) {
    struct stat now;
    if (!lipc__same_file(made, &f->stat))
        return lipc__fault(LIPC_ENOENT);
    if (access.group < 0 && (f->stat.st_mode & 0777) == access.mode)
        return 0;
    int r = access.group >= 0 ? lipc__file_set_group(f, (gid_t)access.group) : 0;
    if (r >= 0 && (f->stat.st_mode & 0777) != access.mode)
        r = lipc__file_set_mode(f, access.mode);
    if (r < 0)
        return r;
    if (SYS(fstatat(f->directory, f->leaf, &now, AT_SYMLINK_NOFOLLOW)) < 0)
        return lipc__error_from(errno);
    return lipc__same_file(made, &now) ? 0 : lipc__fault(LIPC_ENOENT);
}

/* Opens a file that was just made, and gives it its group and mode. */
static int lipc__open_made(int directory, const char *leaf, const struct stat *made, lipc__access access,
                           lipc__file *ret_file) {
    lipc__file f;
    int r = lipc__file_open(directory, leaf, &f);
    if (r < 0)
        return r;
    r = lipc__set_made_access(&f, made, access);
    if (r < 0) {
        lipc__file_close(&f);
        return r;
    }
    *ret_file = f;
    return 0;
}

/* Completes a file that was just made: gives it its group, and its mode, whatever the umask took away, or removes it.
 * If another file has taken its place, that one is left alone; the error taken is returned then. */
static int lipc__complete(int directory, const char *leaf, int fd, lipc__access access, int taken,
                          lipc__file *ret_file) {
    struct stat made;
    int r;
    if (SYS(fstatat(directory, leaf, &made, AT_SYMLINK_NOFOLLOW)) < 0) {
        r = lipc__error_from(errno);
    } else {
        if (!lipc__is_made(&made, fd))
            return lipc__fault(taken);
        r = lipc__open_made(directory, leaf, &made, access, ret_file);
        if (r >= 0)
            return r;
    }
    if (fstatat(directory, leaf, &made, AT_SYMLINK_NOFOLLOW) == 0 && lipc__is_made(&made, fd))
        lipc__file_remove(directory, leaf, &made);
    return lipc_error_code(r) == LIPC_ENOENT ? lipc__fault(taken) : r;
}
