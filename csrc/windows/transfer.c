/* Shared by streams, messages and asynchronous operations: one read or write, its errors, and how much it writes. */

/* Whether an error is the end of a connection. For one to another machine that is ERROR_NETNAME_DELETED. */
static bool lipc__is_end(DWORD error) {
    return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED || error == ERROR_NO_DATA ||
           error == ERROR_NETNAME_DELETED;
}

/* The result for the error of a read or write. */
static int lipc__transfer_error(DWORD error) {
    if (lipc__is_end(error))
        return lipc__error(LIPC_EPIPE, (int)error);
    switch (error) {
    case ERROR_ACCESS_DENIED: return lipc__fault(LIPC_EBADF);
    case ERROR_SEM_TIMEOUT: return lipc__error(LIPC_EIO, (int)error); /* the network's timeout, not the caller's */
    default: return lipc__error_from(error);
    }
}

/* The result for the error of a read, for which the end is not a broken pipe. */
static int lipc__read_error(DWORD error) {
    return lipc__is_end(error) ? lipc__fault(LIPC_EEND) : lipc__transfer_error(error);
}

enum { LIPC__MOST = 1 << 30 }; /* how many bytes an operation transfers at most */

static DWORD lipc__at_most(size_t size) {
    return (DWORD)(size < LIPC__MOST ? size : LIPC__MOST);
}

/* The size of the buffer that this end writes to; 0 if the system does not report it.
 *
 * A write that is no larger than this is all there or not there at all after it was cancelled. The system moves a write
 * into its buffer as soon as there is room for what is left of it. When the peer reads the first byte of the write, it
 * has read all that was ahead of it. So there is room then, the write is over, and it can no longer be cancelled. */
static size_t lipc__write_quota(HANDLE handle) {
    lipc__pipe_local_information information;
    int r = lipc__query(handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &information, sizeof information);
    return r < 0 ? 0 : lipc__quota(&information, LIPC_WRITE);
}

/* How many of size bytes a system call writes. A stream is written in pieces that fit its buffer, so that nearly all
 * that was written is counted when the time is up. A message, or anything else that goes to a pipe of messages, is
 * written at once. */
static size_t lipc__piece(HANDLE handle, size_t size) {
    enum { SMALL = 4096 };
    lipc__pipe_local_information information;
    if (size <= SMALL || lipc__query(handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &information, sizeof information) < 0 ||
        information.type == 1) /* FILE_PIPE_MESSAGE_TYPE */
        return size;
    size_t quota = lipc__quota(&information, LIPC_WRITE);
    return min(size, max(quota, SMALL));
}

/* What an operation does. LIPC__RECEIVES is a read that discards what does not fit of a message. */
enum lipc__transfer { LIPC__READS, LIPC__RECEIVES, LIPC__WRITES };

/* Reads or writes once. Returns the system's error, 0 for none. ret_size gets how many bytes were transferred in any
 * case. */
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
