/* Listeners: a name, and instances of its pipe that wait for clients. */

enum {
    LIPC__PENDING_LEAST = 2, /* so that a client that comes while another is being accepted finds one */
    LIPC__PENDING_DEFAULT = 8,
    LIPC__PENDING_MOST = 64,
    LIPC__LISTEN_MS = 250, /* that a name is waited for which only clients of a server that is gone have open */
    LIPC__LOCK_MS = 2000,  /* that others are waited for who begin to listen on it, each for so long */
    LIPC__PIPE_BUFFER = 64 * 1024
};

/* An instance that waits for a client. */
typedef struct lipc__instance {
    HANDLE handle;
    OVERLAPPED connecting;
} lipc__instance;

/* What an instance is to be like. */
typedef struct lipc__pipe_shape {
    lipc__wide path;
    bool in, out, message, accepts_remote, write_through, inherit, synchronous;
    DWORD instances, outbound, inbound, default_wait; /* as CreateNamedPipe has them */
    PSECURITY_DESCRIPTOR descriptor;                  /* LocalFree()'s */
} lipc__pipe_shape;

struct lipc_listener {
    lipc_name name;
    lipc__pipe_shape shape;
    HANDLE turn;   /* a semaphore of one, for who accepts */
    HANDLE event;  /* of all instances: set when a client has connected to one */
    HANDLE shared; /* the same for the caller, who may own it */
    bool owns_shared;
    HANDLE reserve; /* see lipc__reserve() */
    size_t wanted, count;
    lipc__instance *pending[LIPC__PENDING_MOST];
};

/* Wine 8 takes FILE_PIPE_REJECT_REMOTE_CLIENTS for message mode; no client of its pipes is remote. */
static bool lipc__on_wine(void) {
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

/* CreateNamedPipe, but for what that does not ask for: without FILE_READ_ATTRIBUTES an end that only writes could not
 * be asked what it is, GetNamedPipeHandleState. */
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
    ULONG access = (shape->in ? GENERIC_READ : 0) | (shape->out ? GENERIC_WRITE : 0) | FILE_READ_ATTRIBUTES | SYNCHRONIZE;
    ULONG share = (shape->in ? FILE_SHARE_WRITE : 0) | (shape->out ? FILE_SHARE_READ : 0);
    ULONG options = (shape->synchronous ? FILE_SYNCHRONOUS_IO_NONALERT : 0) |
                    (shape->write_through ? FILE_WRITE_THROUGH : 0);
    ULONG mode = shape->message ? LIPC__PIPE_TYPE_MESSAGE : 0;
    ULONG type = mode | (shape->accepts_remote || lipc__on_wine() ? 0 : LIPC__PIPE_REJECT_REMOTE);
    NTSTATUS status = NtCreateNamedPipeFile(ret_handle, access, &attributes, &block, share, disposition, options, type,
                                            mode, 0, shape->instances, shape->inbound, shape->outbound, &wait);
    if (status < 0)
        SetLastError(RtlNtStatusToDosError(status));
    return status >= 0;
}

/* Makes an instance: with FILE_CREATE the first of a new pipe, with FILE_OPEN one of a pipe that is there. */
static int lipc__instance_create(const lipc__pipe_shape *shape, ULONG disposition, HANDLE *ret_handle) {
    HANDLE h;
    if (!SYS_TRUE(lipc__create_pipe(shape, disposition, &h)))
        return lipc__error_from(GetLastError());
    *ret_handle = h;
    return 0;
}

/* Connects to an instance for no purpose of its own. Returns the system's error, 0 if one was free. */
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

/* Whether a server has the pipe. One that only clients have open is not found by others. */
static bool lipc__is_served(const wchar_t *path) {
    if (WaitNamedPipeW(path, 1))
        return true;
    return GetLastError() == ERROR_SEM_TIMEOUT && lipc__knock(path) != ERROR_FILE_NOT_FOUND;
}

/* A path that nobody else has, or can wait for. */
static int lipc__random_path(lipc__wide *ret_path) {
    uint64_t random[2];
    if (!SYS_TRUE(SystemFunction036(random, sizeof random)))
        return lipc__error_from(GetLastError());
    (void)swprintf(ret_path->text, LIPC__PIPE_PATH_LIMIT, L"\\\\.\\pipe\\" LIPC__WIDE(LIPC__UNNAMED) L"%016llx%016llx",
                   (unsigned long long)random[0], (unsigned long long)random[1]);
    return 0;
}

