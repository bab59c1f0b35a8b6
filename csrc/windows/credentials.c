/* Who a peer is. */

/* Functions that not every header declares, and that Wine 8 does not have. */
typedef NTSTATUS(NTAPI *lipc__query_volume)(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, int);
typedef BOOL(WINAPI *lipc__computer_name)(HANDLE, LPWSTR, ULONG);

static void (*lipc__function(const wchar_t *library, const char *name))(void) {
    return (void (*)(void))GetProcAddress(GetModuleHandleW(library), name);
}

static bool lipc__client_is_remote(HANDLE handle) {
    wchar_t name[256];
    lipc__computer_name get = (lipc__computer_name)lipc__function(L"kernel32.dll", "GetNamedPipeClientComputerNameW");
    return get != NULL && (get(handle, name, sizeof name) || GetLastError() != ERROR_PIPE_LOCAL);
}

static bool lipc__server_is_remote(HANDLE handle) {
    lipc__device_information device = {0, 0};
    IO_STATUS_BLOCK block;
    lipc__query_volume query = (lipc__query_volume)lipc__function(L"ntdll.dll", "NtQueryVolumeInformationFile");
    return query(handle, &block, &device, sizeof device, LIPC__FILE_FS_DEVICE_INFORMATION) < 0 ||
           (device.characteristics & LIPC__FILE_REMOTE_DEVICE);
}

/* Whether the peer is on another machine. Its ids are only what that machine claims then. */
static bool lipc__peer_is_remote(HANDLE handle, DWORD flags) {
    return flags & PIPE_SERVER_END ? lipc__client_is_remote(handle) : lipc__server_is_remote(handle);
}

int lipc_pipe_is_server(lipc_handle handle) {
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    return r < 0 ? r : (flags & PIPE_SERVER_END) != 0;
}

int lipc_pipe_ids_get(lipc_handle handle, lipc_pipe_ids *ret_ids) {
    DWORD flags;
    ULONG client, client_session, server, server_session;
    HANDLE h = (HANDLE)handle;
    int r = lipc__check_pipe(h, &flags);
    if (r < 0)
        return r;
    if (!SYS_TRUE(GetNamedPipeClientProcessId(h, &client)) || !SYS_TRUE(GetNamedPipeServerProcessId(h, &server)) ||
        !SYS_TRUE(GetNamedPipeClientSessionId(h, &client_session)) ||
        !SYS_TRUE(GetNamedPipeServerSessionId(h, &server_session)))
        return lipc__error_from(GetLastError());
    if (lipc__peer_is_remote(h, flags)) {
        if (flags & PIPE_SERVER_END)
            client = client_session = LIPC_REMOTE;
        else
            server = server_session = LIPC_REMOTE;
    }
    *ret_ids = (lipc_pipe_ids){client, client_session, server, server_session};
    return 0;
}

int lipc_peer_credentials(lipc_handle handle, lipc_credentials *ret_credentials) {
    DWORD flags;
    HANDLE h = (HANDLE)handle;
    int64_t pid = -1;
    int r = lipc__check_pipe(h, &flags);
    if (r < 0)
        return r;
    if (!lipc__peer_is_remote(h, flags)) {
        ULONG id;
        BOOL known = flags & PIPE_SERVER_END ? SYS_TRUE(GetNamedPipeClientProcessId(h, &id))
                                             : SYS_TRUE(GetNamedPipeServerProcessId(h, &id));
        if (!known)
            return lipc__error_from(GetLastError());
        pid = id;
    }
    memset(ret_credentials, 0xff, sizeof *ret_credentials);
    ret_credentials->pid = pid;
    return 0;
}

int lipc_peer_groups(lipc_handle handle, size_t capacity, uint32_t *ret_groups) {
    DWORD flags;
    (void)capacity, (void)ret_groups;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    return r < 0 ? r : lipc__fault(LIPC_ENOTSUP);
}

int lipc_set_pass_credentials(lipc_handle handle, int on) {
    DWORD flags;
    (void)on;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    return r < 0 ? r : lipc__fault(LIPC_ENOTSUP);
}

/* Opens the token of the user whom this thread acts as; NULL if it acts as the process itself. */
static int lipc__acting_as(HANDLE *ret_token) {
    *ret_token = NULL;
    if (OpenThreadToken(GetCurrentThread(), TOKEN_IMPERSONATE | TOKEN_QUERY, TRUE, ret_token) ||
        GetLastError() == ERROR_NO_TOKEN)
        return 0;
    return lipc__error_from(GetLastError());
}

static int lipc__act_as_client(lipc_handle handle) {
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    if (!(flags & PIPE_SERVER_END))
        return lipc__fault(LIPC_ENOTSOCK);
    return SYS_TRUE(ImpersonateNamedPipeClient((HANDLE)handle)) ? 0 : lipc__error_from(GetLastError());
}

