/* What named pipes offer besides. */

/* Ends the flush of a thread whose time is up. Called again and again, since at first the flush may not have begun. */
static void CALLBACK lipc__stop_flush(void *thread, BOOLEAN fired) {
    (void)fired;
    CancelSynchronousIo((HANDLE)thread);
}

/* Flushing is synchronous, whatever the handle. */
int lipc_flush(lipc_handle handle, int timeout_ms) {
    HANDLE thread = NULL, timer = NULL, self = GetCurrentProcess();
    DWORD flags, error = 0;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r >= 0)
        r = lipc_pipe_access(handle);
    if (r < 0)
        return r;
    if (!(r & LIPC_WRITE))
        return lipc__fault(LIPC_EBADF);
    if (timeout_ms >= 0 &&
        (!SYS_TRUE(DuplicateHandle(self, GetCurrentThread(), self, &thread, THREAD_TERMINATE, FALSE, 0)) ||
         !SYS_TRUE(CreateTimerQueueTimer(&timer, NULL, lipc__stop_flush, thread, (DWORD)timeout_ms, 1,
                                         WT_EXECUTEINTIMERTHREAD))))
        error = GetLastError();
    if (error == 0 && !SYS_TRUE(FlushFileBuffers((HANDLE)handle)))
        error = GetLastError();
    if (timer != NULL)
        DeleteTimerQueueTimer(NULL, timer, INVALID_HANDLE_VALUE); /* waits until the callback is over */
    if (thread != NULL)
        CloseHandle(thread);
    if (error == ERROR_OPERATION_ABORTED && timeout_ms >= 0)
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

/* Duplicates a handle between this process and another. */
static int lipc__duplicate_between(bool into, uint32_t process, lipc_handle handle, lipc_handle *ret_handle) {
    if (handle <= 0)
        return lipc__error(LIPC_EBADF, ERROR_INVALID_HANDLE);
    HANDLE duplicate, self = GetCurrentProcess(), other = SYS_ALLOCATE(OpenProcess(PROCESS_DUP_HANDLE, FALSE, process));
    if (other == NULL) {
        DWORD error = GetLastError();
        return error == ERROR_INVALID_PARAMETER ? lipc__error(LIPC_ENOENT, (int)error) : lipc__error_from(error);
    }
    bool done = SYS_TRUE(DuplicateHandle(into ? self : other, (HANDLE)handle, into ? other : self, &duplicate, 0, FALSE,
                                         DUPLICATE_SAME_ACCESS));
    int r = done ? 0 : lipc__error_from(GetLastError());
    CloseHandle(other);
    if (done)
        *ret_handle = (lipc_handle)duplicate;
    return r;
}

int lipc_duplicate_into(lipc_handle handle, uint32_t process, lipc_handle *ret_handle) {
    return lipc__duplicate_between(true, process, handle, ret_handle);
}

int lipc_duplicate_from(lipc_handle handle, uint32_t process, lipc_handle *ret_handle) {
    return lipc__duplicate_between(false, process, handle, ret_handle);
}
