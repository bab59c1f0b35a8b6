/* Messages with what travels with them: handles, credentials, and other control data. */

/* The size of lipc_message in the first version that had it. All fields that are written back are within it. */
#define LIPC__FIRST_MESSAGE_SIZE (offsetof(lipc_message, length) + sizeof(size_t))

/* Copies the caller's message, checked. */
static int lipc__message_of(const lipc_message *message, lipc_message *ret_message) {
    bool whole = message != NULL && message->size == sizeof *message;
    if (whole)
        *ret_message = *message; /* the compiler copies what it knows the size of in a few instructions */
    int r = whole ? 0 : lipc__options(ret_message, sizeof *ret_message, message);
    if (r < 0)
        return r;
    if (message == NULL || message->size < LIPC__FIRST_MESSAGE_SIZE)
        return lipc__fault(LIPC_EINVAL);
    if (message->handles == NULL && (message->handle_count > 0 || message->handle_capacity > 0))
        return lipc__fault(LIPC_EINVAL);
    return 0;
}

/* Puts the payload into m. At most 1024 buffers, IOV_MAX: that fits msg_iovlen, whose type differs between systems. */
static int lipc__payload(struct msghdr *m, const lipc_buffer *buffers, size_t count, size_t *ret_size) {
    if (count > 1024)
        return lipc__fault(LIPC_EMSGSIZE);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += buffers[i].size;
    m->msg_iov = (struct iovec *)(uintptr_t)buffers;
    m->msg_iovlen = count;
    *ret_size = size;
    return 0;
}

/* Counts the handles in control data. */
static size_t lipc__count_handles(const lipc_control *control) {
    lipc_control_item item;
    size_t count = 0;
    for (size_t at = 0; lipc__control_at(control->data, control->length, at, &item, &at) > 0;)
        if (item.kind == LIPC_CONTROL_HANDLES)
            count += item.size / sizeof(int);
    return count;
}

/* Adds a message's handles and credentials to control data. */
static int lipc__control_add_of(lipc_control *control, const lipc_message *message) {
    if (message->handle_count > 0) {
        int r = lipc_control_add_handles(control, message->handles, message->handle_count);
        if (r < 0)
            return r;
    }
    if (message->credentials != NULL) {
        int r = lipc_control_add_credentials(control, message->credentials);
        if (r < 0)
            return r;
    }
    if (message->control != NULL && lipc__count_handles(control) > LIPC_MESSAGE_HANDLES)
        return lipc__fault(LIPC_ETOOMANY);
    return 0;
}

/* Puts the control data that is sent with the payload into m. It is built in own, or in the caller's buffer if there is
 * one. */
static int lipc__control_of(const lipc_message *message, lipc_control *own, struct msghdr *m) {
    lipc_control *control = message->control != NULL ? message->control : own;
    const size_t length = control->length;
    int r = lipc__control_add_of(control, message);
    if (control->length > 0) {
        m->msg_control = control->data;
        m->msg_controllen = control->length;
    }
    if (control != own)
        control->length = length; /* what was added stays in the buffer, beyond its length, until the message is sent */
    return r;
}

int64_t lipc_send_message(lipc_handle handle, const lipc_message *message, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int fd = (int)handle;
    lipc_message o;
    int r = lipc__message_of(message, &o);
    if (r < 0)
        return r;
    struct msghdr m;
    size_t size = 0;
    memset(&m, 0, sizeof m);
    r = lipc__payload(&m, o.buffers, o.buffer_count, &size);
    if (r < 0)
        return r;
    char room[LIPC_CONTROL_SIZE];
    lipc_control own = {room, sizeof room, 0, 0};
    r = lipc__control_of(&o, &own, &m);
    if (r < 0)
        return r;
    lipc__address address;
    if (o.peer != NULL) {
        bool is_file;
        r = lipc__address_of(o.peer, false, &address, &m.msg_namelen, &is_file);
        if (r < 0)
            return r;
        m.msg_name = &address;
    }
    int type = size == 0 || LIPC__MARKS_MESSAGES ? lipc__option(fd, SO_TYPE) : 0;
    if (type < 0)
        return type;
    const bool needs_byte = type == SOCK_STREAM && size == 0; /* the system would send nothing and report success */
    if (needs_byte && m.msg_controllen == 0)
        return 0;
    struct iovec byte = {"", 1};
    if (needs_byte) {
        m.msg_iov = &byte;
        m.msg_iovlen = 1;
    }
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (type == SOCK_SEQPACKET ? MSG_EOR : 0);
    for (;;) {
        ssize_t n = SYS(lipc__sys_sendmsg(fd, &m, flags));
        if (n >= 0 && (size_t)n < size) /* a stream took a part: the rest is sent without control data */
            return lipc__write_all(fd, &(lipc__cursor){o.buffers, o.buffer_count, 0}, n, lipc__send_some, &deadline);
        if (n >= 0)
            return needs_byte ? 0 : n;
        r = lipc__send_to_failed(fd, o.peer != NULL, &deadline);
        if (r < 0)
            return r;
    }
}

/* The error when handles were lost. Opening one more shows whether the process, or the system, has too many open. */
static int lipc__handles_lost(int fd) {
    int probe = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (probe < 0)
        return lipc__error(LIPC_EHANDLES, errno);
    close(probe);
    return lipc__fault(LIPC_EHANDLES);
}

