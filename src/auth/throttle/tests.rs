use super::*;
use proptest::prelude::*;

const OWNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 9));

impl Throttle {
    /// How long an attempt would be held back.
    fn delay(&self, now: Instant, account: &str, address: IpAddr) -> Duration {
        self.delay_after(now, Duration::ZERO, account, address)
    }

    /// An attempt that failed, however early it came.
    fn on_failure(&mut self, now: Instant, account: &str, address: IpAddr) {
        self.count_attempt(now, account, address);
    }
}

/// The times at which so many attempts begin that are all there at once, in milliseconds.
fn beginnings_ms(throttle: &mut Throttle, attempts: usize) -> Vec<u128> {
    let start = Instant::now();
    let mut now = start;
    let mut begun = Vec::new();
    while begun.len() < attempts {
        match throttle.begin(now, now - start, "romeo", STRANGER) {
            Ok(()) => begun.push((now - start).as_millis()),
            Err(delay) => now += delay,
        }
    }
    begun
}

///
#[test]
fn attempts_made_at_once_stand_behind_each_other() {
    let mut throttle = Throttle::default();
    assert_eq!(
        beginnings_ms(&mut throttle, 9),
        [0, 0, 0, 0, 500, 1500, 3500, 7500, 15_500]
    );
}

/// After a restart a whole office comes back at once.
#[test]
fn logins_that_succeed_make_nobody_wait() {
    let now = Instant::now();
    let mut throttle = Throttle::default();
    for user in 0..1000 {
        let user = format!("user{user}");
        assert_eq!(throttle.begin(now, Duration::ZERO, &user, OWNER), Ok(()));
        throttle.on_success(&user, OWNER);
    }
    assert_eq!(throttle.counters(), 0);
}

#[test]
fn attempt_that_is_taken_back_costs_nothing() {
    let now = Instant::now();
    let mut throttle = after_failures(4, now, "romeo", OWNER);
    throttle.take_back("romeo", OWNER);
    assert_eq!(throttle.delay(now, "romeo", OWNER), Duration::ZERO);
    assert_eq!(throttle.begin(now, Duration::ZERO, "romeo", OWNER), Ok(()));
    assert!(throttle.begin(now, Duration::ZERO, "romeo", OWNER).is_err());
}

#[test]
fn owner_who_waited_for_the_low_cap_gets_in_whatever_strangers_do_meanwhile() {
    let now = Instant::now();
    let mut throttle = after_failures(1000, now, "romeo", STRANGER);
    let waited = throttle.begin(now, Duration::ZERO, "romeo", OWNER);
    assert_eq!(waited, Err(Duration::from_secs(2)));
    let later = now + Duration::from_secs(2);
    throttle.on_failure(later, "romeo", STRANGER);
    assert_eq!(throttle.begin(later, later - now, "romeo", OWNER), Ok(()));
}

fn after_failures(failures: u32, now: Instant, account: &str, address: IpAddr) -> Throttle {
    let mut throttle = Throttle::default();
    (0..failures).for_each(|_| throttle.on_failure(now, account, address));
    throttle
}

#[test]
fn free_failures_cost_nothing_and_further_ones_double_the_delay_up_to_the_cap() {
    let now = Instant::now();
    let delays_ms: Vec<u128> = (3..=11)
        .map(|failures| after_failures(failures, now, "romeo", OWNER))
        .map(|throttle| throttle.delay(now, "romeo", OWNER).as_millis())
        .collect();
    assert_eq!(
        delays_ms,
        [0, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]
    );
}

#[test]
fn delay_runs_down_from_the_last_failure() {
    let now = Instant::now();
    let throttle = after_failures(6, now, "romeo", OWNER);
    let later = now + Duration::from_millis(1500);
    assert_eq!(
        throttle.delay(later, "romeo", OWNER),
        Duration::from_millis(500)
    );
    assert_eq!(
        throttle.delay(now + Duration::from_secs(3), "romeo", OWNER),
        Duration::ZERO
    );
}

#[test]
fn failures_are_forgotten_after_a_quiet_time() {
    let now = Instant::now();
    let mut throttle = after_failures(9, now, "romeo", OWNER);
    let later = now + Duration::from_secs(600);
    throttle.on_failure(later, "romeo", OWNER);
    assert_eq!(throttle.delay(later, "romeo", OWNER), Duration::ZERO);
    assert_eq!(throttle.counters(), 3);
}

