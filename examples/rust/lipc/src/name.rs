use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::raw::c_char;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use lipc_sys as sys;

use crate::system::checked;
use crate::{Error, Result};

/// A name of a listener: one of the user's own, one of the machine, the path of a socket file, or a namespaced name.
#[derive(Clone, Copy)]
pub struct Name(pub(crate) sys::lipc_name);

type Make = unsafe extern "C" fn(*const c_char, usize, *mut sys::lipc_name) -> i32;
type Write = unsafe extern "C" fn(*const sys::lipc_name, *mut c_char, usize) -> i32;

impl Name {
    /// A name of the user's own, which no other user can take.
    pub fn user(name: impl AsRef<OsStr>) -> Result<Name> {
        Name::make(sys::lipc_name_user, name.as_ref())
    }

    /// A name of the machine, on which only root can listen.
    pub fn system(name: impl AsRef<OsStr>) -> Result<Name> {
        Name::make(sys::lipc_name_system, name.as_ref())
    }

    pub fn path(path: impl AsRef<Path>) -> Result<Name> {
        Name::make(sys::lipc_name_path, path.as_ref().as_os_str())
    }

    pub fn namespaced(name: impl AsRef<OsStr>) -> Result<Name> {
        Name::make(sys::lipc_name_namespaced, name.as_ref())
    }

    /// Reads "user:x" as the user's name x, "system:x" as the system's, "@x" as the namespaced name x, and any other
    /// text as a path.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Name> {
        Name::make(sys::lipc_name_parse, text.as_ref())
    }

    fn make(function: Make, text: &OsStr) -> Result<Name> {
        let mut name = Name::none();
        let bytes = text.as_bytes();
        let result = unsafe { function(bytes.as_ptr().cast(), bytes.len(), &mut name.0) };
        if result < 0 {
            return Err(Error::new(result.into(), format!("the name {text:?}")));
        }
        Ok(name)
    }

    /// The name of an unbound socket.
    pub(crate) fn none() -> Name {
        Name(sys::lipc_name { type_: 0, length: 0, text: [0; sys::LIPC_NAME_CAPACITY] })
    }

    /// Returns the name of a handle, or None if it has none.
    pub(crate) fn ask(
        function: unsafe extern "C" fn(sys::lipc_handle, *mut sys::lipc_name) -> i32,
        handle: sys::lipc_handle,
    ) -> Result<Option<Name>> {
        let mut name = Name::none();
        checked(unsafe { function(handle, &mut name.0) }.into(), "asking for a name")?;
        Ok(Some(name).filter(|name| name.0.type_ != 0))
    }

    pub fn is_path(&self) -> bool {
        self.0.type_ == sys::LIPC_NAME_PATH as u32
    }

    /// The path by which programs that do not use lipc reach the name.
    pub fn location(&self) -> Result<PathBuf> {
        let location = self.write(sys::lipc_name_location, "locating a name")?;
        Ok(OsString::from_vec(location).into())
    }

    fn write(&self, function: Write, about: &str) -> Result<Vec<u8>> {
        let mut buffer = vec![0; sys::LIPC_NAME_CAPACITY + 8];
        let length = unsafe { function(&self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        buffer.truncate(checked(length.into(), about)?);
        Ok(buffer)
    }

    /// The text of the name, without "user:", "system:" or "@".
    pub fn as_bytes(&self) -> &[u8] {
        unsafe { std::slice::from_raw_parts(self.0.text.as_ptr().cast(), self.0.length as usize) }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.type_ == other.0.type_ && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

/// In the form that [`Name::parse`] reads.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.write(sys::lipc_name_format, "formatting a name").map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}
