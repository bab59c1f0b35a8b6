use std::ffi::CStr;
use std::fmt;
use std::io;

use lipc_sys as sys;

pub type Result<T> = std::result::Result<T, Error>;

/// Declares the kinds, each with its portable code and the kind of `std::io` that means the same.
macro_rules! kinds {
    ($($kind:ident $code:ident $io:ident,)*) => {
        /// The kind of an error: the portable codes of lipc.h.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($kind,)*
        }

        impl ErrorKind {
            fn of(code: i32) -> ErrorKind {
                match code {
                    $(sys::$code => ErrorKind::$kind,)*
                    _ => ErrorKind::Other, // of a later version
                }
            }
        }

        impl From<ErrorKind> for io::ErrorKind {
            fn from(kind: ErrorKind) -> io::ErrorKind {
                match kind {
                    $(ErrorKind::$kind => io::ErrorKind::$io,)*
                }
            }
        }
    };
}

kinds! {
    WouldBlock LIPC_EAGAIN WouldBlock,
    TimedOut LIPC_ETIMEDOUT TimedOut,
    Invalid LIPC_EINVAL InvalidInput,
    Name LIPC_ENAME InvalidInput,
    NameTooLong LIPC_ENAMETOOLONG InvalidInput,
    NotFound LIPC_ENOENT NotFound,
    PermissionDenied LIPC_EACCES PermissionDenied,
    AddressInUse LIPC_EADDRINUSE AddrInUse,
    ConnectionRefused LIPC_ECONNREFUSED ConnectionRefused,
    BrokenPipe LIPC_EPIPE BrokenPipe,
    Unsupported LIPC_ENOTSUP Unsupported,
    TooManyOpen LIPC_EMFILE Other,
    OutOfMemory LIPC_ENOMEM OutOfMemory,
    BadHandle LIPC_EBADF InvalidInput,
    NotSocket LIPC_ENOTSOCK InvalidInput,
    NotConnected LIPC_ENOTCONN NotConnected,
    MessageSize LIPC_EMSGSIZE InvalidInput,
    Io LIPC_EIO Other,
    End LIPC_EEND UnexpectedEof,
    Truncated LIPC_ETRUNCATED InvalidData,
    TooManyHandles LIPC_ETOOMANY InvalidInput,
    HandlesLost LIPC_EHANDLES Other,
    Exists LIPC_EEXIST AlreadyExists,
    NotFifo LIPC_ENOTFIFO AlreadyExists,
    Protocol LIPC_EPROTO InvalidData,
    Other LIPC_EOTHER Other,
}

/// An error of the library.
pub struct Error {
    result: i64,
    about: String,
}

impl Error {
    /// `about` describes the operation, or the object of it.
    pub(crate) fn new(result: i64, about: impl Into<String>) -> Error {
        Error { result, about: about.into() }
    }

    pub(crate) fn from_kind(code: i32, about: &str) -> Error {
        Error::new(-(i64::from(code) << sys::LIPC_ERROR_OS_BITS), about)
    }

    pub fn kind(&self) -> ErrorKind {
        ErrorKind::of(unsafe { sys::lipc_error_code(self.result) })
    }

    /// Returns the system's own code, a value of errno, if it has one.
    pub fn raw_os_error(&self) -> Option<i32> {
        Some(unsafe { sys::lipc_error_os(self.result) }).filter(|code| *code != 0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = unsafe { CStr::from_ptr(sys::lipc_strerror(self.result)) }; // static
        write!(f, "{}: {}", self.about, text.to_string_lossy())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({self}; system error {})", self.kind(), self.raw_os_error().unwrap_or(0))
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind().into(), error)
    }
}
