//! Credentials and SASL mechanisms.
