//! Plays the frames of `xmpp-testdata` and judges what comes of them, as its README tells.

use super::manifest::Entry;
use super::ws::Ws;
use super::xmpp::{parse, show, stream_condition};
use super::{Client, ETHERX, FRAMING, Got, Http, SASL};
use stanzad::xml::Element;
use std::net::SocketAddr;

const PROBE: &str = "<iq xmlns='jabber:client' type='get' id='probe' to='example.org'>\
    <ping xmlns='urn:xmpp:ping'/></iq>";
/// What ends any dialogue of SASL, and then something whose answer cannot be taken for another.
const ABORT: &str = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const SASL_PROBE: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PROBE'/>";

/// What came back.
struct Heard {
    /// What the server said, up to the answer to the probe.
    elements: Vec<Element>,
    /// Whether the stream goes on.
    alive: bool,
    code: Option<u16>,
}

impl Heard {
    /// `<stream:error/>`, `<close/>`, the Close frame, and nothing else that is no stanza: returns
    /// the condition.
    fn refusal(&self) -> Option<String> {
        let at = self.elements.iter().position(|e| e.is("error", ETHERX))?;
        let [error, close] = &self.elements[at..] else {
            return None;
        };
        let in_order = !self.alive && self.code.is_some() && close.is("close", FRAMING);
        in_order.then(|| stream_condition(error))
    }

    fn closed(&self) -> bool {
        !self.alive && self.elements.last().is_some_and(|e| e.is("close", FRAMING))
    }

    /// The condition of a stanza error, if it is one.
    fn stanza_error(&self) -> Option<String> {
        let [stanza] = self.elements.as_slice() else {
            return None;
        };
        (self.alive && stanza.attr("type") == Some("error")).then(|| super::condition(stanza))
    }

    fn show(&self) -> String {
        format!(
            "alive: {}, code: {:?}\n{}",
            self.alive,
            self.code,
            show(&self.elements)
        )
    }
}

/// Plays a frame to a stream that has sent its features and knows nobody.
pub async fn play_before_auth(address: SocketAddr, entry: &Entry) -> Result<(), String> {
    let heard = match entry.before_auth.iter().any(|word| word == "opened") {
        true => opening(address, entry).await,
        false => stranger(address, entry).await,
    };
    let fits = entry.before_auth.iter().any(|word| match word.as_str() {
        "opened" => heard.alive && heard.elements.iter().any(|e| e.is("features", ETHERX)),
        "authenticating" => heard.alive && heard.elements.iter().any(|e| e.namespace() == SASL),
        "answered" => heard.alive && !heard.elements.is_empty(),
        word => common(word, &heard),
    });
    let wanted = &entry.before_auth;
    match fits {
        true => Ok(()),
        false => Err(format!(
            "{} before login: wanted {wanted:?}, got {}",
            entry.name,
            heard.show()
        )),
    }
}

/// An opening is played where it belongs: first.
async fn opening(address: SocketAddr, entry: &Entry) -> Heard {
    let mut ws = Ws::over(Http::to(address).await).await;
    ws.text(&entry.text()).await;
    until_probed(&mut ws).await
}

async fn stranger(address: SocketAddr, entry: &Entry) -> Heard {
    let mut client = Client::over(Http::to(address).await).await;
    client.send(&entry.text()).await;
    until_probed(&mut client.ws).await
}

/// Up to the answers to both, which are not part of it, or to the end.
async fn until_probed(ws: &mut Ws) -> Heard {
    ws.text(ABORT).await;
    ws.text(SASL_PROBE).await;
    let is_last = |e: &Element| e.child("invalid-mechanism", SASL).is_some();
    let mut heard = listen(ws, is_last).await;
    if heard.alive {
        heard.elements.truncate(heard.elements.len() - 2);
    }
    heard
}

/// Plays a frame to a bound stream of Romeo's; Juliet hears what is to be delivered to her and
/// nothing else.
pub async fn play_bound(
    address: SocketAddr,
    entry: &Entry,
    juliet: &mut Client,
) -> Result<(), String> {
    let mut romeo = Client::over(Http::to(address).await).await;
    romeo.plain("romeo").await;
    romeo.bind(Some("orchard")).await;
    let text = entry.text();
    romeo.send(&text).await;
    romeo.send(PROBE).await;
    let mut heard = listen(&mut romeo.ws, |e| e.attr("id") == Some("probe")).await;
    heard.elements.retain(|e| e.attr("id") != Some("probe"));
    let delivered = juliet.sync().await;
    let arrived = delivered.len() == 1 && same(&parse(&text), &delivered[0]);
    if delivered
        .iter()
        .any(|e| e.attr("type") == Some("subscribe"))
    {
        // Or the next request of this kind is not told: one is pending (RFC 6121 §3.1.3).
        let decline =
            "<presence xmlns='jabber:client' to='romeo@example.org' type='unsubscribed'/>";
        juliet.send(decline).await;
        juliet.sync().await;
    }
    let fits = entry.bound.iter().any(|word| match word.as_str() {
        "delivered" => arrived,
        "answered" => heard.alive && heard.elements.len() == 1 && delivered.is_empty(),
        "handled" => heard.alive,
        word => common(word, &heard) && (word == "any" || delivered.is_empty()),
    });
    romeo.end(heard.alive).await;
    let wanted = &entry.bound;
    match fits {
        true => Ok(()),
        false => Err(format!(
            "{} bound: wanted {wanted:?}, got {}Juliet heard {}",
            entry.name,
            heard.show(),
            show(&delivered)
        )),
    }
}

/// What the words mean in both places.
fn common(word: &str, heard: &Heard) -> bool {
    match word {
        "any" => heard.alive || heard.closed(),
        "ignored" => heard.alive && heard.elements.is_empty(),
        "closed" => heard.closed() && heard.elements.len() == 1,
        word => match word.strip_prefix("stanza-error:") {
            Some(condition) => heard.stanza_error().as_deref() == Some(condition),
            None => heard.refusal().as_deref() == Some(word),
        },
    }
}

/// Reads up to an element like that, or to the end.
async fn listen(ws: &mut Ws, is_last: impl Fn(&Element) -> bool) -> Heard {
    let mut elements = Vec::new();
    loop {
        match ws.next().await {
            Got::Text(text) => {
                elements.push(parse(&text));
                if elements.last().is_some_and(&is_last) {
                    return Heard {
                        elements,
                        alive: true,
                        code: None,
                    };
                }
            }
            Got::Close(code) => {
                ws.frame(super::ws::CLOSE, super::ws::code_bytes(1000))
                    .await;
                while ws.next().await != Got::End {}
                return Heard {
                    elements,
                    alive: false,
                    code: Some(code.unwrap_or(1005)),
                };
            }
            Got::End => {
                return Heard {
                    elements,
                    alive: false,
                    code: None,
                };
            }
            Got::Ping(_) | Got::Pong(_) => {}
        }
    }
}

/// The same content, in order, with all white space; addresses are the server's business.
fn same(sent: &Element, got: &Element) -> bool {
    let attributes = |element: &Element| {
        let mut all: Vec<_> = element
            .attributes()
            .iter()
            .filter(|a| !matches!(&*a.name, "from" | "to"))
            .map(|a| (a.namespace.clone(), a.name.clone(), a.value.clone()))
            .collect();
        all.sort();
        all
    };
    sent.name() == got.name()
        && sent.namespace() == got.namespace()
        && attributes(sent) == attributes(got)
        && sent.nodes() == got.nodes()
}
