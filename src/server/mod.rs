//! Floor 7: wires the rooms.
