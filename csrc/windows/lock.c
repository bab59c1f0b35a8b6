/* The lock of a name, which a server holds while it begins to listen. */

/* How long a server waits for others, each of which holds the lock for about LIPC__LISTEN_MS at most. */
enum { LIPC__LOCK_MS = 2000 };

/* Takes the lock of a name, so that no other server comes between looking at the name and making an instance. NULL:
 * another program held it for too long, which any program can do. Then a pipe is not taken over, and only Windows
 * itself keeps servers apart. */
static HANDLE lipc__lock(const wchar_t *path) {
    static const wchar_t prefix[] = L"Global\\lipc.";
    wchar_t name[sizeof prefix / sizeof *prefix + LIPC__PIPE_PATH_LIMIT];
    size_t at = wcslen(prefix);
    memcpy(name, prefix, sizeof prefix);
    /* Names of pipes ignore case, those of mutexes do not. */
    for (path += wcslen(L"\\\\.\\pipe\\"); *path != L'\0'; path++)
        name[at++] = *path == L'\\' ? L'/' : RtlUpcaseUnicodeChar(*path);
    name[at] = L'\0';
    HANDLE lock = SYS_ALLOCATE(CreateMutexW(NULL, FALSE, name));
    DWORD waited = lock == NULL ? WAIT_FAILED : WaitForSingleObject(lock, LIPC__LOCK_MS);
    if (waited == WAIT_OBJECT_0 || waited == WAIT_ABANDONED)
        return lock;
    if (lock != NULL)
        CloseHandle(lock);
    return NULL;
}

static void lipc__unlock(HANDLE lock) {
    if (lock == NULL)
        return;
    ReleaseMutex(lock);
    CloseHandle(lock);
}
