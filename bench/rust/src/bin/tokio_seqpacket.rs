//! The crate tokio-seqpacket: messages in tasks (variant `seqpacket`).

use std::fs::File;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};

use contender::{check, check_served, Job, Round, LAST};
use tokio_seqpacket::ancillary::{AncillaryMessageReader, AncillaryMessageWriter, OwnedAncillaryMessage};
use tokio_seqpacket::{UnixSeqpacket, UnixSeqpacketListener};

/// Enough for the ancillary data of one file.
const ANCILLARY_SIZE: usize = 64;

fn main() {
    let job = Job::from_args();
    if job.variant != "seqpacket" {
        job.missing();
    }
    check(match &job.work[..] {
        "idle" | "busy" => on_threads(&job),
        _ => on_one_thread(&job), // with one connection there is nothing to share among threads, and waking them costs
    })
}

#[tokio::main]
async fn on_threads(job: &Job) -> io::Result<()> {
    run(job).await
}

#[tokio::main(flavor = "current_thread")]
async fn on_one_thread(job: &Job) -> io::Result<()> {
    run(job).await
}

async fn run(job: &Job) -> io::Result<()> {
    let size = job.size;
    match (&job.role[..], &job.work[..]) {
        ("server", "roundtrip" | "idle" | "busy") => serve(job, |socket| echo(socket, size)).await,
        ("server", "stream") => serve(job, |socket| drain(socket, size)).await,
        ("server", "files") => serve(job, receive_files).await,
        ("server", "connect") => accept_and_close(job).await,
        ("client", "roundtrip") => round_trips(job).await,
        ("client", "stream") => stream(job).await,
        ("client", "files") => send_files(job).await,
        ("client", "connect") => connect_and_close(job).await,
        ("client", "idle") => idle(job).await,
        ("client", "busy") => busy(job).await,
        _ => job.missing(),
    }
}

fn listen(job: &Job) -> io::Result<UnixSeqpacketListener> {
    let listener = UnixSeqpacketListener::bind(&job.address)?;
    job.serving();
    Ok(listener)
}

/// Serves each connection in a task of its own.
async fn serve<F>(job: &Job, handle: impl Fn(UnixSeqpacket) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut listener = listen(job)?;
    loop {
        let served = handle(listener.accept().await?);
        tokio::spawn(async { check_served(served.await) });
    }
}

async fn accept_and_close(job: &Job) -> io::Result<()> {
    let mut listener = listen(job)?;
    loop {
        drop(listener.accept().await?);
    }
}

async fn connect(job: &Job) -> io::Result<UnixSeqpacket> {
    UnixSeqpacket::connect(&job.address).await
}

/// Receives a message that fills the buffer.
async fn receive(socket: &UnixSeqpacket, message: &mut [u8]) -> io::Result<()> {
    let length = socket.recv(message).await?.bytes_read();
    check_length(length, message.len())
}

fn check_length(length: usize, expected: usize) -> io::Result<()> {
    match length {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if length == expected => Ok(()),
        _ => Err(io::Error::other(format!("a message of {length} bytes came in place of {expected}"))),
    }
}

async fn echo(socket: UnixSeqpacket, size: usize) -> io::Result<()> {
    let mut message = vec![0; size];
    loop {
        receive(&socket, &mut message).await?;
        socket.send(&message).await?;
    }
}

async fn drain(socket: UnixSeqpacket, size: usize) -> io::Result<()> {
    let mut message = vec![0; size];
    loop {
        receive(&socket, &mut message).await?;
        if message[size - 1] == LAST {
            socket.send(&[LAST]).await?;
        }
    }
}

async fn receive_files(socket: UnixSeqpacket) -> io::Result<()> {
    let mut byte = [0];
    let mut space = [0; ANCILLARY_SIZE];
    loop {
        let mut slices = [IoSliceMut::new(&mut byte)];
        let (info, ancillary) = socket.recv_vectored_with_ancillary(&mut slices, &mut space).await?;
        check_length(info.bytes_read(), 1)?;
        let files = close_files(ancillary);
        if files != 1 {
            return Err(io::Error::other(format!("{files} files came in place of 1")));
        }
        if byte[0] == LAST {
            socket.send(&[LAST]).await?;
        }
    }
}

