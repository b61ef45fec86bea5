//! BOSH without the HTTP: XEP-0124 1.11 and XEP-0206 1.4.
//!
//! [`Body`] is one `<body/>` as a client posts it; [`Window`] is the state of one BOSH session. The
//! window puts requests into `rid` order, hands their payload to the stream once, decides which held
//! request carries what, and remembers its answers so that a client may ask for them again. It knows
//! no socket, clock or task: the driver brings requests and the time, and carries answers away.
//!
//! ```text
//! POST ─ Body::parse ─ window.on_request(now, token, body)
//!                      window.poll_input()          → frames, restart, terminate  → stream
//! stream ─ frames ─    window.push(frame)
//!                      window.poll_response(now)    → (token, response)           → HTTP 200
//!                      window.poll_timeout()        → when to call on_timeout
//! ```

mod admission;
mod answering;
mod body;
mod condition;
mod held;
mod keys;
mod options;
mod parse;
mod polling;
mod replay;
mod window;
mod wire;

#[cfg(test)]
mod tests;

pub use body::{Body, MAX_RID, Version};
pub use condition::{Condition, Ended, Violation};
pub use options::Options;
pub use parse::{BodyFault, MAX_GROWTH, body_limits};
pub use window::{Input, RequestToken, Window};
pub use wire::{Response, refusal};
