//! The crate iceoryx2: publishers and subscribers of slices, which both sides look for all the time (variant `poll`),
//! or when an event comes (`event`).
//!
//! It has no connections, so it has no works but `roundtrip` and `stream`. Units are made in the shared memory, and
//! looked at where they are. The variant `event` has no `stream`: with a few units of 64 KiB under way, one run of three
//! hung, as both sides waited for an event, and the wait did not end with its timeout.

use std::error::Error;
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contender::{check, Job, LAST};
use iceoryx2::port::listener::{Listener, ListenerWaitError};
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many bytes may be under way, and how many units at most and at least.
const QUEUED_BYTES: usize = 256 << 10;
const QUEUED_MOST: usize = 1024;
const QUEUED_LEAST: usize = 4;

/// How often a server that waits for an event looks whether it has to end.
const LOOK: Duration = Duration::from_millis(50);

/// Set once the server's input has ended.
static ENDING: AtomicBool = AtomicBool::new(false);

fn main() {
    let job = Job::from_args();
    set_log_level(LogLevel::Fatal);
    check(run(&job).map_err(|error| error.to_string()));
}

fn run(job: &Job) -> Result<()> {
    let events = match &job.variant[..] {
        "poll" => false,
        "event" => true,
        _ => job.missing(),
    };
    match (&job.role[..], &job.work[..]) {
        ("server", "roundtrip") => serve(job, &End::new(job, "back", "there", events)?, |_| true),
        ("server", "stream") if !events => serve(job, &End::new(job, "back", "there", events)?, |last| last == LAST),
        ("client", "roundtrip") => round_trips(job, &End::new(job, "there", "back", events)?),
        ("client", "stream") if !events => stream(job, &End::new(job, "there", "back", events)?),
        _ => job.missing(),
    }
}

/// One end of a pair of services.
struct End {
    publisher: Publisher<ipc::Service, [u8], ()>,
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    events: Option<(Notifier<ipc::Service>, Listener<ipc::Service>)>,
    size: usize,
    _node: Node<ipc::Service>,
}

impl End {
    fn new(job: &Job, sending: &str, receiving: &str, events: bool) -> Result<End> {
        let node = NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled).create::<ipc::Service>()?;
        let name = |direction| ServiceName::new(&format!("{}/{direction}", job.address.display()));
        let queued = (QUEUED_BYTES / job.size).clamp(QUEUED_LEAST, QUEUED_MOST);
        let messages = |direction| -> Result<_> {
            let service = node.service_builder(&name(direction)?).publish_subscribe::<[u8]>();
            Ok(service.enable_safe_overflow(false).subscriber_max_buffer_size(queued).open_or_create()?)
        };
        let publisher = messages(sending)?
            .publisher_builder()
            .initial_max_slice_len(job.size)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        let subscriber = messages(receiving)?.subscriber_builder().create()?;
        let event = |direction| -> Result<_> { Ok(node.service_builder(&name(direction)?).event().open_or_create()?) };
        let events = if events {
            let notifier = event(sending)?.notifier_builder().create()?;
            Some((notifier, event(receiving)?.listener_builder().create()?))
        } else {
            None
        };
        Ok(End { publisher, subscriber, events, size: job.size, _node: node })
    }

    /// Sends a unit that ends with `last`. Writes all of it, since a program would have to write what it sends, too.
    fn send(&self, size: usize, last: u8) -> Result<()> {
        let mut sample = self.publisher.loan_slice(size)?;
        sample.payload_mut()[size - 1] = last;
        sample.send()?;
        if let Some((notifier, _)) = &self.events {
            notifier.notify()?;
        }
        Ok(())
    }

    /// Returns the last byte of the next unit, or nothing once the process has to end.
    fn receive(&self) -> Result<Option<u8>> {
        while !ENDING.load(Ordering::Relaxed) {
            if let Some(sample) = self.subscriber.receive()? {
                return Ok(sample.payload().last().copied());
            }
            match &self.events {
                Some((_, listener)) => match listener.timed_wait(|_| {}, LOOK) {
                    Err(ListenerWaitError::InterruptSignal) => {} // the driver stops processes between rounds
                    result => {
                        result?;
                    }
                },
                None => hint::spin_loop(),
            }
        }
        Ok(None)
    }
}

/// Answers units whose last byte is to be answered.
fn serve(job: &Job, end: &End, answers: impl Fn(u8) -> bool) -> Result<()> {
    job.serving_until(|| ENDING.store(true, Ordering::Relaxed));
    while let Some(last) = end.receive()? {
        if answers(last) {
            end.send(end.size, last)?;
        }
    }
    Ok(())
}

fn round_trips(job: &Job, end: &End) -> Result<()> {
    for mut round in job.rounds() {
        while round.goes_on() {
            end.send(end.size, 0)?;
            end.receive()?;
        }
        round.report();
    }
    Ok(())
}

fn stream(job: &Job, end: &End) -> Result<()> {
    for mut round in job.rounds() {
        while round.goes_on() {
            end.send(end.size, 0)?;
        }
        end.send(end.size, LAST)?;
        round.add(1);
        end.receive()?;
        round.report();
    }
    Ok(())
}
