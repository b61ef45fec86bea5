//! What of changed options a running server can take over.

use super::checks::paths_collide;
use super::load::OPTIONS;
use super::{Config, Effect};

impl Config {
    /// The keys that differ and wait for a restart, in the order of the reference.
    ///
    /// `endpoint` is one of them if another of them has to come first, as for an endpoint at the path
    /// of what is not served any more.
    pub fn diff_needing_restart(old: &Self, new: &Self) -> Vec<&'static str> {
        let changed = OPTIONS
            .iter()
            .filter(|option| option.get(old) != option.get(new));
        let waiting = changed.filter(|option| option.effect == Effect::Restart);
        let mut keys: Vec<_> = waiting.map(|option| option.key).collect();
        if old.endpoints != new.endpoints && !old.has_room_for_endpoints_of(new) {
            keys.push("endpoint");
        }
        keys
    }

    /// Takes over from `new` what takes effect without a restart; the rest stays as it is.
    ///
    /// Endpoints and tiers that are new or gone are so from then on. Values that go together in `new`
    /// also do so afterwards as long as [`diff_needing_restart`](Self::diff_needing_restart) is
    /// empty.
    pub fn take_over(&mut self, new: &Self) {
        for option in OPTIONS
            .iter()
            .filter(|option| option.effect != Effect::Restart)
        {
            option.copy(new, self);
        }
        self.tiers.clone_from(&new.tiers);
        if self.has_room_for_endpoints_of(new) {
            self.endpoints.clone_from(&new.endpoints);
        }
    }

    /// Whether what is served beside the endpoints, and stays as it is until the restart, leaves the
    /// paths free that the endpoints of `new` have.
    fn has_room_for_endpoints_of(&self, new: &Self) -> bool {
        let together = Self {
            endpoints: new.endpoints.clone(),
            ..self.clone()
        };
        !paths_collide(&together)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::{ENDPOINT_OPTIONS, TIER_OPTIONS};
    use crate::config::{Endpoint, Origins, Tier};

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
        new.tiers.insert("gold".into(), Tier::default());
        let keys = Config::diff_needing_restart(&old, &new);
        assert_eq!(keys, ["domain", "listen.plain"]);
    }

    #[test]
    fn equal_options_need_no_restart() {
        assert!(Config::diff_needing_restart(&Config::default(), &Config::default()).is_empty());
    }

    /// W14
    #[test]
    fn w14_endpoints_and_tiers_that_are_new_or_gone_are_so_after_a_reload() {
        let mut running = Config::default();
        let mut new = Config::default();
        new.endpoints.push(Endpoint {
            name: "b".into(),
            path: "/b/".into(),
            tier: Some("gold".into()),
            ..Endpoint::default()
        });
        new.tiers.insert("gold".into(), Tier::default());
        assert!(Config::diff_needing_restart(&running, &new).is_empty());
        running.take_over(&new);
        assert_eq!(running, new);
        running.take_over(&Config::default());
        assert_eq!(running, Config::default());
    }

    #[test]
    fn an_endpoint_waits_until_its_path_is_free() {
        let mut running = Config::default();
        let mut new = Config::default();
        new.bosh.enabled = false;
        new.endpoints[0].paths = vec![crate::config::BOSH_PATH.into()];
        let keys = Config::diff_needing_restart(&running, &new);
        assert_eq!(keys, ["bosh.enabled", "endpoint"]);
        running.take_over(&new);
        assert_eq!(running, Config::default());
    }

    #[test]
    fn no_option_of_endpoints_and_tiers_waits_for_a_restart() {
        let of_endpoints = ENDPOINT_OPTIONS.iter().map(|option| option.effect);
        let of_tiers = TIER_OPTIONS.iter().map(|option| option.effect);
        for effect in of_endpoints.chain(of_tiers) {
            assert_ne!(effect, Effect::Restart);
        }
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
