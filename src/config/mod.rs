//! Options, as the operator meets them.
//!
//! Each is declared once, in `sections`: key, type, default, range, effect, text. From
//! that come the struct, the parsing, the checks, the reference and the sample file.

mod addresses;
mod kinds;
mod option;
mod public_url;
mod sections;
mod types;
mod units;

pub use addresses::BOSH_PATH;
pub use option::Effect;
pub use public_url::PublicUrl;
pub use sections::{
    Auth, Bosh, Config, Endpoint, Limits, Listen, Log, Registration, Sm, Tls, Web, Ws,
};
pub use types::{Durability, LogFormat, LogLevel, Origins, PlainPolicy};
