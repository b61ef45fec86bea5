//! What a room of the server has in its tables, for the soak: a table that only grows is a leak.

/// How many there are of one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub what: &'static str,
    pub count: usize,
    /// How many of them there may be when nobody is here any more: none of what belongs to somebody
    /// who is here, and of what is remembered as much as its bound says.
    pub at_rest: usize,
}

impl Count {
    /// Things that go with whom they belong to.
    pub fn live(what: &'static str, count: usize) -> Self {
        Self {
            what,
            count,
            at_rest: 0,
        }
    }

    /// Things that are remembered.
    pub fn memory(what: &'static str, count: usize, at_rest: usize) -> Self {
        Self {
            what,
            count,
            at_rest,
        }
    }
}
