//! The shared memory of a channel, as loom sees it. The channel itself is the core's C: its atomic accesses, fences,
//! copies and bells call the functions at the end of this file. Payload is accessed without atomics, so that loom
//! reports races on it.
//!
//! Limits: a bell orders what was before it, as a socket does. loom lets no load see a store that comes later. A fence
//! of one side happens before the next fence of the other, which is more than C promises where a third thread looks.
//! Most scenarios bound how often a side is interrupted.

use loom::sync::atomic::{fence, AtomicU32};
use loom::sync::mpsc::{channel, Receiver, Sender};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::rc::Rc;
use std::sync::atomic::Ordering::{self, *};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Producer,
    Consumer,
}
use Side::*;

/// What an address in the shared memory is. Data are the ring: headers and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Head,
    ConsumerWaits,
    ProducerWaits,
    Processor,
    Data,
}
use Part::*;

/// What a mutant lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    Nothing,
    /// The fence of this side after its last store was to this part.
    Fence(Side, Part),
    /// The look of this side between its flag and its wait.
    SecondLook(Side),
    /// The store of zero to the next header.
    Zeroing,
    /// The order of stores to this part, of loads of it.
    Release(Part),
    Acquire(Part),
    /// The order in which this side clears the other's flag and rings: it clears it afterwards.
    ClearingFirst(Side),
    /// The call of membarrier by this side.
    Membarrier(Side),
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub capacity: u32,
    /// Where both sides begin, in an empty ring.
    pub position: u32,
    /// The lengths of the messages.
    pub messages: &'static [u32],
    /// How many of them, the last ones, are not received: the consumer leaves without a wait.
    pub unread: usize,
    /// Who shuts its direction down after that.
    pub ends: Option<Side>,
    pub membarrier: bool,
    /// Whether the callers wait by themselves, for the handle to become readable.
    pub arm: bool,
    /// How often at most a side is interrupted that could go on; None: any number of times.
    pub preemptions: Option<usize>,
}

/// What was tried. A scenario that never waits shows nothing about waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    pub executions: usize,
    /// Waits for data, and for room.
    pub waits: [usize; 2],
    /// Records that lie before the record before them.
    pub wraps: usize,
}

const MEMORY: usize = 1024;
const LONGEST: usize = 64;

#[repr(align(128))]
struct Memory(UnsafeCell<[u8; MEMORY]>);

struct Bell {
    sender: Sender<()>,
    receiver: Receiver<()>,
    /// What was rung, and not taken out of the channel; and what was, but is still to be read.
    rung: Cell<usize>,
    seen: Cell<usize>,
}

impl Bell {
    fn new() -> Bell {
        let (sender, receiver) = channel();
        Bell { sender, receiver, rung: Cell::new(0), seen: Cell::new(0) }
    }

    fn ring(&self) {
        self.sender.send(()).unwrap();
        self.rung.set(self.rung.get() + 1);
    }

    fn wait(&self) {
        self.receiver.recv().unwrap();
        self.rung.set(self.rung.get() - 1);
    }
}

struct Model {
    lack: Lack,
    memory: Box<Memory>, // gives addresses alone; its bytes are not used
    ends: UnsafeCell<Vec<u64>>,
    words: [UnsafeCell<AtomicU32>; 4],
    data: Vec<UnsafeCell<AtomicU32>>,
    bells: [Bell; 2],
    /// Ordered accesses to this word make loom try all orders of fences, which it does not by itself. They order
    /// nothing else, since they are relaxed.
    order: AtomicU32,
    state: [State; 2],
    acknowledged: [Bell; 2],
    membarrier: bool,
    tried: RefCell<Tried>,
    written: Cell<usize>,
}

/// What a side did last, and is about to do.
#[derive(Default)]
struct State {
    stored: Cell<Option<Part>>,
    /// Its last look for a record or for room, and whether it raised its flag since.
    loaded: Cell<u32>,
    armed: Cell<bool>,
    uncleared: Cell<Option<*mut AtomicU32>>,
    /// It does not wait, and was asked for a fence.
    running: Cell<bool>,
    asked: Cell<bool>,
}

