/* Control data in a buffer, written and read piece by piece. The buffer needs no alignment. */

/* Reads the piece at an offset. Returns 1, 0 if there is none, or LIPC_EINVAL. */
static int lipc__control_at(char *data, size_t length, size_t offset, lipc_control_item *ret_item, size_t *ret_next) {
    struct cmsghdr header;
    if (offset >= length)
        return 0;
    size_t left = length - offset, start = CMSG_LEN(0);
    if (left < start)
        return lipc__fault(LIPC_EINVAL);
    memcpy(&header, data + offset, sizeof header);
    if (header.cmsg_len < start || header.cmsg_len > left)
        return lipc__fault(LIPC_EINVAL);
    lipc_control_item item = {LIPC_CONTROL_OTHER, header.cmsg_level, header.cmsg_type, data + offset + start,
                              header.cmsg_len - start};
    if (item.level == SOL_SOCKET && item.type == SCM_RIGHTS)
        item.kind = LIPC_CONTROL_HANDLES;
#ifdef SCM_PIDFD
    else if (item.level == SOL_SOCKET && item.type == SCM_PIDFD)
        item.kind = LIPC_CONTROL_PIDFD;
#endif
    else if (lipc__is_credentials(&item))
        item.kind = LIPC_CONTROL_CREDENTIALS;
    size_t space = CMSG_SPACE(item.size);
    *ret_next = space < left ? offset + space : length;
    *ret_item = item;
    return 1;
}

int lipc_control_next(lipc_control *control, lipc_control_item *ret_item) {
    return lipc__control_at(control->data, control->length, control->position, ret_item, &control->position);
}

/* A descriptor that was taken becomes -1 in the buffer, so it is neither taken again nor closed. */
int lipc_control_take(const lipc_control_item *item, lipc_handle *ret_handles, size_t capacity) {
    int taken = 0;
    if (item->kind != LIPC_CONTROL_HANDLES && item->kind != LIPC_CONTROL_PIDFD)
        return 0;
    for (size_t i = 0; i + sizeof(int) <= item->size && (size_t)taken < capacity; i += sizeof(int)) {
        int fd;
        memcpy(&fd, item->data + i, sizeof fd);
        if (fd < 0) /* taken before, or an error in place of a pidfd */
            continue;
        ret_handles[taken++] = fd;
        fd = -1;
        memcpy(item->data + i, &fd, sizeof fd);
    }
    return taken;
}

void lipc_control_close(lipc_control *control) {
    lipc_control_item item;
    for (control->position = 0; lipc_control_next(control, &item) > 0;)
        for (lipc_handle handle; lipc_control_take(&item, &handle, 1) > 0;)
            SYS(close((int)handle));
    control->length = control->position = 0;
}

#ifndef LIPC__RECEIVES_CLOEXEC
static void lipc__control_set_cloexec(char *data, size_t length) {
    lipc_control_item item = {0}; /* only for analyzers that do not look into lipc__control_at() */
    for (size_t offset = 0; lipc__control_at(data, length, offset, &item, &offset) > 0;)
        for (size_t i = 0; item.kind == LIPC_CONTROL_HANDLES && i + sizeof(int) <= item.size; i += sizeof(int)) {
            int fd;
            memcpy(&fd, item.data + i, sizeof fd);
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
}
#endif

/* Adds a piece with size bytes of data. Returns where the data goes, or NULL if the piece does not fit. */
static char *lipc__control_extend(lipc_control *control, int level, int type, size_t size) {
    struct cmsghdr header;
    size_t left = control->size - control->length;
    if (size > left || CMSG_SPACE(size) > left)
        return NULL;
    memset(control->data + control->length, 0, CMSG_SPACE(size));
    memset(&header, 0, sizeof header);
    header.cmsg_len = CMSG_LEN(size);
    header.cmsg_level = level;
    header.cmsg_type = type;
    memcpy(control->data + control->length, &header, sizeof header);
    char *at = control->data + control->length + CMSG_LEN(0);
    control->length += CMSG_SPACE(size);
    return at;
}

int lipc_control_add(lipc_control *control, int level, int type, const void *data, size_t size) {
    char *at = lipc__control_extend(control, level, type, size);
    if (at == NULL)
        return lipc__fault(LIPC_EMSGSIZE);
    if (size > 0)
        memcpy(at, data, size);
    return 0;
}

int lipc_control_add_handles(lipc_control *control, const lipc_handle *handles, size_t count) {
    if (count > LIPC_MESSAGE_HANDLES)
        return lipc__fault(LIPC_ETOOMANY);
    char *at = lipc__control_extend(control, SOL_SOCKET, SCM_RIGHTS, count * sizeof(int));
    if (at == NULL)
        return lipc__fault(LIPC_EMSGSIZE);
    for (size_t i = 0; i < count; i++) {
        int fd = (int)handles[i];
        memcpy(at + i * sizeof fd, &fd, sizeof fd);
    }
    return 0;
}