/* Whether two pipes have the same owner, list of who may do what, integrity label, type, directions and limit. */
static bool lipc__is_alike(HANDLE a, HANDLE b) {
    const SECURITY_INFORMATION what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;
    enum { ROOM = 4096 }; /* in bytes; a longer descriptor is not compared */
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

/* Makes an instance of a pipe that has no server any more, but clients, if it is as one of this process would be: then
 * a server of this user made it, and nobody else can make instances of it. */
static int lipc__take_over(const lipc__pipe_shape *shape, HANDLE *ret_handle) {
    lipc__pipe_shape shape_of_own = *shape;
    HANDLE own = NULL, handle = NULL;
    int r = lipc__random_path(&shape_of_own.path);
    if (r >= 0)
        r = lipc__instance_create(&shape_of_own, FILE_CREATE, &own);
    if (r < 0)
        return r;
    r = lipc__instance_create(shape, FILE_OPEN, &handle);
    if (r >= 0 && !lipc__is_alike(handle, own)) {
        CloseHandle(handle);
        r = lipc__error(LIPC_EADDRINUSE, ERROR_ACCESS_DENIED);
    }
    CloseHandle(own);
    if (r < 0)
        return r;
    *ret_handle = handle;
    return 0;
}

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

/* Whether an instance was refused, as it is when the pipe is there. */
static bool lipc__is_refused(int r) {
    return lipc_error_os(r) == ERROR_ACCESS_DENIED || lipc_error_os(r) == ERROR_PIPE_BUSY;
}

/* Makes the first instance of a server, and fails with LIPC_EADDRINUSE if another has the name, or somebody else's
 * clients. Windows refuses to make a pipe that is there (FILE_CREATE, which FILE_FLAG_FIRST_PIPE_INSTANCE stands for):
 * it says ERROR_ACCESS_DENIED, or ERROR_PIPE_BUSY if there are too many instances of it. Wine 8 does not; there the
 * lock keeps servers apart. */
static int lipc__instance_first(const lipc__pipe_shape *shape, HANDLE *ret_handle) {
    lipc__deadline deadline = {.timeout_ms = LIPC__LISTEN_MS};
    HANDLE lock = lipc__lock(shape->path.text);
    bool refused;
    int r;
    do {
        r = lipc__is_served(shape->path.text) ? lipc__fault(LIPC_EADDRINUSE)
                                              : lipc__instance_create(shape, FILE_CREATE, ret_handle);
        refused = lipc__is_refused(r);
        if (refused && lock != NULL) {
            int taken = lipc__take_over(shape, ret_handle);
            if (lipc_error_os(taken) != ERROR_FILE_NOT_FOUND) /* since there is none, or none any more */
                r = taken;
            refused = lipc__is_refused(r);
        }
    } while (refused && lipc__pause(&deadline) >= 0);
    lipc__unlock(lock);
    if (refused && (lipc_error_os(r) == ERROR_PIPE_BUSY || lipc__pipe_exists(shape->path.text)))
        return lipc__fault(LIPC_EADDRINUSE);
    return r;
}

/* Lets an instance wait for a client. If one has come already, and maybe gone, leaving something to read, it is over.
 * */
static int lipc__instance_listen(lipc__instance *i, HANDLE event) {
    memset(&i->connecting, 0, sizeof i->connecting);
    i->connecting.hEvent = lipc__quiet(event);
    DWORD error = SYS_TRUE(ConnectNamedPipe(i->handle, &i->connecting)) ? 0 : GetLastError();
    switch (error) {
    case 0:
    case ERROR_IO_PENDING: return 0;
    case ERROR_PIPE_CONNECTED:
    case ERROR_NO_DATA: i->connecting.Internal = 0; return 0;
    default: return lipc__error_from(error);
    }
}

/* Has an instance wait with the others, or closes it. */
static int lipc__instance_add(lipc_listener *l, HANDLE handle) {
    lipc__instance *i = SYS_ALLOCATE(calloc(1, sizeof *i));
    int r = i == NULL ? lipc__fault(LIPC_ENOMEM) : 0;
    if (r >= 0) {
        i->handle = handle;
        r = lipc__instance_listen(i, l->event);
    }
    if (r < 0) {
        CloseHandle(handle);
        free(i);
        return r;
    }
    l->pending[l->count++] = i;
    return 0;
}

static int lipc__instance_new(lipc_listener *l) {
    HANDLE handle = NULL;
    int r = lipc__instance_create(&l->shape, FILE_OPEN, &handle);
    return r < 0 ? r : lipc__instance_add(l, handle);
}

/* There may be a time when no instance waits, since none can be made, and all connections end. So that the name is not
 * free then, for somebody else whose pipe further instances would join, one instance more is kept, to which nobody can
 * connect: this process has connected to it, and it does not listen again. A client that was quicker is accepted,
 * unless that happens again and again. */
static int lipc__reserve(lipc_listener *l, HANDLE handle) {
    for (;;) {
        DWORD error = lipc__knock(l->shape.path.text);
        if (error == 0 || (error == ERROR_PIPE_BUSY && l->count == l->wanted)) {
            l->reserve = handle;
            return SYS_TRUE(DisconnectNamedPipe(handle)) ? 0 : lipc__error_from(GetLastError());
        }
        if (error != ERROR_PIPE_BUSY) {
            CloseHandle(handle);
            return lipc__error_from(error);
        }
        int r = lipc__instance_add(l, handle);
        if (r >= 0)
            r = lipc__instance_create(&l->shape, FILE_OPEN, &handle);
        if (r < 0)
            return r;
    }
}

/* Makes as many instances wait as are wanted. Fails only if none waits then. */
static int lipc__replenish(lipc_listener *l) {
    int r = 0;
    while (r >= 0 && l->count < l->wanted)
        r = lipc__instance_new(l);
    return l->count > 0 ? 0 : r;
}

/* Takes the instance that a client has connected to, INVALID_HANDLE_VALUE if there is none; then the event is unset
 * until there is one. An instance starts to wait again if the thread is gone that made it wait: the system has ended
 * its operations. Every operation that starts unsets the event, so all instances are looked at again then. */
static HANDLE lipc__take_connected(lipc_listener *l) {
    for (bool restarted = true; restarted;) {
        restarted = false;
        (void)SYS_TRUE(ResetEvent(l->event));
        for (size_t at = 0; at < l->count; at++) {
            lipc__instance *i = l->pending[at];
            DWORD size;
            if (!lipc__is_over(&i->connecting))
                continue;
            bool connected = GetOverlappedResult(i->handle, &i->connecting, &size, FALSE);
            if (!connected && lipc__instance_listen(i, l->event) >= 0) {
                restarted = true;
                continue;
            }
            HANDLE handle = i->handle;
            l->pending[at--] = l->pending[--l->count];
            free(i);
            if (connected)
                return handle;
            CloseHandle(handle);
        }
    }
    return INVALID_HANDLE_VALUE;
}

static int lipc__accept(lipc_listener *l, lipc__deadline *deadline, HANDLE *ret_handle) {
    for (;;) {
        int r = lipc__replenish(l);
        bool starved = r < 0 && lipc_error_os(r) == ERROR_PIPE_BUSY; /* until a connection ends */
        if (r < 0 && !starved)
            return r;
        HANDLE handle = lipc__take_connected(l);
        if (handle != INVALID_HANDLE_VALUE) {
            lipc__replenish(l);
            SetEvent(l->event); /* there may be more */
            *ret_handle = handle;
            return 0;
        }
        if (starved) {
            int waited = lipc__pause(deadline);
            if (waited < 0)
                return lipc_error_code(waited) == LIPC_EAGAIN ? r : waited;
            continue;
        }
        int left = lipc__time_left(deadline);
        if (left < -1)
            return left;
        WaitForSingleObject(l->event, left == -1 ? INFINITE : (DWORD)left);
    }
}

int lipc_accept(lipc_listener *l, int timeout_ms, lipc_name *ret_peer, lipc_handle *ret_connection) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    HANDLE handle = INVALID_HANDLE_VALUE;
    int left = timeout_ms == 0 ? 0 : lipc__time_left(&deadline);
    if (WaitForSingleObject(l->turn, left == -1 ? INFINITE : (DWORD)left) != WAIT_OBJECT_0)
        return lipc__fault(timeout_ms == 0 ? LIPC_EAGAIN : LIPC_ETIMEDOUT);
    int r = lipc__accept(l, &deadline, &handle);
    ReleaseSemaphore(l->turn, 1, NULL);
    if (r < 0)
        return r;
    if (ret_peer != NULL)
        memset(ret_peer, 0, sizeof *ret_peer);
    *ret_connection = (lipc_handle)handle;
    return 0;
}

