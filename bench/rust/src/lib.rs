//! What the contenders in Rust share: the protocol with the benchmark's driver.
//!
//!     PROGRAM server|client VARIANT WORK SIZE COUNT ADDRESS

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::iter;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use rlimit::Resource;

/// The size of the buffers in the work `buffered`, in bytes.
pub const BUFFER_SIZE: usize = 64 << 10;
/// The last byte of the last unit of a round. That of all others is 0.
pub const LAST: u8 = 1;
/// The number of operations between two looks at the clock.
const INTERVAL: u64 = 16;
/// From this size on, the clock is read after each operation.
const LARGE: usize = 64 << 10;

/// What a process is to do, from its arguments.
pub struct Job {
    pub role: String,
    pub variant: String,
    pub work: String,
    pub size: usize,
    pub count: usize,
    pub address: PathBuf,
}

impl Job {
    /// Reads the arguments, and raises the soft limit of open files to the hard one.
    pub fn from_args() -> Job {
        let job = check(Job::parse(env::args().skip(1).collect()));
        check(Resource::NOFILE.get_hard().and_then(|hard| Resource::NOFILE.set(hard, hard)));
        job
    }

    fn parse(arguments: Vec<String>) -> Result<Job, Box<dyn Error>> {
        let [role, variant, work, size, count, address] = <[String; 6]>::try_from(arguments)
            .map_err(|_| "the arguments are not server|client VARIANT WORK SIZE COUNT ADDRESS")?;
        if role != "server" && role != "client" {
            return Err(format!("the role is neither server nor client: {role}").into());
        }
        let size = size.parse().map_err(|error| format!("SIZE: {error}"))?;
        let count = count.parse().map_err(|error| format!("COUNT: {error}"))?;
        if size == 0 && !matches!(&work[..], "connect" | "files") {
            return Err("SIZE is 0".into());
        }
        Ok(Job { role, variant, work, size, count, address: address.into() })
    }

    /// Ends the process, since the program does not have this variant or work.
    pub fn missing(&self) -> ! {
        eprintln!("{}: there is no {} of {}", program(), self.work, self.variant);
        process::exit(2)
    }

    /// For servers: tells the driver that clients can connect. From then on answers it, until it ends the process.
    pub fn serving(&self) {
        let address = self.address.clone();
        self.serving_until(move || {
            check(fs::remove_file(address));
            process::exit(0)
        });
    }

    /// The same for servers that have to be told of the end.
    pub fn serving_until(&self, end: impl FnOnce() + Send + 'static) {
        say("ready");
        thread::spawn(move || {
            for line in io::stdin().lines() {
                check(line);
                say("-1");
            }
            end()
        });
    }

    /// For clients: the rounds that the driver asks for, after one to warm up. The iterator waits for the next one.
    pub fn rounds(&self) -> impl Iterator<Item = Round> {
        let interval = if self.size >= LARGE { 1 } else { INTERVAL };
        let asked = io::stdin().lines().map(move |line| {
            let length = Duration::from_millis(check(check(line).parse()));
            Round { begin: Instant::now(), length, interval, operations: 0, counts: true }
        });
        iter::once_with(Round::warm_up).chain(asked)
    }

    /// For clients: does nothing until the driver ends the process.
    pub fn idle(&self) {
        say("ready");
        for line in io::stdin().lines() {
            check(line);
            say("0 0 0");
        }
    }
}

/// A round of operations. A copy ends at the same time, and counts its own operations.
#[derive(Clone, Copy)]
pub struct Round {
    begin: Instant,
    length: Duration,
    interval: u64,
    operations: u64,
    counts: bool,
}

impl Round {
    fn warm_up() -> Round {
        Round { begin: Instant::now(), length: Duration::ZERO, interval: INTERVAL, operations: 0, counts: false }
    }

    /// Whether there is time for another operation. If so, counts it.
    pub fn goes_on(&mut self) -> bool {
        let looks = self.operations > 0 && self.operations % self.interval == 0;
        if looks && self.begin.elapsed() >= self.length {
            return false;
        }
        self.operations += 1;
        true
    }

    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Counts operations that `goes_on` has not counted.
    pub fn add(&mut self, operations: u64) {
        self.operations += operations;
    }

    /// Takes the time, and reports it to the driver.
    pub fn report(self) {
        let elapsed = self.begin.elapsed();
        if self.counts {
            say(&format!("{} {} -1", self.operations, elapsed.as_nanos()));
        } else {
            say("ready");
        }
    }
}

/// Checks the result of serving a connection, which ends when the client closes it.
pub fn check_served(result: io::Result<()>) {
    match result {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        other => check(other),
    }
}

/// Returns the value of a result, or ends the process with its error.
pub fn check<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("{}: {error}", env::args().collect::<Vec<_>>().join(" "));
        process::exit(1)
    })
}

fn program() -> String {
    env::args().next().unwrap_or_default()
}

fn say(line: &str) {
    check(writeln!(io::stdout(), "{line}"));
}
