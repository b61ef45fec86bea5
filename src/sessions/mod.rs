//! Floor 4: who is here.
