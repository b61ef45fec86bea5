//! X5: single use, expiry, and nothing that can be changed.

use super::*;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

fn romeo() -> BareJid {
    BareJid::new("romeo@example.org").unwrap()
}

fn tickets() -> (Tickets, Instant) {
    let now = crate::clock::now();
    (Tickets::new(now).unwrap(), now)
}

#[test]
fn x5_a_ticket_admits_its_account_once() {
    let (tickets, now) = tickets();
    let ticket = tickets.mint(now, "web", &romeo(), MINUTE).unwrap();
    let admission = tickets.redeem(now, "web", &ticket).unwrap();
    assert_eq!(admission.jid, Some(romeo()));
    assert_eq!(admission.expires, None);
    assert_eq!(tickets.redeem(now, "web", &ticket), Err(TicketError::Used));
}

#[test]
fn x5_a_ticket_is_good_until_its_time_is_over_and_not_longer() {
    let (tickets, now) = tickets();
    let mint = || tickets.mint(now, "web", &romeo(), MINUTE).unwrap();
    let just_before = now + MINUTE - Duration::from_millis(1);
    assert!(tickets.redeem(just_before, "web", &mint()).is_ok());
    assert_eq!(
        tickets.redeem(now + MINUTE, "web", &mint()),
        Err(TicketError::Expired)
    );
    let day = tickets
        .mint(now, "web", &romeo(), MINUTE * 60 * 24)
        .unwrap();
    assert_eq!(
        tickets.redeem(now + TICKET_TTL_MAX, "web", &day),
        Err(TicketError::Expired)
    );
}

#[test]
fn x5_a_ticket_for_another_endpoint_is_refused_and_not_used_up() {
    let (tickets, now) = tickets();
    let ticket = tickets.mint(now, "web", &romeo(), MINUTE).unwrap();
    assert_eq!(
        tickets.redeem(now, "push", &ticket),
        Err(TicketError::OtherEndpoint)
    );
    assert!(tickets.redeem(now, "web", &ticket).is_ok());
}

#[test]
fn x5_a_ticket_of_another_process_is_refused() {
    let (one, now) = tickets();
    let (other, _) = tickets();
    let ticket = one.mint(now, "web", &romeo(), MINUTE).unwrap();
    assert_eq!(other.redeem(now, "web", &ticket), Err(TicketError::Bad));
}

#[test]
fn x5_what_is_no_ticket_is_bad() {
    let (tickets, now) = tickets();
    let long = "A".repeat(TICKET_BYTES_MAX + 1);
    for text in [
        "",
        "A",
        "AAAA",
        "?",
        "ticket with spaces",
        "é",
        long.as_str(),
    ] {
        assert_eq!(
            tickets.redeem(now, "web", text),
            Err(TicketError::Bad),
            "{text:?}"
        );
    }
}

#[test]
fn x5_the_longest_address_fits_into_a_ticket() {
    let (tickets, now) = tickets();
    let label = "d".repeat(63);
    let domain = [label.as_str(); 3].join(".");
    let jid = BareJid::new(&format!("{}@{domain}", "n".repeat(1023))).unwrap();
    let endpoint = "e".repeat(300);
    let ticket = tickets.mint(now, &endpoint, &jid, MINUTE).unwrap();
    assert!(ticket.len() <= TICKET_BYTES_MAX, "{}", ticket.len());
    assert_eq!(
        tickets.redeem(now, &endpoint, &ticket).unwrap().jid,
        Some(jid)
    );
}

#[test]
fn x5_at_the_bound_of_the_book_no_ticket_is_taken_until_one_expires() {
    let (mut tickets, now) = tickets();
    tickets.used_max = 2;
    let mint = |ttl| tickets.mint(now, "web", &romeo(), ttl).unwrap();
    assert!(tickets.redeem(now, "web", &mint(MINUTE)).is_ok());
    assert!(tickets.redeem(now, "web", &mint(MINUTE * 2)).is_ok());
    let third = mint(MINUTE * 2);
    assert_eq!(
        tickets.redeem(now, "web", &third),
        Err(TicketError::TooMany)
    );
    assert!(tickets.redeem(now + MINUTE, "web", &third).is_ok());
    assert_eq!(
        tickets.redeem(now + MINUTE, "web", &third),
        Err(TicketError::Used)
    );
}

/// Two connections with one ticket, at the same time.
#[test]
fn x5_of_many_who_show_a_ticket_at_once_one_is_let_in() {
    let (tickets, now) = tickets();
    let ticket = tickets.mint(now, "web", &romeo(), MINUTE).unwrap();
    let let_in = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                if tickets.redeem(now, "web", &ticket).is_ok() {
                    let_in.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(let_in.into_inner(), 1);
}

#[test]
fn a_ticket_stands_in_a_url_as_it_is_and_debug_shows_no_key() {
    let (tickets, now) = tickets();
    let ticket = tickets.mint(now, "web", &romeo(), MINUTE).unwrap();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    assert!(ticket.bytes().all(is_plain), "{ticket}");
    assert!(ticket.len() < 128, "{}", ticket.len());
    assert_eq!(format!("{tickets:?}"), "Tickets(..)");
}

proptest! {
    /// X5: any changed byte is refused, and so is anything cut off or added.
    #[test]
    fn x5_a_ticket_of_which_one_byte_is_changed_is_refused(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>().prop_map(|byte| char::from(byte & 0x7f)),
        node in "[a-z]{1,20}",
    ) {
        let (tickets, now) = tickets();
        let jid = BareJid::new(&format!("{node}@example.org")).unwrap();
        let ticket = tickets.mint(now, "web", &jid, MINUTE).unwrap();
        let mut changed: Vec<char> = ticket.chars().collect();
        let place = place.index(changed.len());
        changed[place] = byte;
        let changed: String = changed.into_iter().collect();
        if changed != ticket {
            prop_assert_eq!(tickets.redeem(now, "web", &changed), Err(TicketError::Bad));
        }
        prop_assert_eq!(tickets.redeem(now, "web", &ticket[..place]), Err(TicketError::Bad));
        prop_assert_eq!(
            tickets.redeem(now, "web", &format!("{ticket}{byte}")),
            Err(TicketError::Bad)
        );
        prop_assert_eq!(tickets.redeem(now, "web", &ticket).unwrap().jid, Some(jid));
    }

    #[test]
    fn anything_at_all_can_be_shown_as_a_ticket(text in ".{0,200}") {
        let (tickets, now) = tickets();
        prop_assert_eq!(tickets.redeem(now, "web", &text), Err(TicketError::Bad));
    }
}
