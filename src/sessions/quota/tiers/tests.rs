use super::*;
use crate::auth::{Admission, ChannelBinding};
use crate::sessions::tests::{bind, sessions};

fn minute(amount: u64, at_once: u64) -> Allowance {
    Allowance {
        amount,
        per: Duration::from_secs(60),
        at_once,
    }
}

fn tier(shared_by: SharedBy, excess: Excess) -> TierOptions {
    TierOptions {
        shared_by,
        stanzas: minute(100, 5),
        bytes: Allowance::UNLIMITED,
        excess,
    }
}

fn tiers(options: TierOptions) -> Tiers {
    let tiers = Tiers::default();
    set(&tiers, options);
    tiers
}

/// The tier "gold" at the endpoint "web", and none over BOSH.
fn set(tiers: &Tiers, options: TierOptions) {
    let web = ("web".to_owned(), "gold".to_owned());
    tiers.set_options([("gold".to_owned(), options)], [web], None);
}

fn link(endpoint: &str, address: &str) -> Connection {
    Connection {
        transport: Transport::WebSocket,
        subprotocol: None,
        endpoint: endpoint.into(),
        path: "/ws".into(),
        query: "".into(),
        admission: None,
        address: address.parse().unwrap(),
        on_this_machine: false,
        private: true,
        binding: ChannelBinding::default(),
    }
}

/// How many stanzas pass at once.
fn passes(seat: &Seat, now: Instant) -> usize {
    (0..100).take_while(|_| seat.take(now, 1).is_ok()).count()
}

#[test]
fn w5_a_rate_of_fewer_than_two_a_second_is_kept_exactly() {
    let tiers = tiers(tier(SharedBy::User, Excess::Refuse));
    let (registry, mut now) = (sessions(), crate::clock::now());
    let session = bind(&registry, "a@b/r");
    let seat = tiers.seat(now, &session, &link("web", "192.0.2.1"));
    assert_eq!(passes(&seat, now), 5);
    for _ in 0..100 {
        let over = seat.take(now, 1).unwrap_err();
        assert_eq!(over.until - now, Duration::from_millis(600));
        now = over.until;
        assert_eq!(seat.take(now, 1), Ok(()));
    }
}

/// Five at once and then one in 600 ms: none is served before its time.
#[test]
fn w5_who_is_delayed_sends_at_the_rate_from_the_first_stanza_on() {
    let tiers = tiers(tier(SharedBy::User, Excess::Slow));
    let (registry, start) = (sessions(), crate::clock::now());
    let session = bind(&registry, "a@b/r");
    let seat = tiers.seat(start, &session, &link("web", "192.0.2.1"));
    let mut now = start;
    for _ in 0..50 {
        now = now.max(seat.until(now).unwrap_or(now));
        let _ = seat.take(now, 1);
    }
    assert_eq!(now - start, Duration::from_millis(45 * 600));
    // After the first four nobody has to wait.
    assert_eq!(tiers.throttled()[0].1.delayed, 46);
}

#[test]
fn w5_the_key_is_what_the_tier_says() {
    let registry = sessions();
    let now = crate::clock::now();
    let (one, two) = (bind(&registry, "a@b/1"), bind(&registry, "a@b/2"));
    let other = bind(&registry, "c@b/1");
    let (here, near, there) = ("2001:db8::1", "2001:db8::2", "192.0.2.1");
    // Whether the second session has nothing left once the first has taken all.
    let shares = |shared_by, (a, at): (&Session, &str), (b, at_b): (&Session, &str)| {
        let tiers = tiers(tier(shared_by, Excess::Refuse));
        let first = tiers.seat(now, a, &link("web", at));
        assert_eq!(passes(&first, now), 5);
        passes(&tiers.seat(now, b, &link("web", at_b)), now) == 0
    };
    assert!(shares(SharedBy::User, (&one, here), (&two, there)));
    assert!(!shares(SharedBy::User, (&one, here), (&other, here)));
    assert!(shares(SharedBy::Session, (&one, here), (&one, there)));
    assert!(!shares(SharedBy::Session, (&one, here), (&two, here)));
    assert!(shares(SharedBy::Address, (&one, here), (&other, near)));
    assert!(!shares(SharedBy::Address, (&one, here), (&one, there)));
    assert!(shares(SharedBy::Endpoint, (&one, here), (&other, there)));
}

