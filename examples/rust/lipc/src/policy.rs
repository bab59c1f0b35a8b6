use std::os::unix::io::AsRawFd;
use std::ptr;

use lipc_sys as sys;

use crate::system::{checked, handle};
use crate::Result;

/// The users that may be at the other end. The default admits nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    /// Everybody.
    pub any: bool,
    /// The user of this process.
    pub same_user: bool,
    /// Root.
    pub admin: bool,
    /// More users.
    pub uids: Vec<u32>,
}

impl PeerPolicy {
    /// Admits the user of this process.
    pub fn same_user() -> PeerPolicy {
        PeerPolicy { same_user: true, ..PeerPolicy::default() }
    }

    /// Admits root.
    pub fn admin() -> PeerPolicy {
        PeerPolicy { admin: true, ..PeerPolicy::default() }
    }

    /// Admits these users.
    pub fn any_of(uids: impl Into<Vec<u32>>) -> PeerPolicy {
        PeerPolicy { uids: uids.into(), ..PeerPolicy::default() }
    }

    /// The policy for the library, which points into this object.
    fn native(&self) -> sys::lipc_peer_policy {
        let set = |on: bool, bit: i32| if on { bit } else { 0 };
        sys::lipc_peer_policy {
            size: std::mem::size_of::<sys::lipc_peer_policy>(),
            peers: set(self.any, sys::LIPC_PEERS_ANY)
                | set(self.same_user, sys::LIPC_PEERS_SAME_USER)
                | set(self.admin, sys::LIPC_PEERS_ADMIN),
            uid_count: self.uids.len(),
            uids: self.uids.as_ptr(),
            sid_count: 0,
            sids: ptr::null(),
        }
    }

    /// Calls a function with the policy for the library, or with null without one.
    pub(crate) fn lend<R>(policy: Option<&PeerPolicy>, function: impl FnOnce(*const sys::lipc_peer_policy) -> R) -> R {
        match policy.map(PeerPolicy::native) {
            Some(native) => function(&native),
            None => function(ptr::null()),
        }
    }

    pub(crate) fn check(&self, fd: &impl AsRawFd) -> Result<()> {
        checked(unsafe { sys::lipc_peer_check(handle(fd), &self.native()) }.into(), "checking the peer").map(drop)
    }
}
