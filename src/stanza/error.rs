//! Stanza errors (RFC 6120 §8.3).

/// What the sender may do about an error (RFC 6120 §8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry.
    Cancel,
    /// Retry after changing the data sent.
    Modify,
    /// Retry after waiting.
    Wait,
}

impl ErrorType {
    /// The value of the `type` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $kind:ident;)*) => {
        /// The defined conditions that this server uses (RFC 6120 §8.3.3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Condition { $($(#[$doc])* $variant,)* }

        impl Condition {
            /// The name of the element on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The type that RFC 6120 recommends for this condition.
            pub fn error_type(self) -> ErrorType {
                match self { $(Self::$variant => ErrorType::$kind,)* }
            }
        }
    };
}

conditions! {
    /// §8.3.3.1: the sender sent something that makes no sense.
    BadRequest = "bad-request", Modify;
    /// §8.3.3.2: a resource of that name exists already.
    Conflict = "conflict", Cancel;
    /// §8.3.3.3: the feature is not implemented.
    FeatureNotImplemented = "feature-not-implemented", Cancel;
    /// §8.3.3.4: the sender lacks the permission.
    Forbidden = "forbidden", Auth;
    /// §8.3.3.6: something here broke.
    InternalServerError = "internal-server-error", Cancel;
    /// §8.3.3.7: no such item.
    ItemNotFound = "item-not-found", Cancel;
    /// §8.3.3.8: no address.
    JidMalformed = "jid-malformed", Modify;
    /// §8.3.3.9: the server's rules do not accept it.
    NotAcceptable = "not-acceptable", Modify;
    /// §8.3.3.10: nobody may do that.
    NotAllowed = "not-allowed", Cancel;
    /// §8.3.3.11: credentials come first.
    NotAuthorized = "not-authorized", Auth;
    /// §8.3.3.12: a local policy forbids it.
    PolicyViolation = "policy-violation", Modify;
    /// §8.3.3.13: the recipient is temporarily not to be had.
    RecipientUnavailable = "recipient-unavailable", Wait;
    /// §8.3.3.15: registration comes first.
    RegistrationRequired = "registration-required", Auth;
    /// §8.3.3.16: no such server.
    RemoteServerNotFound = "remote-server-not-found", Cancel;
    /// §8.3.3.17: the server did not answer in time.
    RemoteServerTimeout = "remote-server-timeout", Wait;
    /// §8.3.3.18: busy or out of room.
    ResourceConstraint = "resource-constraint", Wait;
    /// §8.3.3.19: not offered here.
    ServiceUnavailable = "service-unavailable", Cancel;
    /// §8.3.3.22: not expected at this time.
    UnexpectedRequest = "unexpected-request", Modify;
}

/// A refusal of one stanza: the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StanzaError {
    /// What is wrong.
    pub condition: Condition,
    /// What the sender may do about it.
    pub error_type: ErrorType,
    /// A sentence for a person, in English; may be empty.
    pub text: &'static str,
}

impl StanzaError {
    /// The condition with its usual type and a sentence for the person who reads it.
    pub const fn new(condition: Condition, error_type: ErrorType, text: &'static str) -> Self {
        Self {
            condition,
            error_type,
            text,
        }
    }

    /// Adds a sentence for a person.
    #[must_use]
    pub fn with_text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }

    /// Replaces the usual type, e.g. `forbidden` with `cancel`.
    #[must_use]
    pub fn with_type(mut self, error_type: ErrorType) -> Self {
        self.error_type = error_type;
        self
    }

    /// The `<error/>` element; exactly one defined condition (RFC 6120 §8.3.2).
    pub fn to_xml(&self) -> String {
        const NS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
        let (kind, condition) = (self.error_type.as_str(), self.condition.as_str());
        if self.text.is_empty() {
            return format!("<error type='{kind}'><{condition} xmlns='{NS}'/></error>");
        }
        let text = crate::xml::escape_text(self.text);
        format!(
            "<error type='{kind}'><{condition} xmlns='{NS}'/>\
             <text xmlns='{NS}' xml:lang='en'>{text}</text></error>"
        )
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self {
            condition,
            error_type: condition.error_type(),
            text: "",
        }
    }
}
