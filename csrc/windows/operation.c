/* One overlapped operation that is waited for: every read and write of a call with a timeout. */

/* With the lowest bit of its event set, an operation is not reported to the completion port that the handle may belong
 * to, GetQueuedCompletionStatus. */
static HANDLE lipc__quiet(HANDLE event) {
    return (HANDLE)((ULONG_PTR)event | 1);
}

static bool lipc__is_over(const OVERLAPPED *o) {
    bool over = HasOverlappedIoCompleted(o);
    MemoryBarrier(); /* what the operation brought is looked at next */
    return over;
}

/* Waits for an operation that was started; started is what that returned. Returns the system's error, 0 for none, and
 * ERROR_IO_INCOMPLETE or WAIT_TIMEOUT when the time is up; and how much was transferred. An operation that is over when
 * the time is up has not failed. */
static DWORD lipc__operation_wait(HANDLE handle, HANDLE event, OVERLAPPED *o, BOOL started, lipc__deadline *deadline,
                                  DWORD *ret_size) {
    DWORD error = started ? 0 : GetLastError(), size = 0;
    if (error == ERROR_IO_PENDING) {
        int left = lipc__time_left(deadline);
        DWORD milliseconds = left == -1 ? INFINITE : left < 0 ? 0 : (DWORD)left;
        bool late = WaitForSingleObject(event, milliseconds) != WAIT_OBJECT_0;
        if (late) {
            CancelIoEx(handle, o);
            WaitForSingleObject(event, INFINITE);
        }
        error = GetOverlappedResult(handle, o, &size, FALSE) ? 0 : GetLastError();
        if (error == ERROR_OPERATION_ABORTED && late)
            error = deadline->timeout_ms == 0 ? ERROR_IO_INCOMPLETE : WAIT_TIMEOUT;
    }
    *ret_size = (DWORD)o->InternalHigh;
    return error;
}

/* ERROR_NETNAME_DELETED is what the end of a connection to another machine looks like. */
static bool lipc__is_end(DWORD error) {
    return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED || error == ERROR_NO_DATA ||
           error == ERROR_NETNAME_DELETED;
}

/* The error of a read or write. */
static int lipc__transfer_error(DWORD error) {
    if (lipc__is_end(error))
        return lipc__error(LIPC_EPIPE, (int)error);
    switch (error) {
    case ERROR_ACCESS_DENIED: return lipc__fault(LIPC_EBADF);
    case ERROR_SEM_TIMEOUT: return lipc__error(LIPC_EIO, (int)error); /* the network's time ran out, not the caller's */
    default: return lipc__error_from(error);
    }
}

/* The error of a read: the end is not a broken pipe. */
static int lipc__read_error(DWORD error) {
    return lipc__is_end(error) ? lipc__fault(LIPC_EEND) : lipc__transfer_error(error);
}

enum { LIPC__MOST = 1 << 30 }; /* bytes that one operation transfers */

static DWORD lipc__at_most(size_t size) {
    return (DWORD)(size < LIPC__MOST ? size : LIPC__MOST);
}

/* The size of the buffer that this end writes to; 0 if the system does not report it.
 *
 * A write that is no larger is whole when it is cut, or was never there. The system moves a write into its buffer as
 * soon as there is room for what is left of it. When the first byte of the write is read, all that was ahead of it has
 * been read. So there is room then, and the write is over, and cannot be cancelled any more. */
static size_t lipc__write_quota(HANDLE handle) {
    lipc__pipe_local_information information;
    int r = lipc__query(handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &information, sizeof information);
    return r < 0 ? 0 : lipc__quota(&information, LIPC_WRITE);
}

/* What an operation does. One that receives discards what does not fit of a message. */
enum lipc__transfer { LIPC__READS, LIPC__RECEIVES, LIPC__WRITES };

/* Reads or writes once. Returns the system's error, 0 for none, and how much was transferred, also with an error. */
static DWORD lipc__transfer(enum lipc__transfer what, HANDLE handle, void *data, size_t size, lipc__deadline *deadline,
                            DWORD *ret_size) {
    *ret_size = 0;
    HANDLE event = SYS_ALLOCATE(CreateEventW(NULL, TRUE, FALSE, NULL));
    if (event == NULL)
        return GetLastError();
    OVERLAPPED o = {.hEvent = lipc__quiet(event)};
    BOOL started = what == LIPC__READS ? SYS_TRUE(ReadFile(handle, data, lipc__at_most(size), NULL, &o))
                                       : SYS_TRUE(WriteFile(handle, data, lipc__at_most(size), NULL, &o));
    DWORD error = lipc__operation_wait(handle, event, &o, started, deadline, ret_size);
    CloseHandle(event);
    return error;
}
