//! The crate interprocess: its local sockets, with blocking calls (variant `sync`), and with tasks on the runtime that its
//! examples use (variant `tokio`) or, for works with one connection, on one with a single thread
//! (`tokio-current-thread`).
//!
//! It cannot pass open files, so it has no work `files`.

use std::io;

use contender::{check, Job};
use interprocess::local_socket::{prelude::*, GenericFilePath, Name};

fn main() {
    let job = Job::from_args();
    check(match &job.variant[..] {
        "sync" => blocking::run(&job),
        "tokio" => tasks::on_threads(&job),
        "tokio-current-thread" if !matches!(&job.work[..], "idle" | "busy") => tasks::on_one_thread(&job),
        _ => job.missing(),
    })
}

fn name(job: &Job) -> io::Result<Name<'_>> {
    job.address.as_path().to_fs_name::<GenericFilePath>()
}

mod blocking {
    use std::io::{self, BufReader, BufWriter, Read, Write};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::thread;

    use contender::{check, check_served, Job, Round, BUFFER_SIZE, LAST};
    use interprocess::local_socket::{prelude::*, Listener, ListenerOptions, Stream};

    use crate::name;

    pub fn run(job: &Job) -> io::Result<()> {
        let size = job.size;
        match (&job.role[..], &job.work[..]) {
            ("server", "roundtrip" | "idle" | "busy") => serve(job, move |connection| echo(connection, size)),
            ("server", "stream") => serve(job, move |connection| drain(&connection, &connection, size)),
            ("server", "buffered") => serve(job, move |connection| {
                drain(BufReader::with_capacity(BUFFER_SIZE, &connection), &connection, size)
            }),
            ("server", "connect") => accept_and_close(job),
            ("client", "roundtrip") => round_trips(job),
            ("client", "stream") => {
                let connection = connect(job)?;
                stream(job, &connection, &connection)
            }
            ("client", "buffered") => {
                let connection = connect(job)?;
                stream(job, BufWriter::with_capacity(BUFFER_SIZE, &connection), &connection)
            }
            ("client", "connect") => connect_and_close(job),
            ("client", "idle") => idle(job),
            ("client", "busy") => busy(job),
            _ => job.missing(),
        }
    }

    fn listen(job: &Job) -> io::Result<Listener> {
        let listener = ListenerOptions::new().name(name(job)?).create_sync()?;
        job.serving();
        Ok(listener)
    }

    /// Serves each connection in a thread of its own.
    fn serve(job: &Job, handle: impl Fn(Stream) -> io::Result<()> + Copy + Send + 'static) -> io::Result<()> {
        for connection in listen(job)?.incoming() {
            let connection = connection?;
            thread::spawn(move || check_served(handle(connection)));
        }
        Ok(())
    }

    fn accept_and_close(job: &Job) -> io::Result<()> {
        listen(job)?.incoming().try_for_each(|connection| connection.map(drop))
    }

    fn echo(mut connection: Stream, size: usize) -> io::Result<()> {
        let mut bytes = vec![0; size];
        loop {
            connection.read_exact(&mut bytes)?;
            connection.write_all(&bytes)?;
        }
    }

    fn drain(mut reader: impl Read, mut writer: impl Write, size: usize) -> io::Result<()> {
        let mut bytes = vec![0; size];
        let mut total = 0;
        loop {
            let length = reader.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            total = (total + length) % size;
            if total == 0 && bytes[length - 1] == LAST {
                writer.write_all(&[LAST])?;
            }
        }
    }

    fn connect(job: &Job) -> io::Result<Stream> {
        Stream::connect(name(job)?)
    }

    fn round_trip(connection: &mut Stream, bytes: &mut [u8]) -> io::Result<()> {
        connection.write_all(bytes)?;
        connection.read_exact(bytes)
    }

    fn round_trips(job: &Job) -> io::Result<()> {
        let mut connection = connect(job)?;
        let mut bytes = vec![0; job.size];
        for mut round in job.rounds() {
            while round.goes_on() {
                round_trip(&mut connection, &mut bytes)?;
            }
            round.report();
        }
        Ok(())
    }

