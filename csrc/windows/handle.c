/* Handles: kinds, adopting, duplicating, names, buffer sizes. */

/* The result for a status that is an error. */
static int lipc__error_of_status(NTSTATUS status) {
    return lipc__error_from(RtlNtStatusToDosError(status));
}

/* Queries information about a handle from the file system. */
static int lipc__query(HANDLE handle, int class, void *ret_information, ULONG size) {
    IO_STATUS_BLOCK block;
    NTSTATUS status = NtQueryInformationFile(handle, &block, ret_information, size, (FILE_INFORMATION_CLASS)class);
    return status < 0 ? lipc__error_of_status(status) : 0;
}

/* Checks that a handle is a pipe, and returns its flags. */
static int lipc__check_pipe(HANDLE handle, DWORD *ret_flags) {
    DWORD type = GetFileType(handle);
    if (type == FILE_TYPE_UNKNOWN && GetLastError() == ERROR_INVALID_HANDLE)
        return lipc__error_from(ERROR_INVALID_HANDLE);
    if (type != FILE_TYPE_PIPE)
        return lipc__fault(LIPC_ENOTSOCK);
    if (SYS_TRUE(GetNamedPipeInfo(handle, ret_flags, NULL, NULL, NULL)))
        return 0;
    DWORD error = GetLastError();
    if (error == ERROR_INVALID_FUNCTION || error == ERROR_INVALID_PARAMETER) /* a socket, which has the same type */
        return lipc__error(LIPC_ENOTSOCK, (int)error);
    return lipc__error_from(error);
}

/* Replaces a handle by one for the same end of the pipe with that access. */
static int lipc__change_access(HANDLE *handle, DWORD access) {
    HANDLE changed, self = GetCurrentProcess();
    DWORD flags = 0;
    if (!SYS_TRUE(GetHandleInformation(*handle, &flags)) ||
        !SYS_TRUE(DuplicateHandle(self, *handle, self, &changed, access, (flags & HANDLE_FLAG_INHERIT) != 0, 0)))
        return lipc__error_from(GetLastError());
    CloseHandle(*handle);
    *handle = changed;
    return 0;
}

int lipc_pipe_access(lipc_handle handle) {
    DWORD flags;
    ACCESS_MASK granted = 0;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    r = lipc__query((HANDLE)handle, LIPC__FILE_ACCESS_INFORMATION, &granted, sizeof granted);
    if (r < 0)
        return r;
    return (granted & FILE_READ_DATA ? LIPC_READ : 0) | (granted & FILE_WRITE_DATA ? LIPC_WRITE : 0);
}

/* Whether an end reads messages, or, if it does not read, whether it writes messages. An end that was disconnected does
 * not report how it reads, and counts as one of messages. */
static bool lipc__is_message(HANDLE handle, DWORD flags) {
    DWORD state = 0;
    if (!(flags & PIPE_TYPE_MESSAGE))
        return false;
    if (!GetNamedPipeHandleStateW(handle, &state, NULL, NULL, NULL, NULL, 0) &&
        GetLastError() == ERROR_PIPE_NOT_CONNECTED)
        return true;
    return (state & PIPE_READMODE_MESSAGE) || lipc_pipe_access((lipc_handle)handle) == LIPC_WRITE;
}

/* Whether an end is one of bytes on a pipe of messages. There an empty message is the end of its direction. */
static bool lipc__has_halves(HANDLE handle) {
    DWORD flags;
    return lipc__check_pipe(handle, &flags) >= 0 && (flags & PIPE_TYPE_MESSAGE) && !lipc__is_message(handle, flags);
}

int lipc_kind(lipc_handle handle) {
    DWORD flags;
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    if (lipc__is_message((HANDLE)handle, flags))
        return LIPC_MESSAGE;
    switch (lipc_pipe_access(handle)) {
    case LIPC_READ: return LIPC_PIPE_READER;
    case LIPC_WRITE: return LIPC_PIPE_WRITER;
    default: return LIPC_STREAM;
    }
}

int lipc_is_overlapped(lipc_handle handle) {
    const ULONG synchronous = 0x10 | 0x20; /* FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT */
    ULONG mode = 0;
    int r = lipc__query((HANDLE)handle, LIPC__FILE_MODE_INFORMATION, &mode, sizeof mode);
    return r < 0 ? r : !(mode & synchronous);
}

int lipc_adopt(lipc_handle handle) {
    int kind = lipc_kind(handle);
    if (kind < 0)
        return kind;
    int overlapped = lipc_is_overlapped(handle);
    if (overlapped <= 0)
        return overlapped < 0 ? overlapped : lipc__fault(LIPC_ENOTSUP);
    int r = lipc_set_inherit(handle, false);
    return r < 0 ? r : kind;
}