static int lipc__shape_of(const lipc_name *name, const lipc_listen_options *o, const lipc_listen_windows *w,
                          lipc__pipe_shape *ret_shape) {
    if (o->kind == LIPC_DATAGRAM)
        return lipc__fault(LIPC_ENOTSUP);
    if ((o->kind != 0 && o->kind != LIPC_STREAM && o->kind != LIPC_MESSAGE) || o->mode > 0777 || o->backlog < 0 ||
        w->direction < LIPC_DIRECTION_DEFAULT || w->direction > LIPC_DIRECTION_SERVER_TO_CLIENT ||
        w->instances >= PIPE_UNLIMITED_INSTANCES || w->inbound_buffer > LIPC__MOST || w->outbound_buffer > LIPC__MOST)
        return lipc__fault(LIPC_EINVAL);
    lipc__pipe_shape shape = {
        .in = w->direction != LIPC_DIRECTION_SERVER_TO_CLIENT,
        .out = w->direction != LIPC_DIRECTION_CLIENT_TO_SERVER,
        .message = o->kind == LIPC_MESSAGE,
        .accepts_remote = w->accept_remote != 0,
        .write_through = w->write_through != 0,
        .inherit = w->inherit != 0,
        .instances = w->instances > 0 ? w->instances + 1 : (DWORD)-1,
        .inbound = w->inbound_buffer > 0 ? w->inbound_buffer : LIPC__PIPE_BUFFER,
        .outbound = w->outbound_buffer > 0 ? w->outbound_buffer : LIPC__PIPE_BUFFER,
        .default_wait = w->default_wait_ms,
    };
    int r = lipc__wide_of(name, &shape.path);
    if (r >= 0 && lipc__is_remote(&shape.path))
        r = lipc__fault(LIPC_ENAME);
    if (r >= 0)
        r = lipc__descriptor_of(o->mode, w->sddl, &shape.descriptor);
    if (r >= 0)
        *ret_shape = shape;
    return r;
}

