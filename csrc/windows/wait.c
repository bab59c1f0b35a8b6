/* The clock, and sleeping. Waiting for an operation is in operation.c. */

static int64_t lipc__now_ms(void) {
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now); /* neither fails from Windows XP on */
    QueryPerformanceFrequency(&frequency);
    return now.QuadPart / frequency.QuadPart * 1000 + now.QuadPart % frequency.QuadPart * 1000 / frequency.QuadPart;
}

/* Sleep() rounds up to the tick of the system's clock, 15.6 milliseconds by default. */
static void lipc__sleep_ms(int milliseconds) {
    const DWORD high_resolution = 0x2; /* CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, Windows 10 1803 */
    LARGE_INTEGER due = {.QuadPart = -10000LL * milliseconds}; /* in units of 100 ns, from now */
    HANDLE timer = CreateWaitableTimerExW(NULL, NULL, high_resolution, TIMER_MODIFY_STATE | SYNCHRONIZE);
    if (timer != NULL && SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
        WaitForSingleObject(timer, INFINITE);
    else
        Sleep((DWORD)milliseconds);
    if (timer != NULL)
        CloseHandle(timer);
}
