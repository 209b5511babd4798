//! Durations, and what is said of them.

use crate::options::Options;

/// Of durations in nanoseconds; sorts them. REQUIRES: at least one. `mean` where it is not that of the durations;
/// `extra` are further members, each `"name": value`.
pub fn to_json(
    options: &Options,
    durations: &mut [u64],
    mean: Option<f64>,
    extra: &[String],
) -> String {
    durations.sort_unstable();
    let at = |share: f64| durations[((durations.len() - 1) as f64 * share) as usize];
    let sum: u64 = durations.iter().sum();
    let mean = mean.unwrap_or(sum as f64 / durations.len() as f64);
    let settings = format!(
        r#"{{"transport": "iceoryx2", "bytes": {}, "touch": {}, "samples": {}, "slots": {}, "consumers": {}, "loop": "closed"}}"#,
        options.bytes, options.touch as u8, options.samples, options.slots, options.consumers
    );
    let mut members = vec![
        format!(r#""measure": "{}""#, options.name()),
        format!(r#""settings": {settings}"#),
        r#""unit": "ns""#.to_owned(),
        format!(r#""count": {}"#, durations.len()),
        format!(r#""mean": {mean:.1}"#),
    ];
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
        members.push(format!(r#""{name}": {}"#, at(share)));
    }
    members.extend_from_slice(extra);
    format!("{{{}}}", members.join(", "))
}
