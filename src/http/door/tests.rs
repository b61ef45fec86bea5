//! The door, with time as an argument.

use super::*;

fn door() -> Inner {
    let rate = Rate {
        per_second: 100,
        burst: 100,
    };
    let door = Door::new(DoorOptions {
        connections: rate,
        logins: rate,
    });
    door.0.into_inner().unwrap()
}

fn somebody(n: u8) -> Newcomer {
    Newcomer {
        address: [192, 0, 2, n].into(),
        is_one: true,
    }
}

fn crowd() -> Newcomer {
    Newcomer {
        is_one: false,
        ..somebody(0)
    }
}

/// How many of so many get in now.
fn admitted(door: &mut Inner, now: Instant, who: Newcomer, tries: usize) -> usize {
    let tries = 0..tries;
    tries.filter(|_| door.admit(now, who, 0).is_ok()).count()
}

#[test]
fn half_of_the_burst_gets_in_at_once_and_the_rest_at_the_rate() {
    let (mut now, mut door) = (crate::clock::now(), door());
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 50);
    now += Duration::from_millis(100);
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 10);
    now += Duration::from_secs(60);
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 50);
}

/// So many links of theirs were lost, which had been up for long.
fn lose(door: &mut Inner, now: Instant, who: Newcomer, links: usize) {
    for _ in 0..links {
        door.expect(now, lost(now, who, None));
    }
}

fn lost(now: Instant, who: Newcomer, resumed_at: Option<Instant>) -> Lost {
    Lost {
        address: who.address,
        resumed_at,
        until: now + Duration::from_secs(600),
    }
}

#[test]
fn who_lost_its_link_comes_back_before_those_who_never_were_here() {
    let (mut now, mut door) = (crate::clock::now(), door());
    lose(&mut door, now, somebody(1), 30);
    lose(&mut door, now, somebody(2), 25);
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 50);
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 25);
    assert_eq!(admitted(&mut door, now, somebody(2), 1000), 25);
    // While some are still to come back, nobody else takes the place that time gives.
    now += Duration::from_millis(200);
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 0);
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 5);
    // All are back: neither address has a privilege any more.
    now += Duration::from_millis(200);
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 0);
    assert_eq!(admitted(&mut door, now, somebody(2), 1000), 0);
}

#[test]
fn one_address_that_is_expected_has_a_quarter_and_leaves_the_rest_to_others() {
    let (mut now, mut door) = (crate::clock::now(), door());
    lose(&mut door, now, somebody(1), 1000);
    lose(&mut door, now, somebody(2), 10);
    admitted(&mut door, now, crowd(), 1000);
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 25);
    assert_eq!(admitted(&mut door, now, somebody(2), 1000), 10);
    now += Duration::from_secs(1);
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 25);
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 25);
}

/// It resumes, cuts the link and comes back at once, again and again.
#[test]
fn one_that_comes_back_and_goes_in_turn_ends_up_with_the_share_of_a_stranger() {
    let (mut now, mut door) = (crate::clock::now(), door());
    lose(&mut door, now, somebody(1), 50);
    let mut streams = 0;
    for _ in 0..100 {
        now += Duration::from_millis(100);
        let resumed = admitted(&mut door, now, somebody(1), 1000);
        for _ in 0..resumed {
            door.expect(now, lost(now, somebody(1), Some(now)));
        }
        streams += resumed;
    }
    // Ten seconds of a tenth with its burst, and what it was expected for.
    assert!((100..=160).contains(&streams), "{streams}");
    assert!(door.expected.is_empty());
}

#[test]
fn a_link_that_held_for_a_while_after_a_resumption_makes_its_client_expected_again() {
    let (now, mut door) = (crate::clock::now(), door());
    let later = now + STEADY_AFTER;
    let early = later - Duration::from_millis(1);
    door.expect(early, lost(early, somebody(1), Some(now)));
    assert_eq!(door.expected_way(early, somebody(1).address), None);
    door.expect(later, lost(later, somebody(1), Some(now)));
    let way = door.expected_way(later, somebody(1).address);
    assert_eq!(way, Some(Way::Expected));
}

