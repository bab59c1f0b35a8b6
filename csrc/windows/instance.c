/* Instances of a pipe: how they are made. The first one takes the name. */

enum {
    LIPC__LISTEN_MS = 250, /* how long a server waits for a name that only clients of a server that is gone have open */
    LIPC__PIPE_BUFFER = 64 * 1024 /* the default size, in bytes, in each direction */
};

/* How an instance is made: the arguments of CreateNamedPipe, and more. */
typedef struct lipc__pipe_shape {
    lipc__wide path;
    bool in, out, message, half_close, accepts_remote, write_through, inherit, synchronous;
    DWORD instances, outbound, inbound, default_wait; /* as CreateNamedPipe has them */
    PSECURITY_DESCRIPTOR descriptor;                  /* LocalFree()'s */
} lipc__pipe_shape;

/* Wine 8 mistakes FILE_PIPE_REJECT_REMOTE_CLIENTS for message mode. No client of its pipes is remote. */
static bool lipc__on_wine(void) {
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

/* CreateNamedPipe that also asks for FILE_READ_ATTRIBUTES, without which GetNamedPipeHandleState fails for an end that
 * only writes. */
static BOOL lipc__create_pipe(const lipc__pipe_shape *shape, ULONG disposition, HANDLE *ret_handle) {
    wchar_t path[sizeof shape->path.text / sizeof *shape->path.text + 1];
    (void)swprintf(path, sizeof path / sizeof *path, L"\\??\\%ls", shape->path.text + 4); /* in place of \\.\ */
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, path);
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | (shape->inherit ? OBJ_INHERIT : 0), NULL,
                               shape->descriptor);
    IO_STATUS_BLOCK block;
    LARGE_INTEGER wait = {.QuadPart = -10000LL * (shape->default_wait > 0 ? shape->default_wait : 50)};
    ULONG access = (shape->in ? GENERIC_READ : 0) | (shape->out ? GENERIC_WRITE : 0) | FILE_READ_ATTRIBUTES |
                   SYNCHRONIZE;
    ULONG share = (shape->in ? FILE_SHARE_WRITE : 0) | (shape->out ? FILE_SHARE_READ : 0);
    ULONG options = (shape->synchronous ? FILE_SYNCHRONOUS_IO_NONALERT : 0) |
                    (shape->write_through ? FILE_WRITE_THROUGH : 0);
    ULONG mode = shape->message ? LIPC__PIPE_TYPE_MESSAGE : 0; /* how this end reads */
    ULONG type = (shape->message || shape->half_close ? LIPC__PIPE_TYPE_MESSAGE : 0) |
                 (shape->accepts_remote || lipc__on_wine() ? 0 : LIPC__PIPE_REJECT_REMOTE);
    NTSTATUS status = NtCreateNamedPipeFile(ret_handle, access, &attributes, &block, share, disposition, options, type,
                                            mode, 0, shape->instances, shape->inbound, shape->outbound, &wait);
    if (status < 0)
        SetLastError(RtlNtStatusToDosError(status));
    return status >= 0;
}

/* Makes an instance. FILE_CREATE: the first one of a new pipe; FILE_OPEN: one more of a pipe that exists. */
static int lipc__instance_create(const lipc__pipe_shape *shape, ULONG disposition, HANDLE *ret_handle) {
    HANDLE h;
    if (!SYS_TRUE(lipc__create_pipe(shape, disposition, &h)))
        return lipc__error_from(GetLastError());
    *ret_handle = h;
    return 0;
}

/* Connects to an instance, and leaves at once. Returns the system's error, or 0 if an instance was free. */
static DWORD lipc__knock(const wchar_t *path) {
    HANDLE h = SYS_HANDLE(CreateFileW(path, FILE_READ_ATTRIBUTES | SYNCHRONIZE, 0, NULL, OPEN_EXISTING,
                                      SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL));
    if (h == INVALID_HANDLE_VALUE)
        return GetLastError();
    CloseHandle(h);
    return 0;
}

static bool lipc__pipe_exists(const wchar_t *path) {
    return WaitNamedPipeW(path, 1) || GetLastError() == ERROR_SEM_TIMEOUT;
}

/* Whether a server has the pipe. ERROR_FILE_NOT_FOUND: only clients have it open, and others cannot connect to it. */
static bool lipc__is_served(const wchar_t *path) {
    if (WaitNamedPipeW(path, 1))
        return true;
    return GetLastError() == ERROR_SEM_TIMEOUT && lipc__knock(path) != ERROR_FILE_NOT_FOUND;
}

