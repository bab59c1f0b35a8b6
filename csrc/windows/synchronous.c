/* Time limits for synchronous calls, which have none. */

/* A timer that cancels a synchronous call of this thread when its time is up. */
typedef struct lipc__cut {
    HANDLE thread, timer; /* NULL: there is no limit */
    int timeout_ms;
} lipc__cut;

/* Called again and again, since the call may not have begun at first. */
static void CALLBACK lipc__cut_now(void *thread, BOOLEAN fired) {
    (void)fired;
    CancelSynchronousIo((HANDLE)thread);
}

/* Limits the call that this thread makes next: it fails with ERROR_OPERATION_ABORTED when the time is up. Returns the
 * system's error, 0 for none. lipc__cut_end() is due in either case. */
static DWORD lipc__cut_begin(lipc__cut *cut, int timeout_ms) {
    HANDLE self = GetCurrentProcess();
    *cut = (lipc__cut){.timeout_ms = timeout_ms};
    if (timeout_ms < 0)
        return 0;
    if (!SYS_TRUE(DuplicateHandle(self, GetCurrentThread(), self, &cut->thread, THREAD_TERMINATE, FALSE, 0)) ||
        !SYS_TRUE(CreateTimerQueueTimer(&cut->timer, NULL, lipc__cut_now, cut->thread, (DWORD)timeout_ms, 1,
                                        WT_EXECUTEINTIMERTHREAD)))
        return GetLastError();
    return 0;
}

static void lipc__cut_end(lipc__cut *cut) {
    if (cut->timer != NULL)
        DeleteTimerQueueTimer(NULL, cut->timer, INVALID_HANDLE_VALUE); /* waits until the callback has returned */
    if (cut->thread != NULL)
        CloseHandle(cut->thread);
}

/* Whether a call that ended with that error was cancelled by the timer. */
static bool lipc__was_cut(const lipc__cut *cut, DWORD error) {
    return error == ERROR_OPERATION_ABORTED && cut->timeout_ms >= 0;
}
