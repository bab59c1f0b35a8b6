/* Messages: sent and received whole. */

/* Whether an end is one of messages. A client's end that was disconnected does not report that, and counts as one: then
 * the operation reports the end. */
static int lipc__has_messages(HANDLE handle) {
    DWORD flags = 0;
    int r = lipc__check_pipe(handle, &flags);
    if (r < 0)
        return lipc__is_end((DWORD)lipc_error_os(r)) ? 1 : r;
    return lipc__is_message(handle, flags);
}

static int lipc__check_messages(HANDLE handle) {
    int r = lipc__has_messages(handle);
    if (r < 0)
        return r;
    return r > 0 ? 0 : lipc__fault(LIPC_ENOTSOCK);
}

/* How many bytes are left of a message that was read in part; 0 if its sender cancelled the rest. */
static DWORD lipc__left(HANDLE handle) {
    DWORD left;
    return PeekNamedPipe(handle, NULL, 0, NULL, NULL, &left) ? left : 0;
}

/* Reads what is left of a message, so that it is not taken for the next one. Does not wait for a sender that has
 * cancelled it. If the system lacks the memory for a read, tries again until it has some. */
static void lipc__discard(HANDLE handle) {
    char rest[4096];
    DWORD n, left, error = ERROR_MORE_DATA;
    while (error != 0 && error != ERROR_IO_INCOMPLETE && (left = lipc__left(handle)) > 0) {
        lipc__deadline deadline = {.timeout_ms = 0};
        error = lipc__transfer(LIPC__READS, handle, rest, min(left, sizeof rest), &deadline, &n);
        if (error != 0 && error != ERROR_IO_INCOMPLETE && error != ERROR_MORE_DATA)
            lipc__sleep_ms(1);
    }
}

/* Receives one message into buffers, one after another. ret_length gets how many bytes were stored, also with
 * LIPC_ETRUNCATED. No read asks for 0 bytes: on Windows that takes nothing, not even an empty message, and on Wine 8 it
 * fails. */
static int64_t lipc__receive(HANDLE handle, const lipc_buffer *buffers, size_t count, lipc__deadline *deadline,
                             size_t *ret_length) {
    char spare;
    const lipc_buffer spared = {&spare, 1};
    DWORD n, error = ERROR_MORE_DATA;
    size_t length = 0, room = 0;
    bool part = false; /* whether a part was read; if a read fails after that, the rest is gone */
    for (size_t i = 0; i <= count && error == ERROR_MORE_DATA; i++) {
        const lipc_buffer *b = i < count ? &buffers[i] : &spared;
        if (b->size == 0 || (i == count && part))
            continue;
        size_t wanted = part ? min(b->size, lipc__left(handle)) : b->size;
        if (wanted == 0) /* the sender cancelled the rest */
            break;
        error = lipc__transfer(LIPC__READS, handle, b->data, wanted, deadline, &n);
        if (!part && error != 0 && error != ERROR_MORE_DATA)
            return lipc__read_error(error);
        room += i < count ? b->size : 0;
        length += n;
        part = true;
        deadline->timeout_ms = 0;
    }
    *ret_length = min(length, room);
    if (error == 0 && length <= room)
        return (int64_t)length;
    if (error != 0 && error != ERROR_IO_INCOMPLETE)
        lipc__discard(handle);
    return lipc__fault(LIPC_ETRUNCATED);
}

/* Fails if the time is up and the message could be cut halfway, see lipc__write_quota(). Such a message is not
 * begun. */
static int lipc__check_time(HANDLE handle, size_t size, lipc__deadline *deadline) {
    lipc__pipe_local_information information;
    int left = lipc__time_left(deadline);
    if (left >= -1)
        return 0;
    if (lipc__query(handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &information, sizeof information) < 0 ||
        information.state != LIPC__PIPE_CONNECTED || lipc_pipe_access((lipc_handle)handle) == LIPC_READ)
        return 0; /* the write fails, and says why */
    return size <= lipc__quota(&information, LIPC_WRITE) ? 0 : left;
}

/* Sends one message. */
static int64_t lipc__send(HANDLE handle, const void *data, size_t size, lipc__deadline *deadline) {
    if (size > LIPC__MOST)
        return lipc__fault(LIPC_EMSGSIZE);
    int r = lipc__check_time(handle, size, deadline);
    if (r < 0)
        return r;
    DWORD n, error = lipc__transfer(LIPC__WRITES, handle, (void *)data, size, deadline, &n);
    return error == 0 ? (int64_t)size : lipc__transfer_error(error);
}

