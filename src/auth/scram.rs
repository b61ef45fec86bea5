//! The messages of SCRAM (RFC 5802 §7), server side, and the check of a proof (§3).
//!
//! Text in, values out; in what order they come is the [`Exchange`](super::Exchange)'s business.

use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

use super::{
    binding::{ChannelBinding, ChannelBindingType},
    credentials::ScramKeys,
    failure::{Malformed, Refusal, SaslFailure},
    mechanism::{Mechanism, ScramHash},
    offer::Offer,
};

/// The letters that RFC 5802 §5.1 gives a meaning; none of them can be an extension.
const RESERVED_ATTRIBUTES: &str = "anmrcsivpe";

/// `gs2-header client-first-message-bare`.
pub(super) struct ClientFirst<'m> {
    /// As it came, for `c=` to repeat.
    pub(super) gs2_header: &'m str,
    flag: Gs2Flag<'m>,
    /// Unescaped; empty where the client asks for no other identity.
    pub(super) authzid: String,
    /// As it came, for the signed text.
    pub(super) bare: &'m str,
    /// Unescaped.
    pub(super) username: String,
    pub(super) nonce: &'m str,
}

/// What the client says of channel binding (RFC 5802 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gs2Flag<'m> {
    /// `n`: it cannot.
    Unsupported,
    /// `y`: it can, and believes that we cannot.
    BelievedUnoffered,
    /// `p=`: it does, of this type.
    Used(&'m str),
}

impl<'m> ClientFirst<'m> {
    pub(super) fn parse(message: &'m [u8]) -> Result<Self, SaslFailure> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',').ok_or(Malformed::Syntax)?;
        let (authzid, bare) = rest.split_once(',').ok_or(Malformed::Syntax)?;
        let flag = Gs2Flag::parse(flag)?;
        let authzid = match authzid {
            "" => String::new(),
            named => unescape(value_of(named, 'a')?)?,
        };
        let mut attributes = bare.split(',');
        let username = unescape(next_value(&mut attributes, 'n')?)?;
        let nonce = next_value(&mut attributes, 'r')?;
        check_nonce(nonce)?;
        attributes.try_for_each(check_extension)?;
        let gs2_header = &text[..text.len() - bare.len()];
        Ok(Self {
            gs2_header,
            flag,
            authzid,
            bare,
            username,
            nonce,
        })
    }

    /// What `c=` has to carry: the header, and the binding value where one is used.
    ///
    /// The flag has to go with the mechanism and with what was offered (RFC 5802 §6).
    pub(super) fn binding_data(
        &self,
        mechanism: Mechanism,
        offer: &Offer,
        binding: &ChannelBinding,
    ) -> Result<Vec<u8>, SaslFailure> {
        let mut data = self.gs2_header.as_bytes().to_vec();
        match self.flag {
            Gs2Flag::Used(kind) if mechanism.binds_channel() => {
                let value = ChannelBindingType::from_name(kind)
                    .filter(|kind| offer.binding_types().contains(kind))
                    .and_then(|kind| binding.value(kind))
                    .ok_or(Refusal::UnsupportedChannelBinding)?;
                data.extend_from_slice(value);
                Ok(data)
            }
            Gs2Flag::BelievedUnoffered if offer.binds_channel() => Err(Refusal::Downgraded.into()),
            Gs2Flag::Unsupported | Gs2Flag::BelievedUnoffered if !mechanism.binds_channel() => {
                Ok(data)
            }
            _ => Err(Malformed::ChannelBindingFlag.into()),
        }
    }
}

impl<'m> Gs2Flag<'m> {
    fn parse(flag: &'m str) -> Result<Self, SaslFailure> {
        match flag {
            "n" => Ok(Self::Unsupported),
            "y" => Ok(Self::BelievedUnoffered),
            _ => match flag.strip_prefix("p=") {
                Some(kind) if !kind.is_empty() => Ok(Self::Used(kind)),
                _ => Err(Malformed::ChannelBindingFlag.into()),
            },
        }
    }
}

/// One exchange after its server-first-message.
pub(super) struct Challenge {
    keys: ScramKeys,
    /// Client nonce and server nonce.
    nonce: String,
    /// What `c=` has to decode to.
    binding_data: Vec<u8>,
    /// `client-first-message-bare "," server-first-message`.
    signed_text: String,
    /// Where the server-first-message begins in `signed_text`.
    server_first_at: usize,
}

impl Challenge {
    /// `downgrade_hash` is the `h` of XEP-0474 §6.1.
    pub(super) fn new(
        keys: ScramKeys,
        client_first_bare: &str,
        nonce: String,
        binding_data: Vec<u8>,
        downgrade_hash: Option<&str>,
    ) -> Self {
        let salt = STANDARD.encode(keys.salt());
        let iterations = keys.iterations();
        let mut signed_text = format!("{client_first_bare},r={nonce},s={salt},i={iterations}");
        if let Some(downgrade_hash) = downgrade_hash {
            signed_text.push_str(",h=");
            signed_text.push_str(downgrade_hash);
        }
        let server_first_at = client_first_bare.len() + 1;
        Self {
            keys,
            nonce,
            binding_data,
            signed_text,
            server_first_at,
        }
    }

    /// The server-first-message.
    pub(super) fn server_first(&self) -> &str {
        &self.signed_text[self.server_first_at..]
    }

