//! lipc for Rust, on Unix: local sockets, messages, open files, pipes.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = lipc::Name::parse("@greeter")?;
//! let mut server = lipc::Connection::connect_timeout(&name, Duration::from_secs(5))?;
//! server.write_all(b"hello\n")?;
//! let mut answer = String::new();
//! server.read_to_string(&mut answer)?;
//! # Ok(())
//! # }
//! ```
//!
//! What a function does, and which errors it has, is said in lipc.h under the name of the C function that it calls.
//! Handles are [`OwnedFd`](std::os::unix::io::OwnedFd)s, so nothing is left open; what is lent is a
//! [`BorrowedFd`](std::os::unix::io::BorrowedFd). A time that is not given is for ever, and zero does not wait.
//!
//! Left out: vectored reading and writing, batches, peeking, buffer sizes, credentials and control data that travel
//! with a message, datagrams, FIFOs, socket activation, pidfds, and Windows. All but the last can be had from the C
//! library by way of `as_raw_fd()`.
#![cfg(unix)]

mod connection;
mod error;
mod listener;
mod message;
mod name;
mod system;

pub use connection::{pipe, Connection, Credentials, PipeReader, PipeWriter, Shutdown};
pub use error::{Error, ErrorKind, Result};
pub use listener::{ListenOptions, Listener, MessageListener};
pub use message::MessageConnection;
pub use name::Name;
