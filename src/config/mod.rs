//! Options, as the operator meets them.
//!
//! Each is declared once, in `sections`: key, type, default, range, effect, text. From
//! that come the struct, the parsing, the checks, the reference and the sample file.

mod addresses;
mod checks;
mod error;
mod kinds;
mod layers;
mod load;
mod option;
mod patch;
mod public_url;
mod reference;
mod reload;
mod sections;
mod types;
mod units;

pub use addresses::BOSH_PATH;
pub use error::{ConfigError, ConfigErrors, Origin, Problem};
pub use layers::Sources;
pub use option::Effect;
pub use patch::Changeable;
pub use public_url::PublicUrl;
pub(crate) use reference::filled;
pub use reference::{Format, reference, show};
pub use sections::{
    Admin, Auth, Bosh, Config, Endpoint, EndpointSm, JwtAuth, Limits, Listen, Log, Registration,
    SessionAuth, Sm, TicketAuth, Tier, Tls, TokenAuth, Web, Ws,
};
pub use types::{
    AuthMethod, BuiltInHandler, Durability, ForwardedHeader, LogFormat, LogLevel, OnExceed,
    Origins, PlainPolicy, RateLimit, ResourceConflict, TierPer, UserExcess,
};
pub use units::{
    format_count_rate, format_duration, format_size, format_size_rate, parse_count_rate,
    parse_duration, parse_size, parse_size_rate,
};

impl Config {
    /// What does not go together, one sentence each; empty if all is well. What is read from files
    /// and arguments has been checked; options that a program sets have not.
    pub fn complaints(&self) -> Vec<String> {
        let conflicts = checks::conflicts(self).into_iter();
        conflicts.map(|conflict| conflict.why).collect()
    }
}

#[cfg(test)]
mod tests;