int64_t lipc_send(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int r = lipc__check_messages((HANDLE)handle);
    return r < 0 ? r : lipc__send((HANDLE)handle, data, size, &deadline);
}

int64_t lipc_receive(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc_buffer buffer = {data, size};
    size_t length;
    int r = lipc__check_messages((HANDLE)handle);
    return r < 0 ? r : lipc__receive((HANDLE)handle, &buffer, 1, &deadline, &length);
}

/* Whether there is a next message, and it is empty. The event is for a pipe of another machine, which does not answer
 * at once. */
static int lipc__empty_is_there(HANDLE handle) {
    lipc__pipe_peek peek = {0};
    IO_STATUS_BLOCK block;
    HANDLE event = SYS_ALLOCATE(CreateEventW(NULL, TRUE, FALSE, NULL));
    if (event == NULL)
        return lipc__error_from(GetLastError());
    NTSTATUS status =
        NtFsControlFile(handle, event, NULL, NULL, &block, LIPC__FSCTL_PIPE_PEEK, NULL, 0, &peek, sizeof peek);
    if (status == STATUS_PENDING) {
        WaitForSingleObject(event, INFINITE);
        status = block.Status;
    }
    CloseHandle(event);
    return status >= 0 && peek.number_of_messages > 0 && peek.message_length == 0;
}

/* Waits for a message, and peeks at it. The system cannot wait for a message without taking some of it, so this looks
 * every 1 to 4 milliseconds. The system allocates as much memory as it is given room, so the room is never more than
 * what is there. */
static int64_t lipc__peek(HANDLE handle, void *data, size_t size, int timeout_ms, DWORD *ret_left) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int r = lipc__check_messages(handle);
    if (r < 0)
        return r;
    size = lipc__at_most(size);
    for (size_t room = 0;;) {
        DWORD n = 0, there, left;
        if (!SYS_TRUE(PeekNamedPipe(handle, data, (DWORD)room, &n, &there, &left))) {
            DWORD error = GetLastError(); /* ERROR_BAD_PIPE: a server's end that was disconnected */
            return lipc__read_error(error == ERROR_BAD_PIPE ? ERROR_PIPE_NOT_CONNECTED : error);
        }
        if (left > 0 && room < size) { /* of what is there now; another message may be next by then */
            room = min(size, (size_t)n + left);
            continue;
        }
        r = there > 0 ? 1 : lipc__empty_is_there(handle);
        if (r < 0)
            return r;
        if (r > 0) {
            *ret_left = left;
            return n;
        }
        r = lipc__pause(&deadline);
        if (r < 0)
            return r;
        room = 0;
    }
}

int64_t lipc_peek(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    DWORD left = 0;
    int64_t n = lipc__peek((HANDLE)handle, data, size, timeout_ms, &left);
    return n >= 0 && left > 0 ? lipc__fault(LIPC_ETRUNCATED) : n;
}

int64_t lipc_message_size(lipc_handle handle, int timeout_ms) {
    DWORD left = 0;
    int64_t n = lipc__peek((HANDLE)handle, NULL, 0, timeout_ms, &left);
    return n < 0 ? n : left;
}

int64_t lipc_message_limit(lipc_handle handle) {
    int r = lipc__check_messages((HANDLE)handle);
    return r < 0 ? r : LIPC__MOST;
}

int64_t lipc_send_batch(lipc_handle handle, const lipc_buffer *messages, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int r = lipc__check_messages((HANDLE)handle);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        int64_t n = lipc__send((HANDLE)handle, messages[i].data, messages[i].size, &deadline);
        if (n < 0)
            return i > 0 ? (int64_t)i : n;
    }
    return (int64_t)count;
}

int64_t lipc_receive_batch(lipc_handle handle, lipc_buffer *messages, size_t count, int timeout_ms) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    int r = lipc__check_messages((HANDLE)handle);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        size_t length;
        int64_t n = lipc__receive((HANDLE)handle, &messages[i], 1, &deadline, &length);
        if (lipc_error_code(n) == LIPC_ETRUNCATED) {
            messages[i].size++;
            return (int64_t)i + 1;
        }
        if (n < 0)
            return i > 0 ? (int64_t)i : n;
        messages[i].size = length;
        deadline.timeout_ms = 0;
    }
    return (int64_t)count;
}
