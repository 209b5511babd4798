//! What is measured. Frames go over the service `there`, the peer's answers over `back`.

use crate::options::{Measure, Options};
use crate::statistics;
use crate::workspace::{pin_to_core, Lifeline, Peer, Workspace};
use iceoryx2::port::{publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use std::error::Error;
use std::hint::{black_box, spin_loop};
use std::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;
type Sender = Publisher<ipc::Service, [u64], ()>;
type Receiver = Subscriber<ipc::Service, [u64], ()>;
type Frames =
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u64], ()>;

/// Frames of a burst (fan-out), each of which every consumer has taken before the next begins.
const BURST: usize = 8;

struct Services {
    there: Frames,
    back: Frames,
    words: usize,
    consumers: usize,
    _node: Node<ipc::Service>,
}

impl Services {
    fn open(options: &Options, workspace: &Workspace) -> Fallible<Self> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new()
            .config(&workspace.config()?)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()?;
        let consumers = if options.measure == Measure::FanOut {
            options.consumers
        } else {
            1
        };
        let buffer = match options.measure {
            Measure::RoundTrip => 1,
            Measure::Throughput => options.slots,
            Measure::FanOut => BURST,
        };
        let service = |name: &str, consumers: usize, buffer: usize| -> Fallible<Frames> {
            Ok(node
                .service_builder(&name.try_into()?)
                .publish_subscribe::<[u64]>()
                .enable_safe_overflow(false)
                .history_size(0)
                .max_publishers(1)
                .max_subscribers(consumers)
                .subscriber_max_buffer_size(buffer)
                .subscriber_max_borrowed_samples(1)
                .payload_alignment(Alignment::new(64).ok_or("alignment")?)
                .open_or_create()?)
        };
        let (there, back) = (service("there", consumers, buffer)?, service("back", 1, 1)?);
        Ok(Services {
            there,
            back,
            words: options.bytes / 8,
            consumers,
            _node: node,
        })
    }

    fn sender(&self, service: &Frames, words: usize) -> Fallible<Sender> {
        Ok(service
            .publisher_builder()
            .initial_max_slice_len(words)
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?)
    }

    fn receivers(&self) -> Fallible<Vec<Receiver>> {
        (0..self.consumers)
            .map(|_| Ok(self.there.subscriber_builder().create()?))
            .collect()
    }
}

/// What is put into a frame.
#[derive(Clone, Copy)]
enum Content<'a> {
    Untouched,
    Written(u64),
    Copied(&'a [u64]),
}

fn send(sender: &Sender, words: usize, content: Content) -> Fallible<()> {
    let mut frame = sender.loan_slice_uninit(words)?;
    match content {
        Content::Untouched => {}
        Content::Written(value) => frame.payload_mut().iter_mut().for_each(|word| {
            word.write(value);
        }),
        Content::Copied(from) => unsafe {
            std::ptr::copy_nonoverlapping(
                from.as_ptr(),
                frame.payload_mut().as_mut_ptr().cast(),
                words,
            )
        },
    }
    unsafe { frame.assume_init() }.send()?;
    Ok(())
}

/// Takes a frame if one waits, and reads every word of it if that is wished.
fn take(receiver: &Receiver, touch: bool) -> Fallible<bool> {
    let Some(frame) = receiver.receive()? else {
        return Ok(false);
    };
    if touch {
        black_box(
            frame
                .payload()
                .iter()
                .fold(0u64, |sum, word| sum.wrapping_add(*word)),
        );
    }
    Ok(true)
}

/// Waits for the peer's answer; an error if it ended.
fn await_answer(answers: &Receiver, touch: bool, peer: &mut Peer) -> Fallible<()> {
    let mut idle_polls = 0u32;
    while !take(answers, touch)? {
        spin_loop();
        idle_polls += 1;
        if idle_polls.is_multiple_of(1 << 16) && peer.has_ended() {
            return Err("the second process ended".into());
        }
    }
    Ok(())
}

/// The first process: one JSON object.
pub fn measure(options: &Options) -> Fallible<String> {
    pin_to_core(0);
    let workspace = Workspace::of(std::process::id());
    let services = Services::open(options, &workspace)?;
    let answers = services.back.subscriber_builder().create()?;
    let sender = services.sender(&services.there, services.words)?;
    let mut peer = Peer::start(&options.for_peer())?;
    await_answer(&answers, false, &mut peer)?; // it is there
    match options.measure {
        Measure::RoundTrip => round_trip(options, &sender, &answers, &mut peer),
        Measure::Throughput => throughput(options, &sender, &answers, &mut peer),
        Measure::FanOut => fan_out(options, &sender, &answers, &mut peer),
    }
}