    fn stream(job: &Job, mut writer: impl Write, mut reader: impl Read) -> io::Result<()> {
        let unit = vec![0; job.size];
        let mut last_unit = unit.clone();
        last_unit[job.size - 1] = LAST;
        for mut round in job.rounds() {
            while round.goes_on() {
                writer.write_all(&unit)?;
            }
            writer.write_all(&last_unit)?;
            writer.flush()?;
            round.add(1);
            reader.read_exact(&mut [0])?;
            round.report();
        }
        Ok(())
    }

    fn connect_and_close(job: &Job) -> io::Result<()> {
        for mut round in job.rounds() {
            while round.goes_on() {
                if connect(job)?.read(&mut [0])? != 0 {
                    return Err(io::Error::other("the server sent a byte in place of the end"));
                }
            }
            round.report();
        }
        Ok(())
    }

    /// Opens the connections, each of which has made a round trip.
    fn open(job: &Job) -> io::Result<Vec<Stream>> {
        let mut bytes = vec![0; job.size];
        (0..job.count)
            .map(|_| {
                let mut connection = connect(job)?;
                round_trip(&mut connection, &mut bytes)?;
                Ok(connection)
            })
            .collect()
    }

    fn idle(job: &Job) -> io::Result<()> {
        let connections = open(job)?;
        job.idle();
        drop(connections);
        Ok(())
    }

    /// Uses each connection in a thread of its own.
    fn busy(job: &Job) -> io::Result<()> {
        let (done, finished) = mpsc::channel();
        let mut starts = Vec::new();
        for connection in open(job)? {
            let (start, rounds) = mpsc::channel();
            starts.push(start);
            let (done, size) = (done.clone(), job.size);
            thread::spawn(move || check(one_of_busy(connection, size, rounds, done)));
        }
        for mut round in job.rounds() {
            for start in &starts {
                start.send(round).map_err(io::Error::other)?;
            }
            for operations in finished.iter().take(starts.len()) {
                round.add(operations);
            }
            round.report();
        }
        Ok(())
    }

