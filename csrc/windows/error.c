/* The system's codes for faults that the library finds itself. */

static int lipc__fault(int code) {
    switch (code) {
    case LIPC_ENAME: return lipc__error(code, ERROR_INVALID_NAME);
    case LIPC_ENAMETOOLONG: return lipc__error(code, ERROR_FILENAME_EXCED_RANGE);
    case LIPC_ENOTSUP: return lipc__error(code, ERROR_NOT_SUPPORTED);
    case LIPC_EMSGSIZE: return lipc__error(code, ERROR_INSUFFICIENT_BUFFER);
    default: return lipc__error(code, ERROR_INVALID_PARAMETER);
    }
}