    /// Checks a client-final-message; gives the server-final-message.
    pub(super) fn verify(&self, message: &[u8]) -> Result<Vec<u8>, SaslFailure> {
        let client_final = ClientFinal::parse(message, self.keys.hash())?;
        if client_final.nonce != self.nonce {
            return Err(Refusal::NonceMismatch.into());
        }
        if !bool::from(client_final.binding_data.ct_eq(&self.binding_data)) {
            return Err(Refusal::ChannelBindingMismatch.into());
        }
        let auth_message = format!("{},{}", self.signed_text, client_final.without_proof);
        let hash = self.keys.hash();
        let signature = hash.hmac(self.keys.stored_key(), auth_message.as_bytes());
        let client_key: Vec<u8> = client_final
            .proof
            .iter()
            .zip(&signature)
            .map(|(proof, sign)| proof ^ sign)
            .collect();
        // Signed before the answer is known, so that both answers take the same work.
        let server_signature = hash.hmac(self.keys.server_key(), auth_message.as_bytes());
        if !self.keys.accepts_client_key(&client_key) {
            return Err(Refusal::WrongPassword.into());
        }
        Ok(format!("v={}", STANDARD.encode(server_signature)).into_bytes())
    }
}

/// `channel-binding "," nonce ["," extensions] "," proof`.
struct ClientFinal<'m> {
    binding_data: Vec<u8>,
    nonce: &'m str,
    /// Everything before the proof, as it came.
    without_proof: &'m str,
    /// As long as the hash.
    proof: Vec<u8>,
}

impl<'m> ClientFinal<'m> {
    fn parse(message: &'m [u8], hash: ScramHash) -> Result<Self, SaslFailure> {
        let text = text(message)?;
        let (without_proof, proof) = text.rsplit_once(',').ok_or(Malformed::Syntax)?;
        let mut attributes = without_proof.split(',');
        let binding_data = next_value(&mut attributes, 'c')?;
        let binding_data = STANDARD
            .decode(binding_data)
            .map_err(|_| Malformed::Syntax)?;
        let nonce = next_value(&mut attributes, 'r')?;
        attributes.try_for_each(check_extension)?;
        let proof = STANDARD
            .decode(value_of(proof, 'p')?)
            .map_err(|_| Malformed::BadProof)?;
        if proof.len() != hash.size_bytes() {
            return Err(Malformed::BadProof.into());
        }
        Ok(Self {
            binding_data,
            nonce,
            without_proof,
            proof,
        })
    }
}

/// The authzid of a GS2 header without its last comma, for a mechanism that binds no channel
/// (RFC 5801 §4, RFC 7628 §3.1).
pub(super) fn gs2_authzid(header: &str) -> Result<String, SaslFailure> {
    let parts: Vec<&str> = header.split(',').collect();
    let [flag, authzid, ""] = parts[..] else {
        return Err(Malformed::Syntax.into());
    };
    if let Gs2Flag::Used(_) = Gs2Flag::parse(flag)? {
        return Err(Malformed::ChannelBindingFlag.into());
    }
    match authzid {
        "" => Ok(String::new()),
        named => Ok(unescape(value_of(named, 'a')?)?),
    }
}

/// Every value excludes NUL (RFC 5802 §7, `value-safe-char`).
fn text(message: &[u8]) -> Result<&str, Malformed> {
    match std::str::from_utf8(message) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(Malformed::NotText),
    }
}

fn next_value<'m>(
    attributes: &mut std::str::Split<'m, char>,
    letter: char,
) -> Result<&'m str, Malformed> {
    value_of(attributes.next().ok_or(Malformed::Syntax)?, letter)
}

/// The value of the attribute that has to stand here.
fn value_of(attribute: &str, letter: char) -> Result<&str, Malformed> {
    match attribute.split_once('=') {
        Some((name, value)) if name.chars().eq([letter]) => Ok(value),
        // RFC 5802 §5.1, `m`: its presence fails the authentication.
        Some(("m", _)) => Err(Malformed::ReservedExtension),
        _ => Err(Malformed::Syntax),
    }
}

/// An extension that we do not know is passed over (RFC 5802 §5.1), if it is one.
fn check_extension(attribute: &str) -> Result<(), Malformed> {
    let (name, value) = attribute.split_once('=').ok_or(Malformed::Syntax)?;
    let is_letter = name.len() == 1 && name.chars().all(|letter| letter.is_ascii_alphabetic());
    match name {
        "m" => Err(Malformed::ReservedExtension),
        _ if !is_letter || value.is_empty() || RESERVED_ATTRIBUTES.contains(name) => {
            Err(Malformed::Syntax)
        }
        _ => Ok(()),
    }
}

/// A `saslname`: `=2C` is a comma, `=3D` an equals sign, no other `=` may stand (RFC 5802 §5.1).
fn unescape(name: &str) -> Result<String, Malformed> {
    let mut pieces = name.split('=');
    let mut unescaped = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix("2C") {
            unescaped.push(',');
            unescaped.push_str(rest);
        } else if let Some(rest) = piece.strip_prefix("3D") {
            unescaped.push('=');
            unescaped.push_str(rest);
        } else {
            return Err(Malformed::BareEquals);
        }
    }
    if unescaped.is_empty() {
        Err(Malformed::EmptyUsername)
    } else {
        Ok(unescaped)
    }
}

/// Printable ASCII without the comma, and not empty (RFC 5802 §7, `printable`).
fn check_nonce(nonce: &str) -> Result<(), Malformed> {
    if !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Malformed::BadNonce)
    }
}
