/* What keeps a process from listening on a name. Nothing here connects to a server or takes a lock. */

#ifdef LIPC__PINS_FILES

/* Returns the process in a line of /proc/locks if it holds this file, otherwise -1. The line begins like this, with the
 * process, the device in hexadecimal digits, and the inode:
 *
 *     1: FLOCK  ADVISORY  WRITE 4711 08:01:131 */
static int64_t lipc__holder_in(const char *line, const struct stat *file) {
    for (int word = 0; word < 4; word++) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    char *end;
    const long process = strtol(line, &end, 10);
    const unsigned long device_major = strtoul(end, &end, 16);
    if (process <= 0 || *end != ':')
        return -1;
    const unsigned long device_minor = strtoul(end + 1, &end, 16);
    if (*end != ':' || strtoull(end + 1, NULL, 10) != file->st_ino)
        return -1;
    return device_major == major(file->st_dev) && device_minor == minor(file->st_dev) ? process : -1;
}

/* Returns the process that locked a file by flock(2) or fcntl(2), or -1 if the system reports none. It reports no
 * process of another process namespace. A process that ended may have left the lock to a child, and its id to any
 * process: so another user's file says nothing. */
static int64_t lipc__holder_of(const struct stat *file) {
    if (file->st_uid != geteuid() && file->st_uid != 0)
        return -1;
    char text[4096];
    size_t kept = 0; /* of the line that was cut at the end of text */
    int64_t holder = -1;
    int fd = SYS(open("/proc/locks", O_RDONLY | O_CLOEXEC));
    while (fd >= 0 && holder < 0) {
        ssize_t n = SYS(read(fd, text + kept, sizeof text - 1 - kept));
        if (n <= 0)
            break;
        text[kept + (size_t)n] = '\0';
        char *line = text;
        for (char *end; holder < 0 && (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = '\0';
            holder = lipc__holder_in(line, file);
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
    if (fd >= 0)
        close(fd);
    return holder;
}

#else

static int64_t lipc__holder_of(const struct stat *file) {
    (void)file;
    return -1;
}

#endif

/* What the file with the lock's name keeps from listening by. The socket file is not in the way. */
static int lipc__lock_obstacle(const lipc__socket_file *s, const lipc__file *lock, int64_t holder) {
    int r = lipc__check_lock(&lock->stat);
    if (r < 0)
        return lipc_error_code(r) == LIPC_EACCES ? LIPC_OBSTACLE_OTHER_USER : LIPC_OBSTACLE_LOCK;
    if (holder >= 0)
        return LIPC_OBSTACLE_LOCK;
    int fd = SYS(openat(s->directory, s->lock_leaf, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    bool held = fd >= 0 && lipc__held_otherwise(fd);
    if (fd >= 0)
        close(fd);
    return held ? LIPC_OBSTACLE_LOCK : LIPC_OBSTACLE_NONE;
}

/* What the file with the name keeps from listening by. */
static int lipc__file_obstacle(lipc__file *f, const lipc__address *address, socklen_t length) {
    if (!S_ISSOCK(f->stat.st_mode))
        return S_ISDIR(f->stat.st_mode) ? LIPC_OBSTACLE_DIRECTORY : LIPC_OBSTACLE_FILE;
    int alive = lipc__file_alive(f, address, length);
    if (alive < 0)
        return alive;
    if (alive == 1 || (alive == 2 && lipc__is_bound(&f->stat)))
        return LIPC_OBSTACLE_SERVER;
    return lipc__file_is_own(f) ? LIPC_OBSTACLE_NONE : LIPC_OBSTACLE_OTHER_USER;
}

static int lipc__path_obstacle(lipc__socket_file *s, const lipc__address *address, socklen_t length,
                               int64_t *ret_pid) {
    lipc__file f, lock;
    int r = lipc__locate(s, address, length);
    if (r < 0)
        return r;
    r = lipc__file_open(s->directory, s->lock_leaf, &lock);
    if (r < 0 && lipc_error_code(r) != LIPC_ENOENT)
        return r;
    bool has_lock = r >= 0;
    int64_t holder = has_lock ? lipc__holder_of(&lock.stat) : -1;
    r = lipc__file_open(s->directory, s->leaf, &f);
    if (r >= 0) {
        r = lipc__file_obstacle(&f, address, length);
        lipc__file_close(&f);
    } else if (lipc_error_code(r) == LIPC_ENOENT) {
        r = LIPC_OBSTACLE_NONE;
    }
    if (r == LIPC_OBSTACLE_NONE && has_lock)
        r = lipc__lock_obstacle(s, &lock, holder);
    if (has_lock)
        lipc__file_close(&lock);
    if (r == LIPC_OBSTACLE_SERVER || r == LIPC_OBSTACLE_LOCK)
        *ret_pid = holder;
    return r;
}

int lipc_name_obstacle(const lipc_name *name, int kind, int64_t *ret_pid) {
    lipc__address address;
    socklen_t length;
    bool is_file;
    int64_t pid = -1;
    int type = lipc__type_of(kind);
    if (type < 0)
        return type;
    int r = lipc__address_of(name, false, &address, &length, &is_file);
    if (r >= 0 && is_file) {
        lipc__socket_file s;
        lipc__socket_file_init(&s);
        r = lipc__path_obstacle(&s, &address, length, &pid);
        lipc__socket_file_close(&s);
    } else if (r >= 0) {
        r = lipc__has_abstract_name(&address, length, type) ? LIPC_OBSTACLE_SERVER : LIPC_OBSTACLE_NONE;
    }
    if (lipc_error_code(r) == LIPC_ENOENT) /* there is not even the directory */
        r = LIPC_OBSTACLE_NONE;
    if (r >= 0)
        *ret_pid = pid;
    return r;
}
