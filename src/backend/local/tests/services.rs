//! A service that is added: it touches nothing of the rest.

use super::*;
use crate::backend::local::services::{Answer, Entity, Request};
use crate::stanza::Payload;
use std::sync::Mutex;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const NS: &str = "urn:example:rooms";

/// Writes down what comes to its domain.
#[derive(Debug, Clone, Default)]
struct Rooms {
    got: Arc<Mutex<Vec<String>>>,
}

impl Rooms {
    fn got(&self) -> Vec<Element> {
        let got = std::mem::take(&mut *self.got.lock().unwrap());
        got.iter()
            .map(|text| Element::parse(text).unwrap())
            .collect()
    }
}

impl Service for Rooms {
    fn features(&self, of: Entity) -> &'static [&'static str] {
        if of == Entity::Domain { &[NS] } else { &[] }
    }

    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity == Entity::Domain && request.is("count", NS)
    }

    fn answer(&self, _local: &Arc<Local>, _request: &Request) -> Answer {
        Answer::Later(Box::pin(async {
            Ok(format!("<count xmlns='{NS}'>0</count>"))
        }))
    }

    fn items(&self, domain: &str) -> Vec<(String, String)> {
        vec![(format!("rooms.{domain}"), "Rooms".to_owned())]
    }

    fn has_domain(&self, domain: &str) -> bool {
        domain == "rooms.example.org"
    }

    fn route(&self, _local: &Arc<Local>, _session: &Arc<Session>, stanza: Stanza) -> Routed {
        self.got.lock().unwrap().push(stanza.text.to_string());
        Routed::Done
    }
}

async fn start() -> (Server, Rooms) {
    let rooms = Rooms::default();
    let services: Vec<Box<dyn Service>> = vec![Box::new(rooms.clone())];
    (
        Server::with_services(options(), bounds(), services).await,
        rooms,
    )
}

#[tokio::test]
async fn an_added_service_is_discovered_and_answers() {
    let (server, _rooms) = start().await;
    let juliet = server.login("juliet", "balcony").await;
    let info = juliet
        .ask("get", "example.org", &format!("<query xmlns='{INFO}'/>"))
        .await;
    let features = info.child("query", INFO).unwrap().children();
    assert!(
        features
            .filter_map(|child| child.attr("var"))
            .any(|feature| feature == NS)
    );
    let items = juliet
        .ask("get", "example.org", &format!("<query xmlns='{ITEMS}'/>"))
        .await;
    let item = items
        .child("query", ITEMS)
        .unwrap()
        .children()
        .next()
        .unwrap();
    assert_eq!(item.attr("jid"), Some("rooms.example.org"));
    let count = juliet
        .ask("get", "example.org", &format!("<count xmlns='{NS}'/>"))
        .await;
    assert_eq!(count.child("count", NS).unwrap().text(), "0");
}

/// P-25 for rooms: who entered leaves when the session ends, however it ends.
#[tokio::test]
async fn the_domain_of_a_service_gets_its_stanzas_and_the_end_of_presence() {
    let (server, rooms) = start().await;
    let juliet = server.login("juliet", "balcony").await;
    let room = "hall@rooms.example.org/jule";
    juliet.send(&format!("<presence to='{room}'/>")).await;
    juliet
        .send("<message type='groupchat' to='hall@rooms.example.org'><body>a</body></message>")
        .await;
    juliet
        .send("<iq type='result' id='1' to='rooms.example.org'/>")
        .await;
    let names: Vec<_> = rooms
        .got()
        .iter()
        .map(|stanza| stanza.name().to_owned())
        .collect();
    assert_eq!(names, ["presence", "message", "iq"]);
    juliet.end().await;
    let end = rooms.got();
    assert_eq!(end.len(), 1);
    assert_eq!(end[0].attr("type"), Some("unavailable"));
    assert_eq!(end[0].attr("to"), Some(room));
    assert_eq!(end[0].attr("from"), Some("juliet@example.org/balcony"));
}

#[tokio::test]
async fn a_message_that_comes_again_is_not_routed_to_its_domain_twice() {
    let (server, rooms) = start().await;
    let say =
        "<message type='groupchat' id='m' to='hall@rooms.example.org'><body>a</body></message>";
    for resource in ["one", "two"] {
        let romeo = server.bind("romeo", resource).await;
        romeo.send(say).await;
        romeo.hibernate(sm());
    }
    assert_eq!(rooms.got().len(), 1);
}
