//! Floor 2: the header of a stanza, stanza errors, addresses.