thread_local! {
    /// loom runs all threads of a model on one thread.
    static MODEL: RefCell<Option<Rc<Model>>> = const { RefCell::new(None) };
}

loom::thread_local! {
    static SIDE: Cell<Side> = Cell::new(Producer);
}

fn model() -> Rc<Model> {
    MODEL.with(|model| model.borrow().clone().unwrap())
}

fn side() -> Side {
    SIDE.with(|side| side.get())
}

extern "C" {
    static model_ends_size: usize;
    static model_offsets: [usize; 5];
    fn model_attach(ends: *mut c_void, memory: *mut c_void, capacity: u32, position: u32, membarrier: bool, arm: bool);
    fn model_send(ends: *mut c_void, payload: *const u8, size: usize) -> i64;
    fn model_receive(ends: *mut c_void, payload: *mut u8, size: usize) -> i64;
    fn model_end(ends: *mut c_void, consumer: bool) -> c_int;
    fn model_is(result: i64, consumer: bool) -> bool;
}

impl Model {
    fn new(scenario: Scenario, lack: Lack) -> Model {
        assert!(unsafe { model_offsets[4] } + scenario.capacity as usize <= MEMORY);
        let word = |_| UnsafeCell::new(AtomicU32::new(0));
        let model = Model {
            lack,
            memory: Box::new(Memory(UnsafeCell::new([0; MEMORY]))),
            ends: UnsafeCell::new(vec![0; unsafe { model_ends_size }.div_ceil(8)]),
            words: [0, 1, 2, 3].map(word),
            data: (0..scenario.capacity as usize / 4).map(word).collect(),
            bells: [Bell::new(), Bell::new()],
            order: AtomicU32::new(0),
            state: Default::default(),
            acknowledged: [Bell::new(), Bell::new()],
            membarrier: scenario.membarrier,
            tried: Default::default(),
            written: Cell::new(0),
        };
        unsafe { (*model.words[0].get()).with_mut(|head| *head = scenario.position) };
        unsafe {
            let memory = model.memory.0.get().cast();
            model_attach(model.ends(), memory, scenario.capacity, scenario.position, scenario.membarrier, scenario.arm)
        };
        model
    }

    fn ends(&self) -> *mut c_void {
        unsafe { (*self.ends.get()).as_mut_ptr().cast() }
    }

    /// The word at this address, or nothing if it is not in the shared memory.
    fn find(&self, address: *const u8) -> Option<(Part, *mut AtomicU32)> {
        let offset = (address as usize).wrapping_sub(self.memory.0.get() as usize);
        if offset >= MEMORY {
            return None;
        }
        let offsets = unsafe { &model_offsets };
        for (i, part) in [Head, ConsumerWaits, ProducerWaits, Processor].into_iter().enumerate() {
            if offset == offsets[i] {
                return Some((part, self.words[i].get()));
            }
        }
        let at = offset.checked_sub(offsets[4]).expect("an access to nothing");
        assert!(at % 4 == 0 && at / 4 < self.data.len(), "an access out of bounds, at {at}");
        Some((Data, self.data[at / 4].get()))
    }

    fn order(&self) {
        self.order.fetch_add(1, Relaxed);
    }

    fn state(&self) -> &State {
        &self.state[side() as usize]
    }

    /// Executes the fence that the other side's membarrier asked for. This comes before each access, so that the fence
    /// can be anywhere.
    fn interrupt(&self) {
        if self.membarrier {
            self.order();
            if self.state().asked.take() {
                fence(SeqCst);
                self.acknowledged[side() as usize].ring();
            }
        }
    }

    /// From here to resume() this side executes nothing. A processor that switches to another thread is a barrier to
    /// membarrier.
    fn suspend(&self) {
        self.interrupt();
        if self.membarrier {
            fence(SeqCst);
        }
        self.state().running.set(false);
    }

    fn resume(&self) {
        if self.membarrier && !self.state().running.replace(true) {
            fence(SeqCst);
        }
    }

