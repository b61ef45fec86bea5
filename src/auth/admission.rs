//! What is decided about a client before it is let in.

use crate::stanza::address::BareJid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What was decided about a client before the 101: by a ticket, a token, the web application, or an
/// embedder. The default value says nothing: anybody, as far as the stream lets them.
///
/// As JSON it is an object with the same names; `expires` is seconds since 1970, and what is absent
/// is as by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, try_from = "Json", into = "Json")]
pub struct Admission {
    /// Who it is. The stream then offers SASL EXTERNAL and logs in as this account and no other.
    pub jid: Option<BareJid>,
    /// The login at the web application that the session lives and dies with. It is shown in the
    /// event log and on the admin port: a name for the login, rather than a cookie that lets in.
    pub login: Option<String>,
    /// The tier that throttles it, before that of the endpoint. Where a token or the web application
    /// names one that there is not, the client is refused; from an embedder it counts as none.
    pub tier: Option<String>,
    /// When it ends. A session that goes on until then ends with `not-authorized`, and cannot be
    /// resumed.
    pub expires: Option<SystemTime>,
    /// What the application wants to find again at the session. At most
    /// [`DATA_BYTES_MAX`](Self::DATA_BYTES_MAX) bytes of names and values together.
    pub data: BTreeMap<String, String>,
}

impl Admission {
    /// The bound of [`Admission::data`]; an admission with more is refused.
    pub const DATA_BYTES_MAX: usize = 4096;

    /// This one, and then `later`: what that one says goes before, data name by name, and what it
    /// does not say stays. It ends when the first of them does.
    ///
    /// Data over the bound keep the names of `later`.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        let mut data = self.data.clone();
        data.extend(later.data.clone());
        if data_bytes(&data) > Self::DATA_BYTES_MAX {
            data = later.data.clone();
        }
        let ends = [self.expires, later.expires];
        Self {
            jid: later.jid.clone().or_else(|| self.jid.clone()),
            login: later.login.clone().or_else(|| self.login.clone()),
            tier: later.tier.clone().or_else(|| self.tier.clone()),
            expires: ends.into_iter().flatten().min(),
            data,
        }
    }

    /// Whether it has more data than [`DATA_BYTES_MAX`](Self::DATA_BYTES_MAX).
    pub(crate) fn has_too_much_data(&self) -> bool {
        data_bytes(&self.data) > Self::DATA_BYTES_MAX
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)] // a name that is misspelt must not let somebody stay
struct Json {
    #[serde(skip_serializing_if = "Option::is_none")]
    jid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<String, String>,
}

fn data_bytes(data: &BTreeMap<String, String>) -> usize {
    let pairs = data.iter();
    pairs.map(|(name, value)| name.len() + value.len()).sum()
}

impl TryFrom<Json> for Admission {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        let jid = json.jid.map(|jid| {
            BareJid::new(&jid).map_err(|error| format!("jid {jid:?} is no bare address: {error}"))
        });
        let expires = json.expires.map(|seconds| {
            let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
            at.ok_or_else(|| format!("expires {seconds} is no time"))
        });
        let bytes = data_bytes(&json.data);
        if bytes > Self::DATA_BYTES_MAX {
            return Err(format!(
                "data has {bytes} bytes, more than {}",
                Self::DATA_BYTES_MAX
            ));
        }
        Ok(Self {
            jid: jid.transpose()?,
            login: json.login,
            tier: json.tier,
            expires: expires.transpose()?,
            data: json.data,
        })
    }
}

impl From<Admission> for Json {
    fn from(admission: Admission) -> Self {
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self {
            jid: admission.jid.map(|jid| jid.to_string()),
            login: admission.login,
            tier: admission.tier,
            expires: admission.expires.map(seconds),
            data: admission.data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Admission, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_object_says_nothing() {
        assert!(read("{}").unwrap().is_empty());
        assert_eq!(serde_json::to_string(&Admission::default()).unwrap(), "{}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let json = r#"{"jid":"a@example.org","login":"L1","tier":"gold","expires":1800000000,"data":{"k":"v"}}"#;
        let admission = read(json).unwrap();
        assert_eq!(admission.jid.as_ref().unwrap().as_str(), "a@example.org");
        assert_eq!(serde_json::to_string(&admission).unwrap(), json);
    }

    #[test]
    fn a_later_admission_goes_before_and_the_first_end_counts() {
        let door = read(r#"{"jid":"a@b","tier":"gold","expires":100,"data":{"k":"1","l":"2"}}"#);
        let token = read(r#"{"login":"L","tier":"iron","expires":200,"data":{"k":"3"}}"#);
        let both = door.as_ref().unwrap().then(token.as_ref().unwrap());
        let expected =
            r#"{"jid":"a@b","login":"L","tier":"iron","expires":100,"data":{"k":"3","l":"2"}}"#;
        assert_eq!(both, read(expected).unwrap());
        assert_eq!(
            door.clone().unwrap().then(&Admission::default()),
            door.unwrap()
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (json, why) in [
            (r#"{"jid":"a@b/c"}"#, "no bare address"),
            (r#"{"expires":18446744073709551615}"#, "no time"),
            (r#"{"data":{"k":1}}"#, "expected a string"),
            (r#"{"expire":1}"#, "unknown field"),
        ] {
            assert!(
                read(json).unwrap_err().contains(why),
                "{json}: {:?}",
                read(json)
            );
        }
        let long = format!(
            r#"{{"data":{{"k":"{}"}}}}"#,
            "x".repeat(Admission::DATA_BYTES_MAX)
        );
        assert!(read(&long).unwrap_err().contains("more than 4096"));
    }
}
