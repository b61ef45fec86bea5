//! Takes values from the bytes that a fuzzer makes.

/// What is left of the bytes. At their end every number is 0 and every text is empty, so that a
/// target need not ask how much there is.
#[derive(Debug)]
pub struct Input<'d> {
    rest: &'d [u8],
}

impl<'d> Input<'d> {
    /// All of `data`.
    pub fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// True once in `n` times, for bytes at random.
    pub fn once_in(&mut self, n: u8) -> bool {
        self.below(n) == n - 1
    }

    /// Two bytes, the low one first.
    pub fn short(&mut self) -> u16 {
        u16::from(self.byte()) | u16::from(self.byte()) << 8
    }

    /// Four bytes, the lowest first.
    pub fn word(&mut self) -> u32 {
        u32::from(self.short()) | u32::from(self.short()) << 16
    }

    /// A text with its length before it; what is not UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        let len = usize::from(self.short());
        String::from_utf8_lossy(self.bytes(len)).into_owned()
    }

    /// Bytes with their number before them.
    pub fn counted_bytes(&mut self) -> &'d [u8] {
        let len = usize::from(self.short());
        self.bytes(len)
    }

    /// So many bytes, or all that there are.
    pub fn bytes(&mut self, len: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub fn remaining(&mut self) -> &'d [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// The form in which [`Input::text`] and [`Input::counted_bytes`] read bytes.
pub fn counted(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let taken = &bytes[..usize::from(len)];
    [&len.to_le_bytes(), taken].concat()
}
