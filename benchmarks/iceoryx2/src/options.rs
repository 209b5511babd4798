//! The command line.

use std::error::Error;

#[derive(Clone, Copy, PartialEq)]
pub enum Measure {
    RoundTrip,
    Throughput,
    FanOut,
}

pub struct Options {
    pub measure: Measure,
    /// Of a payload; a multiple of 8.
    pub bytes: usize,
    /// Whether every byte is written by the sender and read by the receiver.
    pub touch: bool,
    /// Measured round trips, frames, or bursts.
    pub samples: usize,
    /// Frames that may wait at the receiver (throughput).
    pub slots: usize,
    /// Subscribers (fan-out).
    pub consumers: usize,
    /// Given to the second process: the process id of the first.
    pub peer_of: Option<u32>,
}

pub const USAGE: &str = "usage: iceoryx2_bench round-trip|throughput|fan-out [--bytes N] [--touch 0|1] [--samples N] [--slots N] [--consumers N]";

impl Options {
    pub fn from_arguments(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let measure = match arguments.next().as_deref() {
            Some("round-trip") => Measure::RoundTrip,
            Some("throughput") => Measure::Throughput,
            Some("fan-out") => Measure::FanOut,
            _ => return Err(USAGE.into()),
        };
        let mut options = Options {
            measure,
            bytes: 64,
            touch: false,
            samples: 10_000,
            slots: 2,
            consumers: 1,
            peer_of: None,
        };
        while let Some(key) = arguments.next() {
            let value: usize = arguments.next().ok_or(USAGE)?.parse()?;
            match key.as_str() {
                "--bytes" => options.bytes = value,
                "--touch" => options.touch = value != 0,
                "--samples" => options.samples = value,
                "--slots" => options.slots = value,
                "--consumers" => options.consumers = value,
                "--peer-of" => options.peer_of = Some(value.try_into()?),
                _ => return Err(USAGE.into()),
            }
        }
        if options.bytes == 0 || !options.bytes.is_multiple_of(8) {
            return Err("--bytes must be a multiple of 8, and not 0".into());
        }
        if options.samples == 0 || options.slots == 0 || options.consumers == 0 {
            return Err("--samples, --slots and --consumers must be above 0".into());
        }
        Ok(options)
    }

    pub fn name(&self) -> &'static str {
        match self.measure {
            Measure::RoundTrip => "round-trip",
            Measure::Throughput => "throughput",
            Measure::FanOut => "fan-out",
        }
    }

    /// What the second process is started with.
    pub fn for_peer(&self) -> Vec<String> {
        let mut arguments = vec![self.name().to_owned()];
        for (key, value) in [
            ("--bytes", self.bytes),
            ("--touch", self.touch.into()),
            ("--samples", self.samples),
            ("--slots", self.slots),
            ("--consumers", self.consumers),
            ("--peer-of", std::process::id() as usize),
        ] {
            arguments.extend([key.to_owned(), value.to_string()]);
        }
        arguments
    }
}
