//! Floor 1: XML as XMPP allows it, over quick-xml.