/* Makes a path that no other pipe has, and that nobody can guess. */
static int lipc__random_path(lipc__wide *ret_path) {
    uint64_t random[2];
    if (!SYS_TRUE(SystemFunction036(random, sizeof random)))
        return lipc__error_from(GetLastError());
    (void)swprintf(ret_path->text, LIPC__PIPE_PATH_LIMIT, L"\\\\.\\pipe\\" LIPC__WIDE(LIPC__UNNAMED) L"%016llx%016llx",
                   (unsigned long long)random[0], (unsigned long long)random[1]);
    return 0;
}

/* Whether two pipes have the same owner, access list, integrity label, type, directions and limit of instances. */
static bool lipc__is_alike(HANDLE a, HANDLE b) {
    const SECURITY_INFORMATION what =
        OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;
    enum { ROOM = 4096 }; /* in bytes; pipes with a longer security descriptor count as different */
    struct {
        DWORD size;
        lipc__pipe_local_information local;
        DWORD descriptor[ROOM / sizeof(DWORD)];
    } of[2] = {0};
    for (int i = 0; i < 2; i++) {
        HANDLE handle = i == 0 ? a : b;
        if (!SYS_TRUE(GetKernelObjectSecurity(handle, what, of[i].descriptor, ROOM, &of[i].size)) ||
            lipc__query(handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &of[i].local, sizeof of[i].local) < 0)
            return false;
    }
    return of[0].size == of[1].size && memcmp(of[0].descriptor, of[1].descriptor, of[0].size) == 0 &&
           of[0].local.type == of[1].local.type && of[0].local.configuration == of[1].local.configuration &&
           of[0].local.maximum_instances == of[1].local.maximum_instances;
}

/* Makes an instance of a pipe that has clients, but no server any more. The pipe has to be like one that this process
 * would make: then a server of this user made it, and nobody else can make instances of it. */
static int lipc__take_over(const lipc__pipe_shape *shape, HANDLE *ret_handle) {
    lipc__pipe_shape shape_of_own = *shape;
    HANDLE own = NULL, handle = NULL;
    int r = lipc__random_path(&shape_of_own.path);
    if (r < 0)
        return r;
    r = lipc__instance_create(&shape_of_own, FILE_CREATE, &own);
    if (r < 0)
        return r;
    r = lipc__instance_create(shape, FILE_OPEN, &handle);
    if (r < 0) {
        CloseHandle(own);
        return r;
    }
    bool alike = lipc__is_alike(handle, own);
    CloseHandle(own);
    if (!alike) {
        CloseHandle(handle);
        return lipc__error(LIPC_EADDRINUSE, ERROR_ACCESS_DENIED);
    }
    *ret_handle = handle;
    return 0;
}

/* Whether a result is that of making the first instance of a pipe that exists. */
static bool lipc__is_refused(int r) {
    return lipc_error_os(r) == ERROR_ACCESS_DENIED || lipc_error_os(r) == ERROR_PIPE_BUSY;
}

/* Makes one attempt at the first instance. LIPC_EADDRINUSE: a server has the name. A result that lipc__is_refused()
 * knows: the pipe exists, but no server has it. */
static int lipc__instance_first_once(const lipc__pipe_shape *shape, bool locked, HANDLE *ret_handle) {
    if (lipc__is_served(shape->path.text))
        return lipc__fault(LIPC_EADDRINUSE);
    int r = lipc__instance_create(shape, FILE_CREATE, ret_handle);
    if (!lipc__is_refused(r) || !locked)
        return r;
    int taken = lipc__take_over(shape, ret_handle);
    return lipc_error_os(taken) == ERROR_FILE_NOT_FOUND ? r : taken; /* the pipe is gone by now, or was never there */
}

/* Makes the first instance of a server. LIPC_EADDRINUSE: another server has the name, or clients of somebody
 * else's server that is gone.
 *
 * Windows does not make a pipe that exists (FILE_CREATE; FILE_FLAG_FIRST_PIPE_INSTANCE stands for it). It fails with
 * ERROR_ACCESS_DENIED, or with ERROR_PIPE_BUSY if the pipe has as many instances as it may. Wine 8 does not refuse;
 * there the lock keeps servers apart. */
static int lipc__instance_first(const lipc__pipe_shape *shape, HANDLE *ret_handle) {
    lipc__deadline deadline = {.timeout_ms = LIPC__LISTEN_MS};
    HANDLE lock = lipc__lock(shape->path.text);
    int r;
    do
        r = lipc__instance_first_once(shape, lock != NULL, ret_handle);
    while (lipc__is_refused(r) && lipc__pause(&deadline) >= 0);
    lipc__unlock(lock);
    if (lipc__is_refused(r) && (lipc_error_os(r) == ERROR_PIPE_BUSY || lipc__pipe_exists(shape->path.text)))
        return lipc__fault(LIPC_EADDRINUSE);
    return r;
}
