use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use lipc_sys as sys;

use crate::system::{checked, milliseconds, own};
use crate::{Connection, Error, MessageConnection, Name, PeerPolicy, Result};

/// Zero stands for the default: only the owner may connect, and as many connections may wait as the system allows.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// The permission bits of the socket file.
    pub mode: u32,
    pub backlog: i32,
    /// The clients that are accepted, of those that the mode lets connect. None admits all of them.
    pub clients: Option<PeerPolicy>,
    /// The group of the socket file. None leaves it to the system.
    pub group: Option<u32>,
}

/// The base of both kinds of listener. Closing it removes the socket file.
#[derive(Debug)]
struct Raw(*mut sys::lipc_listener);

// The library's functions may be called from any thread.
unsafe impl Send for Raw {}
unsafe impl Sync for Raw {}

impl Raw {
    fn bind(name: &Name, kind: i32, options: ListenOptions) -> Result<Raw> {
        let mut made = ptr::null_mut();
        let result = PeerPolicy::lend(options.clients.as_ref(), |clients| {
            let options = sys::lipc_listen_options {
                size: std::mem::size_of::<sys::lipc_listen_options>(),
                mode: options.mode,
                backlog: options.backlog,
                kind,
                windows: ptr::null(),
                clients,
                group: options.group.as_ref().map_or(ptr::null(), ptr::from_ref),
            };
            unsafe { sys::lipc_listen(&name.0, &options, &mut made) }
        });
        if result < 0 {
            return Err(Error::new(result.into(), format!("listening on {name}")));
        }
        Ok(Raw(made))
    }

    fn accept(&self, time: Option<Duration>) -> Result<OwnedFd> {
        let mut accepted = sys::LIPC_INVALID_HANDLE;
        let result = unsafe { sys::lipc_accept(self.0, milliseconds(time), ptr::null_mut(), &mut accepted) };
        checked(result.into(), "accepting")?;
        Ok(unsafe { own(accepted) })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        unsafe { sys::lipc_listener_close(self.0) }
    }
}

/// Declares a listener for connections of a kind.
macro_rules! listener {
    ($(#[$about:meta])* $type:ident, $connection:ident, $kind:expr) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $type(Raw);

        impl $type {
            pub fn bind(name: &Name) -> Result<$type> {
                $type::bind_with(name, ListenOptions::default())
            }

            pub fn bind_with(name: &Name, options: ListenOptions) -> Result<$type> {
                Raw::bind(name, $kind, options).map($type)
            }

            pub fn accept(&self) -> Result<$connection> {
                self.0.accept(None).map($connection::new)
            }

            pub fn accept_timeout(&self, time: Duration) -> Result<$connection> {
                self.0.accept(Some(time)).map($connection::new)
            }

            pub fn name(&self) -> Name {
                let mut name = Name::none();
                unsafe { sys::lipc_listener_name((self.0).0, &mut name.0) };
                name
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                unsafe { sys::lipc_listener_handle((self.0).0) as RawFd }
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
            }
        }
    };
}

listener!(
    /// Accepts streams of bytes. The socket file is removed when this is dropped.
    Listener,
    Connection,
    sys::LIPC_STREAM
);
listener!(
    /// Accepts connections for messages. The socket file is removed when this is dropped.
    MessageListener,
    MessageConnection,
    sys::LIPC_MESSAGE
);
