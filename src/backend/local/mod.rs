//! The embedded XMPP services.
