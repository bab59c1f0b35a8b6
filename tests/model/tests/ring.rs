//! What must hold for the ring, and what must not hold for mutants of it. Each case is a process of its own, since a
//! failed check leaves loom in disorder. Arguments: parts of the names of the cases to run.

use model::{check, Lack, Lack::*, Part::*, Scenario, Side::*};
use std::process::{exit, Command};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{env, thread, time::Instant};

enum Expected {
    /// No execution fails, and these are tried: waits for data, waits for room, wraps.
    Holds([bool; 3]),
    /// The first failure says this.
    Fails(&'static str),
}
use Expected::*;

struct Case {
    name: &'static str,
    scenario: Scenario,
    lack: Lack,
    expected: Expected,
}

/// A record has 8 bytes and its payload, the ring 64, and a page of it 16: so the producer restarts whenever it can.
const ONE: Scenario = Scenario {
    capacity: 64,
    position: 0,
    messages: &[4],
    unread: 0,
    ends: None,
    membarrier: false,
    arm: false,
    preemptions: None,
};
const TWO: Scenario = Scenario { messages: &[4, 4], preemptions: Some(6), ..ONE };
const CHATTY: Scenario = Scenario { messages: &[4, 4, 4], preemptions: Some(4), ..ONE };
/// The longest records: two of them fill the ring.
const FULL: Scenario = Scenario { messages: &[16, 16, 16], preemptions: Some(3), ..ONE };
/// The first record restarts, and the second one comes to the pad's header. Positions pass 2^32.
const RESTART: Scenario = Scenario { position: 40u32.wrapping_sub(64), messages: &[8, 8, 8, 8], ..FULL };
const WRAP: Scenario = Scenario { position: 40, messages: &[16, 16, 4, 4], ..FULL };
/// The last message fits only if all others were consumed.
const LEAVE: Scenario = Scenario { position: 40, messages: &[4, 4, 4, 16], unread: 1, ..FULL };

/// In three parts.
const PARTS: Scenario = Scenario { messages: &[40], preemptions: Some(2), ..FULL };
const FINISH: Scenario = Scenario { ends: Some(Producer), ..FULL };
const GONE: Scenario = Scenario { messages: &[16, 16, 16, 16], unread: 3, ends: Some(Consumer), ..FULL };

const LOST: &str = "deadlock";
const RACE: &str = "Causality violation";
const STALE: &str = "stale";

fn cases() -> Vec<Case> {
    let holds = |name, scenario, tried| Case { name, scenario, lack: Nothing, expected: Holds(tried) };
    let fails = |name, lack, scenario, how| Case { name, scenario, lack, expected: Fails(how) };
    let membarrier = |scenario| Scenario { membarrier: true, preemptions: Some(2), ..scenario };
    let armed = |scenario| Scenario { arm: true, ..scenario };
    vec![
        holds("one_message_arrives_in_every_execution", ONE, [true, false, false]),
        holds("two_messages_arrive", TWO, [true, false, false]),
        holds("messages_arrive_in_order_at_a_consumer_that_sleeps", CHATTY, [true, false, true]),
        holds("a_producer_that_waits_for_room_is_woken", FULL, [true, true, true]),
        holds("a_producer_is_woken_by_a_consumer_that_never_waits_again", LEAVE, [true, true, true]),
        holds("a_restart_and_positions_over_2_to_the_32_lose_nothing", RESTART, [true, true, true]),
        holds("a_pad_at_the_end_of_the_ring_loses_nothing", WRAP, [true, true, true]),
        holds("a_message_in_parts_arrives", PARTS, [true, true, true]),
        holds("the_end_comes_after_the_messages", FINISH, [true, true, true]),
        holds("a_producer_that_waits_learns_that_the_consumer_is_gone", GONE, [true, true, false]),
        holds("callers_that_wait_by_themselves_for_messages_are_woken", armed(CHATTY), [true, false, true]),
        holds("callers_that_wait_by_themselves_for_room_are_woken", armed(FULL), [true, true, true]),
        holds("messages_arrive_with_membarrier_in_the_place_of_fences", membarrier(CHATTY), [true, false, true]),
        holds("a_producer_that_waits_for_room_is_woken_with_membarrier", membarrier(FULL), [true, true, true]),
        holds("a_restart_loses_nothing_with_membarrier", membarrier(RESTART), [true, true, true]),
        fails("without_the_fence_after_a_record_a_wake_up_is_lost", Fence(Producer, Data), CHATTY, LOST),
        fails(
            "without_the_fence_after_its_flag_the_consumer_sleeps_for_ever",
            Fence(Consumer, ConsumerWaits),
            CHATTY,
            LOST,
        ),
        fails("without_the_second_look_the_consumer_sleeps_for_ever", SecondLook(Consumer), CHATTY, LOST),
        fails("without_the_fence_after_the_head_a_wake_up_is_lost", Fence(Consumer, Head), FULL, LOST),
        fails(
            "without_the_fence_after_its_flag_the_producer_sleeps_for_ever",
            Fence(Producer, ProducerWaits),
            FULL,
            LOST,
        ),
        fails("without_the_second_look_the_producer_sleeps_for_ever", SecondLook(Producer), FULL, LOST),
        fails("a_producer_that_rings_before_it_clears_the_flag_loses_a_wake_up", ClearingFirst(Producer), CHATTY, LOST),
        fails("a_consumer_that_rings_before_it_clears_the_flag_loses_a_wake_up", ClearingFirst(Consumer), FULL, LOST),
        fails("without_membarrier_the_consumer_sleeps_for_ever", Membarrier(Consumer), membarrier(CHATTY), LOST),
        fails("without_membarrier_the_producer_sleeps_for_ever", Membarrier(Producer), membarrier(FULL), LOST),
        fails("without_zeroing_old_payload_is_read_as_a_record", Zeroing, RESTART, STALE),
        fails("a_header_that_does_not_release_publishes_no_payload", Release(Data), CHATTY, STALE),
        fails("a_header_that_is_not_acquired_has_no_payload", Acquire(Data), CHATTY, STALE),
        fails("a_head_that_does_not_release_lets_records_be_overwritten", Release(Head), WRAP, RACE),
        fails("a_head_that_is_not_acquired_lets_records_be_overwritten", Acquire(Head), WRAP, RACE),
    ]
}

/// In a process of its own.
fn run(case: &Case) {
    let start = Instant::now();
    let tried = check(case.scenario, case.lack);
    println!("{} executions, {:.1?}, {tried:?}", tried.executions, start.elapsed());
    if let Holds(expected) = case.expected {
        assert_eq!([tried.waits[0] > 0, tried.waits[1] > 0, tried.wraps > 0], expected, "{tried:?}");
    }
}

/// What went otherwise than expected.
fn try_case(number: usize, case: &Case) -> Result<String, String> {
    let child = Command::new(env::current_exe().unwrap()).env("MODEL_CASE", number.to_string()).output().unwrap();
    let [output, errors] = [&child.stdout, &child.stderr].map(|text| String::from_utf8_lossy(text));
    match case.expected {
        Holds(_) if child.status.success() => Ok(output.trim().to_string()),
        Fails(how) if !child.status.success() && errors.contains(how) => Ok(format!("fails: {how}")),
        _ => Err(format!("{}\n{output}{errors}", child.status)),
    }
}

fn main() {
    let cases = cases();
    if let Ok(number) = env::var("MODEL_CASE") {
        return run(&cases[number.parse::<usize>().unwrap()]);
    }
    let parts: Vec<_> = env::args().skip(1).filter(|part| !part.starts_with('-')).collect();
    let chosen = |case: &Case| parts.is_empty() || parts.iter().any(|part| case.name.contains(part.as_str()));
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some((number, case)) = Some(next.fetch_add(1, Relaxed)).and_then(|i| Some((i, cases.get(i)?))) {
            if !chosen(case) {
                continue;
            }
            match try_case(number, case) {
                Ok(how) => println!("ok      {}: {how}", case.name),
                Err(why) => {
                    failed.fetch_add(1, Relaxed);
                    println!("FAILED  {}: {why}", case.name);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |count| count.get()) {
            scope.spawn(work);
        }
    });
    exit(i32::from(failed.load(Relaxed) > 0));
}
