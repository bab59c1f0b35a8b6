//! lipc for Rust, on Unix: local sockets, messages, open files, pipes.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = lipc::Name::user("greeter")?;
//! let mut server = lipc::Connection::connect_timeout(&name, Duration::from_secs(5))?;
//! server.write_all(b"hello\n")?;
//! let mut answer = String::new();
//! server.read_to_string(&mut answer)?;
//! # Ok(())
//! # }
//! ```
//!
//! lipc.h describes each function and its errors, under the name of the C function that it calls. Handles are
//! [`OwnedFd`](std::os::unix::io::OwnedFd)s, so nothing is left open. A handle that stays the caller's is a
//! [`BorrowedFd`](std::os::unix::io::BorrowedFd). Without a time a call waits for ever, and zero does not wait.
//!
//! Left out: vectored reading and writing, batches, peeking, buffer sizes, credentials and control data that travel
//! with a message, datagrams, FIFOs, socket activation, pidfds, and Windows. For all but the last call the C
//! library with `as_raw_fd()`.
#![cfg(unix)]

mod connection;
mod error;
mod listener;
mod message;
mod name;
mod policy;
mod system;

pub use connection::{pipe, ConnectOptions, Connection, Credentials, PipeReader, PipeWriter, Shutdown};
pub use error::{Error, ErrorKind, Result};
pub use listener::{ListenOptions, Listener, MessageListener};
pub use message::MessageConnection;
pub use name::Name;
pub use policy::PeerPolicy;
