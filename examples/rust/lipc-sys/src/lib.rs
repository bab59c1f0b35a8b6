//! The declarations of lipc.h that the crate `lipc` uses, written by hand. lipc.h describes them.
//!
//! Left out: vectored reading and writing, batches, peeking, buffer sizes, socket activation, the contents of
//! lipc_unix.h and lipc_windows.h, and Windows.
//!
//! A test compares the numbers and the sizes of structs with the library's, by [`lipc_constant`].
#![cfg(unix)]
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_int, c_void};

pub type lipc_handle = isize;

pub const LIPC_INVALID_HANDLE: lipc_handle = -1;
pub const LIPC_NAME_CAPACITY: usize = 1016;
pub const LIPC_MESSAGE_HANDLES: usize = 253;

/// Declares constants, and a list of them by name, which the test compares with the library's.
macro_rules! constants {
    ($($name:ident = $value:expr,)*) => {
        $(pub const $name: c_int = $value;)*

        /// The constants by name, as [`lipc_constant`] knows them.
        pub const CONSTANTS: &[(&str, i64)] = &[
            ("LIPC_INVALID_HANDLE", LIPC_INVALID_HANDLE as i64),
            ("LIPC_NAME_CAPACITY", LIPC_NAME_CAPACITY as i64),
            ("LIPC_MESSAGE_HANDLES", LIPC_MESSAGE_HANDLES as i64),
            $((stringify!($name), $value as i64),)*
        ];
    };
}

