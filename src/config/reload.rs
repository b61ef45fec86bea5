//! What of changed options a running server can take over.

use super::load::{ENDPOINT_OPTIONS, OPTIONS};
use super::{Config, Effect};

impl Config {
    /// The keys that differ and wait for a restart, in the order of the reference.
    pub fn diff_needing_restart(old: &Self, new: &Self) -> Vec<&'static str> {
        let waits = |effect| effect == Effect::Restart;
        let changed = OPTIONS
            .iter()
            .filter(|option| option.get(old) != option.get(new));
        let mut keys: Vec<_> = changed
            .filter(|option| waits(option.effect))
            .map(|option| option.key)
            .collect();
        if old.endpoints.len() != new.endpoints.len() {
            keys.push("endpoint");
            return keys;
        }
        let differs = |index: usize, option: &super::option::Opt<_>| {
            option.get(&old.endpoints[index]) != option.get(&new.endpoints[index])
        };
        let changed = ENDPOINT_OPTIONS
            .iter()
            .filter(|option| waits(option.effect));
        let changed = changed.filter(|option| (0..old.endpoints.len()).any(|i| differs(i, option)));
        keys.extend(changed.map(|option| option.key));
        keys
    }

    /// Takes over from `new` what takes effect without a restart; the rest stays as it is.
    ///
    /// Endpoints are matched by name; one that is new or gone waits for the restart. Values that
    /// go together in `new` also do so afterwards as long as
    /// [`diff_needing_restart`](Self::diff_needing_restart) is empty.
    pub fn take_over(&mut self, new: &Self) {
        for option in OPTIONS
            .iter()
            .filter(|option| option.effect != Effect::Restart)
        {
            option.copy(new, self);
        }
        for endpoint in &mut self.endpoints {
            let Some(new) = new.endpoints.iter().find(|new| new.name == endpoint.name) else {
                continue;
            };
            for option in ENDPOINT_OPTIONS
                .iter()
                .filter(|option| option.effect != Effect::Restart)
            {
                option.copy(new, endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Endpoint, Origins};

    #[test]
    fn a_reload_takes_over_live_options_and_leaves_the_others() {
        let mut running = Config::default();
        let mut new = Config::default();
        new.sm.unsolicited_ack_frequency = 4;
        new.limits.send_queue = 64;
        new.listen.plain = None;
        running.take_over(&new);
        assert_eq!(running.sm.unsolicited_ack_frequency, 4);
        assert_eq!(running.limits.send_queue, 64);
        assert_eq!(running.listen.plain, Config::default().listen.plain);
    }

    #[test]
    fn only_changes_that_wait_for_a_restart_are_named() {
        let old = Config::default();
        let mut new = Config {
            domains: vec!["example.org".into()],
            ..Config::default()
        };
        new.sm.max_unacked = 50;
        new.listen.plain = None;
        new.endpoints[0].path = "/chat/".into();
        let keys = Config::diff_needing_restart(&old, &new);
        assert_eq!(keys, ["domain", "listen.plain", "endpoint.path"]);
    }

    #[test]
    fn equal_options_need_no_restart() {
        assert!(Config::diff_needing_restart(&Config::default(), &Config::default()).is_empty());
    }

    #[test]
    fn a_further_endpoint_waits_for_the_restart() {
        let mut new = Config::default();
        new.endpoints.push(Endpoint {
            name: "b".into(),
            path: "/b/".into(),
            origins: Origins::Any,
        });
        assert_eq!(
            Config::diff_needing_restart(&Config::default(), &new),
            ["endpoint"]
        );
    }

    #[test]
    fn the_origins_of_an_endpoint_change_on_reload() {
        let mut running = Config::default();
        let mut new = Config::default();
        new.endpoints[0].origins = Origins::Any;
        running.take_over(&new);
        assert_eq!(running.endpoints[0].origins, Origins::Any);
    }
}
