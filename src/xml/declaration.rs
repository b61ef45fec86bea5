//! The XML declaration, which a frame may begin with (RFC 7395 §3.3.3).

use super::attributes::Parser;
use super::{Span, XmlFault};

/// Checks an XML declaration (XML 1.0 §2.8, §4.3.3; RFC 6120 §11.6).
pub(super) fn check_declaration(text: &str, span: Span) -> Result<(), XmlFault> {
    let fault = XmlFault::Declaration { at: span.start };
    if span.start != 0 {
        return Err(fault);
    }
    let inside = Span {
        start: "<?xml".len() as u32,
        end: span.end - "?>".len() as u32,
    };
    let mut parser = Parser::new(text, inside, true);
    let mut next = || parser.next().map_err(|_| fault);
    let version = next()?.ok_or(fault)?;
    if (version.name(), version.raw_value()) != ("version", "1.0") {
        return Err(fault);
    }
    let mut attribute = next()?;
    if let Some(encoding) = attribute.take_if(|attribute| attribute.name() == "encoding") {
        check_encoding(encoding.raw_value(), fault)?;
        attribute = next()?;
    }
    if let Some(standalone) = attribute {
        let is_known = matches!(standalone.raw_value(), "yes" | "no");
        if standalone.name() != "standalone" || !is_known || next()?.is_some() {
            return Err(fault);
        }
    }
    Ok(())
}

/// RFC 6120 §11.6: UTF-8 it is. XML 1.0 §4.3.3: case does not matter.
fn check_encoding(name: &str, malformed: XmlFault) -> Result<(), XmlFault> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    match name.eq_ignore_ascii_case("utf-8") {
        true => Ok(()),
        false if is_name => Err(XmlFault::UnsupportedEncoding),
        false => Err(malformed),
    }
}
