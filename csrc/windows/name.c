/* Names as pipe paths: \\.\pipe\x or \\?\pipe\x on this machine, \\host\pipe\x on another. */

enum { LIPC__PIPE_PATH_LIMIT = 256 }; /* UTF-16 code units, CreateNamedPipe */

#define LIPC__PIPES "\\\\.\\pipe\\"
#define LIPC__SYSTEM_PIPES LIPC__PIPES "ProtectedPrefix\\Administrators\\"

enum { LIPC__PREFIX_ROOM = sizeof LIPC__PIPES "lipc-\\" + LIPC_SID_CAPACITY };
LIPC__STATIC_ASSERT(prefixes_fit, sizeof LIPC__SYSTEM_PIPES <= LIPC__PREFIX_ROOM);

/* Stores what stands in front of a name of this type in the path of its pipe, and returns the length of that. The user
 * is that of the process, elevated or not, so that all programs of the user come to the same name. */
static int lipc__prefix_of(int type, char *ret_prefix, size_t size) {
    char sid[LIPC_SID_CAPACITY];
    int r;
    switch (type) {
    case LIPC_NAME_PATH: ret_prefix[0] = '\0'; return 0;
    case LIPC_NAME_NAMESPACED: return snprintf(ret_prefix, size, "%s", LIPC__PIPES);
    case LIPC_NAME_USER:
        r = lipc__process_sid(GetCurrentProcess(), sid, sizeof sid);
        return r < 0 ? r : snprintf(ret_prefix, size, LIPC__PIPES "lipc-%s\\", sid);
    case LIPC_NAME_SYSTEM: return snprintf(ret_prefix, size, "%s", LIPC__SYSTEM_PIPES);
    default: return lipc__fault(LIPC_EINVAL);
    }
}

int lipc_name_limit(int type) {
    char prefix[LIPC__PREFIX_ROOM];
    int n = lipc__prefix_of(type, prefix, sizeof prefix);
    return n < 0 ? n : LIPC__PIPE_PATH_LIMIT - n;
}

/* Whether Windows takes text as it is for the name of a host or a part of the name of a pipe. It would take '/' for
 * '\\', resolve "." and "..", and drop a dot or a space at the end. Then several texts would mean the same pipe, or
 * something that is not a pipe. */
static bool lipc__is_plain(const char *text, size_t length) {
    return length > 0 && memchr(text, '\\', length) == NULL && memchr(text, '/', length) == NULL &&
           text[length - 1] != '.' && text[length - 1] != ' ';
}

/* Whether text is the name of a pipe, as it stands behind \pipe\: plain parts with '\\' between. */
static bool lipc__is_pipe_name(const char *text, size_t length) {
    const char *end = text + length, *separator;
    while ((separator = memchr(text, '\\', (size_t)(end - text))) != NULL) {
        if (!lipc__is_plain(text, (size_t)(separator - text)))
            return false;
        text = separator + 1;
    }
    return lipc__is_plain(text, (size_t)(end - text));
}

/* Whether text is \\host\pipe\name, \\.\pipe\name or \\?\pipe\name. */
static bool lipc__is_pipe_path(const char *text, size_t length) {
    static const char middle[] = "\\pipe\\";
    if (length < 3 || text[0] != '\\' || text[1] != '\\')
        return false;
    const char *host = text + 2, *end = text + length, *host_end = memchr(host, '\\', length - 2);
    if (host_end == NULL || end - host_end <= (ptrdiff_t)strlen(middle) ||
        _strnicmp(host_end, middle, strlen(middle)) != 0)
        return false;
    size_t host_length = (size_t)(host_end - host);
    bool local = host_length == 1 && (*host == '.' || *host == '?');
    const char *name = host_end + strlen(middle);
    return (local || (lipc__is_plain(host, host_length) && *host != '?')) &&
           lipc__is_pipe_name(name, (size_t)(end - name));
}

static bool lipc__text_valid(int type, const char *text, size_t length) {
    if (type == LIPC_NAME_USER || type == LIPC_NAME_SYSTEM)
        return lipc__is_portable(text, length);
    if (memchr(text, '\0', length) != NULL)
        return false;
    return type == LIPC_NAME_PATH ? lipc__is_pipe_path(text, length) : lipc__is_pipe_name(text, length);
}

static int lipc__name_valid(int type, const char *text, size_t length) {
    int limit = lipc_name_limit(type);
    if (limit < 0)
        return limit;
    if (length >= LIPC_NAME_CAPACITY) /* a unit takes 3 bytes at most, so this is over any limit */
        return lipc__fault(LIPC_ENAMETOOLONG);
    int units = lipc__text_valid(type, text, length)
                    ? MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, (int)length, NULL, 0)
                    : 0;
    if (units == 0)
        return lipc__fault(LIPC_ENAME);
    return units > limit ? lipc__fault(LIPC_ENAMETOOLONG) : 0;
}

int lipc_name_location(const lipc_name *name, char *buffer, size_t size) {
    char prefix[LIPC__PREFIX_ROOM];
    int r = name->length == 0 ? lipc__fault(LIPC_ENAME)
                              : lipc__name_valid((int)name->type, name->text, name->length);
    if (r < 0)
        return r;
    int n = lipc__prefix_of((int)name->type, prefix, sizeof prefix);
    if (n < 0)
        return n;
    size_t length = (size_t)n + name->length;
    if (length >= size)
        return lipc__fault(LIPC_EMSGSIZE);
    memcpy(buffer, prefix, (size_t)n);
    memcpy(buffer + n, name->text, name->length);
    buffer[length] = '\0';
    return (int)length;
}

/* A name as CreateFile takes it: \\.\pipe\name or \\host\pipe\name. \\?\pipe\name becomes the first, which means the
 * same: in a valid name there is nothing that Windows would strip or resolve. */
typedef struct lipc__wide {
    wchar_t text[LIPC__PIPE_PATH_LIMIT + 1];
} lipc__wide;

static int lipc__wide_of(const lipc_name *name, lipc__wide *ret_wide) {
    char path[LIPC_NAME_CAPACITY];
    lipc__wide wide;
    int length = lipc_name_location(name, path, sizeof path);
    if (length < 0)
        return length;
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, length, wide.text, LIPC__PIPE_PATH_LIMIT);
    if (n == 0)
        return lipc__fault(LIPC_ENAME);
    wide.text[n] = L'\0';
    if (wide.text[2] == L'?')
        wide.text[2] = L'.';
    *ret_wide = wide;
    return 0;
}

static bool lipc__is_remote(const lipc__wide *wide) {
    return wcsncmp(wide->text, L"\\\\.\\", 4) != 0;
}
