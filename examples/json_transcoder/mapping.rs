//! XML as JSON and back.
//!
//! An element is an object:
//!
//! ```json
//! {"name": "message", "attrs": {"to": "juliet@example.org", "type": "chat"},
//!  "children": [{"name": "body", "children": ["Art thou not Romeo?"]}]}
//! ```
//!
//! | key | what it is | if it is not there |
//! |---|---|---|
//! | `name` | the name without a prefix | an error |
//! | `xmlns` | the namespace | that of the element around it; of the outermost, `jabber:client` |
//! | `attrs` | the attributes: `to`, `xml:lang`, and `{urn:example}name` for one in a namespace | none |
//! | `children` | texts and elements, in their order | none |
//!
//! Nothing is lost but prefixes, which mean nothing, and the order of attributes.

use serde_json::{Map, Value};
use stanzad::TranscodeError;
use stanzad::xml::{Element, ElementAttribute, Node, escape_attribute, escape_text};

/// The namespace of an outermost element that names none: that of stanzas.
const CLIENT: &str = "jabber:client";

/// One XML element as JSON.
///
/// # Errors
///
/// What is not one element.
pub fn to_json(xml: &str) -> Result<String, TranscodeError> {
    let element = Element::parse(xml).map_err(|fault| TranscodeError::new(fault.to_string()))?;
    Ok(json_of(&element, CLIENT).to_string())
}

/// One JSON object as XML.
///
/// # Errors
///
/// What is no JSON (or deeper than 60 elements), or is no element.
pub fn to_xml(json: &str) -> Result<String, TranscodeError> {
    let value = serde_json::from_str(json).map_err(|error| wrong(format!("no JSON: {error}")))?;
    let mut xml = String::with_capacity(json.len());
    write_element(&value, CLIENT, true, &mut xml)?;
    Ok(xml)
}

fn json_of(element: &Element, outer: &str) -> Value {
    let namespace = element.namespace();
    let mut object = Map::new();
    object.insert("name".into(), element.name().into());
    if namespace != outer {
        object.insert("xmlns".into(), namespace.into());
    }
    let attributes = element.attributes();
    if !attributes.is_empty() {
        let attributes = attributes
            .iter()
            .map(|a| (key_of(a), a.value.clone().into()));
        object.insert("attrs".into(), Value::Object(attributes.collect()));
    }
    if !element.nodes().is_empty() {
        let nodes = element.nodes().iter().map(|node| match node {
            Node::Text(text) => text.as_str().into(),
            Node::Element(child) => json_of(child, namespace),
        });
        object.insert("children".into(), nodes.collect());
    }
    Value::Object(object)
}

fn key_of(attribute: &ElementAttribute) -> String {
    match attribute.namespace.as_str() {
        "" => attribute.name.clone(),
        namespace => format!("{{{namespace}}}{}", attribute.name),
    }
}

/// `is_root`: its namespace is written in any case, for nothing stands around it.
fn write_element(
    value: &Value,
    outer: &str,
    is_root: bool,
    xml: &mut String,
) -> Result<(), TranscodeError> {
    let object = value.as_object().ok_or_else(|| wrong("no object"))?;
    let name = object.get("name").and_then(Value::as_str);
    let name = checked(name.ok_or_else(|| wrong("an element without a name"))?)?;
    let namespace = match object.get("xmlns") {
        None => outer,
        Some(namespace) => text_of(namespace)?,
    };
    xml.extend(["<", name]);
    if is_root || namespace != outer {
        write_attribute("xmlns", namespace, xml);
    }
    if let Some(attributes) = object.get("attrs") {
        let attributes = attributes.as_object().ok_or_else(|| wrong("attrs"))?;
        for (at, (key, value)) in attributes.iter().enumerate() {
            write_keyed(at, key, text_of(value)?, xml)?;
        }
    }
    xml.push('>');
    if let Some(children) = object.get("children") {
        for child in children.as_array().ok_or_else(|| wrong("children"))? {
            match child {
                Value::String(text) => xml.push_str(&escape_text(text)),
                child => write_element(child, namespace, false, xml)?,
            }
        }
    }
    xml.extend(["</", name, ">"]);
    Ok(())
}

/// An attribute. One in a namespace gets a prefix after its place among the others.
fn write_keyed(at: usize, key: &str, value: &str, xml: &mut String) -> Result<(), TranscodeError> {
    if let Some((namespace, name)) = key.strip_prefix('{').and_then(|key| key.split_once('}')) {
        write_attribute(&format!("xmlns:a{at}"), namespace, xml);
        write_attribute(&format!("a{at}:{}", checked(name)?), value, xml);
        return Ok(());
    }
    let name = key.strip_prefix("xml:").unwrap_or(key);
    if checked(name)? == "xmlns" {
        return Err(wrong("a namespace among attrs"));
    }
    write_attribute(key, value, xml);
    Ok(())
}

fn write_attribute(name: &str, value: &str, xml: &mut String) {
    xml.extend([" ", name, "=\"", &*escape_attribute(value), "\""]);
}

/// A name that stays one when it is written; whether XML has such names is found out by who reads it.
fn checked(name: &str) -> Result<&str, TranscodeError> {
    let is_markup = |c: char| c.is_whitespace() || c.is_control() || "<>&\"'=/:".contains(c);
    match name.is_empty() || name.contains(is_markup) {
        true => Err(wrong(format!("{name:?} is no name"))),
        false => Ok(name),
    }
}

fn text_of(value: &Value) -> Result<&str, TranscodeError> {
    let text = value.as_str();
    text.ok_or_else(|| wrong(format!("a text was to come, not {value}")))
}

fn wrong(words: impl Into<String>) -> TranscodeError {
    TranscodeError::new(words)
}
