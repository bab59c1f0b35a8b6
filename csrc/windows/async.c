/* Asynchronous operations, which a completion port reports. */

LIPC__STATIC_ASSERT(overlapped_fits, sizeof(OVERLAPPED) <= sizeof(((lipc_async *)NULL)->system));

static OVERLAPPED *lipc__overlapped(lipc_async *async) {
    return (OVERLAPPED *)async->system;
}

int lipc_port(lipc_handle *ret_port) {
    HANDLE port = SYS_ALLOCATE(CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0));
    if (port == NULL)
        return lipc__error_from(GetLastError());
    *ret_port = (lipc_handle)port;
    return 0;
}

int lipc_port_add(lipc_handle port, lipc_handle handle, uintptr_t key) {
    if (SYS_ALLOCATE(CreateIoCompletionPort((HANDLE)handle, (HANDLE)port, key, 0)) == NULL) {
        DWORD error = GetLastError();
        return error == ERROR_INVALID_PARAMETER ? lipc__error(LIPC_EEXIST, (int)error) : lipc__error_from(error);
    }
    /* This comes second: a handle that belongs to another port is not ours to change. If it fails, the port also
     * reports operations that were over at once. */
    (void)SYS_TRUE(SetFileCompletionNotificationModes((HANDLE)handle, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    return 0;
}

int lipc_port_wait(lipc_handle port, int timeout_ms, size_t capacity, lipc_completion *ret_completions) {
    enum { MOST = 64 };
    OVERLAPPED_ENTRY entries[MOST];
    ULONG count, room = capacity < MOST ? (ULONG)capacity : MOST;
    if (!SYS_TRUE(GetQueuedCompletionStatusEx((HANDLE)port, entries, room, &count,
                                              timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms, FALSE))) {
        DWORD error = GetLastError();
        if (error == WAIT_TIMEOUT)
            return lipc__fault(timeout_ms == 0 ? LIPC_EAGAIN : LIPC_ETIMEDOUT);
        return lipc__error_from(error);
    }
    for (ULONG i = 0; i < count; i++) /* the OVERLAPPED is at the beginning of its lipc_async */
        ret_completions[i] = (lipc_completion){entries[i].lpCompletionKey, (lipc_async *)entries[i].lpOverlapped};
    return (int)count;
}

int lipc_port_post(lipc_handle port, uintptr_t key) {
    return SYS_TRUE(PostQueuedCompletionStatus((HANDLE)port, 0, key, NULL)) ? 0 : lipc__error_from(GetLastError());
}

/* The result of an operation that ended with that error, 0 for none. A receive without room reads one byte: if it got
 * one, the message was truncated. */
static int64_t lipc__async_result(HANDLE handle, lipc_async *async, DWORD error, DWORD size) {
    if (error == 0 && async->operation == LIPC__READS && size == 0 && lipc__has_halves(handle)) {
        async->cut |= LIPC_READ;
        return lipc__fault(LIPC_EEND);
    }
    if (error == 0)
        return async->spared && size > 0 ? lipc__fault(LIPC_ETRUNCATED) : (int64_t)size;
    if (error == ERROR_IO_PENDING || error == ERROR_IO_INCOMPLETE)
        return lipc__fault(LIPC_EAGAIN);
    if (error == ERROR_MORE_DATA) {
        if (async->operation == LIPC__RECEIVES) {
            lipc__discard(handle);
            async->operation = LIPC__READS; /* so that finishing it again discards nothing more */
        }
        return lipc__fault(LIPC_ETRUNCATED);
    }
    if (async->operation != LIPC__WRITES)
        return lipc__read_error(error);
    if (error == ERROR_OPERATION_ABORTED && async->size > lipc__write_quota(handle))
        async->cut |= LIPC_WRITE;
    return lipc__transfer_error(error);
}

static int64_t lipc__async_start(enum lipc__transfer what, lipc_handle handle, void *data, size_t size,
                                 lipc_async *async) {
    OVERLAPPED *o = lipc__overlapped(async);
    if (size > LIPC__MOST)
        return lipc__fault(LIPC_EMSGSIZE);
    if (size == 0 && what == LIPC__READS)
        return lipc__fault(LIPC_EINVAL);
    /* A half has ended. Or the peer would take this for the rest of the message that it has a part of. */
    if (async->cut & (what == LIPC__WRITES ? LIPC_WRITE : LIPC_READ))
        return what == LIPC__WRITES ? lipc__error(LIPC_EPIPE, ERROR_NO_DATA) : lipc__fault(LIPC_EEND);
    async->spared = size == 0 && what == LIPC__RECEIVES;
    if (async->spared) { /* see lipc__receive() */
        data = &async->spare;
        size = 1;
    }
    memset(o, 0, sizeof *o);
    if (async->event != 0)
        o->hEvent = lipc__quiet((HANDLE)async->event);
    async->operation = (uint8_t)what;
    if (what == LIPC__WRITES)
        size = lipc__piece((HANDLE)handle, size);
    async->size = (uint32_t)size;
    BOOL done = what == LIPC__WRITES ? SYS_TRUE(WriteFile((HANDLE)handle, data, (DWORD)size, NULL, o))
                                     : SYS_TRUE(ReadFile((HANDLE)handle, data, (DWORD)size, NULL, o));
    return lipc__async_result((HANDLE)handle, async, done ? 0 : GetLastError(), (DWORD)o->InternalHigh);
}

int64_t lipc_async_read(lipc_handle handle, void *data, size_t size, lipc_async *async) {
    return lipc__async_start(LIPC__READS, handle, data, size, async);
}

int64_t lipc_async_receive(lipc_handle handle, void *data, size_t size, lipc_async *async) {
    return lipc__async_start(LIPC__RECEIVES, handle, data, size, async);
}

int64_t lipc_async_write(lipc_handle handle, const void *data, size_t size, lipc_async *async) {
    return lipc__async_start(LIPC__WRITES, handle, (void *)data, size, async);
}

int64_t lipc_async_finish(lipc_handle handle, lipc_async *async) {
    OVERLAPPED *o = lipc__overlapped(async);
    DWORD size = 0;
    if (!lipc__is_over(o))
        return lipc__fault(LIPC_EAGAIN);
    DWORD error = GetOverlappedResult((HANDLE)handle, o, &size, FALSE) ? 0 : GetLastError();
    return lipc__async_result((HANDLE)handle, async, error, (DWORD)o->InternalHigh);
}

int lipc_async_cancel(lipc_handle handle, lipc_async *async) {
    OVERLAPPED *o = async == NULL ? NULL : lipc__overlapped(async);
    return SYS_TRUE(CancelIoEx((HANDLE)handle, o)) ? 0 : lipc__error_from(GetLastError());
}

int lipc_event(lipc_handle *ret_event) {
    HANDLE event = SYS_ALLOCATE(CreateEventW(NULL, TRUE, FALSE, NULL));
    if (event == NULL)
        return lipc__error_from(GetLastError());
    *ret_event = (lipc_handle)event;
    return 0;
}

static void CALLBACK lipc__watched(void *context, BOOLEAN timed_out) {
    lipc_watch *watch = context;
    (void)timed_out;
    lipc_port_post(watch->port, watch->key);
}

int lipc_watch_start(lipc_watch *watch, lipc_handle port, lipc_handle handle, uintptr_t key) {
    HANDLE wait;
    lipc_watch_stop(watch);
    watch->port = port;
    watch->key = key;
    if (!SYS_TRUE(RegisterWaitForSingleObject(&wait, (HANDLE)handle, lipc__watched, watch, INFINITE,
                                              WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)))
        return lipc__error_from(GetLastError());
    watch->system = (uintptr_t)wait;
    return 0;
}

void lipc_watch_stop(lipc_watch *watch) {
    if (watch->system != 0)
        UnregisterWaitEx((HANDLE)watch->system, INVALID_HANDLE_VALUE);
    watch->system = 0;
}
