/* Signals: the events of consoles. The system runs the handler in a thread of its own, so it may call any function. */

static uint32_t lipc__console_forwards; /* a bit for each event: whether previous handlers get it, too */
static uint32_t lipc__console_watched; /* a bit for each event: whether it is watched */
static uint32_t lipc__console_installed; /* whether the handler is installed */
static uint32_t lipc__console_ends; /* whether the process is to end; then a handler may not return */

static BOOL WINAPI lipc__console_handle(DWORD event) {
    lipc_signal_info info = {.size = sizeof info, .pid = -1, .uid = -1};
    if (event >= LIPC__SIGNALS || (lipc__load_acquire(&lipc__console_watched) & 1u << event) == 0)
        return FALSE;
    if (event >= CTRL_CLOSE_EVENT) /* before the program can get the event and close its watches */
        lipc__exchange(&lipc__console_ends, 1);
    info.signal = event == CTRL_C_EVENT ? SIGINT : 1000 + (int)event;
    lipc__signal_record((int)event, &info, false);
    if (lipc__load_acquire(&lipc__console_forwards) & 1u << event)
        return FALSE;
    if (event >= CTRL_CLOSE_EVENT) /* the system ends the process when this returns */
        Sleep(INFINITE);
    return TRUE;
}

static void lipc__process_mark(void) {
}

static uint32_t lipc__process(void) {
    return GetCurrentProcessId();
}

static void *lipc__pages(size_t size) {
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static void lipc__pages_free(void *memory, size_t size) {
    (void)size;
    VirtualFree(memory, 0, MEM_RELEASE);
}

/* Returns the number of the event. */
static int lipc__signal_index(int signal) {
    switch (signal) {
    case SIGINT: return CTRL_C_EVENT;
    case LIPC_SIGNAL_BREAK:
    case LIPC_SIGNAL_CLOSE:
    case LIPC_SIGNAL_LOGOFF:
    case LIPC_SIGNAL_SHUTDOWN: return signal - 1000;
    default: return lipc__fault(signal > 0 ? LIPC_ENOTSUP : LIPC_EINVAL);
    }
}

/* Installs the handler when the first event is watched, and removes it when none is watched any more. The system may
 * hold a lock while it calls handlers, so a handler that may not return stays installed. */
static int lipc__console_watch(uint32_t watched) {
    uint32_t installed = watched != 0;
    if (installed != lipc__console_installed && !lipc__load(&lipc__console_ends)) {
        if (!installed)
            SetConsoleCtrlHandler(lipc__console_handle, FALSE);
        else if (!SYS_TRUE(SetConsoleCtrlHandler(lipc__console_handle, TRUE)))
            return lipc__error_from(GetLastError());
        lipc__console_installed = installed;
    }
    lipc__store_release(&lipc__console_watched, watched);
    return 0;
}

static int lipc__signal_install(int event, const lipc__signal_wish *wish, bool begins) {
    uint32_t bit = 1u << event, forwards = lipc__load(&lipc__console_forwards) & ~bit;
    (void)begins;
    lipc__store_release(&lipc__console_forwards, wish->forwards ? forwards | bit : forwards);
    return lipc__console_watch(lipc__load(&lipc__console_watched) | bit);
}

static void lipc__signal_restore(int event) {
    (void)lipc__console_watch(lipc__load(&lipc__console_watched) & ~(1u << event));
}

/* An event that the handler sets, and the reader resets. */
static int lipc__signal_bell(lipc_handle *ret_handle, lipc_handle *ret_bell) {
    int r = lipc_event(ret_handle);
    if (r >= 0)
        *ret_bell = *ret_handle;
    return r;
}

static void lipc__signal_bell_close(lipc_handle handle, lipc_handle bell) {
    (void)bell;
    CloseHandle((HANDLE)handle);
}

static bool lipc__signal_ring(lipc_handle bell) {
    return SetEvent((HANDLE)bell);
}

static int lipc__signal_hush(lipc_handle handle) {
    switch (WaitForSingleObject((HANDLE)handle, 0)) {
    case WAIT_OBJECT_0: ResetEvent((HANDLE)handle); return 1;
    case WAIT_TIMEOUT: return 0;
    default: return lipc__error_from(GetLastError());
    }
}

static int lipc__signal_await(lipc_handle handle, lipc__deadline *deadline) {
    int left = lipc__time_left(deadline);
    if (left < -1)
        return left;
    return WaitForSingleObject((HANDLE)handle, lipc__milliseconds(left)) != WAIT_FAILED
               ? 0
               : lipc__error_from(GetLastError());
}

/* ------------------------------------------ Sending --------------------------------------------- */

int lipc_signal_send_group(int64_t group, int signal) {
    bool breaks = signal == LIPC_SIGNAL_BREAK;
    if (group < 0 || group > UINT32_MAX || group == 1 || signal <= 0)
        return lipc__fault(LIPC_EINVAL);
    if (!breaks && (signal != SIGINT || group != 0)) /* the system sends no Ctrl-C to a group, but reports success */
        return lipc__fault(LIPC_ENOTSUP);
    if (!SYS_TRUE(GenerateConsoleCtrlEvent(breaks ? CTRL_BREAK_EVENT : CTRL_C_EVENT, (DWORD)group)))
        return lipc__error_from(GetLastError());
    return 0;
}

int lipc_signal_realtime(int n) {
    (void)n;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_signal_send(int64_t pid, int signal) {
    (void)pid, (void)signal;
    return lipc__fault(LIPC_ENOTSUP);
}

int lipc_signal_queue(int64_t pid, int signal, int value) {
    (void)pid, (void)signal, (void)value;
    return lipc__fault(LIPC_ENOTSUP);
}
