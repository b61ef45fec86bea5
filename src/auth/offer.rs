//! What is announced on one link, and the hash that lets a client see it was not cut down.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    binding::{ChannelBinding, ChannelBindingType},
    failure::SaslFailure,
    mechanism::{Mechanism, ScramHash},
};

/// Separates the names in a list of the downgrade hash (XEP-0474 §6.1).
const BETWEEN_NAMES: &str = "\u{1e}";
/// Separates the list of mechanisms from that of channel-binding types (XEP-0474 §6.1).
const BETWEEN_LISTS: &str = "\u{1f}";

/// How well a link is kept from being read along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkSecurity {
    /// Anyone on the way can read: PLAIN and OAUTHBEARER are withheld.
    Clear,
    /// Nobody can, says the operator: TLS ended at a trusted proxy, loopback, or PLAIN was allowed
    /// expressly. There is no channel of ours to bind to.
    Confidential,
    /// TLS ends here.
    Tls(ChannelBinding),
}

/// The mechanisms and channel-binding types announced on one link, under one SASL profile.
///
/// Made once per link and shared with its [`Exchange`](super::Exchange)s, which refuse what it does
/// not hold. A server that announces other mechanisms beside these, or another list under XEP-0388
/// than under RFC 6120, names them with [`Offer::with_further_mechanism`], so that the hash covers
/// just what this profile announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Strongest first, without repetition.
    mechanisms: Vec<Mechanism>,
    /// Not announced, and taken all the same.
    unannounced: Vec<Mechanism>,
    /// Names announced that other rooms answer for.
    further_mechanisms: Vec<String>,
    /// Empty unless a `-PLUS` is offered: types are announced exactly where one can be used.
    binding_types: Vec<ChannelBindingType>,
    /// Enabled, and this link is not fit for them.
    withheld: Vec<Mechanism>,
    hash_sent: bool,
}

impl Offer {
    /// The enabled mechanisms that this link can carry.
    ///
    /// A `-PLUS` needs a binding value (XEP-0440 §3); PLAIN and OAUTHBEARER need a confidential link
    /// (RFC 6120 §13.8.3, RFC 7628 §4). What is left may be empty, and then nobody can log in on this link.
    pub fn new(enabled: impl IntoIterator<Item = Mechanism>, link: &LinkSecurity) -> Self {
        let mut types: Vec<_> = match link {
            LinkSecurity::Tls(binding) => binding.types().collect(),
            LinkSecurity::Clear | LinkSecurity::Confidential => Vec::new(),
        };
        let mut mechanisms: Vec<_> = enabled.into_iter().collect();
        mechanisms.sort_unstable();
        mechanisms.dedup();
        mechanisms.retain(|mechanism| !mechanism.binds_channel() || !types.is_empty());
        let is_withheld =
            |mechanism: &Mechanism| *link == LinkSecurity::Clear && mechanism.shows_secret();
        let withheld = mechanisms.extract_if(.., |mechanism| is_withheld(mechanism));
        let withheld = withheld.collect();
        if !mechanisms.iter().any(|mechanism| mechanism.binds_channel()) {
            types.clear();
        }
        Self {
            mechanisms,
            unannounced: Vec::new(),
            further_mechanisms: Vec::new(),
            binding_types: types,
            withheld,
            hash_sent: true,
        }
    }

    /// Announces this one alone, if it is among them. The others are taken all the same if a client
    /// asks for them, but for those that bind a channel: their types are not announced either.
    #[must_use]
    pub fn announcing_only(mut self, only: Mechanism) -> Self {
        if self.mechanisms.contains(&only) {
            let others = self
                .mechanisms
                .extract_if(.., |mechanism| *mechanism != only);
            self.unannounced = others.filter(|other| !other.binds_channel()).collect();
            self.binding_types.clear();
        }
        self
    }

    /// Adds the name of a mechanism that is announced with these but handled elsewhere.
    #[must_use]
    pub fn with_further_mechanism(mut self, name: impl Into<String>) -> Self {
        self.further_mechanisms.push(name.into());
        self
    }

    /// Leaves the downgrade hash out, for clients that trip over an attribute they do not know.
    ///
    /// RFC 5802 §5.1 has them pass it over and sign it all the same, and browsers' libraries do.
    /// rsasl 2.3 passes it over unsigned, and some PHP clients refuse it: those fail with the hash
    /// as with a wrong password.
    #[must_use]
    pub fn without_downgrade_hash(mut self) -> Self {
        self.hash_sent = false;
        self
    }

    /// The mechanisms to announce, strongest first; without those handled elsewhere.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// The channel-binding types to announce in `<sasl-channel-binding/>` (XEP-0440 §2), strongest
    /// first; empty where no `-PLUS` is offered, and then the element is left out.
    pub fn binding_types(&self) -> &[ChannelBindingType] {
        &self.binding_types
    }

    /// Whether this mechanism is announced.
    pub fn contains(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.contains(&mechanism)
    }

    /// Whether any `-PLUS` is offered, which is what the GS2 flag `y` denies (RFC 5802 §6).
    pub fn binds_channel(&self) -> bool {
        !self.binding_types.is_empty()
    }

    /// The offered mechanism of this name, as a client asks for it.
    ///
    /// # Errors
    ///
    /// [`SaslFailure::InvalidMechanism`] for a name that is not offered (RFC 6120 §6.5.7), and
    /// [`SaslFailure::EncryptionRequired`] for one withheld because of the link (§6.5.4).
    pub fn select(&self, name: &str) -> Result<Mechanism, SaslFailure> {
        match Mechanism::from_name(name) {
            Some(mechanism) => self.admit(mechanism).map(|()| mechanism),
            None => Err(SaslFailure::InvalidMechanism),
        }
    }

    pub(super) fn admit(&self, mechanism: Mechanism) -> Result<(), SaslFailure> {
        if self.contains(mechanism) || self.unannounced.contains(&mechanism) {
            Ok(())
        } else if self.withheld.contains(&mechanism) {
            Err(SaslFailure::EncryptionRequired)
        } else {
            Err(SaslFailure::InvalidMechanism)
        }
    }

    /// The `h` attribute of a server-first-message: what was announced, hashed, in base64;
    /// `None` where the operator left it out.
    ///
    /// Spec: XEP-0474 §6.1 (0.4.0 and later), of the profile that this offer was announced in.
    pub fn downgrade_hash(&self, hash: ScramHash) -> Option<String> {
        if !self.hash_sent {
            return None;
        }
        let mut announced: Vec<&str> = self.mechanisms.iter().map(|known| known.name()).collect();
        announced.extend(self.further_mechanisms.iter().map(String::as_str));
        // i;octet (RFC 4790 §9.3) is the order of `str`.
        announced.sort_unstable();
        let mut input = announced.join(BETWEEN_NAMES);
        if self.binds_channel() {
            let mut types: Vec<&str> = self.binding_types.iter().map(|kind| kind.name()).collect();
            types.sort_unstable();
            input.push_str(BETWEEN_LISTS);
            input.push_str(&types.join(BETWEEN_NAMES));
        }
        Some(STANDARD.encode(hash.digest(input.as_bytes())))
    }
}
