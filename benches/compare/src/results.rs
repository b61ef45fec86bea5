//! All that was measured: a value for each round, server and key such as `flood.cpu`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::servers::Server;
use crate::stats::{Summary, summary};

#[derive(Default)]
pub struct Results {
    values: BTreeMap<(String, Server), Vec<f64>>,
    /// The generator's own words, for those who look closer.
    raw: Vec<Value>,
    /// What went wrong, to be shown with the tables.
    pub failures: Vec<String>,
}

impl Results {
    pub fn add(&mut self, scenario: &str, server: Server, measure: &str, value: f64) {
        self.values
            .entry((format!("{scenario}.{measure}"), server))
            .or_default()
            .push(value);
    }

    pub fn keep(&mut self, round: usize, scenario: &str, server: Server, said: Value) {
        self.raw.push(json!({
            "round": round, "scenario": scenario, "server": server.name(), "said": said,
        }));
    }

    pub fn of(&self, key: &str, server: Server) -> Option<Summary> {
        summary(self.values.get(&(key.to_string(), server))?)
    }

    pub fn to_json(&self, machine: &[(String, String)]) -> Value {
        let values: Vec<Value> = self
            .values
            .iter()
            .map(|((key, server), values)| {
                json!({ "key": key, "server": server.name(), "values": values })
            })
            .collect();
        let machine: Vec<Value> = machine
            .iter()
            .map(|(name, value)| json!([name, value]))
            .collect();
        json!({
            "machine": machine, "values": values, "failures": self.failures, "raw": self.raw,
        })
    }

    /// What an earlier run wrote down, and the machine that it wrote it on.
    pub fn from_json(json: &Value) -> (Results, Vec<(String, String)>) {
        let mut results = Results::default();
        for entry in json["values"].as_array().into_iter().flatten() {
            let server = entry["server"].as_str().and_then(Server::by_name);
            if let (Some(key), Some(server)) = (entry["key"].as_str(), server) {
                let values = entry["values"].as_array().into_iter().flatten();
                let values = values.filter_map(Value::as_f64).collect();
                results.values.insert((key.to_string(), server), values);
            }
        }
        let strings = |value: &Value| value.as_str().map(str::to_string);
        results.failures = json["failures"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(strings)
            .collect();
        results.raw = json["raw"].as_array().cloned().unwrap_or_default();
        let machine = json["machine"].as_array().into_iter().flatten();
        let machine = machine.filter_map(|pair| Some((strings(&pair[0])?, strings(&pair[1])?)));
        let machine = machine.collect();
        (results, machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_the_way_through_their_file() {
        let mut results = Results::default();
        results.add("flood", Server::Prosody, "cpu", 2.0);
        results.add("flood", Server::Prosody, "cpu", 4.0);
        results.failures.push("ejabberd fell over".into());
        let machine = vec![("cores".to_string(), "2".to_string())];
        let (back, where_) = Results::from_json(&results.to_json(&machine));
        assert_eq!(back.of("flood.cpu", Server::Prosody).unwrap().median, 3.0);
        assert_eq!(back.failures, results.failures);
        assert_eq!(where_, machine);
    }
}