/* Takes a pidfd out of an item. Returns 1, 0 if it holds none, or the error that the kernel put in its place. */
static int lipc__pidfd_of(const lipc_control_item *item, lipc_handle *ret_pidfd) {
    int value = -1;
    if (item->size >= sizeof value)
        memcpy(&value, item->data, sizeof value);
    if (value == -EMFILE || value == -ENFILE)
        return lipc__error(LIPC_EHANDLES, -value);
    int taken = lipc_control_take(item, ret_pidfd, 1);
    if (taken > 0)
        fcntl((int)*ret_pidfd, F_SETFL, O_NONBLOCK); /* cannot fail */
    return taken;
}

/* Reports the sender's credentials in control data, -1 for what it does not say. */
static void lipc__sender_of(const lipc_control *control, lipc_credentials *ret_credentials) {
    lipc_control_item item;
    memset(ret_credentials, 0xff, sizeof *ret_credentials);
    for (size_t at = 0; lipc__control_at(control->data, control->length, at, &item, &at) > 0;)
        if (item.kind == LIPC_CONTROL_CREDENTIALS)
            lipc_control_credentials(&item, ret_credentials);
}

/* Takes the first pidfd out of control data; LIPC_INVALID_HANDLE if there is none. */
static int lipc__take_pidfd(const lipc_control *control, lipc_handle *ret_pidfd) {
    lipc_handle pidfd = LIPC_INVALID_HANDLE;
    lipc_control_item item;
    for (size_t at = 0; lipc__control_at(control->data, control->length, at, &item, &at) > 0;) {
        if (item.kind != LIPC_CONTROL_PIDFD || pidfd != LIPC_INVALID_HANDLE)
            continue;
        int r = lipc__pidfd_of(&item, &pidfd);
        if (r < 0)
            return r;
    }
    *ret_pidfd = pidfd;
    return 0;
}

/* Takes as many handles out of control data as there is room for, and closes the others. Returns how many it took. */
static size_t lipc__take_handles(const lipc_control *control, lipc_handle *ret_handles, size_t capacity) {
    lipc_control_item item;
    size_t taken = 0;
    for (size_t at = 0; lipc__control_at(control->data, control->length, at, &item, &at) > 0;) {
        if (item.kind != LIPC_CONTROL_HANDLES)
            continue;
        if (capacity > 0)
            taken += (size_t)lipc_control_take(&item, ret_handles + taken, capacity - taken);
        for (lipc_handle unwanted; lipc_control_take(&item, &unwanted, 1) > 0;)
            close((int)unwanted);
    }
    return taken;
}

/* Gives the caller what it asked for. cut: the system had more control data than there was room for. */
static int lipc__deliver(int fd, lipc_message *message, lipc_control *control, bool cut, size_t *ret_handles) {
    size_t asked = message->handle_capacity, arrived = lipc__count_handles(control);
    /* Whether they stay in the control data, for the caller to take. */
    bool stay = message->handles == NULL && message->control != NULL;
    if (cut && (asked > 0 || stay))
        return lipc__handles_lost(fd);
    if (arrived > asked && asked > 0 && !stay)
        return lipc__fault(LIPC_EHANDLES);
    if (message->pidfd != NULL) {
        int r = lipc__take_pidfd(control, message->pidfd);
        if (r < 0)
            return r;
    }
    *ret_handles = stay ? 0 : lipc__take_handles(control, message->handles, asked);
    return 0;
}

static int64_t lipc__receive_message(lipc_handle handle, lipc_message *message, int flags, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int fd = (int)handle;
    lipc_message o;
    int r = lipc__message_of(message, &o);
    if (r < 0)
        return r;
    struct msghdr m;
    size_t size = 0;
    memset(&m, 0, sizeof m);
    r = lipc__payload(&m, o.buffers, o.buffer_count, &size);
    if (r < 0)
        return r;
    /* A stream would give the handles, but keep the bytes that they came with. */
    if (size == 0 && lipc__option(fd, SO_TYPE) == SOCK_STREAM)
        return lipc__fault(LIPC_EINVAL);

    char room[LIPC_CONTROL_SIZE];
    lipc_control own = {room, 0, 0, 0}, *control = o.control != NULL ? o.control : &own;
    /* Linux fills all room with handles, so a caller that wants none gives it no room. */
    if (o.handle_capacity > 0 || o.credentials != NULL || o.pidfd != NULL)
        own.size = sizeof room;
    if (control->size > 0) {
        m.msg_control = control->data;
        m.msg_controllen = control->size;
    }
    lipc__address address;
    if (o.peer != NULL) {
        m.msg_name = &address;
        m.msg_namelen = sizeof address;
    }

    size_t length = 0, handles = 0;
    int64_t n = lipc__receive_waiting(fd, &m, size, flags, &deadline, &length);
    if (n < 0 && lipc_error_code(n) != LIPC_ETRUNCATED)
        return n;
    message->length = length < size ? length : size;
    if (o.peer != NULL)
        lipc__name_of(&address, m.msg_namelen, o.peer);
    control->length = control->size > 0 ? m.msg_controllen : 0;
    control->position = 0;
    if (o.credentials != NULL)
        lipc__sender_of(control, o.credentials);
    r = n < 0 ? (int)n : lipc__deliver(fd, &o, control, (m.msg_flags & MSG_CTRUNC) != 0, &handles);
    if (r < 0 || control == &own)
        lipc_control_close(control);
    if (r < 0)
        return r;
    message->handle_count = handles;
    return n;
}

int64_t lipc_receive_message(lipc_handle handle, lipc_message *message, int timeout_ms) {
    return lipc__receive_message(handle, message, 0, timeout_ms);
}

int64_t lipc_peek_message(lipc_handle handle, lipc_message *message, int timeout_ms) {
    return lipc__receive_message(handle, message, MSG_PEEK, timeout_ms);
}
