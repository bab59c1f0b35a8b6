/* Names: the part that is the same on every system. The rules that differ are in lipc__name_valid(). */

static int lipc__name_make(int type, const char *text, size_t length, lipc_name *ret_name) {
    if (length == LIPC_STRLEN)
        length = strlen(text);
    int r = length == 0 ? lipc__fault(LIPC_ENAME) : lipc__name_valid(type, text, length);
    if (r < 0)
        return r;
    ret_name->type = (uint32_t)type;
    ret_name->length = (uint32_t)length;
    memcpy(ret_name->text, text, length);
    ret_name->text[length] = '\0';
    return 0;
}

int lipc_name_path(const char *text, size_t length, lipc_name *ret_name) {
    return lipc__name_make(LIPC_NAME_PATH, text, length, ret_name);
}

int lipc_name_namespaced(const char *text, size_t length, lipc_name *ret_name) {
    return lipc__name_make(LIPC_NAME_NAMESPACED, text, length, ret_name);
}

int lipc_name_user(const char *text, size_t length, lipc_name *ret_name) {
    return lipc__name_make(LIPC_NAME_USER, text, length, ret_name);
}

int lipc_name_system(const char *text, size_t length, lipc_name *ret_name) {
    return lipc__name_make(LIPC_NAME_SYSTEM, text, length, ret_name);
}

/* Whether a text that is not empty can be a user's or the system's name. The rules are the same on every system, so
 * that a program that works on one works on all: the text becomes the name of a file or the last part of a pipe's. */
static bool lipc__is_portable(const char *text, size_t length) {
    static const char lock[] = ".lock"; /* a socket file's lock file ends so */
    const size_t lock_length = sizeof lock - 1;
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || text[i] == '/' || text[i] == '\\')
            return false;
    if (text[0] == '.' || text[length - 1] == '.' || text[length - 1] == ' ')
        return false;
    return length < lock_length || memcmp(text + length - lock_length, lock, lock_length) != 0;
}

/* The text in front of a name of each type, other than a path, where it is written as text. */
static const struct {
    int type;
    const char *text;
} lipc__prefixes[] = {{LIPC_NAME_NAMESPACED, "@"}, {LIPC_NAME_USER, "user:"}, {LIPC_NAME_SYSTEM, "system:"}};
enum { LIPC__PREFIX_COUNT = sizeof lipc__prefixes / sizeof *lipc__prefixes };

/* Returns the type that a text says, and the length of what it says it by. */
static int lipc__type_in(const char *text, size_t length, size_t *ret_prefix) {
    for (int i = 0; i < LIPC__PREFIX_COUNT; i++) {
        size_t n = strlen(lipc__prefixes[i].text);
        if (length >= n && memcmp(text, lipc__prefixes[i].text, n) == 0) {
            *ret_prefix = n;
            return lipc__prefixes[i].type;
        }
    }
    *ret_prefix = 0;
    return LIPC_NAME_PATH;
}

int lipc_name_parse(const char *text, size_t length, lipc_name *ret_name) {
    size_t prefix;
    if (length == LIPC_STRLEN)
        length = strlen(text);
    int type = lipc__type_in(text, length, &prefix);
    return lipc__name_make(type, text + prefix, length - prefix, ret_name);
}

int lipc_name_format(const lipc_name *name, char *buffer, size_t size) {
    if (name->length >= LIPC_NAME_CAPACITY)
        return lipc__fault(LIPC_ENAMETOOLONG);
    const char *prefix = "";
    size_t ignored;
    for (int i = 0; i < LIPC__PREFIX_COUNT; i++)
        if (name->type == (uint32_t)lipc__prefixes[i].type)
            prefix = lipc__prefixes[i].text;
    if (name->type == LIPC_NAME_PATH && lipc__type_in(name->text, name->length, &ignored) != LIPC_NAME_PATH)
        prefix = "./"; /* otherwise the text would be that of another name */
    size_t prefix_length = strlen(prefix), length = prefix_length + name->length;
    if (length >= size)
        return lipc__fault(LIPC_EMSGSIZE);
    memcpy(buffer, prefix, prefix_length);
    memcpy(buffer + prefix_length, name->text, name->length);
    buffer[length] = '\0';
    return (int)length;
}

int lipc_name_types(void) {
    return LIPC_NAME_PATH | LIPC_NAME_NAMESPACED | LIPC_NAME_USER | LIPC_NAME_SYSTEM;
}
