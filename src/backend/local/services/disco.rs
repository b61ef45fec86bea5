//! Service discovery (XEP-0030).

use super::{Answer, Entity, Local, Payload, Request, Service};
use crate::backend::local::state::State;
use crate::stanza::{Condition, StanzaError};
use crate::xml::Element;
use std::collections::BTreeSet;
use std::sync::Arc;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// Says what there is.
#[derive(Debug)]
pub(super) struct Disco;

impl Service for Disco {
    fn features(&self, of: Entity) -> &'static [&'static str] {
        match of {
            Entity::Domain => &[INFO, ITEMS, "msgoffline"], // XEP-0160 §4
            Entity::Own | Entity::Other => &[INFO, ITEMS],
        }
    }

    fn answers(&self, _entity: Entity, request: &Payload) -> bool {
        request.is("query", INFO) || request.is("query", ITEMS)
    }

    fn answer(&self, local: &Arc<Local>, request: &Request) -> Answer {
        if !request.is_get() {
            return Answer::Now(Err(Condition::BadRequest.into()));
        }
        if request.entity == Entity::Other && !may_look(local, request) {
            // XEP-0030 §8: the same whether the account exists or not.
            return Answer::Now(Err(Condition::ServiceUnavailable.into()));
        }
        Answer::Now(answer(local, request))
    }
}

/// An account lets itself be looked at by those who see its presence. One that is offline has
/// nothing to show.
fn may_look(local: &Local, request: &Request) -> bool {
    let Some(to) = &request.stanza.to else {
        return false;
    };
    let sessions = local.sessions().of_account(to.as_str());
    let account = request.session.account();
    sessions
        .iter()
        .any(|session| State::of(session).is_some_and(|state| state.is_visible_to(account)))
}

fn answer(local: &Local, request: &Request) -> Result<String, StanzaError> {
    let iq = request.element()?;
    let query = iq.children().next().ok_or(Condition::BadRequest)?;
    if query.attr("node").is_some_and(|node| !node.is_empty()) {
        return Err(Condition::ItemNotFound.into()); // §7
    }
    Ok(match query.namespace() {
        INFO => info(local, request.entity),
        _ => items(local, request),
    })
}

fn info(local: &Local, entity: Entity) -> String {
    let (category, kind) = match entity {
        Entity::Domain => ("server", "im"),
        Entity::Own | Entity::Other => ("account", "registered"),
    };
    let mut identity = Element::new("identity", INFO)
        .with_attr("category", category)
        .with_attr("type", kind);
    if entity == Entity::Domain {
        identity.set_attr("name", "stanzad");
    }
    // Each once, and always in the same order (XEP-0115 hashes them).
    let features: BTreeSet<&str> = local
        .services
        .iter()
        .flat_map(|service| service.features(entity))
        .copied()
        .collect();
    let features = features
        .into_iter()
        .map(|feature| Element::new("feature", INFO).with_attr("var", feature));
    Element::new("query", INFO)
        .with_child(identity)
        .with_children(features)
        .to_string()
}

fn items(local: &Local, request: &Request) -> String {
    let query = Element::new("query", ITEMS);
    if request.entity != Entity::Domain {
        return query.to_string();
    }
    let items = local
        .services
        .iter()
        .flat_map(|service| service.items(request.domain()));
    let items = items.map(|(jid, name)| {
        Element::new("item", ITEMS)
            .with_attr("jid", jid)
            .with_attr("name", name)
    });
    query.with_children(items).to_string()
}
