//! Addresses (RFC 7622), with the two guards that the `jid` crate leaves to its caller.

pub use jid::{BareJid, FullJid, Jid};
use std::cell::RefCell;

/// The longest address there is: three parts of 1,023 bytes, `@` and `/` (RFC 7622 §3.1).
pub const MAX_ADDRESS_BYTES: usize = 3 * 1023 + 2;

/// Text that is no address (RFC 6120 §8.3.3.8, `jid-malformed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an XMPP address")]
pub struct MalformedAddress;

/// Reads an address and maps it to its canonical form, so that equal addresses compare equal.
///
/// The length is checked before the mapping, which is costly on long input, and a dot at the end
/// of the domain is refused: `jid` 0.12 computes its offsets without it but keeps it in the text.
///
/// # Errors
///
/// [`MalformedAddress`] for everything that RFC 7622 does not allow.
pub fn parse(text: &str) -> Result<Jid, MalformedAddress> {
    if text.len() > MAX_ADDRESS_BYTES || has_trailing_dot(text) {
        return Err(MalformedAddress);
    }
    Jid::new(text).map_err(|_| MalformedAddress)
}

/// [`parse`] on the way of a stanza, most of which go where one went a moment ago: each thread
/// remembers the last addresses it has read.
///
/// # Errors
///
/// Those of [`parse`].
pub fn parse_again(text: &str) -> Result<Jid, MalformedAddress> {
    READ.with_borrow_mut(|read| {
        let place = &mut read[place_of(text)];
        if let Some((known, jid)) = place
            && **known == *text
        {
            return Ok(jid.clone());
        }
        let jid = parse(text)?;
        *place = Some((text.into(), jid.clone()));
        Ok(jid)
    })
}

/// How many addresses a thread remembers, of up to 6 KiB each; a later one takes the place of
/// another. A power of two.
const REMEMBERED: usize = 256;

/// As it was written, and what it is.
type Read = (Box<str>, Jid);

thread_local! {
    static READ: RefCell<Vec<Option<Read>>> = RefCell::new(vec![None; REMEMBERED]);
}

/// Few of the addresses that are in use at a time share a place. Who makes them share one gains
/// that they are read each time.
fn place_of(text: &str) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = text.len() as u64;
    let mut words = text.as_bytes().chunks_exact(8);
    for word in &mut words {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
    }
    for byte in words.remainder() {
        hash = (hash.rotate_left(23) ^ u64::from(*byte)).wrapping_mul(ODD);
    }
    (hash >> 32) as usize % REMEMBERED
}

/// [`parse`] for a place where only a bare address makes sense.
///
/// # Errors
///
/// [`MalformedAddress`] also when there is a resource.
pub fn parse_bare(text: &str) -> Result<BareJid, MalformedAddress> {
    let jid = parse(text)?;
    if jid.resource().is_some() {
        return Err(MalformedAddress);
    }
    Ok(jid.into_bare())
}

/// The account of an address, as text: everything before the resource. Costs nothing.
pub fn account_of(jid: &Jid) -> &str {
    let text = jid.as_str();
    text.split_once('/').map_or(text, |(account, _)| account)
}

/// The longest resource, in bytes (RFC 7622 §3.4).
pub const MAX_RESOURCE_BYTES: usize = 1023;

/// The bare address with a resource that a client asked for (RFC 6120 §7.7).
///
/// # Errors
///
/// [`MalformedAddress`] for a resource that is empty, too long, or holds forbidden characters.
pub fn with_resource(account: &BareJid, resource: &str) -> Result<FullJid, MalformedAddress> {
    if resource.is_empty() || resource.len() > MAX_RESOURCE_BYTES {
        return Err(MalformedAddress);
    }
    account
        .with_resource_str(resource)
        .map_err(|_| MalformedAddress)
}

fn has_trailing_dot(text: &str) -> bool {
    let bare = text.split_once('/').map_or(text, |(bare, _)| bare);
    let mut characters = bare.chars();
    // The dots that UTS 46 takes for a full stop.
    matches!(
        characters.next_back(),
        Some('.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn local_part_and_domain_compare_after_case_mapping_and_resources_with_case() {
        let lower = parse("juliet@example.org/Balcony").unwrap();
        assert_eq!(parse("JULIET@Example.ORG/Balcony").unwrap(), lower);
        assert_ne!(parse("juliet@example.org/balcony").unwrap(), lower);
    }

    #[test]
    fn a_dot_after_the_domain_is_refused_in_every_spelling() {
        for text in [
            "a@x.example./r",
            "a@x.example.",
            "x.example.",
            "a@x.example\u{3002}/r",
        ] {
            assert_eq!(parse(text), Err(MalformedAddress), "{text}");
        }
    }

    #[test]
    fn a_dot_at_the_end_of_a_resource_is_a_character_like_others() {
        assert_eq!(parse("a@x.example/r.").unwrap().as_str(), "a@x.example/r.");
    }

    #[test]
    fn an_overlong_address_is_refused_before_it_is_mapped() {
        let text = format!("{}@example.org", "a".repeat(4_000_000));
        assert_eq!(parse(&text), Err(MalformedAddress));
    }

    #[test]
    fn an_empty_or_overlong_resource_is_refused() {
        let account = parse_bare("a@example.org").unwrap();
        assert_eq!(with_resource(&account, ""), Err(MalformedAddress));
        assert_eq!(
            with_resource(&account, &"r".repeat(1024)),
            Err(MalformedAddress)
        );
        assert!(with_resource(&account, &"r".repeat(1023)).is_ok());
    }

    #[test]
    fn what_is_read_again_is_what_was_read_first() {
        let texts: Vec<_> = (0..3 * REMEMBERED)
            .map(|n| format!("User{n}@Example.ORG/{}", n % 7))
            .collect();
        for _ in 0..2 {
            for text in &texts {
                assert_eq!(parse_again(text), parse(text));
                assert_eq!(parse_again(text), parse(text));
            }
        }
        assert_eq!(parse_again("a@b@c/"), Err(MalformedAddress));
        assert_eq!(parse_again("a@b@c/"), Err(MalformedAddress));
    }

    #[test]
    fn addresses_in_use_at_a_time_seldom_share_a_place() {
        let places = (0..100).map(|n| place_of(&format!("user{n}@example.org/web")));
        let places: std::collections::BTreeSet<_> = places.collect();
        assert!(places.len() > 70, "{}", places.len());
    }

    proptest! {
        #[test]
        fn what_is_parsed_parses_to_itself(text in "\\PC{0,40}(@\\PC{0,20})?(/\\PC{0,20})?") {
            if let Ok(jid) = parse(&text) {
                let again = parse(jid.as_str()).unwrap();
                prop_assert_eq!(&again, &jid);
                prop_assert_eq!(again.domain().as_str(), jid.domain().as_str());
                prop_assert_eq!(again.resource().map(|r| r.as_str()), jid.resource().map(|r| r.as_str()));
            }
        }
    }
}
