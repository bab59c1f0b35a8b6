/* User namespaces, user_namespaces(7), which only Linux has. A namespace need not map all ids. The kernel reports all
 * ids that it does not map as one and the same, here called the stand-in. So a peer with that id may be anybody. */

/* DEFAULT_OVERFLOWUID and DEFAULT_OVERFLOWGID, include/linux/highuid.h */
enum { LIPC__OVERFLOW = 65534 };

#ifdef __linux__

/* Reads the beginning of a file below /proc as text. Returns whether that worked. */
static bool lipc__read_proc(const char *path, char *ret_text, size_t size) {
    int fd;
    do
        fd = SYS(open(path, O_RDONLY | O_CLOEXEC));
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return false;
    ssize_t n = SYS(read(fd, ret_text, size - 1));
    ret_text[n > 0 ? n : 0] = '\0';
    close(fd);
    return n > 0;
}

static int64_t lipc__overflow_id(const char *path) {
    char text[16];
    return lipc__read_proc(path, text, sizeof text) ? strtol(text, NULL, 10) : LIPC__OVERFLOW;
}

/* Whether there are ids that this process's namespace does not map. If that cannot be read, there may be. Each line of
 * a map has three numbers: the first id inside, the first id outside, and how many ids follow from there. */
static bool lipc__lacks_ids(const char *map) {
    char text[4096]; /* 340 lines, the most, may be longer; then the sum is too small, which is the safe side */
    unsigned long mapped = 0;
    if (!lipc__read_proc(map, text, sizeof text))
        return true;
    char *end = text;
    for (unsigned column = 0;; column++) {
        char *start = end;
        unsigned long number = strtoul(start, &end, 10);
        if (end == start)
            return mapped != UINT32_MAX; /* all ids: -1 is not one */
        if (column % 3 == 2)
            mapped += number;
    }
}

static int64_t lipc__stand_in_uid(void) {
    return lipc__overflow_id("/proc/sys/kernel/overflowuid");
}

static int64_t lipc__stand_in_gid(void) {
    return lipc__overflow_id("/proc/sys/kernel/overflowgid");
}

#else

static bool lipc__lacks_ids(const char *map) {
    (void)map;
    return false;
}

static int64_t lipc__stand_in_uid(void) {
    return -1; /* there is none */
}

static int64_t lipc__stand_in_gid(void) {
    return -1;
}

#endif

/* Whether a user's or a group's id may stand for others. The map is read each time, since a process may enter a
 * namespace at any time, but only for that id. */
static bool lipc__is_stand_in_uid(int64_t stand_in, int64_t uid) {
    return uid == stand_in && lipc__lacks_ids("/proc/self/uid_map");
}

#ifdef LIPC__ABSTRACT
static bool lipc__is_stand_in_gid(int64_t stand_in, int64_t gid) {
    return gid == stand_in && lipc__lacks_ids("/proc/self/gid_map");
}
#endif
