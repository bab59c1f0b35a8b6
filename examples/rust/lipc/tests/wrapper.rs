use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use lipc::{
    ConnectOptions, Connection, ErrorKind, ListenOptions, Listener, MessageConnection, MessageListener, Name,
    PeerPolicy, Shutdown,
};

const SOON: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(5);

/// What a test has to itself: the descriptors of the process, and a directory. Nothing may be left of either.
struct Fixture {
    directory: PathBuf,
    descriptors: usize,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

fn fixture() -> Fixture {
    let alone = ALONE.lock().unwrap_or_else(|failed| failed.into_inner());
    let directory = std::env::temp_dir().join(format!("lipc-rust-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    Fixture { directory, descriptors: descriptors(), _alone: alone }
}

impl Fixture {
    fn name(&self) -> Name {
        Name::path(self.directory.join("s")).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let empty = fs::remove_dir(&self.directory);
        if !thread::panicking() {
            empty.expect("the directory is empty");
            assert_eq!(self.descriptors, descriptors(), "descriptors were left open");
        }
    }
}

fn descriptors() -> usize {
    fs::read_dir("/dev/fd").unwrap().count()
}

fn null() -> File {
    File::open("/dev/null").unwrap()
}

fn fill(connection: &mut Connection) -> io::Error {
    connection.set_timeout(Some(SHORT));
    connection.write_all(&vec![0; 64 << 20]).unwrap_err()
}

#[test]
fn errors_have_a_portable_kind_and_the_systems_code() {
    let fixture = fixture();
    let name = fixture.name();
    let error = Connection::connect_timeout(&name, SOON).unwrap_err();
    assert_eq!(ErrorKind::NotFound, error.kind());
    assert!(error.raw_os_error().is_some());
    assert!(error.to_string().contains(&name.to_string()), "{error}");
    assert!(error.to_string().contains("no such name"), "{error}");
    let error: io::Error = error.into();
    assert_eq!(io::ErrorKind::NotFound, error.kind());
    assert_eq!(ErrorKind::NotFound, error.get_ref().unwrap().downcast_ref::<lipc::Error>().unwrap().kind());
    let _listener = Listener::bind(&name).unwrap();
    assert_eq!(ErrorKind::AddressInUse, Listener::bind(&name).unwrap_err().kind());
    assert_eq!(ErrorKind::NotSocket, MessageConnection::connect(&name).unwrap_err().kind());
    let (mut a, b) = Connection::pair().unwrap();
    drop(b);
    assert_eq!(io::ErrorKind::BrokenPipe, a.write(b"x").unwrap_err().kind());
}

#[test]
fn user_names_are_files_at_their_location() {
    let fixture = fixture();
    std::env::set_var("XDG_RUNTIME_DIR", &fixture.directory);
    fs::set_permissions(&fixture.directory, fs::Permissions::from_mode(0o700)).unwrap();
    let name = Name::user("x").unwrap();
    let location = name.location().unwrap();
    assert_eq!(fixture.directory.join("lipc/x"), location);
    {
        let listener = Listener::bind(&name).unwrap();
        assert_eq!(name, listener.name());
        Connection::connect_timeout(&Name::path(&location).unwrap(), SOON).unwrap();
        Connection::connect_timeout(&name, SOON).unwrap().check_peer(&PeerPolicy::same_user()).unwrap();
    }
    fs::remove_dir(location.parent().unwrap()).unwrap();
    std::env::remove_var("XDG_RUNTIME_DIR");
}

#[test]
fn policies_admit_only_the_users_that_they_name() {
    let fixture = fixture();
    let name = fixture.name();
    let own = fs::metadata(&fixture.directory).unwrap().uid();
    for (policy, admitted) in [
        (PeerPolicy::same_user(), true),
        (PeerPolicy { any: true, ..PeerPolicy::default() }, true),
        (PeerPolicy::any_of([own + 1, own]), true),
        (PeerPolicy::any_of([own + 1]), false),
        (PeerPolicy::default(), false),
    ] {
        let expected = if admitted { None } else { Some(ErrorKind::PermissionDenied) };
        {
            let _listener = Listener::bind(&name).unwrap();
            let options = ConnectOptions { server: Some(policy.clone()), ..ConnectOptions::default() };
            assert_eq!(expected, Connection::connect_with(&name, options).err().map(|error| error.kind()));
            let client = Connection::connect(&name).unwrap();
            assert_eq!(expected, client.check_peer(&policy).err().map(|error| error.kind()));
        }
        let options = ListenOptions { clients: Some(policy), ..ListenOptions::default() };
        let listener = Listener::bind_with(&name, options).unwrap();
        let mut client = Connection::connect(&name).unwrap();
        assert_eq!(expected, listener.accept_timeout(Duration::ZERO).err().map(|error| error.kind()));
        assert_eq!(0, client.read(&mut [0]).unwrap(), "it was closed, in both cases");
    }
}

#[test]
fn group_is_that_of_the_socket_file() {
    let fixture = fixture();
    let own = fs::metadata(&fixture.directory).unwrap();
    let group = if own.uid() == 0 { 12345 } else { own.gid() };
    let options = ListenOptions { mode: 0o660, group: Some(group), ..ListenOptions::default() };
    let _listener = Listener::bind_with(&fixture.name(), options).unwrap();
    assert_eq!(group, fs::metadata(fixture.directory.join("s")).unwrap().gid());
}

#[test]
fn names_are_checked_and_round_trip() {
    assert_eq!(Name::namespaced("x").unwrap(), Name::parse("@x").unwrap());
    assert_ne!(Name::namespaced("x").unwrap(), Name::path("x").unwrap());
    assert_eq!("@x", Name::parse("@x").unwrap().to_string());
    assert_eq!("./@x", Name::path("@x").unwrap().to_string());
    assert!(Name::path("x").unwrap().is_path());
    for (name, text) in [(Name::user("x").unwrap(), "user:x"), (Name::system("x").unwrap(), "system:x")] {
        assert_eq!(text, name.to_string());
        assert_eq!(name, Name::parse(text).unwrap());
        assert_eq!(b"x", name.as_bytes());
    }
    assert_eq!(ErrorKind::Name, Name::user("a/b").unwrap_err().kind());
    assert_eq!(ErrorKind::Name, Name::path("").unwrap_err().kind());
    assert_eq!(ErrorKind::Name, Name::path("a\0b").unwrap_err().kind());
    assert_eq!(ErrorKind::NameTooLong, Name::path("x".repeat(2000)).unwrap_err().kind());
}

#[test]
fn timeouts_run_out() {
    let fixture = fixture();
    let listener = Listener::bind(&fixture.name()).unwrap();
    let began = Instant::now();
    assert_eq!(ErrorKind::TimedOut, listener.accept_timeout(SHORT).unwrap_err().kind());
    assert!(began.elapsed() >= SHORT);
    assert_eq!(ErrorKind::WouldBlock, listener.accept_timeout(Duration::ZERO).unwrap_err().kind());
    assert_eq!(ErrorKind::TimedOut, listener.accept_timeout(Duration::from_nanos(1)).unwrap_err().kind());
    let (mut a, _b) = Connection::pair().unwrap();
    assert_eq!(io::ErrorKind::TimedOut, fill(&mut a).kind());
    assert_eq!(io::ErrorKind::TimedOut, a.read(&mut [0]).unwrap_err().kind());
    assert_eq!(ErrorKind::TimedOut, a.send_files(b"x", &[null().as_fd()]).unwrap_err().kind());
}

#[test]
fn streams_carry_bytes_until_their_end() {
    let fixture = fixture();
    let listener =
        Listener::bind_with(&fixture.name(), ListenOptions { mode: 0o640, backlog: 5, ..ListenOptions::default() })
            .unwrap();
    let about = fs::metadata(fixture.directory.join("s")).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(0o640, about.permissions().mode() & 0o777);
    assert_eq!(fixture.name(), listener.name());
    let mut client = Connection::connect_timeout(&listener.name(), SOON).unwrap();
    let mut server = listener.accept_timeout(SOON).unwrap();
    assert_eq!(Some(i64::from(std::process::id())), server.peer_credentials().unwrap().pid);
    assert_eq!(Some(listener.name()), client.peer_name().unwrap());
    assert_eq!(None, client.local_name().unwrap());
    client.write_all(b"to the server").unwrap();
    let clone = client.try_clone().unwrap();
    drop(client);
    clone.shutdown(Shutdown::Write).unwrap();
    let mut got = String::new();
    server.read_to_string(&mut got).unwrap();
    assert_eq!("to the server", got);
    let fd = OwnedFd::from(server);
    assert!(fd.as_raw_fd() >= 0);
}

#[test]
fn messages_keep_their_boundaries() {
    if cfg!(target_os = "macos") {
        return; // has no SOCK_SEQPACKET
    }
    let fixture = fixture();
    let listener = MessageListener::bind(&fixture.name()).unwrap();
    let mut client = MessageConnection::connect_timeout(&fixture.name(), SOON).unwrap();
    let mut server = listener.accept_timeout(SOON).unwrap();
    server.set_timeout(Some(SOON));
    for message in [&b"one"[..], b"", b"too long", b"last"] {
        client.send(message).unwrap();
    }
    drop(client);
    let mut data = [0; 100];
    assert_eq!(Some(3), server.receive(&mut data).unwrap());
    assert_eq!(b"one", &data[..3]);
    assert_eq!(Some(0), server.receive(&mut data).unwrap());
    assert_eq!(ErrorKind::Truncated, server.receive(&mut data[..3]).unwrap_err().kind());
    assert_eq!(b"too", &data[..3]);
    if cfg!(target_os = "linux") {
        assert_eq!(Some(4), server.message_size().unwrap());
    }
    assert_eq!(Some(4), server.receive(&mut data).unwrap());
    assert_eq!(None, server.receive(&mut data).unwrap());
    assert!(server.receive_files(&mut data, 1).unwrap().is_none());

    let (mut a, mut b) = MessageConnection::pair().unwrap();
    a.send_files(b"", &[null().as_fd()]).unwrap();
    let (length, files) = b.receive_files(&mut [], 1).unwrap().unwrap();
    assert_eq!((0, 1), (length, files.len()));
}

#[test]
fn pipes_go_one_way() {
    let _fixture = fixture();
    let (mut reader, mut writer) = lipc::pipe().unwrap();
    writer.write_all(b"through").unwrap();
    drop(writer);
    let mut got = String::new();
    reader.read_to_string(&mut got).unwrap();
    assert_eq!("through", got);
}

#[test]
fn files_arrive_once_and_belong_to_the_receiver() {
    let _fixture = fixture();
    let (mut a, mut b) = Connection::pair().unwrap();
    b.set_timeout(Some(SOON));
    let file = null();
    a.send_files(b"two", &[file.as_fd(), file.as_fd()]).unwrap();
    let mut data = [0; 100];
    let (length, files) = b.receive_files(&mut data, 5).unwrap().unwrap();
    assert_eq!((3, 2), (length, files.len()));
    for file in files {
        assert_eq!(0, File::from(file).read(&mut data).unwrap()); // it is /dev/null
    }
    let before = descriptors();
    a.send_files(b"x", &[file.as_fd()]).unwrap();
    assert_eq!(0, b.receive_files(&mut data, 0).unwrap().unwrap().1.len()); // unwanted: closed
    a.send_files(b"x", &[file.as_fd()]).unwrap();
    assert_eq!(1, b.read(&mut data).unwrap()); // unasked for: closed
    a.send_files(b"x", &[file.as_fd(), file.as_fd()]).unwrap();
    assert_eq!(ErrorKind::HandlesLost, b.receive_files(&mut data, 1).unwrap_err().kind());
    assert_eq!(ErrorKind::TooManyHandles, a.send_files(b"x", &vec![file.as_fd(); 300]).unwrap_err().kind());
    assert_eq!(ErrorKind::TooManyHandles, b.receive_files(&mut data, 300).unwrap_err().kind());
    a.send_files(b"", &[file.as_fd()]).unwrap(); // goes with a byte of value 0
    assert_eq!((1, 0), (b.read(&mut data).unwrap(), data[0]));
    assert_eq!(before, descriptors());
    drop(a);
    assert!(b.receive_files(&mut data, 1).unwrap().is_none());
}

#[test]
fn long_pieces_of_a_stream_carry_their_files_once() {
    let _fixture = fixture();
    let (mut a, mut b) = Connection::pair().unwrap();
    let sender = thread::spawn(move || a.send_files(&vec![1; 4 << 20], &[null().as_fd()]).unwrap());
    let (mut data, mut size, mut count) = (vec![0; 65536], 0, 0);
    while let Some((length, files)) = b.receive_files(&mut data, 5).unwrap() {
        size += length;
        count += files.len();
    }
    sender.join().unwrap();
    assert_eq!((4 << 20, 1), (size, count));
}