    /// A fence on this side, and one on the other, wherever it is.
    fn membarrier(&self) {
        let other = 1 - side() as usize;
        self.suspend();
        if self.state[other].running.get() {
            self.state[other].asked.set(true);
            self.acknowledged[other].wait();
        }
        self.resume();
    }
}

/// Tries all executions. It ends the process at the first in which a message is lost, changed or out of order, in which
/// accesses race, or in which both sides wait for ever.
pub fn check(scenario: Scenario, lack: Lack) -> Tried {
    // loom cannot unwind what is half done, less so through C.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(1);
    }));
    let total = Arc::new(Mutex::new(Tried::default()));
    let sum = total.clone();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.preemption_bound = scenario.preemptions;
    builder.check(move || {
        MODEL.with(|slot| slot.replace(Some(Rc::new(Model::new(scenario, lack)))));
        let consumer = loom::thread::spawn(move || {
            SIDE.with(|side| side.set(Consumer));
            run(|| receive_all(scenario));
        });
        run(|| send_all(scenario));
        consumer.join().unwrap();
        let model = MODEL.with(|slot| slot.take()).unwrap();
        let (mut sum, tried) = (sum.lock().unwrap(), model.tried.borrow());
        sum.executions += 1;
        sum.waits = [0, 1].map(|bell| sum.waits[bell] + tried.waits[bell]);
        sum.wraps += tried.wraps;
    });
    let tried = *total.lock().unwrap();
    tried
}

fn run(work: impl FnOnce()) {
    model().resume();
    work();
    model().suspend();
}

/// Payload that is a valid header wherever it is read as one.
fn payload(message: usize, length: u32) -> Vec<u8> {
    let word = (1 << 29 | message as u32 + 1).to_ne_bytes();
    word.into_iter().cycle().take(length as usize).collect()
}

fn send_all(scenario: Scenario) {
    let model = model();
    for (message, &length) in scenario.messages.iter().enumerate() {
        let bytes = payload(message, length);
        let result = unsafe { model_send(model.ends(), bytes.as_ptr(), bytes.len()) };
        if scenario.ends == Some(Consumer) && unsafe { model_is(result, false) } {
            return;
        }
        assert_eq!(result, i64::from(length), "stale: the head cannot be there");
    }
    if scenario.ends == Some(Producer) {
        assert_eq!(unsafe { model_end(model.ends(), false) }, 0);
    }
}

fn receive_all(scenario: Scenario) {
    let model = model();
    let mut bytes = [0; LONGEST];
    let mut receive = || unsafe {
        let result = model_receive(model.ends(), bytes.as_mut_ptr(), bytes.len());
        (result, bytes)
    };
    let received = scenario.messages.len() - scenario.unread;
    for (message, &length) in scenario.messages[..received].iter().enumerate() {
        let (result, bytes) = receive();
        assert!(result >= 0, "stale: no record of ours");
        assert_eq!(bytes[..result as usize], payload(message, length), "stale: not message {message}");
    }
    match scenario.ends {
        Some(Producer) => assert!(unsafe { model_is(receive().0, true) }, "stale: not the end"),
        Some(Consumer) => assert_eq!(unsafe { model_end(model.ends(), true) }, 0),
        None => {}
    }
}

const ORDERS: [Ordering; 6] = [Relaxed, Acquire, Acquire, Release, AcqRel, SeqCst];

#[no_mangle]
extern "C" fn model_load(word: *const u32, order: c_int) -> u32 {
    let model = model();
    let Some((part, word)) = model.find(word.cast()) else { return unsafe { *word } };
    model.interrupt();
    let state = model.state();
    if matches!(part, Head | Data) && state.armed.get() && model.lack == Lack::SecondLook(side()) {
        return state.loaded.get();
    }
    let mut order = ORDERS[order as usize];
    if order == Acquire && model.lack == Lack::Acquire(part) {
        order = Relaxed;
    }
    let value = unsafe { (*word).load(order) };
    if matches!(part, Head | Data) {
        state.loaded.set(value);
    }
    value
}

