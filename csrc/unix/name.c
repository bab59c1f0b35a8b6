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

#ifdef LIPC__ABSTRACT
#define LIPC__ABSTRACT_NAMES true
#else
#define LIPC__ABSTRACT_NAMES false
#endif

/* Room for a path that fills sun_path, and a NUL. */
enum { LIPC__PATH_ROOM = sizeof(((struct sockaddr_un *)0)->sun_path) + 1 };

/* ----------------------------------------- Directories -------------------------------------------- */

#ifdef __linux__
#define LIPC__RUN "/run"
#else
#define LIPC__RUN "/var/run"
#endif
#define LIPC__SYSTEM_DIRECTORY LIPC__RUN "/lipc"

/* Whether a directory can be this user's runtime directory: nobody else can put anything into it, or another one in its
 * place. So nothing on the way to it belongs to another user, or can be written to by others unless it is sticky. The
 * owner of the root directory counts as root, since a user namespace need not map root. A directory that cannot be
 * looked at cannot be used either. Nor can the one where the machine's names are, which root alone could take. */
static bool lipc__is_runtime_directory(const char *path) {
    char part[PATH_MAX]; /* the path as far as a slash or its end */
    struct stat root, st;
    const uid_t user = geteuid();
    size_t length = strlen(path);
    if (path[0] != '/' || length >= sizeof part || stat("/", &root) < 0)
        return false;
    st = root;
    while (length > 1 && path[length - 1] == '/') /* behind a slash a link would be followed */
        length--;
    for (size_t i = 1; i <= length; i++) {
        if (i < length && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (lstat(part, &st) < 0 || (st.st_uid != user && st.st_uid != 0 && st.st_uid != root.st_uid))
            return false;
        if (!S_ISLNK(st.st_mode) && (st.st_mode & 0022) && !(st.st_mode & S_ISVTX))
            return false;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != user || (st.st_mode & 0022) != 0)
        return false;
    struct stat system;
    return stat(LIPC__RUN, &system) < 0 || st.st_dev != system.st_dev || st.st_ino != system.st_ino;
}

/* Whether another user than this process's may have started the program, and chosen its environment. */
static bool lipc__is_set_user_id(void) {
    if (geteuid() != getuid() || getegid() != getgid())
        return true;
#ifdef __linux__
    return getauxval(AT_SECURE) != 0; /* also if the program has made the ids equal, getauxval(3) */
#else
    return issetugid() != 0;
#endif
}

/* Stores the user's directory, and returns its length as snprintf(3) does. sudo(8) and su(1) may leave the variable as
 * another user's, and some programs run without it, so the system's usual directory comes next. In a set-user-ID
 * program the variable is the word of the user that started it, and does not count. */
static int lipc__user_directory(char *ret_directory, size_t size) {
    const unsigned long user = (unsigned long)geteuid();
    const char *runtime = lipc__is_set_user_id() ? NULL : LIPC__GETENV("XDG_RUNTIME_DIR");
    if (runtime != NULL && lipc__is_runtime_directory(runtime))
        return snprintf(ret_directory, size, "%s/lipc", runtime);
#ifdef __linux__
    char usual[40];
    (void)snprintf(usual, sizeof usual, "/run/user/%lu", user); /* pam_systemd(8) */
    if (lipc__is_runtime_directory(usual))
        return snprintf(ret_directory, size, "%s/lipc", usual);
#endif
    return snprintf(ret_directory, size, "/tmp/lipc-%lu", user);
}

/* Stores the directory that lipc chooses for the files of a type of name. Returns its length, or 0 if there is none for
 * this type. It may be another one at each call, since the environment and the file system change. ret_directory has
 * LIPC__PATH_ROOM bytes. LIPC_ENAMETOOLONG: it leaves no room for a name. */
static int lipc__directory_of(int type, char *ret_directory) {
    int n = 0;
    if (type == LIPC_NAME_SYSTEM)
        n = snprintf(ret_directory, LIPC__PATH_ROOM, "%s", LIPC__SYSTEM_DIRECTORY);
    else if (type == LIPC_NAME_USER || (type == LIPC_NAME_NAMESPACED && !LIPC__ABSTRACT_NAMES))
        n = lipc__user_directory(ret_directory, LIPC__PATH_ROOM);
    return n + 2 > LIPC__PATH_LIMIT ? lipc__fault(LIPC_ENAMETOOLONG) : n;
}

/* ------------------------------------------ Texts ------------------------------------------------- */

/* directory: what lipc__directory_of() returned for the type */
static int lipc__text_limit(int type, int directory) {
    if (directory > 0)
        return LIPC__PATH_LIMIT - directory - 1;
    switch (type) {
    case LIPC_NAME_PATH: return LIPC__PATH_LIMIT;
    case LIPC_NAME_NAMESPACED: return LIPC__PATH_LIMIT - 1;
    default: return lipc__fault(LIPC_EINVAL);
    }
}

int lipc_name_limit(int type) {
    char directory[LIPC__PATH_ROOM];
    int n = lipc__directory_of(type, directory);
    return n < 0 ? n : lipc__text_limit(type, n);
}

/* Whether a text that is no longer than the limit can be a name of this type. */
static bool lipc__text_valid(int type, const char *text, size_t length) {
    if (type == LIPC_NAME_USER || type == LIPC_NAME_SYSTEM)
        return lipc__is_portable(text, length);
    if (type == LIPC_NAME_NAMESPACED && LIPC__ABSTRACT_NAMES)
        return true;
    if (memchr(text, '\0', length) != NULL)
        return false;
    if (type == LIPC_NAME_PATH)
        return true;
    return memchr(text, '/', length) == NULL && !(length == 1 && text[0] == '.') &&
           !(length == 2 && text[0] == '.' && text[1] == '.');
}

static int lipc__text_check(int type, int directory, const char *text, size_t length) {
    if (length == 0)
        return lipc__fault(LIPC_ENAME);
    int limit = lipc__text_limit(type, directory);
    if (limit < 0)
        return limit;
    if (length > (size_t)limit)
        return lipc__fault(LIPC_ENAMETOOLONG);
    return lipc__text_valid(type, text, length) ? 0 : lipc__fault(LIPC_ENAME);
}

/* The most that lipc__directory_of() can return for a type that is the user's. */
static size_t lipc__user_directory_limit(void) {
    enum { USUAL = sizeof "/run/user/4294967295/lipc" - 1 };
    const char *runtime = LIPC__GETENV("XDG_RUNTIME_DIR");
    const size_t length = runtime != NULL ? strlen(runtime) + sizeof "/lipc" - 1 : 0;
    return length > USUAL ? length : USUAL;
}

static int lipc__name_valid(int type, const char *text, size_t length) {
    char directory[LIPC__PATH_ROOM];
    /* A short name fits any of the user's directories: only its use takes the system calls to find which it is. */
    const size_t most = type == LIPC_NAME_USER ? lipc__user_directory_limit() : LIPC__PATH_ROOM;
    const bool fits = most < LIPC__PATH_ROOM && most + 1 + length <= (size_t)LIPC__PATH_LIMIT;
    int n = fits ? (int)most : lipc__directory_of(type, directory);
    return n < 0 ? n : lipc__text_check(type, n, text, length);
}

/* ----------------------------------------- Addresses ---------------------------------------------- */

/* Makes the address of a name. Returns the length of the directory that lipc chose for its file, 0 if it chose none. */
static int lipc__address_make(const lipc_name *name, lipc__address *ret_address, socklen_t *ret_length) {
    char directory[LIPC__PATH_ROOM];
    int n = lipc__directory_of((int)name->type, directory);
    int r = n < 0 ? n : lipc__text_check((int)name->type, n, name->text, name->length);
    if (r < 0)
        return r;
    lipc__address a;
    memset(&a, 0, sizeof a);
    a.local.sun_family = AF_UNIX;
    size_t prefix = name->type == LIPC_NAME_NAMESPACED; /* an abstract name's NUL */
    if (n > 0) {
        memcpy(a.local.sun_path, directory, (size_t)n);
        a.local.sun_path[n] = '/';
        prefix = (size_t)n + 1;
    }
    memcpy(a.room + LIPC__ADDRESS_HEADER + prefix, name->text, name->length);
    *ret_address = a;
    *ret_length = (socklen_t)(LIPC__ADDRESS_HEADER + prefix + name->length);
    return n;
}

int lipc_name_location(const lipc_name *name, char *buffer, size_t size) {
    lipc__address address;
    socklen_t length;
    int r = lipc__address_make(name, &address, &length);
    if (r < 0)
        return r;
    size_t n = length - LIPC__ADDRESS_HEADER;
    if (n >= size)
        return lipc__fault(LIPC_EMSGSIZE);
    memcpy(buffer, address.room + LIPC__ADDRESS_HEADER, n);
    if (buffer[0] == '\0')
        buffer[0] = '@'; /* as ss(8) and socat(1) write an abstract name */
    buffer[n] = '\0';
    return (int)n;
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
