//! Why a text is not XML that XMPP allows.

/// Why a frame was refused, and where: `at` is the offset in bytes of the token at fault.
///
/// Always the peer's doing. Holds no part of the text, so it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // `at`, told above
pub enum XmlFault {
    /// Nothing, or nothing but white space (the keepalive of raw TCP, RFC 7395 §3.8 has others).
    #[error("the frame holds no element")]
    Empty,
    /// The first character is not `<`: white space, a byte order mark, text (RFC 7395 §3.3.3).
    #[error("the frame does not begin with '<'")]
    BeforeRoot,
    /// Something other than white space follows the element (RFC 7395 §3.3.3).
    #[error("data after the element, at byte {at}")]
    AfterRoot { at: u32 },
    /// The text ends inside an element, a tag, a reference or a section.
    #[error("the text ends within what begins at byte {at}")]
    Unclosed { at: u32 },
    /// An end tag that closes nothing, or another element than the open one.
    #[error("end tag at byte {at} does not match")]
    EndTag { at: u32 },
    /// Markup that is no tag, section, declaration or reference.
    #[error("malformed markup at byte {at}")]
    Markup { at: u32 },
    /// An XML declaration out of place, or malformed, or of another version than 1.0.
    #[error("malformed or misplaced XML declaration at byte {at}")]
    Declaration { at: u32 },
    /// Not a name, or a name with an empty part or two colons (Namespaces in XML 1.0 §7).
    #[error("malformed name at byte {at}")]
    Name { at: u32 },
    /// An attribute without white space before it, without `=`, or without quotes.
    #[error("malformed attribute at byte {at}")]
    Attribute { at: u32 },
    /// `<` in the value of an attribute (XML 1.0 §3.1).
    #[error("'<' in an attribute value, at byte {at}")]
    LessThanInValue { at: u32 },
    /// The same attribute twice, by name or by expanded name (Namespaces in XML 1.0 §6.3).
    #[error("duplicate attribute at byte {at}")]
    DuplicateAttribute { at: u32 },
    /// A character that XML does not allow, as such (XML 1.0 §2.2).
    #[error("forbidden character at byte {at}")]
    Character { at: u32 },
    /// A bare `&`, a malformed reference, or one to a character that XML does not allow
    /// (XML 1.0 §4.1).
    #[error("malformed reference at byte {at}")]
    Reference { at: u32 },
    /// `]]>` in text (XML 1.0 §2.4).
    #[error("']]>' in text, at byte {at}")]
    SectionEndInText { at: u32 },
    /// A prefix that no declaration in scope binds (Namespaces in XML 1.0 §5).
    #[error("undeclared prefix at byte {at}")]
    UndeclaredPrefix { at: u32 },
    /// `xmlns:p=''` (Namespaces in XML 1.0 §5).
    #[error("a prefix bound to nothing, at byte {at}")]
    EmptyPrefixBinding { at: u32 },
    /// `xml` or `xmlns`, or the namespace of one of them, declared as something else
    /// (Namespaces in XML 1.0 §3).
    #[error("a reserved prefix or namespace redeclared, at byte {at}")]
    ReservedBinding { at: u32 },

    /// A comment (RFC 6120 §11.1).
    #[error("comment at byte {at}")]
    Comment { at: u32 },
    /// A processing instruction (RFC 6120 §11.1).
    #[error("processing instruction at byte {at}")]
    ProcessingInstruction { at: u32 },
    /// A document type declaration (RFC 6120 §11.1).
    #[error("document type declaration at byte {at}")]
    DocumentType { at: u32 },
    /// An entity other than the five predefined ones (RFC 6120 §11.1).
    #[error("entity reference at byte {at}")]
    Entity { at: u32 },

    /// The XML declaration names another encoding than UTF-8 (RFC 6120 §11.6).
    #[error("an encoding other than UTF-8 is declared")]
    UnsupportedEncoding,

    /// Longer than the 4 GiB that a [`Span`](super::Span) can address.
    #[error("the text is too long")]
    TooLong,
    /// More than [`Limits::depth`](super::Limits::depth).
    #[error("elements nest too deep at byte {at}")]
    TooDeep { at: u32 },
    /// More than [`Limits::attributes`](super::Limits::attributes).
    #[error("too many attributes at byte {at}")]
    TooManyAttributes { at: u32 },
    /// More than [`Limits::namespaces`](super::Limits::namespaces).
    #[error("too many namespace declarations at byte {at}")]
    TooManyNamespaces { at: u32 },
    /// More than [`Limits::elements`](super::Limits::elements).
    #[error("too many elements at byte {at}")]
    TooManyElements { at: u32 },
}

/// What the peer hears about an [`XmlFault`]: one kind for each answer that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Nothing was sent; a stream may ignore it (conformance W-53, W-56).
    EmptyFrame,
    /// `<not-well-formed/>`: against XML or against Namespaces in XML (RFC 6120 §4.9.3.13).
    NotWellFormed,
    /// `<restricted-xml/>`: XML, but of the part that XMPP does without (RFC 6120 §4.9.3.18).
    RestrictedXml,
    /// `<unsupported-encoding/>` (RFC 6120 §4.9.3.22).
    UnsupportedEncoding,
    /// `<policy-violation/>`: a limit of ours (RFC 6120 §4.9.3.14, §13.12).
    PolicyViolation,
}

impl XmlFault {
    /// Which of the few answers the peer gets.
    pub fn kind(&self) -> FaultKind {
        // No `_` arm: a new fault chooses its answer here.
        match self {
            Self::Empty => FaultKind::EmptyFrame,
            Self::BeforeRoot
            | Self::AfterRoot { .. }
            | Self::Unclosed { .. }
            | Self::EndTag { .. }
            | Self::Markup { .. }
            | Self::Declaration { .. }
            | Self::Name { .. }
            | Self::Attribute { .. }
            | Self::LessThanInValue { .. }
            | Self::DuplicateAttribute { .. }
            | Self::Character { .. }
            | Self::Reference { .. }
            | Self::SectionEndInText { .. }
            | Self::UndeclaredPrefix { .. }
            | Self::EmptyPrefixBinding { .. }
            | Self::ReservedBinding { .. } => FaultKind::NotWellFormed,
            Self::Comment { .. }
            | Self::ProcessingInstruction { .. }
            | Self::DocumentType { .. }
            | Self::Entity { .. } => FaultKind::RestrictedXml,
            Self::UnsupportedEncoding => FaultKind::UnsupportedEncoding,
            Self::TooLong
            | Self::TooDeep { .. }
            | Self::TooManyAttributes { .. }
            | Self::TooManyNamespaces { .. }
            | Self::TooManyElements { .. } => FaultKind::PolicyViolation,
        }
    }
}

impl FaultKind {
    /// The name of the condition, or `None` for an empty frame, which has no condition of its own.
    pub fn condition(self) -> Option<&'static str> {
        match self {
            Self::EmptyFrame => None,
            Self::NotWellFormed => Some("not-well-formed"),
            Self::RestrictedXml => Some("restricted-xml"),
            Self::UnsupportedEncoding => Some("unsupported-encoding"),
            Self::PolicyViolation => Some("policy-violation"),
        }
    }
}
