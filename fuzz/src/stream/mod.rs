//! The core of a stream: whatever a client, a backend and the time do, the counts hold.
//!
//! The bytes are a list of steps. Frames come from a grammar or from nowhere, the backend answers
//! at once or late, links break with stanzas under way, and the client resumes with a true count
//! or a false one. The server may stop or die, and the next one gives the session back. The
//! counters may begin near their wrap.
//!
//! What must hold, at each step: the stream wants a frame, or waits for the backend, or is over;
//! every `h` that is told is what the backend has taken; the client reads what was delivered, each
//! stanza once and in order; there is room exactly below the bounds, and whoever has none was asked
//! for an ack; a time that has come is not asked for again; nothing follows a close. A server that
//! stops lets go of a session that can be resumed, after the last `h`, and ends any other. What the
//! stream leaves behind is what was sent and not acknowledged, also through a restart; what waited
//! then counts as sent. In the end an honest client has everything.

mod frames;
mod links;
mod restart;
mod session;
mod setup;
mod spoken;
mod steps;
mod world;

use crate::input::Input;
use world::World;

/// More steps would find nothing that fewer do not.
const STEPS_MAX: usize = 300;

/// Plays the steps that `data` lists.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        steps::step(&mut world, &mut input);
    }
    world.come_to_an_end();
}

/// The steps that bring a new client to a session with stream management; for seeds.
pub fn prologue(first_h: u8) -> Vec<u8> {
    steps::prologue(first_h)
}

/// The steps that send one frame; for seeds.
pub fn saying(frame: &[u8]) -> Vec<u8> {
    steps::saying(frame)
}

/// The steps of a server that stops, in one of four ways; for seeds.
pub fn stopping(how: u8) -> Vec<u8> {
    steps::stopping(how)
}
