//! The measures of README.md over iceoryx2. This process sends, a second one (itself again, as `peer`) answers; both poll
//! without a pause. One JSON object on standard output.

mod measures;
mod options;
mod statistics;
mod workspace;

use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    let ran = Options::from_arguments(std::env::args().skip(1)).and_then(|options| match &options
        .peer_of
    {
        Some(owner) => measures::answer(&options, *owner),
        None => measures::measure(&options).map(|json| println!("{json}")),
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iceoryx2_bench: {error}");
            ExitCode::FAILURE
        }
    }
}
