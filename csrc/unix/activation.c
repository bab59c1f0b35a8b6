/* Handles from a service manager: sd_listen_fds(3). */

enum { LIPC__FIRST_ACTIVATED = 3 };

/* Returns the number in an environment variable, -1 if the variable is not set, or LIPC_EINVAL if it is not a
 * number. */
static int lipc__number_from(const char *variable) {
    const char *text = LIPC__GETENV(variable);
    if (text == NULL)
        return -1;
    int64_t number = 0;
    for (const char *c = text; *c != '\0'; c++) {
        number = number * 10 + (*c - '0');
        if (*c < '0' || *c > '9' || number > INT_MAX)
            return lipc__fault(LIPC_EINVAL);
    }
    return *text == '\0' ? lipc__fault(LIPC_EINVAL) : (int)number;
}

/* Reports the length of the first name in a list that is separated by colons. Returns where the next name begins, or
 * NULL after the last. */
static const char *lipc__next_name(const char *names, size_t *ret_length) {
    size_t length = strcspn(names, ":");
    *ret_length = length;
    return names[length] == ':' ? names + length + 1 : NULL;
}

/* Checks that there are as many names as handles, and that each fits struct lipc_activated. */
static int lipc__check_names(const char *names, int count) {
    for (; names != NULL; count--) {
        size_t length;
        names = lipc__next_name(names, &length);
        if (length >= sizeof(((lipc_activated *)0)->name))
            return lipc__fault(LIPC_EINVAL);
    }
    return count == 0 ? 0 : lipc__fault(LIPC_EINVAL);
}

/* Checks the names, and that each handle is open. */
static int lipc__check_activated(const char *names, int count) {
    if (names != NULL) {
        int r = lipc__check_names(names, count);
        if (r < 0)
            return r;
    }
    if (count > INT_MAX - LIPC__FIRST_ACTIVATED)
        return lipc__fault(LIPC_EINVAL);
    for (int i = 0; i < count; i++)
        if (SYS(fcntl(LIPC__FIRST_ACTIVATED + i, F_GETFD)) < 0)
            return lipc__error_from(errno);
    return 0;
}

int lipc_activation(size_t capacity, lipc_activated *ret_activated) {
    int process = lipc__number_from("LISTEN_PID");
    if (process < -1)
        return process;
    if (process != getpid())
        return 0;
    int count = lipc__number_from("LISTEN_FDS");
    if (count < -1)
        return count;
    if (count <= 0)
        return 0;
    const char *names = LIPC__GETENV("LISTEN_FDNAMES");
    int r = lipc__check_activated(names, count);
    if (r < 0)
        return r;
    if ((size_t)count > capacity)
        return count;
    for (int i = 0; i < count; i++) {
        lipc_activated *a = &ret_activated[i];
        memset(a, 0, sizeof *a);
        a->handle = LIPC__FIRST_ACTIVATED + i;
        fcntl((int)a->handle, F_SETFD, FD_CLOEXEC); /* cannot fail: the descriptor is open */
        int kind = lipc_kind(a->handle);
        a->kind = kind < 0 ? 0 : kind;
        const char *name = names != NULL ? names : "unknown";
        size_t length = strlen(name);
        if (names != NULL)
            names = lipc__next_name(names, &length);
        memcpy(a->name, name, length);
    }
    return count;
}
