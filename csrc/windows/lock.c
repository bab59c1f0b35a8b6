/* The lock of a name: servers begin to listen on it one at a time. */

enum { LIPC__LOCK_MS = 2000 }; /* that a server waits for others, each of which holds the lock for LIPC__LISTEN_MS at most */

/* One at a time of those that begin to listen on a name has the lock, so that no other server comes between a look at
 * the name and the making of an instance. NULL if somebody holds it too long, which any program can do: then a pipe is
 * not taken over, and Windows alone keeps servers apart. */
static HANDLE lipc__lock(const wchar_t *path) {
    static const wchar_t prefix[] = L"Global\\lipc.";
    wchar_t name[sizeof prefix / sizeof *prefix + LIPC__PIPE_PATH_LIMIT];
    size_t at = wcslen(prefix);
    memcpy(name, prefix, sizeof prefix);
    for (path += wcslen(L"\\\\.\\pipe\\"); *path != L'\0'; path++)
        name[at++] = *path == L'\\' ? L'/' : RtlUpcaseUnicodeChar(*path); /* pipes ignore case, mutexes do not */
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
