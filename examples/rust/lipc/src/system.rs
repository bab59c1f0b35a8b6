//! The conversions that all calls of the library need: results, times and handles.

use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use lipc_sys as sys;

use crate::{Error, Result};

/// Converts a result into a count or an error.
pub(crate) fn checked(result: i64, about: &str) -> Result<usize> {
    if result < 0 {
        return Err(Error::new(result, about));
    }
    Ok(result as usize)
}

/// Converts a result, and end of stream into None.
pub(crate) fn checked_to_end(result: i64, about: &str) -> Result<Option<usize>> {
    if unsafe { sys::lipc_error_code(result) } == sys::LIPC_EEND {
        return Ok(None);
    }
    checked(result, about).map(Some)
}

/// Converts a time to milliseconds, rounded up, so that a time over zero waits.
pub(crate) fn milliseconds(time: Option<Duration>) -> i32 {
    match time {
        None => -1,
        Some(time) => i32::try_from((time.as_nanos() + 999_999) / 1_000_000).unwrap_or(i32::MAX),
    }
}

/// The time that some calls may take together.
pub(crate) struct Deadline {
    begin: Instant,
    time: Option<Duration>,
}

impl Deadline {
    pub(crate) fn new(time: Option<Duration>) -> Deadline {
        Deadline { begin: Instant::now(), time }
    }

    /// At least a millisecond unless the time was zero, so that running out of it has an error of its own.
    pub(crate) fn left(&self) -> i32 {
        let least = |time: Duration| time.min(Duration::from_millis(1));
        milliseconds(self.time.map(|time| time.saturating_sub(self.begin.elapsed()).max(least(time))))
    }
}

pub(crate) fn handle(fd: &impl AsRawFd) -> sys::lipc_handle {
    fd.as_raw_fd() as sys::lipc_handle
}

/// Owns a handle that the library has just created.
///
/// # Safety
///
/// The handle must have no other owner.
pub(crate) unsafe fn own(handle: sys::lipc_handle) -> OwnedFd {
    OwnedFd::from_raw_fd(handle as i32)
}

/// Calls a function that creates two handles, and owns both.
pub(crate) fn two(
    make: impl FnOnce(*mut sys::lipc_handle, *mut sys::lipc_handle) -> i32,
    about: &str,
) -> Result<(OwnedFd, OwnedFd)> {
    let (mut a, mut b) = (sys::LIPC_INVALID_HANDLE, sys::LIPC_INVALID_HANDLE);
    checked(make(&mut a, &mut b).into(), about)?;
    Ok(unsafe { (own(a), own(b)) })
}

/// Implements the traits of an object that has a descriptor.
macro_rules! descriptor {
    ($type:ident) => {
        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.fd.as_fd()
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.fd.as_raw_fd()
            }
        }

        impl From<$type> for OwnedFd {
            fn from(from: $type) -> OwnedFd {
                from.fd
            }
        }
    };
}
pub(crate) use descriptor;
