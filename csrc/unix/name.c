/* Names as socket addresses. */

/* How many bytes of sun_path a name may fill. OpenBSD wants a NUL at the end: unp_nam2sun(), sys/kern/uipc_usrreq.c. */
#ifdef __OpenBSD__
#define LIPC__PATH_LIMIT ((int)sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#else
#define LIPC__PATH_LIMIT ((int)sizeof(((struct sockaddr_un *)0)->sun_path))
#endif

/* An address with room for what the kernel may add: Linux reports a path that fills sun_path with a NUL behind it,
 * which is one byte more than struct sockaddr_un holds (unix(7), BUGS). */
typedef union lipc__address {
    struct sockaddr header;
    struct sockaddr_un local;
    char room[sizeof(struct sockaddr_un) + 1];
} lipc__address;

#define LIPC__ADDRESS_HEADER offsetof(struct sockaddr_un, sun_path)

/* Room for a path that fills sun_path, and a NUL. */
enum { LIPC__PATH_ROOM = sizeof(((struct sockaddr_un *)0)->sun_path) + 1 };

#ifdef LIPC__ABSTRACT

static int lipc__namespaced_limit(void) {
    return LIPC__PATH_LIMIT - 1;
}

static bool lipc__namespaced_text_valid(const char *text, size_t length) {
    (void)text, (void)length;
    return true;
}

#else

/* Stores the directory in which the files of namespaced names are. Returns its length, which leaves at least 3 bytes of
 * size free. */
static int lipc__namespace_directory(char *ret_directory, size_t size) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n = runtime != NULL && runtime[0] == '/'
                ? snprintf(ret_directory, size, "%s/lipc", runtime)
                : snprintf(ret_directory, size, "/tmp/lipc-%lu", (unsigned long)geteuid());
    return n + 3 > (int)size ? lipc__fault(LIPC_ENAMETOOLONG) : n;
}

static int lipc__namespaced_limit(void) {
    char directory[LIPC__PATH_LIMIT];
    int n = lipc__namespace_directory(directory, sizeof directory);
    return n < 0 ? n : LIPC__PATH_LIMIT - n - 1;
}

static bool lipc__namespaced_text_valid(const char *text, size_t length) {
    return memchr(text, '\0', length) == NULL && memchr(text, '/', length) == NULL &&
           !(length == 1 && text[0] == '.') && !(length == 2 && text[0] == '.' && text[1] == '.');
}

/* Checks that only this user can write to the directory. Another user that can could pose as our servers. */
static int lipc__namespace_check(const char *directory, bool make) {
    if (make && SYS(mkdir(directory, 0700)) == 0)
        chmod(directory, 0700); /* the umask may have narrowed the mode; a failure shows below */
    else if (make && errno != EEXIST)
        return lipc__error_from(errno);
    struct stat st;
    if (SYS(lstat(directory, &st)) < 0)
        return lipc__error_from(errno);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0777) != 0700)
        return lipc__fault(LIPC_EACCES);
    return 0;
}

#endif

int lipc_name_limit(int type) {
    switch (type) {
    case LIPC_NAME_PATH: return LIPC__PATH_LIMIT;
    case LIPC_NAME_NAMESPACED: return lipc__namespaced_limit();
    default: return lipc__fault(LIPC_EINVAL);
    }
}

static int lipc__name_valid(int type, const char *text, size_t length) {
    int limit = lipc_name_limit(type);
    if (limit < 0)
        return limit;
    if (length > (size_t)limit)
        return lipc__fault(LIPC_ENAMETOOLONG);
    bool valid = type == LIPC_NAME_PATH ? memchr(text, '\0', length) == NULL
                                        : lipc__namespaced_text_valid(text, length);
    return valid ? 0 : lipc__fault(LIPC_ENAME);
}

/* Returns the address of a name, and whether a file stands for it. listening: whether to make the directory of
 * namespaced names, if it is missing. */
static int lipc__address_of(const lipc_name *name, bool listening, lipc__address *ret_address,
                            socklen_t *ret_length, bool *ret_is_file) {
    int r = name->length == 0 ? lipc__fault(LIPC_ENAME)
                              : lipc__name_valid((int)name->type, name->text, name->length);
    if (r < 0)
        return r;
    lipc__address a;
    memset(&a, 0, sizeof a);
    a.local.sun_family = AF_UNIX;
    size_t prefix = 0;
    bool is_file = true;
    if (name->type == LIPC_NAME_NAMESPACED) {
#ifdef LIPC__ABSTRACT
        prefix = 1;
        is_file = false;
#else
        int n = lipc__namespace_directory(a.local.sun_path, sizeof a.local.sun_path);
        if (n < 0)
            return n;
        r = lipc__namespace_check(a.local.sun_path, listening);
        if (r < 0)
            return r;
        a.local.sun_path[n] = '/';
        prefix = (size_t)n + 1;
#endif
    }
    (void)listening;
    memcpy(a.room + LIPC__ADDRESS_HEADER + prefix, name->text, name->length);
    *ret_address = a;
    *ret_length = (socklen_t)(LIPC__ADDRESS_HEADER + prefix + name->length);
    *ret_is_file = is_file;
    return 0;
}

/* Returns the name in an address that the system reported; one of type 0 if there is none. */
static void lipc__name_of(const lipc__address *address, socklen_t length, lipc_name *ret_name) {
    ret_name->type = 0;
    ret_name->length = 0;
    ret_name->text[0] = '\0';
    if (length > sizeof *address)
        length = sizeof *address;
    if (length <= LIPC__ADDRESS_HEADER || address->header.sa_family != AF_UNIX)
        return;
    const char *text = address->room + LIPC__ADDRESS_HEADER;
    size_t n = length - LIPC__ADDRESS_HEADER;
    int type = LIPC_NAME_PATH;
#ifdef __linux__
    if (text[0] == '\0') {
        type = LIPC_NAME_NAMESPACED;
        text++;
        n--;
    } else
#endif
        n = strnlen(text, n);
    if (n == 0)
        return;
    ret_name->type = (uint32_t)type;
    ret_name->length = (uint32_t)n;
    memcpy(ret_name->text, text, n);
    ret_name->text[n] = '\0';
}