int lipc_impersonate(lipc_handle handle) {
    HANDLE token;
    if (lipc__acting_as(&token) < 0)
        return lipc__fault(LIPC_EINVAL);
    if (token != NULL) {
        CloseHandle(token);
        return lipc__fault(LIPC_EINVAL);
    }
    return lipc__act_as_client(handle);
}

int lipc_revert(void) {
    return SYS_TRUE(RevertToSelf()) ? 0 : lipc__error_from(GetLastError());
}

/* Opens the token of the user whom the client connected as. */
static int lipc__client_token(lipc_handle handle, HANDLE *ret_token) {
    HANDLE acting_as;
    int r = lipc__acting_as(&acting_as);
    if (r < 0)
        return r;
    r = lipc__act_as_client(handle);
    if (r >= 0) {
        if (!SYS_TRUE(OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, ret_token)))
            r = lipc__error_from(GetLastError());
        if (!SetThreadToken(NULL, acting_as))
            abort(); /* this thread would go on as another user */
    }
    if (acting_as != NULL)
        CloseHandle(acting_as);
    return r;
}

/* Whether a client's token has the group of administrators, and has it enabled. The token of an administrator that is
 * not elevated has it, too, but only to be denied access. The system asks no other machine for that. */
static bool lipc__is_administrators(HANDLE token) {
    DWORD administrators[SECURITY_MAX_SID_SIZE / sizeof(DWORD)], size = sizeof administrators;
    BOOL is_member;
    return SYS_TRUE(CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, administrators, &size)) &&
           SYS_TRUE(CheckTokenMembership(token, administrators, &is_member)) && is_member;
}

/* The user whom the client connected as, as text. ret_is_administrator may be NULL. */
static int lipc__client_sid(lipc_handle handle, char *ret_sid, size_t size, bool *ret_is_administrator) {
    HANDLE token = NULL;
    int r = lipc__client_token(handle, &token);
    /* The client may not let it be known. The user of its process id is no substitute: another process may have that
     * id. */
    if (r < 0)
        return r;
    r = lipc__token_sid(token, ret_sid, size);
    if (r >= 0 && ret_is_administrator != NULL)
        *ret_is_administrator = lipc__is_administrators(token);
    CloseHandle(token);
    return r;
}

/* The owner of the pipe, as text. That of a pipe on another machine is only what that machine claims. */
static int lipc__server_sid(lipc_handle handle, char *ret_sid, size_t size) {
    if (lipc__server_is_remote((HANDLE)handle))
        return lipc__fault(LIPC_EACCES);
    return lipc__owner_sid((HANDLE)handle, ret_sid, size);
}

int lipc_peer_sid(lipc_handle handle, char *buffer, size_t size) {
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    return flags & PIPE_SERVER_END ? lipc__client_sid(handle, buffer, size, NULL)
                                   : lipc__server_sid(handle, buffer, size);
}

/* A user, for the policy. */
typedef struct lipc__identity {
    char sid[LIPC_SID_CAPACITY]; /* "": not known */
    bool is_administrator;       /* a client that lipc__is_administrators() */
} lipc__identity;

static lipc__identity lipc__identity_from(int64_t uid, const char *sid) {
    lipc__identity who = {.sid = ""};
    (void)uid;
    if (sid != NULL && strlen(sid) < sizeof who.sid)
        memcpy(who.sid, sid, strlen(sid));
    return who;
}

static int lipc__identity_of(lipc_handle handle, lipc__identity *ret_identity) {
    lipc__identity who = {.sid = ""};
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    r = flags & PIPE_SERVER_END ? lipc__client_sid(handle, who.sid, sizeof who.sid, &who.is_administrator)
                                : lipc__server_sid(handle, who.sid, sizeof who.sid);
    if (lipc_error_code(r) == LIPC_EAGAIN) /* the client is not known before something was read from it */
        return lipc__fault(LIPC_EACCES);
    if (r < 0)
        return r;
    *ret_identity = who;
    return 0;
}

static bool lipc__is_known(const lipc__identity *who) {
    return who->sid[0] != '\0';
}

static bool lipc__is_same_user(const lipc__identity *who) {
    char sid[LIPC_SID_CAPACITY];
    return lipc__process_sid(GetCurrentProcess(), sid, sizeof sid) >= 0 && strcmp(who->sid, sid) == 0;
}

static bool lipc__is_admin(const lipc__identity *who) {
    return who->is_administrator || strcmp(who->sid, "S-1-5-18") == 0 || strcmp(who->sid, "S-1-5-32-544") == 0;
}

static bool lipc__is_listed(const lipc_peer_policy *p, const lipc__identity *who) {
    for (size_t i = 0; i < p->sid_count; i++)
        if (strcmp(who->sid, p->sids[i]) == 0)
            return true;
    return false;
}
