/* Errors: from errno to portable codes, and back for faults that the library finds before the system could. */

static int lipc__error_from(int os) {
    int code;
    switch (os) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        code = LIPC_EAGAIN;
        break;
    case ETIMEDOUT: code = LIPC_ETIMEDOUT; break;
    case EINVAL: code = LIPC_EINVAL; break;
    case ENAMETOOLONG: code = LIPC_ENAMETOOLONG; break;
    case ENOENT:
    case ENOTDIR: code = LIPC_ENOENT; break;
    case EACCES:
    case EPERM:
    case EROFS: code = LIPC_EACCES; break;
    case EADDRINUSE: code = LIPC_EADDRINUSE; break;
    case ECONNREFUSED: code = LIPC_ECONNREFUSED; break;
    case EPIPE:
    case ECONNRESET: code = LIPC_EPIPE; break;
    case ENOSYS:
    case ENOTSUP:
#if EOPNOTSUPP != ENOTSUP
    case EOPNOTSUPP:
#endif
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT: code = LIPC_ENOTSUP; break;
    case EMFILE:
    case ENFILE:
    case ETOOMANYREFS: code = LIPC_EMFILE; break;
    case ENOMEM:
    case ENOBUFS: code = LIPC_ENOMEM; break;
    case EBADF: code = LIPC_EBADF; break;
    case ENOTSOCK:
    case EPROTOTYPE: code = LIPC_ENOTSOCK; break;
    case ENOTCONN: code = LIPC_ENOTCONN; break;
    case EMSGSIZE: code = LIPC_EMSGSIZE; break;
    case EIO: code = LIPC_EIO; break;
    case EEXIST: code = LIPC_EEXIST; break;
    default: code = LIPC_EOTHER; break;
    }
    return lipc__error(code, os);
}

static int lipc__fault(int code) {
    switch (code) {
    case LIPC_EAGAIN: return lipc__error(code, EAGAIN);
    case LIPC_ETIMEDOUT: return lipc__error(code, ETIMEDOUT);
    case LIPC_ENAMETOOLONG: return lipc__error(code, ENAMETOOLONG);
    case LIPC_EACCES: return lipc__error(code, EACCES);
    case LIPC_EADDRINUSE: return lipc__error(code, EADDRINUSE);
    case LIPC_ENOTSUP: return lipc__error(code, ENOTSUP);
    case LIPC_ENOTSOCK: return lipc__error(code, ENOTSOCK);
    case LIPC_ENOTCONN: return lipc__error(code, ENOTCONN);
    case LIPC_EMSGSIZE:
    case LIPC_EHANDLES: return lipc__error(code, EMSGSIZE);
    case LIPC_ENOTFIFO: return lipc__error(code, EEXIST);
    case LIPC_EPROTO: return lipc__error(code, EPROTO);
    case LIPC_ENOMEM: return lipc__error(code, ENOMEM);
    case LIPC_EMFILE: return lipc__error(code, EMFILE);
    case LIPC_EBADF: return lipc__error(code, EBADF);
    case LIPC_EPIPE: return lipc__error(code, EPIPE);
    case LIPC_EEND:
    case LIPC_ETRUNCATED: return lipc__error(code, 0);
    default: return lipc__error(code, EINVAL);
    }
}
