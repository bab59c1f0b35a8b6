//! Opens files for others: a server that passes open files, and a client that reads the files it is passed.
//!
//!     opener serve NAME DIR     open files in DIR for clients, until interrupted
//!     opener read NAME FILE     ask for FILE, and print what is in it
//!
//! NAME is "user:opener", say, which only you can reach.
//!
//! The client sends "FILE\n". The server answers "here it is\n" with the file, or "cannot open it: WHY\n" without one.
//! The server opens only regular files by plain names: no paths, no symbolic links.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lipc::{Connection, Listener, Name};

/// The longest wait for the peer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to check for a signal, which does not end a wait.
const LOOK: Duration = Duration::from_millis(100);
/// In bytes, of a name or an answer.
const LONGEST: usize = 4096;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn open_regular(directory: &Path, name: &[u8]) -> Result<File> {
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0) {
        return Err("only plain names are opened".into());
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY) // a FIFO does not wait for its writer
        .open(directory.join(OsStr::from_bytes(name)))
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => "not a regular file".into(),
            _ => error.to_string(),
        })?;
    if !file.metadata()?.is_file() {
        return Err("not a regular file".into());
    }
    Ok(file)
}

fn serve_connection(mut connection: Connection, directory: &Path) -> Result<()> {
    let mut requests = BufReader::new(connection.try_clone()?);
    loop {
        let mut line = Vec::new();
        if requests.by_ref().take(LONGEST as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.pop() != Some(b'\n') {
            connection.write_all(b"cannot open it: the name is too long\n")?;
            return Ok(());
        }
        match open_regular(directory, &line) {
            Ok(file) => {
                println!("passing {}", String::from_utf8_lossy(&line));
                connection.send_files(b"here it is\n", &[file.as_fd()])?; // the client has its own descriptor
            }
            Err(why) => connection.write_all(format!("cannot open it: {why}\n").as_bytes())?,
        }
    }
}

fn serve(name: &Name, directory: &Path) -> Result<()> {
    std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let listener = Listener::bind(name)?;
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stopped))?;
    }
    println!("listening on {name}");
    let directory: Arc<Path> = directory.into();
    while !stopped.load(Ordering::Relaxed) {
        let connection = match listener.accept_timeout(LOOK) {
            Err(error) if error.kind() == lipc::ErrorKind::TimedOut => continue,
            accepted => accepted?,
        };
        let directory = Arc::clone(&directory);
        thread::spawn(move || {
            if let Err(error) = serve_connection(connection, &directory) {
                eprintln!("opener: a client: {error}");
            }
        });
    }
    Ok(())
}

fn read(name: &Name, path: &OsStr) -> Result<()> {
    if path.as_bytes().contains(&b'\n') {
        return Err("a name with a line break cannot be asked for".into());
    }
    let mut server = Connection::connect_timeout(name, PATIENCE)?;
    server.set_timeout(Some(PATIENCE));
    server.write_all(&[path.as_bytes(), b"\n"].concat())?;
    let (mut answer, mut file) = (Vec::new(), None);
    while answer.last() != Some(&b'\n') && answer.len() < LONGEST {
        let mut piece = [0; 1024];
        let (length, files) = server.receive_files(&mut piece, 1)?.ok_or("the opener closed the connection")?;
        answer.extend_from_slice(&piece[..length]);
        file = files.into_iter().next().or(file);
    }
    print!("the opener says: {}", String::from_utf8_lossy(&answer));
    io::stdout().flush()?;
    let mut file = File::from(file.ok_or("no file came")?);
    io::copy(&mut file, &mut io::stdout())?;
    Ok(io::stdout().flush()?)
}

fn run() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (command, name, path) = match &arguments[..] {
        [command, name, path] => (command, Name::parse(name)?, path),
        _ => return Err("usage: opener serve NAME DIR | opener read NAME FILE".into()),
    };
    match command.to_str() {
        Some("serve") => serve(&name, Path::new(path)),
        Some("read") => read(&name, path),
        _ => Err(format!("no such command: {}", command.to_string_lossy()).into()),
    }
}

fn main() {
    if let Err(error) = run() {
        eprintln!("opener: {error}");
        std::process::exit(1);
    }
}