#[test]
fn after_a_restart_as_many_come_back_from_anywhere_as_sessions_wait() {
    let (now, mut door) = (crate::clock::now(), door());
    let until = now + Duration::from_secs(600);
    door.expect_anywhere(40, until);
    assert_eq!(admitted(&mut door, now, crowd(), 1000), 50 + 40);
    // Each came back once.
    let later = now + Duration::from_millis(100);
    assert_eq!(admitted(&mut door, later, crowd(), 1000), 0);
}

#[test]
fn after_a_restart_one_address_does_not_take_the_place_of_all_whose_sessions_wait() {
    let (now, mut door) = (crate::clock::now(), door());
    door.expect_anywhere(40, now + Duration::from_secs(600));
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 10 + 25);
    assert_eq!(admitted(&mut door, now, somebody(2), 1000), 10 + 15);
}

#[test]
fn after_a_restart_nobody_is_expected_for_longer_than_the_sessions_wait() {
    let (now, mut door) = (crate::clock::now(), door());
    let until = now + Duration::from_secs(600);
    door.expect_anywhere(40, until);
    assert_eq!(admitted(&mut door, until, crowd(), 1000), 50);
}

#[test]
fn an_expired_session_opens_no_door() {
    let (now, mut door) = (crate::clock::now(), door());
    let expired = Lost {
        until: now,
        ..lost(now, somebody(1), None)
    };
    door.expect(now, expired);
    admitted(&mut door, now, crowd(), 1000);
    assert_eq!(admitted(&mut door, now, somebody(1), 9), 0);
}

#[test]
fn one_address_has_a_tenth_and_leaves_the_rest_to_others() {
    let (now, mut door) = (crate::clock::now(), door());
    for n in 0..5 {
        assert_eq!(admitted(&mut door, now, somebody(n), 1000), 10);
    }
    assert_eq!(admitted(&mut door, now, somebody(5), 1000), 0);
}

#[test]
fn those_turned_away_are_spread_over_the_time_that_they_take() {
    let (now, mut door) = (crate::clock::now(), door());
    admitted(&mut door, now, crowd(), 50);
    let refused = |door: &mut Inner, random| door.admit(now, crowd(), random).unwrap_err().0;
    assert_eq!(refused(&mut door, u64::MAX), 1);
    let longest = (0..1000).map(|random| refused(&mut door, random)).max();
    assert!(longest >= Some(10), "{longest:?}");
    let longest = (0..100_000).map(|random| refused(&mut door, random)).max();
    assert_eq!(longest, Some(RETRY_AFTER_MAX));
}

#[test]
fn logins_stand_in_line_and_a_line_too_long_is_refused() {
    let (now, mut door) = (crate::clock::now(), door());
    let mut turn = |n: u32| door.login_turn(now, &format!("{n}@b"));
    for n in 0..100 {
        assert_eq!(turn(n), Ok(Duration::ZERO));
    }
    for n in 1..=1000 {
        assert_eq!(turn(100 + n), Ok(Duration::from_millis(10) * n));
    }
    assert_eq!(turn(2000), Err(TooManyLogins));
    let later = now + Duration::from_secs(20);
    assert_eq!(door.login_turn(later, "a@b"), Ok(Duration::ZERO));
}

#[test]
fn one_account_that_logs_in_again_and_again_holds_up_itself_alone() {
    let (now, mut door) = (crate::clock::now(), door());
    while door.login_turn(now, "a@b").is_ok() {}
    let other = door.login_turn(now, "c@d");
    assert!(
        other.is_ok_and(|wait| wait < Duration::from_secs(2)),
        "{other:?}"
    );
}

#[test]
fn without_bounds_nobody_waits() {
    let door = Door::new(DoorOptions::UNLIMITED);
    let (now, mut door) = (crate::clock::now(), door.0.into_inner().unwrap());
    assert_eq!(admitted(&mut door, now, somebody(1), 1000), 1000);
    for _ in 0..1000 {
        assert_eq!(door.login_turn(now, "a@b"), Ok(Duration::ZERO));
    }
}