/// W8, too: an endpoint for all with a tier of its own.
#[test]
fn w5_the_tier_of_the_admission_goes_before_that_of_the_endpoint() {
    let gold = tier(SharedBy::User, Excess::Refuse);
    let guest = TierOptions {
        stanzas: minute(100, 2),
        ..gold.clone()
    };
    let tiers = Tiers::default();
    let all = [("gold".to_owned(), gold), ("guest".to_owned(), guest)];
    let web = ("web".to_owned(), "gold".to_owned());
    tiers.set_options(all, [web], Some("guest".to_owned()));
    let now = crate::clock::now();
    let place = |link: Connection, tier: Option<&str>| {
        let registry = sessions();
        let session = bind(&registry, "a@b/r");
        let admission = tier.map(|tier| Admission {
            tier: Some(tier.to_owned()),
            ..Admission::default()
        });
        let link = Connection {
            admission: admission.map(Arc::new),
            ..link
        };
        session.set_connection(Arc::new(link.clone()));
        let seat = tiers.seat(now, &session, &link);
        seat.place().map(|(tier, _)| tier.to_owned())
    };
    let web = || link("web", "192.0.2.1");
    let bosh = || Connection {
        transport: Transport::Bosh,
        subprotocol: None,
        ..link("bosh", "192.0.2.1")
    };
    assert_eq!(place(web(), None).as_deref(), Some("gold"));
    assert_eq!(place(web(), Some("guest")).as_deref(), Some("guest"));
    assert_eq!(place(web(), Some("gone")).as_deref(), Some("gold"));
    assert_eq!(place(link("other", "192.0.2.1"), None), None);
    assert_eq!(place(bosh(), None).as_deref(), Some("guest"));
    assert_eq!(place(bosh(), Some("gold")).as_deref(), Some("gold"));
}

#[test]
fn without_a_tier_nothing_is_bounded() {
    let tiers = Tiers::default();
    let (registry, now) = (sessions(), crate::clock::now());
    let session = bind(&registry, "a@b/r");
    let seat = tiers.seat(now, &session, &link("web", "192.0.2.1"));
    assert_eq!(passes(&seat, now), 100);
    assert_eq!((seat.until(now), seat.place()), (None, None));
}

#[test]
fn w14_what_was_sent_counts_after_a_reload_too() {
    let tiers = tiers(tier(SharedBy::User, Excess::Refuse));
    let (registry, now) = (sessions(), crate::clock::now());
    let session = bind(&registry, "a@b/r");
    let link = link("web", "192.0.2.1");
    let seat = tiers.seat(now, &session, &link);
    assert_eq!(passes(&seat, now), 5);
    assert!(tiers.is_current(&seat));
    set(&tiers, tier(SharedBy::User, Excess::Close));
    assert!(!tiers.is_current(&seat));
    let seat = tiers.seat(now, &session, &link);
    assert_eq!(seat.take(now, 1).unwrap_err().excess, Excess::Close);
    let expected = Throttled {
        refused: 1,
        closed: 1,
        ..Throttled::default()
    };
    assert_eq!(tiers.throttled(), [("gold".to_owned(), expected)]);
}

#[test]
fn w5_bytes_are_counted_up_to_the_highest_rate() {
    let options = TierOptions {
        stanzas: Allowance::UNLIMITED,
        bytes: minute(1 << 36, 1 << 36),
        ..tier(SharedBy::User, Excess::Refuse)
    };
    let tiers = tiers(options);
    let (registry, now) = (sessions(), crate::clock::now());
    let session = bind(&registry, "a@b/r");
    let seat = tiers.seat(now, &session, &link("web", "192.0.2.1"));
    let half = 1 << 35;
    assert_eq!(seat.take(now, half), Ok(()));
    assert_eq!(seat.take(now, half), Ok(()));
    let over = seat.take(now, half).unwrap_err();
    assert_eq!(over.until - now, Duration::from_secs(30));
}
