//! Namespace declarations in scope (Namespaces in XML 1.0).

use std::borrow::Cow;

use super::attributes::RawAttribute;
use super::escape::attribute_value;
use super::{Span, XML_NAMESPACE, XMLNS_NAMESPACE, XmlFault};

/// A namespace name, by where it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Namespace {
    /// No namespace: no default declaration, or `xmlns=''`.
    #[default]
    None,
    /// The one of the prefix `xml`.
    Xml,
    /// The value of a declaration.
    Declared {
        /// Where it lies.
        value: Span,
        /// Whether it is meant as it is written.
        is_literal: bool,
    },
}

impl Namespace {
    pub fn name(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::None => Cow::Borrowed(""),
            Self::Xml => Cow::Borrowed(XML_NAMESPACE),
            Self::Declared {
                value,
                is_literal: true,
            } => Cow::Borrowed(value.of(text)),
            Self::Declared { value, .. } => attribute_value(value.of(text)),
        }
    }
}

/// Tells namespace names apart without reading them: equal names have equal ids while in scope.
pub(super) type NamespaceId = u32;

/// Of attributes without a prefix, and of elements in no namespace.
pub(super) const NO_NAMESPACE: NamespaceId = u32::MAX;
const XML_ID: NamespaceId = u32::MAX - 1;
/// Of `xmlns` and `xmlns:…` themselves.
pub(super) const XMLNS_ID: NamespaceId = u32::MAX - 2;

/// A resolved prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resolved {
    pub namespace: Namespace,
    pub id: NamespaceId,
}

impl Resolved {
    const NONE: Self = Self {
        namespace: Namespace::None,
        id: NO_NAMESPACE,
    };
    const XML: Self = Self {
        namespace: Namespace::Xml,
        id: XML_ID,
    };
}

/// One declaration in scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    /// Empty for the default namespace.
    prefix: Span,
    /// The whole attribute.
    pub attribute: Span,
    value: Span,
    /// Whether the value as written is the name of the namespace.
    is_literal: bool,
    id: NamespaceId,
    /// The depth of the element that declares it; the root's is 1.
    depth: u16,
}

/// The declarations in scope, innermost last.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    bindings: Vec<Binding>,
    /// Those of the root, which the others follow.
    of_root: usize,
    /// Bit `i`: binding `i` of the root was used since [`take_used`](Self::take_used).
    used: u64,
}

impl Namespaces {
    pub fn clear(&mut self) {
        self.bindings.clear();
        self.of_root = 0;
        self.used = 0;
    }

    /// Declares what a namespace declaration declares, for an element at `depth`.
    ///
    /// Namespaces in XML 1.0 §3: `xml` keeps its namespace, `xmlns` is never declared, and nothing
    /// else takes their namespaces. §5: a prefix is not unbound.
    pub fn declare(
        &mut self,
        attribute: &RawAttribute<'_>,
        prefix: &str,
        depth: u16,
        limit: u16,
    ) -> Result<(), XmlFault> {
        let at = attribute.qname.span.start;
        let value = attribute.value();
        match (prefix, value.as_ref()) {
            ("xml", XML_NAMESPACE) => return Ok(()),
            ("xml" | "xmlns", _) | (_, XML_NAMESPACE | XMLNS_NAMESPACE) => {
                return Err(XmlFault::ReservedBinding { at });
            }
            ("", _) => {}
            (_, "") => return Err(XmlFault::EmptyPrefixBinding { at }),
            _ => {}
        }
        if self.bindings.len() >= usize::from(limit) {
            return Err(XmlFault::TooManyNamespaces { at });
        }
        let id = self.id_of(attribute, &value);
        self.bindings.push(Binding {
            prefix: prefix_span(attribute, prefix),
            attribute: attribute.span(),
            value: attribute.value,
            is_literal: matches!(value, Cow::Borrowed(_)),
            id,
            depth,
        });
        if depth == 1 {
            self.of_root = self.bindings.len();
        }
        Ok(())
    }

    /// The id of the first binding in scope with the same name, or a new one. Outer bindings
    /// outlive inner ones, so the id stays valid as long as the new binding.
    fn id_of(&self, attribute: &RawAttribute<'_>, name: &str) -> NamespaceId {
        if name.is_empty() {
            return NO_NAMESPACE;
        }
        let same = |binding: &&Binding| {
            let raw = binding.value.of(attribute.text);
            match binding.is_literal {
                true => raw == name,
                false => attribute_value(raw) == name,
            }
        };
        match self.bindings.iter().find(same) {
            Some(binding) => binding.id,
            None => self.bindings.len() as NamespaceId,
        }
    }

    /// Forgets what the element at `depth` declared. The root's stay until [`clear`](Self::clear),
    /// for whoever takes a child out of it.
    pub fn leave(&mut self, depth: u16) {
        while self.bindings.len() > self.of_root
            && self
                .bindings
                .last()
                .is_some_and(|binding| binding.depth >= depth)
        {
            self.bindings.pop();
        }
    }

    /// What a prefix, or `""` for an element without one, is bound to.
    pub fn resolve(&mut self, text: &str, prefix: &str) -> Option<Resolved> {
        let found = self
            .bindings
            .iter()
            .rposition(|binding| binding.has_prefix(text, prefix));
        let Some((index, binding)) = found.and_then(|i| Some((i, self.bindings.get(i)?))) else {
            return match prefix {
                "" => Some(Resolved::NONE),
                "xml" => Some(Resolved::XML),
                _ => None,
            };
        };
        if index < self.of_root {
            self.used |= 1 << index;
        }
        Some(match binding.id {
            NO_NAMESPACE => Resolved::NONE,
            id => Resolved {
                namespace: binding.namespace(),
                id,
            },
        })
    }

    /// The namespace that an id stands for. It may be written otherwise than where it was used.
    pub fn of_id(&self, id: NamespaceId) -> Namespace {
        match id {
            XML_ID => Namespace::Xml,
            // An id is the index of the first binding; the special ones are no index.
            id => self
                .bindings
                .get(id as usize)
                .map_or(Namespace::None, Binding::namespace),
        }
    }

    /// Which bindings of the root were used since the last call.
    pub fn take_used(&mut self) -> u64 {
        std::mem::take(&mut self.used)
    }

    /// The bindings of the root in `used`.
    pub fn of_root(&self, used: u64) -> impl Iterator<Item = &Binding> {
        let root = self.bindings.get(..self.of_root).unwrap_or_default();
        root.iter()
            .enumerate()
            .filter(move |(i, _)| used & (1 << i) != 0)
            .map(|(_, b)| b)
    }
}

impl Binding {
    fn namespace(&self) -> Namespace {
        Namespace::Declared {
            value: self.value,
            is_literal: self.is_literal,
        }
    }

    fn has_prefix(&self, text: &str, prefix: &str) -> bool {
        self.prefix.len() == prefix.len() && (prefix.is_empty() || self.prefix.of(text) == prefix)
    }

    pub fn prefix<'t>(&self, text: &'t str) -> &'t str {
        self.prefix.of(text)
    }
}

/// Where the declared prefix lies; nowhere for the default namespace.
fn prefix_span(attribute: &RawAttribute<'_>, prefix: &str) -> Span {
    let end = attribute.qname.span.end;
    Span {
        start: end - prefix.len() as u32,
        end,
    }
}
