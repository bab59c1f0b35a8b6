/* The clock, processors and sleeping. Waiting for an operation is in operation.c. */

static int64_t lipc__now_us(void) {
    const LONGLONG second = 1000000;
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now); /* neither fails since Windows XP */
    QueryPerformanceFrequency(&frequency);
    return now.QuadPart / frequency.QuadPart * second + now.QuadPart % frequency.QuadPart * second / frequency.QuadPart;
}

/* How many processors this process may run on; INT_MAX if that cannot be found out. */
static int lipc__processors(void) {
    DWORD_PTR allowed, all, one = 1;
    int n = 0;
    if (!SYS_TRUE(GetProcessAffinityMask(GetCurrentProcess(), &allowed, &all)) || allowed == 0)
        return INT_MAX; /* 0: the process has threads in several groups of processors */
    for (; one != 0; one <<= 1)
        n += (allowed & one) != 0;
    return n;
}

/* Sleep() rounds up to the tick of the system's clock, 15.6 milliseconds by default, so a timer is tried first. */
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

/* Converts what lipc__time_left() returned to the system's timeouts. An error is 0. */
static DWORD lipc__milliseconds(int left) {
    if (left == -1)
        return INFINITE;
    return left < 0 ? 0 : (DWORD)left;
}
