/* The addresses of names whose files are in a directory that lipc chooses. */

/* Makes the directory of a type of name, unless it is there. */
static int lipc__directory_make(int type, const char *path) {
    const mode_t mode = type == LIPC_NAME_SYSTEM ? 0755 : 0700;
    int r = SYS(mkdir(path, mode));
    if (r < 0 && errno == ENOENT && type == LIPC_NAME_SYSTEM) { /* a container may lack the directory above, too */
        char parent[sizeof LIPC__SYSTEM_DIRECTORY] = LIPC__SYSTEM_DIRECTORY;
        *strrchr(parent, '/') = '\0';
        if (SYS(mkdir(parent, mode)) == 0)
            chmod(parent, mode);
        r = SYS(mkdir(path, mode));
    }
    if (r == 0)
        chmod(path, mode); /* the umask may have narrowed it; a failure shows below */
    return r == 0 || errno == EEXIST ? 0 : lipc__error_from(errno);
}

/* Checks that only the user, or root for the system's names, can put anything into a directory, or something else in
 * its place. Another user that can could pose as our servers. */
static int lipc__directory_check(int type, const char *path) {
    lipc__file f;
    int r = lipc__file_open(AT_FDCWD, path, &f);
    if (r < 0)
        return r;
    const mode_t mode = f.stat.st_mode & 0777;
    bool safe = S_ISDIR(f.stat.st_mode) && lipc__in_own_directory(&f);
    if (type == LIPC_NAME_SYSTEM)
        safe = safe && f.stat.st_uid == 0 && (mode & 0022) == 0;
    else
        safe = safe && mode == 0700 && lipc__file_is_own(&f);
    lipc__file_close(&f);
    return safe ? 0 : lipc__fault(LIPC_EACCES);
}

/* Returns the address of a name, and whether a file stands for it. listening: whether to make the directory of the file,
 * if lipc chooses it and it is missing. */
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
    int r = listening ? lipc__directory_make((int)name->type, path) : 0;
    if (r >= 0)
        r = lipc__directory_check((int)name->type, path);
    path[directory] = '/';
    return r;
}
