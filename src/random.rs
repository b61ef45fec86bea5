//! Names that nobody can guess.

/// 128 bits from the operating system's generator.
pub(crate) fn bits() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    u128::from_le_bytes(bytes)
}

/// Declares a name of 128 random bits, written as 32 hexadecimal digits.
///
/// Whoever knows such a name may use what it names, so that the log shows a few digits only.
///
/// A name that a peer sends is read into a number and looked up in a map whose hasher has a random
/// key; only where all bits of that hash agree are two names compared, as one number and not digit
/// by digit. So the time of an answer does not tell how much of a guess is right.
macro_rules! unguessable {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident;) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visibility struct $name(u128);

        impl $name {
            /// A fresh one from the operating system's generator.
            pub fn random() -> Self {
                Self($crate::random::bits())
            }

            /// Reads what [`std::fmt::Display`] wrote; `None` for everything else.
            pub fn parse(text: &str) -> Option<Self> {
                let is_digit = |b| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                let is_canonical = text.len() == 32 && text.bytes().all(is_digit);
                if !is_canonical {
                    return None;
                }
                u128::from_str_radix(text, 16).ok().map(Self)
            }

            /// As a number, for the store.
            #[allow(dead_code)] // not every name is stored
            pub(crate) fn to_bits(self) -> u128 {
                self.0
            }

            /// The one of [`Self::to_bits`].
            #[allow(dead_code)]
            pub(crate) fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// A few digits for the log: enough to tell them apart, too few to use one.
            pub fn short(self) -> String {
                format!("{:08x}", (self.0 >> 96) as u32)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl std::fmt::Debug for $name {
            /// Short.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.short())
            }
        }
    };
}

pub(crate) use unguessable;