int lipc_duplicate(lipc_handle handle, lipc_handle *ret_handle) {
    HANDLE duplicate, self = GetCurrentProcess();
    if (!SYS_TRUE(DuplicateHandle(self, (HANDLE)handle, self, &duplicate, 0, FALSE, DUPLICATE_SAME_ACCESS)))
        return lipc__error_from(GetLastError());
    *ret_handle = (lipc_handle)duplicate;
    return 0;
}

int lipc_close(lipc_handle handle) {
    return SYS_TRUE(CloseHandle((HANDLE)handle)) ? 0 : lipc__error_from(GetLastError());
}

int lipc_set_inherit(lipc_handle handle, int on) {
    DWORD flag = on ? HANDLE_FLAG_INHERIT : 0;
    if (!SYS_TRUE(SetHandleInformation((HANDLE)handle, HANDLE_FLAG_INHERIT, flag)))
        return lipc__error_from(GetLastError());
    return 0;
}

/* The beginning of the names of pairs and unnamed pipes, which are not reported as names. */
#define LIPC__UNNAMED "lipc.unnamed."
#define LIPC__WIDE(text) LIPC__WIDE_(text) /* not all compilers join wide and narrow literals */
#define LIPC__WIDE_(text) L##text

/* Returns the name of the pipe if the handle is at the end that is wanted, PIPE_SERVER_END or PIPE_CLIENT_END;
 * otherwise a name of type 0. */
static int lipc__name_of_end(HANDLE handle, DWORD end, lipc_name *ret_name) {
    union {
        FILE_NAME_INFO info;
        char room[sizeof(FILE_NAME_INFO) + LIPC_NAME_CAPACITY * sizeof(WCHAR)];
    } found;
    static const char prefix[] = "\\\\.\\pipe";
    lipc_name name = {0};
    DWORD flags;
    int r = lipc__check_pipe(handle, &flags);
    if (r < 0)
        return r;
    if ((flags & PIPE_SERVER_END) == end &&
        SYS_TRUE(GetFileInformationByHandleEx(handle, FileNameInfo, &found, sizeof found))) {
        int at = (int)sizeof prefix - 1;
        int n = WideCharToMultiByte(CP_UTF8, 0, found.info.FileName, (int)(found.info.FileNameLength / sizeof(WCHAR)),
                                    name.text + at, LIPC_NAME_CAPACITY - 1 - at, NULL, NULL);
        if (n > 1 && strncmp(name.text + at + 1, LIPC__UNNAMED, strlen(LIPC__UNNAMED)) != 0) {
            memcpy(name.text, prefix, (size_t)at);
            name.type = LIPC_NAME_PATH;
            name.length = (uint32_t)(at + n);
        }
    }
    if (name.length == 0)
        memset(&name, 0, sizeof name);
    *ret_name = name;
    return 0;
}

int lipc_local_name(lipc_handle handle, lipc_name *ret_name) {
    return lipc__name_of_end((HANDLE)handle, PIPE_SERVER_END, ret_name);
}

int lipc_peer_name(lipc_handle handle, lipc_name *ret_name) {
    return lipc__name_of_end((HANDLE)handle, PIPE_CLIENT_END, ret_name);
}

/* The size of the buffer that this end reads from, or writes to. */
static ULONG lipc__quota(const lipc__pipe_local_information *information, int direction) {
    bool is_server = information->end == 1; /* FILE_PIPE_SERVER_END */
    return is_server == (direction == LIPC_READ) ? information->inbound_quota : information->outbound_quota;
}

/* Checks the kind of a listener; 0 stands for LIPC_STREAM. */
static int lipc__check_kind(int kind) {
    switch (kind) {
    case 0:
    case LIPC_STREAM:
    case LIPC_MESSAGE: return 0;
    case LIPC_DATAGRAM: return lipc__fault(LIPC_ENOTSUP);
    default: return lipc__fault(LIPC_EINVAL);
    }
}

int lipc_set_buffer_size(lipc_handle handle, int direction, int size) {
    DWORD flags;
    if (size <= 0 || (direction != LIPC_READ && direction != LIPC_WRITE))
        return lipc__fault(LIPC_EINVAL);
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    return r < 0 ? r : lipc__fault(LIPC_ENOTSUP);
}

int lipc_buffer_size(lipc_handle handle, int direction) {
    DWORD flags;
    lipc__pipe_local_information information;
    if (direction != LIPC_READ && direction != LIPC_WRITE)
        return lipc__fault(LIPC_EINVAL);
    int r = lipc__check_pipe((HANDLE)handle, &flags);
    if (r < 0)
        return r;
    r = lipc__query((HANDLE)handle, LIPC__FILE_PIPE_LOCAL_INFORMATION, &information, sizeof information);
    if (r < 0)
        return r;
    return (int)lipc__quota(&information, direction);
}
