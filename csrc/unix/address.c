/* The addresses of names whose files are in a directory that lipc chooses. */

/* LIPC__OTHERS_WRITE for the directory above the system's. On macOS that is /var/run, which the group daemon may write
 * to; its members run parts of the system. */
#ifdef __APPLE__
enum { LIPC__SYSTEM_OTHERS_WRITE = 0002 };
#else
enum { LIPC__SYSTEM_OTHERS_WRITE = LIPC__OTHERS_WRITE };
#endif

/* Makes a directory with a mode, whatever the umask, unless there is something of that name. others: as for
 * lipc__in_own_directory(). Where others can put another directory in its place, there is none of ours to change. */
static int lipc__directory_make(const char *path, mode_t mode, mode_t others) {
    lipc__file f;
    if (SYS(mkdir(path, mode)) < 0)
        return errno == EEXIST ? 0 : lipc__error_from(errno);
    int r = lipc__file_open(AT_FDCWD, path, &f);
    if (r >= 0) {
        r = lipc__in_own_directory(&f, others) ? lipc__file_set_mode(&f, mode) : lipc__fault(LIPC_EACCES);
        lipc__file_close(&f);
    }
    if (r < 0)
        rmdir(path);
    return r;
}

/* Only root makes it: the directory of another user would keep root from listening. */
static int lipc__system_directory_make(const char *path) {
    if (geteuid() != 0)
        return lipc__fault(LIPC_EACCES);
    int r = lipc__directory_make(path, 0755, LIPC__SYSTEM_OTHERS_WRITE);
    if (lipc_error_code(r) != LIPC_ENOENT)
        return r;
    r = lipc__directory_make(LIPC__RUN, 0755, LIPC__OTHERS_WRITE); /* a container may lack that, too */
    return r < 0 ? r : lipc__directory_make(path, 0755, LIPC__SYSTEM_OTHERS_WRITE);
}

/* Checks that only the user, or root for the system's names, can put anything into a directory, or something else in
 * its place. Another user that can could pose as our servers. mends: whether to let the user into a directory of its
 * own that is not yet accessible: another process is just making it, or ended while it did. */
static int lipc__directory_check(int type, const char *path, bool mends) {
    lipc__file f;
    int r = lipc__file_open(AT_FDCWD, path, &f);
    if (r < 0)
        return r;
    bool safe = S_ISDIR(f.stat.st_mode);
    if (type == LIPC_NAME_SYSTEM)
        safe = safe && f.stat.st_uid == 0 && (f.stat.st_mode & LIPC__OTHERS_WRITE) == 0 &&
               lipc__in_own_directory(&f, LIPC__SYSTEM_OTHERS_WRITE);
    else
        safe = safe && (f.stat.st_mode & 0077) == 0 && lipc__file_is_own(&f) &&
               lipc__in_own_directory(&f, LIPC__OTHERS_WRITE);
    r = safe ? 0 : lipc__fault(LIPC_EACCES);
    if (safe && mends && type != LIPC_NAME_SYSTEM && (f.stat.st_mode & 0777) != 0700)
        r = lipc__file_set_mode(&f, 0700);
    lipc__file_close(&f);
    return r;
}

/* Returns the address of a name, and whether a file stands for it. listening: whether to make the directory of the
 * file, if lipc chooses it and it is missing. */
static int lipc__address_of(const lipc_name *name, bool listening, lipc__address *ret_address, socklen_t *ret_length,
                            bool *ret_is_file) {
    int directory = lipc__address_make(name, ret_address, ret_length);
    if (directory < 0)
        return directory;
    *ret_is_file = ret_address->local.sun_path[0] != '\0';
    if (directory == 0)
        return 0;
    char *path = ret_address->local.sun_path;
    path[directory] = '\0';
    int r = 0;
    if (listening)
        r = name->type == LIPC_NAME_SYSTEM ? lipc__system_directory_make(path)
                                           : lipc__directory_make(path, 0700, LIPC__OTHERS_WRITE);
    if (r >= 0)
        r = lipc__directory_check((int)name->type, path, listening);
    path[directory] = '/';
    return r;
}
