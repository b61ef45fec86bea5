//! The admin port from the outside: HTTP by hand over loopback, with real clients on the other
//! ports. Every answer is compared with the document that the server gives of itself.

#[path = "../kit/mod.rs"]
mod kit;

mod access;
mod api;
mod document;
mod groups;
mod options;
mod send;
mod sessions;
mod tickets;
