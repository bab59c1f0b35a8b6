use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use lipc_sys as sys;

use crate::connection::{connect, peer_credentials, ConnectOptions};
use crate::system::{self, checked, checked_to_end, descriptor, handle};
use crate::{Credentials, Error, Name, PeerPolicy, Result};

fn empty(buffer: &sys::lipc_buffer, handles: &mut [sys::lipc_handle]) -> sys::lipc_message {
    sys::lipc_message {
        size: std::mem::size_of::<sys::lipc_message>(),
        buffers: buffer,
        buffer_count: 1,
        handles: handles.as_mut_ptr(),
        handle_count: 0,
        handle_capacity: 0,
        credentials: ptr::null_mut(),
        peer: ptr::null_mut(),
        pidfd: ptr::null_mut(),
        control: ptr::null_mut(),
        length: 0,
    }
}

/// Sends data, and files with its first byte, and returns how much of the data was sent.
pub(crate) fn send(fd: &OwnedFd, data: &[u8], files: &[BorrowedFd<'_>], milliseconds: i32) -> Result<usize> {
    let mut handles: Vec<_> = files.iter().map(handle).collect();
    let buffer = sys::lipc_buffer { data: data.as_ptr() as *mut _, size: data.len() }; // only read
    let mut message = empty(&buffer, &mut handles);
    message.handle_count = files.len();
    checked(unsafe { sys::lipc_send_message(handle(fd), &message, milliseconds) }, "sending files")
}

pub(crate) fn receive(
    fd: &OwnedFd,
    data: &mut [u8],
    most: usize,
    time: Option<Duration>,
) -> Result<Option<(usize, Vec<OwnedFd>)>> {
    if most > sys::LIPC_MESSAGE_HANDLES {
        return Err(Error::from_kind(sys::LIPC_ETOOMANY, "receiving files"));
    }
    let mut handles = vec![sys::LIPC_INVALID_HANDLE; most];
    let mut files = Vec::with_capacity(most); // allocate before files arrive, so that they always have an owner
    let buffer = sys::lipc_buffer { data: data.as_mut_ptr().cast(), size: data.len() };
    let mut message = empty(&buffer, &mut handles);
    message.handle_capacity = most;
    let result = unsafe { sys::lipc_receive_message(handle(fd), &mut message, system::milliseconds(time)) };
    let count = message.handle_count;
    let length = checked_to_end(result, "receiving files")?;
    files.extend(handles[..count].iter().map(|handle| unsafe { system::own(*handle) }));
    Ok(length.map(|length| (length, files)))
}

/// A connection of messages, which stay whole and in order.
#[derive(Debug)]
pub struct MessageConnection {
    fd: OwnedFd,
    time: Option<Duration>,
}

descriptor!(MessageConnection);

impl MessageConnection {
    pub fn connect(name: &Name) -> Result<MessageConnection> {
        MessageConnection::connect_with(name, ConnectOptions::default())
    }

    pub fn connect_timeout(name: &Name, time: Duration) -> Result<MessageConnection> {
        MessageConnection::connect_with(name, ConnectOptions::within(time))
    }

    pub fn connect_with(name: &Name, options: ConnectOptions) -> Result<MessageConnection> {
        connect(name, sys::LIPC_MESSAGE, options).map(MessageConnection::new)
    }

    /// Creates two connections, each the other's peer.
    pub fn pair() -> Result<(MessageConnection, MessageConnection)> {
        let (a, b) = system::two(|a, b| unsafe { sys::lipc_pair(sys::LIPC_MESSAGE, a, b) }, "making a pair")?;
        Ok((MessageConnection::new(a), MessageConnection::new(b)))
    }

    pub(crate) fn new(fd: OwnedFd) -> MessageConnection {
        MessageConnection { fd, time: None }
    }

    /// Sets how long each call may wait.
    pub fn set_timeout(&mut self, time: Option<Duration>) {
        self.time = time;
    }

    /// Sends one message: all of it, or nothing.
    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        let (data, size) = (message.as_ptr().cast(), message.len());
        let time = system::milliseconds(self.time);
        checked(unsafe { sys::lipc_send(handle(&self.fd), data, size, time) }, "sending").map(drop)
    }

    /// Receives one message, and returns its size, or None at end of stream. If a message does not fit, the error is
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated), and data has the beginning of it.
    pub fn receive(&mut self, data: &mut [u8]) -> Result<Option<usize>> {
        let (memory, size) = (data.as_mut_ptr().cast(), data.len());
        let time = system::milliseconds(self.time);
        checked_to_end(unsafe { sys::lipc_receive(handle(&self.fd), memory, size, time) }, "receiving")
    }

    /// Returns the size of the next message, without removing it, or None at end of stream. Only on Linux.
    pub fn message_size(&mut self) -> Result<Option<usize>> {
        let result = unsafe { sys::lipc_message_size(handle(&self.fd), system::milliseconds(self.time)) };
        checked_to_end(result, "asking for the size of the next message")
    }

    /// Sends a message with files.
    pub fn send_files(&mut self, message: &[u8], files: &[BorrowedFd<'_>]) -> Result<()> {
        send(&self.fd, message, files, system::milliseconds(self.time)).map(drop)
    }

    /// Receives a message and at most that many files. Returns None at end of stream. If more files came, that is an
    /// error, and none is left open.
    pub fn receive_files(&mut self, data: &mut [u8], most: usize) -> Result<Option<(usize, Vec<OwnedFd>)>> {
        receive(&self.fd, data, most, self.time)
    }

    pub fn peer_credentials(&self) -> Result<Credentials> {
        peer_credentials(&self.fd)
    }

    /// As [`crate::Connection::check_peer`].
    pub fn check_peer(&self, policy: &PeerPolicy) -> Result<()> {
        policy.check(&self.fd)
    }
}
