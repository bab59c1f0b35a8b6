/* Errors: from the system's codes to portable ones, and back for faults that the library finds before the system
 * could. */

static int lipc__error_from(DWORD os) {
    int code;
    switch (os) {
    case ERROR_IO_INCOMPLETE:
    case ERROR_CANNOT_IMPERSONATE: /* nothing was read from the client yet */
    case ERROR_PIPE_BUSY: code = LIPC_EAGAIN; break;
    case WAIT_TIMEOUT: code = LIPC_ETIMEDOUT; break;
    case ERROR_INVALID_PARAMETER: code = LIPC_EINVAL; break;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME: code = LIPC_ENAME; break;
    case ERROR_FILENAME_EXCED_RANGE: code = LIPC_ENAMETOOLONG; break;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_SEM_TIMEOUT: /* another machine does not answer; not the timeout of a call */
    case ERROR_NOT_FOUND: code = LIPC_ENOENT; break;
    case ERROR_BAD_IMPERSONATION_LEVEL:
    case ERROR_CANT_OPEN_ANONYMOUS:
    case ERROR_ACCESS_DENIED:
    case ERROR_INVALID_OWNER: /* of a pipe: only administrators can name their group */
    case ERROR_LOGON_FAILURE: /* on another machine */
    case ERROR_PRIVILEGE_NOT_HELD: code = LIPC_EACCES; break;
    case ERROR_ALREADY_EXISTS: code = LIPC_EADDRINUSE; break;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED: code = LIPC_EPIPE; break;
    case ERROR_PIPE_LISTENING: code = LIPC_ENOTCONN; break;
    case ERROR_FILE_EXISTS: code = LIPC_EEXIST; break;
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED: code = LIPC_ENOTSUP; break;
    case ERROR_TOO_MANY_OPEN_FILES: code = LIPC_EMFILE; break;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NONPAGED_SYSTEM_RESOURCES:
    case ERROR_PAGED_SYSTEM_RESOURCES:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_PAGEFILE_QUOTA:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_COMMITMENT_LIMIT: code = LIPC_ENOMEM; break;
    case ERROR_INVALID_HANDLE: code = LIPC_EBADF; break;
    case ERROR_INVALID_FUNCTION:
    case ERROR_BAD_PIPE: code = LIPC_ENOTSOCK; break;
    case ERROR_MORE_DATA: code = LIPC_ETRUNCATED; break;
    default: code = LIPC_EOTHER; break;
    }
    return lipc__error(code, (int)os);
}

static int lipc__fault(int code) {
    switch (code) {
    case LIPC_EAGAIN: return lipc__error(code, ERROR_IO_INCOMPLETE);
    case LIPC_ETIMEDOUT: return lipc__error(code, WAIT_TIMEOUT);
    case LIPC_ENAME: return lipc__error(code, ERROR_INVALID_NAME);
    case LIPC_ENAMETOOLONG: return lipc__error(code, ERROR_FILENAME_EXCED_RANGE);
    case LIPC_EACCES: return lipc__error(code, ERROR_ACCESS_DENIED);
    case LIPC_EADDRINUSE: return lipc__error(code, ERROR_ALREADY_EXISTS);
    case LIPC_EEND: return lipc__error(code, ERROR_BROKEN_PIPE);
    case LIPC_EPROTO: return lipc__error(code, ERROR_INVALID_DATA);
    case LIPC_ENOMEM: return lipc__error(code, ERROR_NOT_ENOUGH_MEMORY);
    case LIPC_EMFILE: return lipc__error(code, ERROR_TOO_MANY_OPEN_FILES);
    case LIPC_EPIPE: return lipc__error(code, ERROR_NO_DATA);
    case LIPC_ETRUNCATED: return lipc__error(code, ERROR_MORE_DATA);
    case LIPC_ENOTCONN: return lipc__error(code, ERROR_PIPE_NOT_CONNECTED);
    case LIPC_EBADF: return lipc__error(code, ERROR_ACCESS_DENIED); /* this end cannot do that */
    case LIPC_ENOTSUP: return lipc__error(code, ERROR_NOT_SUPPORTED);
    case LIPC_ENOTSOCK: return lipc__error(code, ERROR_BAD_PIPE);
    case LIPC_EMSGSIZE: return lipc__error(code, ERROR_INSUFFICIENT_BUFFER);
    default: return lipc__error(code, ERROR_INVALID_PARAMETER);
    }
}