/// Closes the files that came with a message, and counts them.
fn close_files(ancillary: AncillaryMessageReader) -> usize {
    ancillary
        .into_messages()
        .map(|message| match message {
            OwnedAncillaryMessage::FileDescriptors(files) => files.map(drop).count(),
            _ => 0,
        })
        .sum()
}

async fn round_trip(socket: &UnixSeqpacket, message: &mut [u8]) -> io::Result<()> {
    socket.send(message).await?;
    receive(socket, message).await
}

async fn round_trips(job: &Job) -> io::Result<()> {
    let socket = connect(job).await?;
    let mut message = vec![0; job.size];
    for mut round in job.rounds() {
        while round.goes_on() {
            round_trip(&socket, &mut message).await?;
        }
        round.report();
    }
    Ok(())
}

async fn stream(job: &Job) -> io::Result<()> {
    let socket = connect(job).await?;
    let message = vec![0; job.size];
    let mut last_message = message.clone();
    last_message[job.size - 1] = LAST;
    for mut round in job.rounds() {
        while round.goes_on() {
            socket.send(&message).await?;
        }
        socket.send(&last_message).await?;
        round.add(1);
        receive(&socket, &mut [0]).await?;
        round.report();
    }
    Ok(())
}

async fn send_file(socket: &UnixSeqpacket, byte: u8, file: &File) -> io::Result<()> {
    let mut space = [0; ANCILLARY_SIZE];
    let mut ancillary = AncillaryMessageWriter::new(&mut space);
    ancillary.add_fds([file])?;
    socket.send_vectored_with_ancillary(&[IoSlice::new(&[byte])], &mut ancillary).await?;
    Ok(())
}

async fn send_files(job: &Job) -> io::Result<()> {
    let socket = connect(job).await?;
    let file = File::open("/dev/null")?;
    for mut round in job.rounds() {
        while round.goes_on() {
            send_file(&socket, 0, &file).await?;
        }
        send_file(&socket, LAST, &file).await?;
        round.add(1);
        receive(&socket, &mut [0]).await?;
        round.report();
    }
    Ok(())
}

async fn connect_and_close(job: &Job) -> io::Result<()> {
    for mut round in job.rounds() {
        while round.goes_on() {
            if connect(job).await?.recv(&mut [0]).await?.bytes_read() != 0 {
                return Err(io::Error::other("the server sent a message in place of the end"));
            }
        }
        round.report();
    }
    Ok(())
}

/// Opens the connections, each of which has made a round trip. Without that the server's backlog could be full, and
/// `UnixSeqpacket::connect` would then return a socket that is not connected, without an error.
async fn open(job: &Job) -> io::Result<Vec<UnixSeqpacket>> {
    let mut message = vec![0; job.size];
    let mut sockets = Vec::new();
    for _ in 0..job.count {
        let socket = connect(job).await?;
        round_trip(&socket, &mut message).await?;
        sockets.push(socket);
    }
    Ok(sockets)
}

async fn idle(job: &Job) -> io::Result<()> {
    let sockets = open(job).await?;
    job.idle();
    drop(sockets);
    Ok(())
}

/// Uses each connection in a task of its own, which hands it back at the end of the round.
async fn busy(job: &Job) -> io::Result<()> {
    let mut connections: Vec<_> = open(job).await?.into_iter().map(|socket| (socket, vec![0; job.size])).collect();
    for mut round in job.rounds() {
        let tasks: Vec<_> =
            connections.drain(..).map(|(socket, message)| tokio::spawn(one_of_busy(socket, message, round))).collect();
        for task in tasks {
            let (connection, operations) = task.await??;
            connections.push(connection);
            round.add(operations);
        }
        round.report();
    }
    Ok(())
}

async fn one_of_busy(
    socket: UnixSeqpacket,
    mut message: Vec<u8>,
    mut round: Round,
) -> io::Result<((UnixSeqpacket, Vec<u8>), u64)> {
    while round.goes_on() {
        round_trip(&socket, &mut message).await?;
    }
    Ok(((socket, message), round.operations()))
}