int lipc_listen(const lipc_name *name, const lipc_listen_options *options, lipc_listener **ret_listener) {
    lipc_listen_options o;
    lipc_listen_windows w;
    int r = lipc__options(&o, sizeof o, options);
    if (r >= 0)
        r = lipc__options(&w, sizeof w, o.windows);
    if (r < 0)
        return r;
    lipc_listener *l = SYS_ALLOCATE(calloc(1, sizeof *l));
    if (l == NULL)
        return lipc__fault(LIPC_ENOMEM);
    r = lipc__shape_of(name, &o, &w, &l->shape);
    if (r < 0) {
        free(l);
        return r;
    }
    l->wanted = o.backlog > 0 ? (size_t)o.backlog : LIPC__PENDING_DEFAULT;
    l->wanted = max(LIPC__PENDING_LEAST, min(l->wanted, LIPC__PENDING_MOST));
    if (w.instances > 0)
        l->wanted = min(l->wanted, w.instances);
    l->name = *name;
    HANDLE first = NULL, self = GetCurrentProcess();
    l->owns_shared = true;
    l->turn = SYS_ALLOCATE(CreateSemaphoreW(NULL, 1, 1, NULL));
    l->event = l->turn == NULL ? NULL : SYS_ALLOCATE(CreateEventW(NULL, TRUE, FALSE, NULL));
    if (l->event == NULL ||
        !SYS_TRUE(DuplicateHandle(self, l->event, self, &l->shared, 0, FALSE, DUPLICATE_SAME_ACCESS)))
        r = lipc__error_from(GetLastError());
    else
        r = lipc__instance_first(&l->shape, &first);
    if (r >= 0)
        r = lipc__reserve(l, first);
    if (r >= 0) {
        r = lipc__replenish(l); /* which a descriptor may not allow */
        if (lipc_error_os(r) == ERROR_PIPE_BUSY)
            r = 0; /* clients of a server that is gone have as many as there may be */
    }
    if (r < 0) {
        lipc_listener_close(l);
        return r;
    }
    *ret_listener = l;
    return 0;
}

int lipc_listener_adopt(lipc_handle handle, const lipc_listen_options *options, lipc_listener **ret_listener) {
    (void)handle, (void)options, (void)ret_listener;
    return lipc__fault(LIPC_ENOTSUP);
}

lipc_handle lipc_listener_handle(const lipc_listener *l) {
    return (lipc_handle)l->shared;
}

lipc_handle lipc_listener_detach(lipc_listener *l) {
    l->owns_shared = false;
    return (lipc_handle)l->shared;
}

void lipc_listener_name(const lipc_listener *l, lipc_name *ret_name) {
    *ret_name = l->name;
}

void lipc_listener_set_unlink(lipc_listener *l, int unlink) {
    (void)l, (void)unlink; /* the name goes with the last instance */
}

/* Closes an instance once the system no longer writes to it. The event says when to look; not for ever, since whoever
 * shares it may reset it. */
static void lipc__instance_close(lipc__instance *i, HANDLE event) {
    CancelIoEx(i->handle, &i->connecting);
    while (!lipc__is_over(&i->connecting))
        WaitForSingleObject(event, 1);
    CloseHandle(i->handle);
    free(i);
}

void lipc_listener_close(lipc_listener *l) {
    if (l == NULL)
        return;
    while (l->count > 0)
        lipc__instance_close(l->pending[--l->count], l->event);
    if (l->reserve != NULL)
        CloseHandle(l->reserve);
    if (l->shared != NULL && l->owns_shared)
        CloseHandle(l->shared);
    if (l->event != NULL)
        CloseHandle(l->event);
    if (l->turn != NULL)
        CloseHandle(l->turn);
    LocalFree(l->shape.descriptor);
    free(l);
}
