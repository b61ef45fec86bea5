//! What is read from the answers of the generator.

use serde_json::Value;

/// Names of measures, with their values.
pub type Measures = Vec<(&'static str, f64)>;

/// CPU, and further figures by their names in the answer.
pub fn traffic(said: &[Value], more: &[(&'static str, &str)]) -> Measures {
    let wanted = [("cpu", "server_cpu_us_per_unit")];
    let wanted = wanted.iter().chain(more);
    let value = |name: &str| said.last()?[name].as_f64();
    wanted
        .filter_map(|(measure, name)| Some((*measure, value(name)?)))
        .collect()
}

/// The bytes of the process at each step of that kind, with the number of sessions.
fn steps(said: &Value, label: &str) -> Vec<(f64, f64)> {
    let steps = said["memory"].as_array().into_iter().flatten();
    let steps = steps.filter(|step| step["label"] == label);
    let step = |step: &Value| Some((step["sessions"].as_f64()?, step["bytes"]["rss"].as_f64()?));
    steps.filter_map(step).collect()
}

/// From one number of sessions to the next: what each takes, in KiB.
fn slope(from: (f64, f64), to: (f64, f64)) -> f64 {
    (to.1 - from.1) / (to.0 - from.0) / 1024.0
}

/// The slope between the last two steps of that kind.
pub fn memory(said: &[Value], label: &str, measure: &'static str) -> Measures {
    let steps = said
        .last()
        .map(|said| steps(said, label))
        .unwrap_or_default();
    match steps[..] {
        [.., from, to] => vec![(measure, slope(from, to))],
        _ => Vec::new(),
    }
}

/// From the second wave to the fourth: by then the process has had as many links as it ever has.
pub fn hibernating(said: &[Value]) -> Measures {
    let steps: Vec<(f64, f64)> = said
        .iter()
        .filter_map(|said| steps(said, "hibernating").pop())
        .collect();
    match steps[..] {
        [_, (_, from), _, (sessions, to)] => {
            vec![("memory", slope((0.0, from), (2.0 * sessions, to)))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(label: &str, sessions: u64, kib: u64) -> Value {
        json!({ "label": label, "sessions": sessions, "bytes": { "rss": kib * 1024 } })
    }

    #[test]
    fn memory_is_the_slope_between_the_steps_of_its_kind() {
        let steps = [
            step("idle", 10, 500),
            step("after a message", 10, 900),
            step("idle", 20, 530),
            step("after a message", 20, 950),
        ];
        let said = [json!({ "memory": steps })];
        assert_eq!(memory(&said, "idle", "memory"), [("memory", 3.0)]);
        assert_eq!(
            memory(&said, "after a message", "memory"),
            [("memory", 5.0)]
        );
    }

    #[test]
    fn memory_of_one_step_has_no_slope() {
        assert_eq!(
            memory(
                &[json!({ "memory": [step("idle", 10, 500)] })],
                "idle",
                "memory"
            ),
            []
        );
    }

    #[test]
    fn those_that_hibernate_are_counted_over_all_waves() {
        let wave = |kib: u64| json!({ "memory": [step("hibernating", 100, kib)] });
        let said = [wave(1000), wave(1100), wave(1200), wave(1500)];
        assert_eq!(hibernating(&said), [("memory", 2.0)]);
    }

    #[test]
    fn what_the_generator_does_not_say_is_not_measured() {
        let said = [json!({ "server_cpu_us_per_unit": 2.5 })];
        assert_eq!(traffic(&said, &[("p50", "p50_us")]), [("cpu", 2.5)]);
    }
}
