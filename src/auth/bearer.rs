//! The messages of OAUTHBEARER (RFC 7628).

use super::failure::{Malformed, SaslFailure};
use super::scram::gs2_authzid;
use super::token::Token;

/// Parts of a message end with it (RFC 7628 §3.1, `kvsep`).
const SEPARATOR: char = '\u{1}';

/// What the client hears of a token that is not taken (RFC 7628 §3.2.2), whatever is wrong with it.
pub(super) const REFUSAL: &[u8] = br#"{"status":"invalid_token"}"#;

/// `gs2-header kvsep *kvpair kvsep`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BearerMessage {
    /// Unescaped; empty where the client asks for no other identity.
    pub(super) authzid: String,
    /// `None`: nothing that could be a token, which is as good as a wrong one (RFC 7628 §4.3).
    pub(super) token: Option<Token>,
}

impl BearerMessage {
    pub(super) fn parse(message: &[u8]) -> Result<Self, SaslFailure> {
        let text = std::str::from_utf8(message).map_err(|_| Malformed::NotText)?;
        let (header, pairs) = text.split_once(SEPARATOR).ok_or(Malformed::Syntax)?;
        let authzid = gs2_authzid(header)?;
        let pairs = pairs.strip_suffix(SEPARATOR).ok_or(Malformed::Syntax)?;
        if !pairs.is_empty() && !pairs.ends_with(SEPARATOR) {
            return Err(Malformed::Syntax.into());
        }
        let mut auth = None;
        for pair in pairs.split_terminator(SEPARATOR) {
            let (key, value) = pair.split_once('=').ok_or(Malformed::Syntax)?;
            if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphabetic()) {
                return Err(Malformed::Syntax.into());
            }
            if key == "auth" && auth.replace(value).is_some() {
                return Err(Malformed::Syntax.into());
            }
        }
        let token = auth.ok_or(Malformed::Syntax)?;
        Ok(Self {
            authzid,
            token: bearer(token),
        })
    }
}

/// As the Authorization header of HTTP has it (RFC 6750 §2.1).
pub(crate) fn bearer(credentials: &str) -> Option<Token> {
    let (scheme, token) = credentials.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    Token::new(token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: &str) -> Result<BearerMessage, SaslFailure> {
        BearerMessage::parse(message.as_bytes())
    }

    /// RFC 7628 §4.1
    #[test]
    fn w6_a_message_has_an_authzid_and_a_token() {
        let message = parse(
            "n,a=user@example.com,\u{1}host=server.example.com\u{1}port=143\u{1}auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}",
        );
        let message = message.unwrap();
        assert_eq!(message.authzid, "user@example.com");
        let token = message.token.unwrap();
        assert_eq!(token.as_str(), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        let message = parse("y,,\u{1}auth=bearer abc\u{1}\u{1}").unwrap();
        assert_eq!(message.authzid, "");
        assert_eq!(message.token, Token::new("abc"));
    }

    /// RFC 7628 §4.3: a client that has none asks what it needs.
    #[test]
    fn w6_a_message_without_a_token_is_one_with_a_wrong_one() {
        for auth in [
            "",
            "Bearer ",
            "Bearer",
            "Basic abc",
            "Bearer a b",
            "Bearer é",
        ] {
            let message = parse(&format!("n,,\u{1}auth={auth}\u{1}\u{1}")).unwrap();
            assert_eq!(message.token, None, "{auth:?}");
        }
    }

    #[test]
    fn w6_a_message_of_another_form_is_malformed() {
        for message in [
            "",
            "\u{1}",
            "n,,",
            "n,,\u{1}\u{1}",
            "n,,\u{1}auth=Bearer a\u{1}",
            "n,,\u{1}auth=Bearer a",
            "n,,\u{1}auth=Bearer a\u{1}auth=Bearer b\u{1}\u{1}",
            "n,,\u{1}=x\u{1}auth=Bearer a\u{1}\u{1}",
            "n,,\u{1}nothing\u{1}auth=Bearer a\u{1}\u{1}",
            "n,a=a=b,\u{1}auth=Bearer a\u{1}\u{1}",
            "n,b=u,\u{1}auth=Bearer a\u{1}\u{1}",
            "n,,,\u{1}auth=Bearer a\u{1}\u{1}",
            "p=tls-exporter,,\u{1}auth=Bearer a\u{1}\u{1}",
            "x,,\u{1}auth=Bearer a\u{1}\u{1}",
        ] {
            assert!(
                matches!(parse(message), Err(SaslFailure::MalformedRequest(_))),
                "{message:?}"
            );
        }
        assert!(BearerMessage::parse(b"n,,\x01auth=Bearer \xff\x01\x01").is_err());
    }

    proptest::proptest! {
        /// Whatever is said is answered, and what is taken for a token is one.
        #[test]
        fn w6_a_message_may_be_anything(message in "[na=y,p\u{1} ]{0,6}(auth=)?(Bearer )?.{0,20}\u{1}{0,2}") {
            if let Ok(BearerMessage { token: Some(token), .. }) = parse(&message) {
                proptest::prop_assert!(message.contains(token.as_str()));
            }
        }
    }
}
