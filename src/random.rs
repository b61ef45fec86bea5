//! Names that nobody can guess.

/// 128 bits from the operating system's generator.
pub(crate) fn bits() -> u128 {
    #[cfg(test)]
    if let Some(bits) = seeded::bits() {
        return bits;
    }
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

/// Names that a test can have again.
#[cfg(test)]
pub(crate) mod seeded {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on, and on this thread, until the guard is dropped.
    pub(crate) fn seed(seed: u64) -> Guard {
        STATE.set(Some(seed));
        Guard
    }

    pub(crate) struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            STATE.set(None);
        }
    }

    pub(super) fn bits() -> Option<u128> {
        let state = STATE.get()?;
        let (high, state) = step(state);
        let (low, state) = step(state);
        STATE.set(Some(state));
        Some(u128::from(high) << 64 | u128::from(low))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): a number, and the next state.
    pub(crate) fn step(state: u64) -> (u64, u64) {
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31), state)
    }
}