constants! {
    LIPC_EAGAIN = 1,
    LIPC_ETIMEDOUT = 2,
    LIPC_EINVAL = 3,
    LIPC_ENAME = 4,
    LIPC_ENAMETOOLONG = 5,
    LIPC_ENOENT = 6,
    LIPC_EACCES = 7,
    LIPC_EADDRINUSE = 8,
    LIPC_ECONNREFUSED = 9,
    LIPC_EPIPE = 10,
    LIPC_ENOTSUP = 11,
    LIPC_EMFILE = 12,
    LIPC_ENOMEM = 13,
    LIPC_EBADF = 14,
    LIPC_ENOTSOCK = 15,
    LIPC_ENOTCONN = 16,
    LIPC_EMSGSIZE = 17,
    LIPC_EIO = 18,
    LIPC_EEND = 19,
    LIPC_ETRUNCATED = 20,
    LIPC_ETOOMANY = 21,
    LIPC_EHANDLES = 22,
    LIPC_EEXIST = 23,
    LIPC_ENOTFIFO = 24,
    LIPC_EPROTO = 25,
    LIPC_EOTHER = 255,
    LIPC_ERROR_OS_BITS = 20,
    LIPC_NAME_PATH = 1,
    LIPC_NAME_NAMESPACED = 2,
    LIPC_NAME_USER = 4,
    LIPC_NAME_SYSTEM = 8,
    LIPC_PEERS_ANY = 1,
    LIPC_PEERS_SAME_USER = 2,
    LIPC_PEERS_ADMIN = 4,
    LIPC_STREAM = 1,
    LIPC_MESSAGE = 2,
    LIPC_LISTENER = 16,
    LIPC_PIPE_READER = 32,
    LIPC_PIPE_WRITER = 64,
    LIPC_READ = 1,
    LIPC_WRITE = 2,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lipc_name {
    pub type_: u32,
    pub length: u32,
    pub text: [c_char; LIPC_NAME_CAPACITY],
}

/// Used only by pointer.
#[repr(C)]
pub struct lipc_listener {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lipc_peer_policy {
    pub size: usize,
    pub peers: c_int,
    pub uid_count: usize,
    pub uids: *const u32,
    pub sid_count: usize,
    pub sids: *const *const c_char,
}

#[repr(C)]
pub struct lipc_listen_options {
    pub size: usize,
    pub mode: u32,
    pub backlog: c_int,
    pub kind: c_int,
    pub windows: *const c_void,
    pub clients: *const lipc_peer_policy,
    pub group: *const u32,
}

#[repr(C)]
pub struct lipc_connect_options {
    pub size: usize,
    pub kind: c_int,
    pub windows: *const c_void,
    pub server: *const lipc_peer_policy,
}

#[repr(C)]
pub struct lipc_buffer {
    pub data: *mut c_void,
    pub size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lipc_credentials {
    pub pid: i64,
    pub uid: i64,
    pub gid: i64,
    pub reserved: [i64; 5],
}

#[repr(C)]
pub struct lipc_message {
    pub size: usize,
    pub buffers: *const lipc_buffer,
    pub buffer_count: usize,
    pub handles: *mut lipc_handle,
    pub handle_count: usize,
    pub handle_capacity: usize,
    pub credentials: *mut lipc_credentials,
    pub peer: *mut lipc_name,
    pub pidfd: *mut lipc_handle,
    pub control: *mut c_void,
    pub length: usize,
}

#[repr(C)]
pub struct lipc_pipe_options {
    pub size: usize,
    pub inherit: c_int,
    pub buffer_size: c_int,
    pub sddl: *const c_char,
}

extern "C" {
    pub fn lipc_version() -> c_int;
    pub fn lipc_constant(name: *const c_char, ret_value: *mut i64) -> c_int;
    pub fn lipc_constant_name(index: usize) -> *const c_char;

    pub fn lipc_error_code(result: i64) -> c_int;
    pub fn lipc_error_os(result: i64) -> c_int;
    pub fn lipc_error_name(result: i64) -> *const c_char;
    pub fn lipc_strerror(result: i64) -> *const c_char;

    pub fn lipc_name_user(text: *const c_char, length: usize, ret_name: *mut lipc_name) -> c_int;
    pub fn lipc_name_system(text: *const c_char, length: usize, ret_name: *mut lipc_name) -> c_int;
    pub fn lipc_name_path(text: *const c_char, length: usize, ret_name: *mut lipc_name) -> c_int;
    pub fn lipc_name_namespaced(text: *const c_char, length: usize, ret_name: *mut lipc_name) -> c_int;
    pub fn lipc_name_parse(text: *const c_char, length: usize, ret_name: *mut lipc_name) -> c_int;
    pub fn lipc_name_format(name: *const lipc_name, buffer: *mut c_char, size: usize) -> c_int;
    pub fn lipc_name_location(name: *const lipc_name, buffer: *mut c_char, size: usize) -> c_int;

    pub fn lipc_kind(handle: lipc_handle) -> c_int;
    pub fn lipc_adopt(handle: lipc_handle) -> c_int;
    pub fn lipc_local_name(handle: lipc_handle, ret_name: *mut lipc_name) -> c_int;
    pub fn lipc_peer_name(handle: lipc_handle, ret_name: *mut lipc_name) -> c_int;

    pub fn lipc_listen(
        name: *const lipc_name,
        options: *const lipc_listen_options,
        ret_listener: *mut *mut lipc_listener,
    ) -> c_int;
    pub fn lipc_accept(
        listener: *mut lipc_listener,
        timeout_ms: c_int,
        ret_peer: *mut lipc_name,
        ret_connection: *mut lipc_handle,
    ) -> c_int;
    pub fn lipc_listener_handle(listener: *const lipc_listener) -> lipc_handle;
    pub fn lipc_listener_name(listener: *const lipc_listener, ret_name: *mut lipc_name);
    pub fn lipc_listener_close(listener: *mut lipc_listener);

    pub fn lipc_connect(
        name: *const lipc_name,
        options: *const lipc_connect_options,
        timeout_ms: c_int,
        ret_connection: *mut lipc_handle,
    ) -> c_int;
    pub fn lipc_pair(kind: c_int, ret_a: *mut lipc_handle, ret_b: *mut lipc_handle) -> c_int;

    pub fn lipc_read(handle: lipc_handle, data: *mut c_void, size: usize, timeout_ms: c_int) -> i64;
    pub fn lipc_write(handle: lipc_handle, data: *const c_void, size: usize, timeout_ms: c_int) -> i64;
    pub fn lipc_shutdown(handle: lipc_handle, direction: c_int) -> c_int;

    pub fn lipc_send(handle: lipc_handle, data: *const c_void, size: usize, timeout_ms: c_int) -> i64;
    pub fn lipc_receive(handle: lipc_handle, data: *mut c_void, size: usize, timeout_ms: c_int) -> i64;
    pub fn lipc_message_size(handle: lipc_handle, timeout_ms: c_int) -> i64;
    pub fn lipc_send_message(handle: lipc_handle, message: *const lipc_message, timeout_ms: c_int) -> i64;
    pub fn lipc_receive_message(handle: lipc_handle, message: *mut lipc_message, timeout_ms: c_int) -> i64;

    pub fn lipc_peer_credentials(handle: lipc_handle, ret_credentials: *mut lipc_credentials) -> c_int;
    pub fn lipc_peer_check(handle: lipc_handle, policy: *const lipc_peer_policy) -> c_int;
    pub fn lipc_pipe(
        options: *const lipc_pipe_options,
        ret_read: *mut lipc_handle,
        ret_write: *mut lipc_handle,
    ) -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::mem::size_of;

    fn constant(name: &str) -> Option<i64> {
        let (text, mut value) = (CString::new(name).unwrap(), 0);
        (unsafe { lipc_constant(text.as_ptr(), &mut value) } >= 0).then_some(value)
    }

    #[test]
    fn numbers_are_those_of_the_library() {
        for (name, value) in CONSTANTS {
            assert_eq!(Some(*value), constant(name), "{name}");
        }
        assert_eq!(None, constant("LIPC_NO_SUCH"));
    }

    #[test]
    fn structs_have_the_size_that_the_library_gives_them() {
        for (name, size) in [
            ("lipc_handle", size_of::<lipc_handle>()),
            ("lipc_name", size_of::<lipc_name>()),
            ("lipc_peer_policy", size_of::<lipc_peer_policy>()),
            ("lipc_listen_options", size_of::<lipc_listen_options>()),
            ("lipc_connect_options", size_of::<lipc_connect_options>()),
            ("lipc_buffer", size_of::<lipc_buffer>()),
            ("lipc_credentials", size_of::<lipc_credentials>()),
            ("lipc_message", size_of::<lipc_message>()),
            ("lipc_pipe_options", size_of::<lipc_pipe_options>()),
        ] {
            assert_eq!(Some(size as i64), constant(&format!("sizeof({name})")), "{name}");
        }
    }

    #[test]
    fn version_is_one_that_this_is_for() {
        assert_eq!(1, unsafe { lipc_version() } / 100);
    }
}
