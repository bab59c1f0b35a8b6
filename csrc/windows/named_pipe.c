/* Named pipes: flushing, disconnecting, and giving handles to the peer. */

/* FlushFileBuffers is synchronous, whatever the handle. */
int lipc_flush(lipc_handle handle, int timeout_ms) {
    lipc__cut cut;
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    int access = lipc_pipe_access(handle);
    if (access < 0)
        return access;
    if (!(access & LIPC_WRITE))
        return lipc__fault(LIPC_EBADF);
    DWORD error = lipc__cut_begin(&cut, timeout_ms);
    if (error == 0 && !SYS_TRUE(FlushFileBuffers((HANDLE)handle)))
        error = GetLastError();
    lipc__cut_end(&cut);
    if (lipc__was_cut(&cut, error))
        return lipc__fault(timeout_ms == 0 ? LIPC_EAGAIN : LIPC_ETIMEDOUT);
    return error == 0 ? 0 : lipc__transfer_error(error);
}

int lipc_disconnect(lipc_handle handle) {
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    if (!(flags & PIPE_SERVER_END))
        return lipc__fault(LIPC_ENOTSOCK);
    return SYS_TRUE(DisconnectNamedPipe((HANDLE)handle)) ? 0 : lipc__error_from(GetLastError());
}

static int lipc__process_open(uint32_t id, DWORD access, HANDLE *ret_process) {
    HANDLE process = SYS_ALLOCATE(OpenProcess(access, FALSE, id));
    if (process == NULL) {
        DWORD error = GetLastError();
        return error == ERROR_INVALID_PARAMETER ? lipc__error(LIPC_ENOENT, (int)error) : lipc__error_from(error);
    }
    *ret_process = process;
    return 0;
}

static ULONGLONG lipc__time_of(FILETIME time) {
    return (ULONGLONG)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

/* Checks that a process is not newer than the connection, if the time of that is known (connected > 0). */
static int lipc__check_created(HANDLE process, int64_t connected) {
    const ULONGLONG tick = 160000; /* 1/64 s, in units of 100 ns: how far the system's time may be behind */
    FILETIME created, others[3];
    if (connected <= 0)
        return 0;
    if (!SYS_TRUE(GetProcessTimes(process, &created, &others[0], &others[1], &others[2])))
        return lipc__error_from(GetLastError());
    if (lipc__time_of(created) > (ULONGLONG)connected + tick)
        return lipc__error(LIPC_ENOENT, ERROR_INVALID_PARAMETER);
    return 0;
}

/* Opens the peer's process. LIPC_ENOENT: the process that has the peer's id now was created after the connection. */
static int lipc__peer_process(lipc_handle connection, int64_t connected, HANDLE *ret_process) {
    lipc_credentials peer;
    HANDLE process = NULL;
    int r = lipc_peer_credentials(connection, &peer);
    if (r < 0)
        return r;
    if (peer.pid < 0) /* on another machine */
        return lipc__fault(LIPC_ENOTSUP);
    r = lipc__process_open((uint32_t)peer.pid, PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, &process);
    if (r < 0)
        return r;
    r = lipc__check_created(process, connected);
    if (r < 0) {
        CloseHandle(process);
        return r;
    }
    *ret_process = process;
    return 0;
}

/* Duplicates a handle between this process and another, and closes the handle of the other process. */
static int lipc__duplicate_between(bool into, HANDLE other, lipc_handle handle, lipc_handle *ret_handle) {
    HANDLE duplicate, self = GetCurrentProcess();
    bool done = SYS_TRUE(DuplicateHandle(into ? self : other, (HANDLE)handle, into ? other : self, &duplicate, 0, FALSE,
                                         DUPLICATE_SAME_ACCESS));
    int r = done ? 0 : lipc__error_from(GetLastError());
    CloseHandle(other);
    if (done)
        *ret_handle = (lipc_handle)duplicate;
    return r;
}

static int lipc__duplicate_with(bool into, lipc_handle handle, uint32_t id, lipc_handle *ret_handle) {
    HANDLE process = NULL;
    int r = handle > 0 ? lipc__process_open(id, PROCESS_DUP_HANDLE, &process)
                       : lipc__error(LIPC_EBADF, ERROR_INVALID_HANDLE);
    return r < 0 ? r : lipc__duplicate_between(into, process, handle, ret_handle);
}

int lipc_duplicate_into(lipc_handle handle, uint32_t process, lipc_handle *ret_handle) {
    return lipc__duplicate_with(true, handle, process, ret_handle);
}

int lipc_duplicate_from(lipc_handle handle, uint32_t process, lipc_handle *ret_handle) {
    return lipc__duplicate_with(false, handle, process, ret_handle);
}

static int lipc__duplicate_with_peer(bool into, lipc_handle connection, int64_t connected, lipc_handle handle,
                                     lipc_handle *ret_handle) {
    HANDLE process = NULL;
    int r = handle > 0 ? lipc__peer_process(connection, connected, &process)
                       : lipc__error(LIPC_EBADF, ERROR_INVALID_HANDLE);
    return r < 0 ? r : lipc__duplicate_between(into, process, handle, ret_handle);
}

int lipc_give(lipc_handle connection, int64_t connected, lipc_handle handle, lipc_handle *ret_handle) {
    return lipc__duplicate_with_peer(true, connection, connected, handle, ret_handle);
}

int lipc_take(lipc_handle connection, int64_t connected, lipc_handle handle, lipc_handle *ret_handle) {
    return lipc__duplicate_with_peer(false, connection, connected, handle, ret_handle);
}