#[test]
fn success_forgets_the_failures_of_that_account_from_that_address() {
    let now = Instant::now();
    let mut throttle = after_failures(6, now, "romeo", OWNER);
    throttle.on_success("romeo", OWNER);
    assert_eq!(throttle.delay(now, "romeo", OWNER), Duration::ZERO);
}

/// no lasting lockout of the account.
#[test]
fn strangers_make_the_owner_wait_for_the_low_cap_at_most() {
    let now = Instant::now();
    let throttle = after_failures(1000, now, "romeo", STRANGER);
    assert_eq!(
        throttle.delay(now, "romeo", STRANGER),
        Duration::from_secs(15)
    );
    assert_eq!(throttle.delay(now, "romeo", OWNER), Duration::from_secs(2));
    assert_eq!(throttle.delay(now, "juliet", OWNER), Duration::ZERO);
}

#[test]
fn address_that_tries_many_accounts_is_slowed_on_all_of_them() {
    let now = Instant::now();
    let mut throttle = Throttle::default();
    for account in 0..22 {
        throttle.on_failure(now, &format!("user{account}"), STRANGER);
    }
    assert_eq!(
        throttle.delay(now, "romeo", STRANGER),
        Duration::from_secs(1)
    );
}

#[test]
fn login_to_an_own_account_does_not_clear_the_address() {
    let now = Instant::now();
    let mut throttle = after_failures(30, now, "romeo", STRANGER);
    throttle.on_success("mallory", STRANGER);
    assert_eq!(
        throttle.delay(now, "romeo", STRANGER),
        Duration::from_secs(15)
    );
    assert_eq!(
        throttle.delay(now, "mallory", STRANGER),
        Duration::from_secs(15)
    );
}

#[test]
fn addresses_of_one_ipv6_network_count_as_one() {
    let now = Instant::now();
    let first: IpAddr = "2001:db8:1:2::1".parse().expect("an address");
    let second: IpAddr = "2001:db8:1:2:ffff::9".parse().expect("an address");
    let elsewhere: IpAddr = "2001:db8:1:3::1".parse().expect("an address");
    let throttle = after_failures(4, now, "romeo", first);
    assert_eq!(
        throttle.delay(now, "romeo", second),
        Duration::from_millis(500)
    );
    assert_eq!(throttle.delay(now, "romeo", elsewhere), Duration::ZERO);
}

#[test]
fn mapped_ipv4_address_counts_as_the_ipv4_address() {
    let now = Instant::now();
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
    let throttle = after_failures(4, now, "romeo", mapped);
    assert_eq!(
        throttle.delay(now, "romeo", OWNER),
        Duration::from_millis(500)
    );
}

#[test]
fn counter_with_the_oldest_failure_goes_at_the_bound() {
    let now = Instant::now();
    let limits = ThrottleLimits {
        counters_max: 6,
        free_failures: 0,
        ..Default::default()
    };
    let mut throttle = Throttle::new(limits);
    throttle.on_failure(now, "old", OWNER);
    for (at_ms, account) in [(1, "a"), (2, "b"), (3, "c")] {
        throttle.on_failure(now + Duration::from_millis(at_ms), account, STRANGER);
    }
    let later = now + Duration::from_millis(4);
    assert_eq!(throttle.counters(), 6);
    assert_eq!(throttle.delay(later, "old", OWNER), Duration::ZERO);
    assert!(throttle.delay(later, "c", STRANGER) > Duration::ZERO);
}

proptest! {
    #[test]
    fn counters_and_their_order_agree_and_stay_within_the_bound(
        events in proptest::collection::vec((0u64..900, 0u8..6, 0u8..4, any::<bool>()), 0..200),
    ) {
        let mut now = Instant::now();
        let mut throttle =
            Throttle::new(ThrottleLimits { counters_max: 8, ..Default::default() });
        for (passed_seconds, account, host, failed) in events {
            now += Duration::from_secs(passed_seconds);
            let address = IpAddr::from([192, 0, 2, host]);
            let account = account.to_string();
            if failed {
                throttle.on_failure(now, &account, address);
            } else {
                throttle.on_success(&account, address);
            }
            prop_assert!(throttle.counters() <= 8);
            prop_assert_eq!(throttle.counters.len(), throttle.by_age.len());
            prop_assert!(throttle.delay(now, &account, address) <= Duration::from_secs(15));
        }
    }
}
