//! The message of PLAIN (RFC 4616 §2).

use std::fmt;

use super::failure::{Malformed, SaslFailure};

/// `[authzid] NUL authcid NUL passwd`.
#[derive(PartialEq, Eq)]
pub(super) struct PlainMessage<'m> {
    pub(super) authzid: &'m str,
    pub(super) authcid: &'m str,
    pub(super) password: &'m str,
}

impl<'m> PlainMessage<'m> {
    pub(super) fn parse(message: &'m [u8]) -> Result<Self, SaslFailure> {
        let text = std::str::from_utf8(message).map_err(|_| Malformed::NotText)?;
        let mut parts = text.split('\0');
        let (Some(authzid), Some(authcid), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::Syntax.into());
        };
        if authcid.is_empty() {
            return Err(Malformed::EmptyUsername.into());
        }
        if password.is_empty() {
            return Err(Malformed::EmptyPassword.into());
        }
        Ok(Self {
            authzid,
            authcid,
            password,
        })
    }
}

impl fmt::Debug for PlainMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainMessage")
            .field("authzid", &self.authzid)
            .field("authcid", &self.authcid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(message: &[u8]) -> Option<SaslFailure> {
        PlainMessage::parse(message).err()
    }

    #[test]
    fn message_has_an_optional_authzid_a_name_and_a_password() {
        let message = PlainMessage::parse("u@d\0user\0pâss".as_bytes()).expect("well formed");
        assert_eq!(
            message,
            PlainMessage {
                authzid: "u@d",
                authcid: "user",
                password: "pâss"
            }
        );
        let message = PlainMessage::parse(b"\0user\0pass").expect("well formed");
        assert_eq!(message.authzid, "");
    }

    ///
    #[test]
    fn message_without_exactly_two_nuls_is_malformed() {
        for broken in [
            &b""[..],
            b"user",
            b"user\0pass",
            b"\0user\0pass\0",
            b"\0user\0pa\0ss",
        ] {
            assert_eq!(
                refusal(broken),
                Some(Malformed::Syntax.into()),
                "{broken:?}"
            );
        }
    }

    ///
    #[test]
    fn empty_name_empty_password_and_bytes_that_are_not_utf8_are_malformed() {
        assert_eq!(refusal(b"\0\0pass"), Some(Malformed::EmptyUsername.into()));
        assert_eq!(refusal(b"\0user\0"), Some(Malformed::EmptyPassword.into()));
        assert_eq!(
            refusal(b"\0us\xffer\0pass"),
            Some(Malformed::NotText.into())
        );
    }

    #[test]
    fn debug_of_a_message_keeps_the_password_to_itself() {
        let message = PlainMessage::parse(b"\0user\0hunter2").expect("well formed");
        assert!(!format!("{message:?}").contains("hunter2"));
    }
}