    fn one_of_busy(mut connection: Stream, size: usize, rounds: Receiver<Round>, done: Sender<u64>) -> io::Result<()> {
        let mut bytes = vec![0; size];
        for mut round in rounds {
            while round.goes_on() {
                round_trip(&mut connection, &mut bytes)?;
            }
            done.send(round.operations()).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

mod tasks {
    use std::future::Future;
    use std::io;

    use contender::{check_served, Job, Round, BUFFER_SIZE, LAST};
    use interprocess::local_socket::tokio::{prelude::*, Listener, Stream};
    use interprocess::local_socket::ListenerOptions;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};

    use crate::name;

    #[tokio::main]
    pub async fn on_threads(job: &Job) -> io::Result<()> {
        run(job).await
    }

    #[tokio::main(flavor = "current_thread")]
    pub async fn on_one_thread(job: &Job) -> io::Result<()> {
        run(job).await
    }

    async fn run(job: &Job) -> io::Result<()> {
        let size = job.size;
        match (&job.role[..], &job.work[..]) {
            ("server", "roundtrip" | "idle" | "busy") => serve(job, |connection| echo(connection, size)).await,
            ("server", "stream") => serve(job, |connection| drain(connection, size)).await,
            ("server", "buffered") => {
                serve(job, |connection| drain(BufReader::with_capacity(BUFFER_SIZE, connection), size)).await
            }
            ("server", "connect") => accept_and_close(job).await,
            ("client", "roundtrip") => round_trips(job).await,
            ("client", "stream") => stream(job, connect(job).await?).await,
            ("client", "buffered") => stream(job, BufWriter::with_capacity(BUFFER_SIZE, connect(job).await?)).await,
            ("client", "connect") => connect_and_close(job).await,
            ("client", "idle") => idle(job).await,
            ("client", "busy") => busy(job).await,
            _ => job.missing(),
        }
    }

    fn listen(job: &Job) -> io::Result<Listener> {
        let listener = ListenerOptions::new().name(name(job)?).create_tokio()?;
        job.serving();
        Ok(listener)
    }

    /// Serves each connection in a task of its own.
    async fn serve<F>(job: &Job, handle: impl Fn(Stream) -> F) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = listen(job)?;
        loop {
            let served = handle(listener.accept().await?);
            tokio::spawn(async { check_served(served.await) });
        }
    }

    async fn accept_and_close(job: &Job) -> io::Result<()> {
        let listener = listen(job)?;
        loop {
            drop(listener.accept().await?);
        }
    }

    async fn echo(mut connection: Stream, size: usize) -> io::Result<()> {
        let mut bytes = vec![0; size];
        loop {
            connection.read_exact(&mut bytes).await?;
            connection.write_all(&bytes).await?;
        }
    }

    async fn drain(mut connection: impl AsyncRead + AsyncWrite + Unpin, size: usize) -> io::Result<()> {
        let mut bytes = vec![0; size];
        let mut total = 0;
        loop {
            let length = connection.read(&mut bytes).await?;
            if length == 0 {
                return Ok(());
            }
            total = (total + length) % size;
            if total == 0 && bytes[length - 1] == LAST {
                connection.write_all(&[LAST]).await?;
            }
        }
    }

    async fn connect(job: &Job) -> io::Result<Stream> {
        Stream::connect(name(job)?).await
    }

    async fn round_trip(connection: &mut Stream, bytes: &mut [u8]) -> io::Result<()> {
        connection.write_all(bytes).await?;
        connection.read_exact(bytes).await?;
        Ok(())
    }

    async fn round_trips(job: &Job) -> io::Result<()> {
        let mut connection = connect(job).await?;
        let mut bytes = vec![0; job.size];
        for mut round in job.rounds() {
            while round.goes_on() {
                round_trip(&mut connection, &mut bytes).await?;
            }
            round.report();
        }
        Ok(())
    }

    async fn stream(job: &Job, mut connection: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let unit = vec![0; job.size];
        let mut last_unit = unit.clone();
        last_unit[job.size - 1] = LAST;
        for mut round in job.rounds() {
            while round.goes_on() {
                connection.write_all(&unit).await?;
            }
            connection.write_all(&last_unit).await?;
            connection.flush().await?;
            round.add(1);
            connection.read_exact(&mut [0]).await?;
            round.report();
        }
        Ok(())
    }

    async fn connect_and_close(job: &Job) -> io::Result<()> {
        for mut round in job.rounds() {
            while round.goes_on() {
                if connect(job).await?.read(&mut [0]).await? != 0 {
                    return Err(io::Error::other("the server sent a byte in place of the end"));
                }
            }
            round.report();
        }
        Ok(())
    }

    /// Opens the connections, each of which has made a round trip.
    async fn open(job: &Job) -> io::Result<Vec<Stream>> {
        let mut bytes = vec![0; job.size];
        let mut connections = Vec::new();
        for _ in 0..job.count {
            let mut connection = connect(job).await?;
            round_trip(&mut connection, &mut bytes).await?;
            connections.push(connection);
        }
        Ok(connections)
    }

    async fn idle(job: &Job) -> io::Result<()> {
        let connections = open(job).await?;
        job.idle();
        drop(connections);
        Ok(())
    }

    /// Uses each connection in a task of its own, which hands it back at the end of the round.
    async fn busy(job: &Job) -> io::Result<()> {
        let mut connections: Vec<_> = open(job).await?.into_iter().map(|c| (c, vec![0; job.size])).collect();
        for mut round in job.rounds() {
            let tasks: Vec<_> =
                connections.drain(..).map(|(c, bytes)| tokio::spawn(one_of_busy(c, bytes, round))).collect();
            for task in tasks {
                let (connection, bytes, operations) = task.await??;
                connections.push((connection, bytes));
                round.add(operations);
            }
            round.report();
        }
        Ok(())
    }

    async fn one_of_busy(
        mut connection: Stream,
        mut bytes: Vec<u8>,
        mut round: Round,
    ) -> io::Result<(Stream, Vec<u8>, u64)> {
        while round.goes_on() {
            round_trip(&mut connection, &mut bytes).await?;
        }
        Ok((connection, bytes, round.operations()))
    }
}
