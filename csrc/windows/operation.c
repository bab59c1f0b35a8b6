/* Waiting for an overlapped operation. Each read and write of a call with a timeout is one. */

/* Sets the lowest bit of the event of an operation. So the operation is not reported to the completion port that its
 * handle may belong to, GetQueuedCompletionStatus. */
static HANDLE lipc__quiet(HANDLE event) {
    return (HANDLE)((ULONG_PTR)event | 1);
}

static bool lipc__is_over(const OVERLAPPED *o) {
    bool over = HasOverlappedIoCompleted(o);
    MemoryBarrier(); /* what the operation stored is read next */
    return over;
}

/* Waits for an operation; started is what the function that started it returned. Returns the system's error, 0 for
 * none, and ERROR_IO_INCOMPLETE or WAIT_TIMEOUT when the time is up. ret_size gets how many bytes were transferred in
 * any case. An operation that is over by the time that it is cancelled has not failed. */
static DWORD lipc__operation_wait(HANDLE handle, HANDLE event, OVERLAPPED *o, BOOL started, lipc__deadline *deadline,
                                  DWORD *ret_size) {
    DWORD error = started ? 0 : GetLastError(), size = 0;
    if (error == ERROR_IO_PENDING) {
        int left = lipc__time_left(deadline);
        bool late = WaitForSingleObject(event, lipc__milliseconds(left)) != WAIT_OBJECT_0;
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