#[no_mangle]
extern "C" fn model_store(word: *mut u32, value: u32, order: c_int) {
    let model = model();
    let Some((part, word)) = model.find(word.cast()) else { return unsafe { *word = value } };
    if part == Data && value == 0 && model.lack == Lack::Zeroing {
        return;
    }
    model.interrupt();
    let mut order = ORDERS[order as usize];
    if order == Release && model.lack == Lack::Release(part) {
        order = Relaxed;
    }
    unsafe { (*word).store(value, order) };
    model.state().armed.set(value != 0 && matches!(part, ConsumerWaits | ProducerWaits));
    model.state().stored.set(Some(part));
}

/// Clears a flag: the peer's before a bell, or the own one after a wait.
#[no_mangle]
extern "C" fn model_replace(word: *mut u32, expected: u32, value: u32) -> bool {
    let model = model();
    let (part, word) = model.find(word.cast()).expect("an atomic exchange in private memory");
    model.interrupt();
    let own = if side() == Producer { ProducerWaits } else { ConsumerWaits };
    if part != own && model.lack == Lack::ClearingFirst(side()) {
        model.state().uncleared.set(Some(word));
        return unsafe { (*word).load(Relaxed) } == expected;
    }
    model.state().stored.set(Some(part));
    unsafe { (*word).compare_exchange(expected, value, AcqRel, Relaxed) }.is_ok()
}

#[no_mangle]
extern "C" fn model_fence(order: c_int) {
    let model = model();
    let after = model.state().stored.get();
    if after.is_some_and(|part| model.lack == Lack::Fence(side(), part)) {
        return;
    }
    model.interrupt();
    model.order();
    fence(ORDERS[order as usize]);
}

#[no_mangle]
extern "C" fn model_copy(to: *mut u8, from: *const u8, size: usize) {
    let model = model();
    for at in (0..size).step_by(4) {
        let count = 4.min(size - at);
        unsafe {
            let mut bytes = [0; 4];
            match model.find(from.add(at)) {
                Some((_, word)) => bytes = (*word).unsync_load().to_ne_bytes(),
                None => from.add(at).copy_to(bytes.as_mut_ptr(), count),
            }
            match model.find(to.add(at)) {
                Some((_, word)) => {
                    let offset = to as usize - model.memory.0.get() as usize;
                    if offset < model.written.replace(offset) {
                        model.tried.borrow_mut().wraps += 1;
                    }
                    (*word).with_mut(|word| *word = u32::from_ne_bytes(bytes))
                }
                None => bytes.as_ptr().copy_to(to.add(at), count),
            }
        }
    }
}

#[no_mangle]
extern "C" fn model_bell(room: c_int) {
    let model = model();
    model.interrupt();
    model.order();
    model.bells[room as usize].ring();
    if let Some(word) = model.state().uncleared.take() {
        unsafe { (*word).store(0, Relaxed) };
    }
}

/// Waits until a bell can be read.
#[no_mangle]
extern "C" fn model_poll(room: c_int) {
    let model = model();
    let bell = &model.bells[room as usize];
    model.state().armed.set(false);
    model.tried.borrow_mut().waits[room as usize] += 1;
    if bell.seen.get() > 0 {
        return;
    }
    if bell.rung.get() == 0 {
        model.suspend();
    }
    bell.wait();
    model.resume();
    bell.seen.set(1);
}

/// Reads all bells that were rung, and returns how many. Waits for the first one if wait is set.
#[no_mangle]
extern "C" fn model_drain(room: c_int, wait: bool) -> usize {
    if wait {
        model_poll(room);
    }
    let model = model();
    let bell = &model.bells[room as usize];
    model.order();
    while bell.rung.get() > 0 {
        bell.wait();
        bell.seen.set(bell.seen.get() + 1);
    }
    bell.seen.take()
}

#[no_mangle]
extern "C" fn model_membarrier() {
    let model = model();
    if model.lack != Lack::Membarrier(side()) {
        model.membarrier();
    }
}
