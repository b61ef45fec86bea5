//! What an option is, and the macro that declares them.

use std::sync::Arc;

use super::kinds::{Given, Kind, quoted};

/// When a changed option takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// On reload, for open streams too.
    Live,
    /// On reload, for streams that open from then on.
    NewStreams,
    /// Only when the server is started again.
    Restart,
}

impl Effect {
    /// As the reference says it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Live => "reload (SIGHUP), open streams too",
            Self::NewStreams => "reload (SIGHUP), for new streams",
            Self::Restart => "restart",
        }
    }
}

/// One option of a section `S`: everything that is said of it, and its way in and out.
pub(crate) struct Opt<S> {
    /// The full key, such as `sm.max_unacked`.
    pub key: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
    pub type_name: String,
    /// The range or the words that are allowed.
    pub allowed: String,
    /// The default as a TOML value; none if the option is absent by default.
    pub default: Option<String>,
    /// A TOML value to show where there is no default.
    pub example: Option<String>,
    /// The TOML value that says that it is absent, if it may be.
    pub absent: Option<String>,
    pub effect: Effect,
    set: Setter<S>,
    get: Getter<S>,
    copy: Copier<S>,
}

type Setter<S> = Box<dyn Fn(&mut S, Given<'_>) -> Result<(), String> + Send + Sync>;
type Copier<S> = Box<dyn Fn(&S, &mut S) + Send + Sync>;
type Getter<S> = Box<dyn Fn(&S) -> Option<String> + Send + Sync>;

impl<S: Default + 'static> Opt<S> {
    pub(super) fn declare<K: Kind>(
        (key, doc, effect): (&'static str, &'static [&'static str], Effect),
        kind: K,
        read: fn(&S) -> &K::Value,
        write: fn(&mut S) -> &mut K::Value,
    ) -> Self {
        let (type_name, allowed, example) = (kind.type_name(), kind.allowed(), kind.example());
        let absent = kind.absent().map(quoted);
        let kind = Arc::new(kind);
        let setter = kind.clone();
        let set: Setter<S> = Box::new(move |section, given| {
            *write(section) = setter.read(given)?;
            Ok(())
        });
        let get: Getter<S> = Box::new(move |section| kind.write(read(section)));
        let copy: Copier<S> = Box::new(move |from, to| write(to).clone_from(read(from)));
        let default = get(&S::default());
        Self {
            key,
            doc,
            type_name,
            allowed,
            default,
            example,
            absent,
            effect,
            set,
            get,
            copy,
        }
    }

    /// The same option, seen from what holds the section.
    pub(super) fn within<R: 'static>(
        self,
        read: fn(&R) -> &S,
        write: fn(&mut R) -> &mut S,
    ) -> Opt<R> {
        let Self { set, get, copy, .. } = self;
        Opt {
            set: Box::new(move |root, given| set(write(root), given)),
            get: Box::new(move |root| get(read(root))),
            copy: Box::new(move |from, to| copy(read(from), write(to))),
            key: self.key,
            doc: self.doc,
            type_name: self.type_name,
            allowed: self.allowed,
            default: self.default,
            example: self.example,
            absent: self.absent,
            effect: self.effect,
        }
    }
}

impl<S> Opt<S> {
    /// Stores what was written.
    ///
    /// # Errors
    ///
    /// Why it is not allowed, as the end of a sentence; the section is then unchanged.
    pub fn set(&self, section: &mut S, given: Given<'_>) -> Result<(), String> {
        (self.set)(section, given)
    }

    /// The value as TOML, or none if the option is absent.
    pub fn get(&self, section: &S) -> Option<String> {
        (self.get)(section)
    }

    /// Gives the value of `from` to `to`.
    pub fn copy(&self, from: &S, to: &mut S) {
        (self.copy)(from, to);
    }

    /// The key as it is written below the heading of `table`, which may be that of a section
    /// around its own: `sm.enabled` for `endpoint.sm.enabled` within `endpoint`.
    pub fn name_within(&self, table: &str) -> &'static str {
        let rest = self.key.strip_prefix(table);
        rest.map_or(self.key, |rest| rest.trim_start_matches('.'))
    }

    /// The section of the key, empty at the top.
    pub fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }
}

/// A heading of the reference.
pub(crate) struct Heading {
    /// As in the file: `sm` for `[sm]`, empty for the top.
    pub section: &'static str,
    pub doc: &'static [&'static str],
}

/// Declares a section: the struct with its defaults, and its options with all that is said of them.
///
/// `key: type = default, kind, effect;`. The doc comment of an option is its text in the
/// reference, in the sample file and in the API alike. `sections` are fields with options of
/// their own; `fields` are no options.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident in $prefix:literal {
            $(
                $(#[doc = $doc:literal])+
                $key:ident : $type:ty = $default:expr, $kind:expr, $effect:ident;
            )*
        }
        $( sections { $( $section:ident : $Section:ident, )+ } )?
        $( fields { $( $(#[doc = $fdoc:literal])+ $field:ident : $ftype:ty = $fdefault:expr; )+ } )?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nOption `", $prefix, stringify!($key), "`.")]
                pub $key: $type,
            )*
            $($(
                #[doc = concat!("The section `", $prefix, stringify!($section), "`.")]
                pub $section: $Section,
            )+)?
            $($( $(#[doc = $fdoc])+ pub $field: $ftype, )+)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $key: $default, )*
                    $($( $section: $Section::default(), )+)?
                    $($( $field: $fdefault, )+)?
                }
            }
        }

        impl $name {
            /// The options of this section and of the sections in it, in the order of their declaration.
            pub(crate) fn options() -> Vec<$crate::config::option::Opt<Self>> {
                #[allow(unused_mut)]
                let mut options = vec![$(
                    $crate::config::option::Opt::declare(
                        (
                            concat!($prefix, stringify!($key)),
                            &[$($doc),+],
                            $crate::config::option::Effect::$effect,
                        ),
                        $kind,
                        |section: &Self| &section.$key,
                        |section: &mut Self| &mut section.$key,
                    ),
                )*];
                $($(
                    let within = $Section::options().into_iter();
                    options.extend(within.map(|option| {
                        option.within(|root: &Self| &root.$section, |root| &mut root.$section)
                    }));
                )+)?
                options
            }

            /// The heading of this section and those of the sections in it.
            pub(crate) fn headings() -> Vec<$crate::config::option::Heading> {
                #[allow(unused_mut)]
                let mut headings = vec![$crate::config::option::Heading {
                    section: $prefix.trim_end_matches('.'),
                    doc: &[$($about),+],
                }];
                $($( headings.extend($Section::headings()); )+)?
                headings
            }
        }
    };
}

pub(crate) use section;