fn round_trip(
    options: &Options,
    sender: &Sender,
    answers: &Receiver,
    peer: &mut Peer,
) -> Fallible<String> {
    let warm_up = options.samples / 10 + 10;
    let mut durations = Vec::with_capacity(options.samples);
    for round in 0..warm_up + options.samples {
        let content = if options.touch {
            Content::Written(round as u64)
        } else {
            Content::Untouched
        };
        let begun = Instant::now();
        send(sender, options.bytes / 8, content)?;
        await_answer(answers, options.touch, peer)?;
        if round >= warm_up {
            durations.push(begun.elapsed().as_nanos() as u64);
        }
    }
    Ok(statistics::to_json(options, &mut durations, None, &[]))
}

/// The durations are those between two frames sent; the mean is of all of them until the last was taken.
fn throughput(
    options: &Options,
    sender: &Sender,
    answers: &Receiver,
    peer: &mut Peer,
) -> Fallible<String> {
    let source = vec![7u64; options.bytes / 8];
    let content = if options.touch {
        Content::Copied(&source)
    } else {
        Content::Untouched
    };
    let mut durations = Vec::with_capacity(options.samples);
    for _ in 0..warm_up_frames(options) {
        send(sender, source.len(), content)?;
    }
    await_answer(answers, false, peer)?;
    let begun = Instant::now();
    let mut last = begun;
    for _ in 0..options.samples {
        send(sender, source.len(), content)?;
        let now = Instant::now();
        durations.push((now - last).as_nanos() as u64);
        last = now;
    }
    await_answer(answers, false, peer)?;
    let mean = begun.elapsed().as_nanos() as f64 / options.samples as f64;
    let extra = [
        format!(r#""frames_per_second": {:.1}"#, 1e9 / mean),
        format!(
            r#""gigabytes_per_second": {:.3}"#,
            options.bytes as f64 / mean
        ),
    ];
    Ok(statistics::to_json(
        options,
        &mut durations,
        Some(mean),
        &extra,
    ))
}

fn warm_up_frames(options: &Options) -> usize {
    options.samples / 10 + 2 * options.slots
}

/// The durations are those of a publish, as the mean of a burst.
fn fan_out(
    options: &Options,
    sender: &Sender,
    answers: &Receiver,
    peer: &mut Peer,
) -> Fallible<String> {
    let warm_up = options.samples / 10 + 10;
    let mut durations = Vec::with_capacity(options.samples);
    for round in 0..warm_up + options.samples {
        let begun = Instant::now();
        for _ in 0..BURST {
            send(sender, options.bytes / 8, Content::Untouched)?;
        }
        if round >= warm_up {
            durations.push(begun.elapsed().as_nanos() as u64 / BURST as u64);
        }
        await_answer(answers, false, peer)?;
    }
    Ok(statistics::to_json(options, &mut durations, None, &[]))
}

/// The second process: takes frames and answers until its standard input ends.
pub fn answer(options: &Options, owner: u32) -> Fallible<()> {
    pin_to_core(1);
    let mut workspace = Workspace::of(owner);
    let mut lifeline = Lifeline::of(owner);
    let answered = answer_until_cut(options, &workspace, &mut lifeline);
    if lifeline.owner_is_gone() {
        workspace.inherit();
        return Ok(());
    }
    answered
}

fn answer_until_cut(
    options: &Options,
    workspace: &Workspace,
    lifeline: &mut Lifeline,
) -> Fallible<()> {
    let services = Services::open(options, workspace)?;
    let receivers = services.receivers()?;
    let words = if options.measure == Measure::RoundTrip {
        services.words
    } else {
        1
    };
    let sender = services.sender(&services.back, words)?;
    send(&sender, words, Content::Written(0))?; // here I am
    let throughput_ends = [warm_up_frames(options), options.samples];
    let mut ends = throughput_ends.iter();
    let mut due = match options.measure {
        Measure::RoundTrip => 1,
        Measure::Throughput => *ends.next().unwrap_or(&0),
        Measure::FanOut => BURST * receivers.len(),
    };
    let mut taken = 0;
    loop {
        let mut found = 0;
        for receiver in &receivers {
            found += usize::from(take(receiver, options.touch)?);
        }
        taken += found;
        if found == 0 {
            spin_loop();
            if lifeline.is_cut() {
                return Ok(());
            }
        } else if taken == due {
            let echoed = options.measure == Measure::RoundTrip && options.touch;
            send(
                &sender,
                words,
                if echoed {
                    Content::Written(1)
                } else {
                    Content::Untouched
                },
            )?;
            taken = 0;
            due = if options.measure == Measure::Throughput {
                *ends.next().unwrap_or(&0)
            } else {
                due
            };
        }
    }
}
