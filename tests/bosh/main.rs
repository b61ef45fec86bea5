//! BOSH from the outside: HTTP by hand over loopback, with the embedded services behind it.

mod http;
mod loss;
mod sessions;
mod world;
