use std::io::{self, Read, Write};
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use lipc_sys as sys;

use crate::message;
use crate::system::{self, checked, descriptor, handle, Deadline};
use crate::{Error, Name, PeerPolicy, Result};

/// The identity of a peer, supplied by the kernel. A field is None if the system does not report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub pid: Option<i64>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
}

/// How to connect. The default waits for a busy listener for ever.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The longest time that it may take.
    pub time: Option<Duration>,
    /// The users that may listen there. None is as the type of name has it: the same user for a name of the user, root
    /// for one of the machine, and otherwise everybody.
    pub server: Option<PeerPolicy>,
}

impl ConnectOptions {
    pub(crate) fn within(time: Duration) -> ConnectOptions {
        ConnectOptions { time: Some(time), ..ConnectOptions::default() }
    }
}

/// Which half to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    Read,
    Write,
    Both,
}

pub(crate) fn read(fd: &OwnedFd, data: &mut [u8], time: Option<Duration>) -> Result<usize> {
    let (data, size) = (data.as_mut_ptr().cast(), data.len());
    checked(unsafe { sys::lipc_read(handle(fd), data, size, system::milliseconds(time)) }, "reading")
}

pub(crate) fn write(fd: &OwnedFd, data: &[u8], milliseconds: i32) -> Result<usize> {
    checked(unsafe { sys::lipc_write(handle(fd), data.as_ptr().cast(), data.len(), milliseconds) }, "writing")
}

pub(crate) fn connect(name: &Name, kind: i32, options: ConnectOptions) -> Result<OwnedFd> {
    let mut made = sys::LIPC_INVALID_HANDLE;
    let time = system::milliseconds(options.time);
    let result = PeerPolicy::lend(options.server.as_ref(), |server| {
        let options = sys::lipc_connect_options {
            size: std::mem::size_of::<sys::lipc_connect_options>(),
            kind,
            windows: ptr::null(),
            server,
        };
        unsafe { sys::lipc_connect(&name.0, &options, time, &mut made) }
    });
    if result < 0 {
        return Err(Error::new(result.into(), format!("connecting to {name}")));
    }
    Ok(unsafe { system::own(made) })
}

pub(crate) fn peer_credentials(fd: &OwnedFd) -> Result<Credentials> {
    let mut found = sys::lipc_credentials { pid: -1, uid: -1, gid: -1, reserved: [-1; 5] };
    checked(unsafe { sys::lipc_peer_credentials(handle(fd), &mut found) }.into(), "asking for the peer's credentials")?;
    let known = |number: i64| Some(number).filter(|number| *number >= 0);
    Ok(Credentials { pid: known(found.pid), uid: known(found.uid), gid: known(found.gid) })
}

/// A byte stream. [`Read`] and [`Write`] use the time that was set with [`Connection::set_timeout`]. If it runs out,
/// the count of a write is how much was written.
#[derive(Debug)]
pub struct Connection {
    fd: OwnedFd,
    time: Option<Duration>,
}

descriptor!(Connection);

impl Connection {
    pub fn connect(name: &Name) -> Result<Connection> {
        Connection::connect_with(name, ConnectOptions::default())
    }

    pub fn connect_timeout(name: &Name, time: Duration) -> Result<Connection> {
        Connection::connect_with(name, ConnectOptions::within(time))
    }

    pub fn connect_with(name: &Name, options: ConnectOptions) -> Result<Connection> {
        connect(name, sys::LIPC_STREAM, options).map(Connection::new)
    }

    /// Creates two connections, each the other's peer.
    pub fn pair() -> Result<(Connection, Connection)> {
        let (a, b) = system::two(|a, b| unsafe { sys::lipc_pair(sys::LIPC_STREAM, a, b) }, "making a pair")?;
        Ok((Connection::new(a), Connection::new(b)))
    }

    pub(crate) fn new(fd: OwnedFd) -> Connection {
        Connection { fd, time: None }
    }

    /// Sets how long each call may wait.
    pub fn set_timeout(&mut self, time: Option<Duration>) {
        self.time = time;
    }

    /// Creates another handle for the same connection.
    pub fn try_clone(&self) -> io::Result<Connection> {
        Ok(Connection { fd: self.fd.try_clone()?, time: self.time })
    }

    /// Sends files with the first byte of the data, and then the rest of the data.
    pub fn send_files(&mut self, data: &[u8], files: &[BorrowedFd<'_>]) -> Result<()> {
        let deadline = Deadline::new(self.time);
        let mut sent = message::send(&self.fd, data, files, deadline.left())?;
        while sent < data.len() {
            sent += write(&self.fd, &data[sent..], deadline.left())?; // the files have gone
        }
        Ok(())
    }

    /// Reads the bytes that are there, up to those that files came with, and at most that many files. Returns None at
    /// end of stream. If more files came, that is an error, and none is left open.
    pub fn receive_files(&mut self, data: &mut [u8], most: usize) -> Result<Option<(usize, Vec<OwnedFd>)>> {
        message::receive(&self.fd, data, most, self.time)
    }

    pub fn peer_credentials(&self) -> Result<Credentials> {
        peer_credentials(&self.fd)
    }

    /// Returns an error of the kind PermissionDenied if the policy does not admit the peer.
    pub fn check_peer(&self, policy: &PeerPolicy) -> Result<()> {
        policy.check(&self.fd)
    }

    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        let direction = match how {
            Shutdown::Read => sys::LIPC_READ,
            Shutdown::Write => sys::LIPC_WRITE,
            Shutdown::Both => sys::LIPC_READ | sys::LIPC_WRITE,
        };
        checked(unsafe { sys::lipc_shutdown(handle(&self.fd), direction) }.into(), "shutting down").map(drop)
    }

    pub fn local_name(&self) -> Result<Option<Name>> {
        Name::ask(sys::lipc_local_name, handle(&self.fd))
    }

    pub fn peer_name(&self) -> Result<Option<Name>> {
        Name::ask(sys::lipc_peer_name, handle(&self.fd))
    }
}

impl Read for Connection {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        Ok(read(&self.fd, data, self.time)?)
    }
}

impl Write for Connection {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(write(&self.fd, data, system::milliseconds(self.time))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The reading end of a pipe.
#[derive(Debug)]
pub struct PipeReader {
    fd: OwnedFd,
}

descriptor!(PipeReader);

/// The writing end of a pipe.
#[derive(Debug)]
pub struct PipeWriter {
    fd: OwnedFd,
}

descriptor!(PipeWriter);

/// What is written to one end is read from the other.
pub fn pipe() -> Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = system::two(|a, b| unsafe { sys::lipc_pipe(ptr::null(), a, b) }, "making a pipe")?;
    Ok((PipeReader { fd: reader }, PipeWriter { fd: writer }))
}

impl Read for PipeReader {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        Ok(read(&self.fd, data, None)?)
    }
}

impl Write for PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(write(&self.fd, data, -1)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
