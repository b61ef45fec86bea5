//! What is accepted, what is refused and as what, where things lie, and what comes out again.

mod element;
mod escape;
mod frame;
mod oracle;
mod scanner;
mod shortcuts;
