//! Which sessions are meant: one selector for everything that is done to some of them.

use super::{Session, SessionId, Sessions};
use crate::stanza::address::BareJid;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A choice among the sessions that are here, attached and hibernating ones alike.
///
/// ```
/// # use stanzad::sessions::Target;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let jid = "alice@example.org".parse()?;
/// let phones = Target::user(&jid).path("/ws/push/*".parse()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    whom: Whom,
    path: Option<PathFilter>,
    except: Vec<SessionId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Session(SessionId),
    User(BareJid),
    Group(Box<str>),
    Login(Box<str>),
    Everybody,
}

impl Target {
    /// One session. Cost: one look-up.
    pub fn session(id: SessionId) -> Self {
        Self::of(Whom::Session(id))
    }

    /// All sessions of an account. Cost: one look-up, and a look at each.
    pub fn user(account: &BareJid) -> Self {
        Self::of(Whom::User(account.clone()))
    }

    /// The members of a group. Cost: a look-up for each.
    pub fn group(name: &str) -> Self {
        Self::of(Whom::Group(name.into()))
    }

    /// The sessions of a login at the web application
    /// ([`Admission::login`](crate::auth::Admission::login)). Cost: a look at every session.
    pub fn login(key: &str) -> Self {
        Self::of(Whom::Login(key.into()))
    }

    /// All sessions. Cost: a look at every session.
    pub fn everybody() -> Self {
        Self::of(Whom::Everybody)
    }

    fn of(whom: Whom) -> Self {
        Self {
            whom,
            path: None,
            except: Vec::new(),
        }
    }

    /// Only those among them whose client came in by such a path. One that the last process left
    /// and nobody has resumed yet has no path; only `*` matches it.
    #[must_use]
    pub fn path(mut self, filter: PathFilter) -> Self {
        self.path = Some(filter);
        self
    }

    /// But not this one.
    #[must_use]
    pub fn except(mut self, id: SessionId) -> Self {
        self.except.push(id);
        self
    }

    /// The login that is meant, if it is one and none of its sessions are left out.
    pub(crate) fn whole_login(&self) -> Option<&str> {
        match &self.whom {
            Whom::Login(key) if self.path.is_none() && self.except.is_empty() => Some(key),
            _ => None,
        }
    }

    fn is_wanted(&self, session: &Session) -> bool {
        let by_path = self.path.as_ref().is_none_or(|filter| {
            let connection = session.connection();
            filter.matches(connection.as_ref().map(|connection| &*connection.path))
        });
        by_path && !self.except.contains(&session.id())
    }
}

impl Sessions {
    /// The open sessions that are meant.
    pub fn select(&self, target: &Target) -> Vec<Arc<Session>> {
        let mut found = match &target.whom {
            Whom::Session(id) => self.by_id(*id).into_iter().collect(),
            Whom::User(account) => self.of_account(account.as_str()),
            Whom::Group(name) => {
                let ids = self.groups.members(name).into_iter();
                ids.filter_map(|id| self.by_id(id)).collect()
            }
            Whom::Login(key) => {
                let mut all = self.all();
                all.retain(|session| has_login(session, key));
                all
            }
            Whom::Everybody => self.all(),
        };
        found.retain(|session| session.is_open() && target.is_wanted(session));
        found
    }
}

fn has_login(session: &Session, key: &str) -> bool {
    let admission = session.admission();
    admission.is_some_and(|admission| admission.login.as_deref() == Some(key))
}

/// Which paths are meant: `/x` is that path, `/x/*` that path and all below it, `*` every path.
///
/// A slash at the end of a path counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFilter(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exactly(Box<str>),
    Below(Box<str>),
    All,
}

/// Why a text is no [`PathFilter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path filter: write a path such as \"/ws\", all below one as \"/ws/*\", or \"*\""
)]
pub struct PathFilterError(String);

impl FromStr for PathFilter {
    type Err = PathFilterError;

    fn from_str(text: &str) -> Result<Self, PathFilterError> {
        if text == "*" {
            return Ok(Self(Pattern::All));
        }
        let (path, below) = match text.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (text.strip_suffix('/').unwrap_or(text), false),
        };
        let is_absolute = path.starts_with('/') || text == "/" || text == "/*";
        if !is_absolute || path.contains('*') || path.contains("//") || path.ends_with('/') {
            return Err(PathFilterError(text.to_owned()));
        }
        Ok(Self(match below {
            true => Pattern::Below(path.into()),
            false => Pattern::Exactly(path.into()),
        }))
    }
}

impl fmt::Display for PathFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Exactly(path) if path.is_empty() => f.write_str("/"),
            Pattern::Exactly(path) => f.write_str(path),
            Pattern::Below(path) => write!(f, "{path}/*"),
            Pattern::All => f.write_str("*"),
        }
    }
}

impl PathFilter {
    /// Whether a path is meant; `None`: it is not known.
    fn matches(&self, path: Option<&str>) -> bool {
        let path = path.map(|path| path.strip_suffix('/').unwrap_or(path));
        match (&self.0, path) {
            (Pattern::All, _) => true,
            (_, None) => false,
            (Pattern::Exactly(wanted), Some(path)) => **wanted == *path,
            (Pattern::Below(wanted), Some(path)) => {
                let rest = path.strip_prefix(&**wanted);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(filter: &str, path: &str) -> bool {
        filter.parse::<PathFilter>().unwrap().matches(Some(path))
    }

    /// O5: the rules of the filter, case by case.
    #[test]
    fn o5_a_filter_means_a_path_all_below_it_or_everything() {
        for (filter, path, wanted) in [
            ("/socket", "/socket", true),
            ("/socket", "/socket/", true),
            ("/socket/", "/socket", true),
            ("/socket", "/socket/io", false),
            ("/socket/*", "/socket", true),
            ("/socket/*", "/socket/io", true),
            ("/socket/*", "/socketother", false),
            ("*", "/anything/at/all", true),
            ("*", "", true),
            ("/", "", true),
            ("/", "/ws", false),
            ("/*", "/ws", true),
        ] {
            assert_eq!(matches(filter, path), wanted, "{filter} on {path}");
        }
    }

    #[test]
    fn o5_a_filter_that_is_none_is_refused() {
        for text in [
            "", "ws", "/a*", "/*/b", "**", "/a//b", "//", "/a/*/*", "ws/*",
        ] {
            assert!(text.parse::<PathFilter>().is_err(), "{text:?}");
        }
    }

    /// E11: who logs out the others is not logged out with them.
    #[test]
    fn e11_a_login_is_meant_as_a_whole_only_where_nothing_of_it_is_left_out() {
        let login = Target::login("L1");
        assert_eq!(login.whole_login(), Some("L1"));
        assert_eq!(
            login.clone().except(SessionId::random()).whole_login(),
            None
        );
        assert_eq!(login.path("*".parse().unwrap()).whole_login(), None);
        assert_eq!(Target::group("L1").whole_login(), None);
    }

    #[test]
    fn a_session_whose_path_is_not_known_is_meant_by_everything_only() {
        assert!("*".parse::<PathFilter>().unwrap().matches(None));
        assert!(!"/*".parse::<PathFilter>().unwrap().matches(None));
    }

    #[test]
    fn a_filter_is_written_as_it_is_read() {
        for text in ["*", "/", "/ws", "/ws/*", "/*"] {
            assert_eq!(text.parse::<PathFilter>().unwrap().to_string(), text);
        }
    }
}
