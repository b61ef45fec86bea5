//! Rosters as clients see and change them (RFC 6121 §2).

use super::Local;
use super::account::Account;
use super::bind::random_name;
use super::delivery::store_trouble;
use super::services::{Answer, Entity, Request, Service};
use super::state::State;
use super::subscribing::subscription;
use super::subscriptions::Move;
use crate::sessions::Session;
use crate::stanza::address::{self, BareJid};
use crate::stanza::{CLIENT_NS, Condition, IqType, Kind, Payload, StanzaError};
use crate::store::{RosterChange, RosterItem};
use crate::xml::{Element, escape_attribute};
use std::sync::Arc;

const NS: &str = "jabber:iq:roster";

/// The longest name of a contact or a group, in bytes (RFC 6121 §2.3.3 leaves it to us).
const MAX_NAME_BYTES: usize = 1023;

/// How many groups a contact may be in.
const MAX_GROUPS: usize = 64;

/// The roster of the account that asks.
#[derive(Debug)]
pub(super) struct RosterService;

impl Service for RosterService {
    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity != Entity::Domain && request.is("query", NS)
    }

    fn answer(&self, local: &Arc<Local>, request: &Request) -> Answer {
        if request.entity == Entity::Other {
            return Answer::Now(Err(Condition::Forbidden.into())); // §2.1.5, §2.3.3
        }
        let (local, session) = (local.clone(), request.session.clone());
        let iq = match request.element() {
            Ok(iq) => iq,
            Err(error) => return Answer::Now(Err(error)),
        };
        match request.stanza.kind {
            Kind::Iq(IqType::Get) => Answer::Now(get(&session, &iq)),
            _ => Answer::Later(Box::pin(async move { set(&local, &session, &iq).await })),
        }
    }
}

/// §2.1.3, and §2.6 where the client names the version it has.
fn get(session: &Session, iq: &Element) -> Result<String, StanzaError> {
    let query = iq.child("query", NS).ok_or(Condition::BadRequest)?;
    if query.children().next().is_some() {
        return Err(Condition::BadRequest.into());
    }
    let state = State::of(session).ok_or(Condition::InternalServerError)?;
    let has = query.attr("ver");
    Ok(state.account.with_roster(|roster| {
        session.set_interested();
        if has == Some(roster.version.as_str()) {
            return String::new(); // §2.6.3: nothing new
        }
        let mut answer = Element::new("query", NS);
        if has.is_some() {
            answer.set_attr("ver", roster.version.as_str());
        }
        answer
            .with_children(roster.items.values().map(item_element))
            .to_string()
    }))
}

/// One item in a result or a push (§2.1.2).
pub(super) fn item_element(item: &RosterItem) -> Element {
    let mut element = Element::new("item", NS).with_attr("jid", item.jid.as_str());
    if let Some(name) = &item.name {
        element.set_attr("name", name.as_str());
    }
    element.set_attr("subscription", item.subscription.as_str());
    if item.ask {
        element.set_attr("ask", "subscribe");
    }
    if item.approved {
        element.set_attr("approved", "true");
    }
    element.with_children(
        item.groups
            .iter()
            .map(|group| Element::new("group", NS).with_text(group)),
    )
}

/// What a roster set asks for.
enum Wish {
    Put {
        jid: BareJid,
        name: Option<String>,
        groups: Vec<String>,
    },
    Remove(BareJid),
}

async fn set(local: &Arc<Local>, session: &Session, iq: &Element) -> Result<String, StanzaError> {
    let wish = wish(session, iq)?;
    let account = State::of(session)
        .ok_or(Condition::InternalServerError)?
        .account
        .clone();
    if super::sasl::is_temporary(&account.jid) {
        return Err(StanzaError::from(Condition::NotAllowed).with_text("guests keep no contacts"));
    }
    match wish {
        Wish::Put { jid, name, groups } => local.put_contact(&account, jid, name, groups).await?,
        Wish::Remove(jid) => local.remove_contact(&account, &jid).await?,
    }
    Ok(String::new())
}

/// §2.3.3: exactly one item, with an address, and nothing that we do not keep.
fn wish(session: &Session, iq: &Element) -> Result<Wish, StanzaError> {
    let query = iq.child("query", NS).ok_or(Condition::BadRequest)?;
    let mut items = query.children();
    let (Some(item), None) = (items.next(), items.next()) else {
        return Err(bad("a roster set holds exactly one item"));
    };
    if !item.is("item", NS) {
        return Err(bad("a roster set holds an item"));
    }
    let jid = item.attr("jid").ok_or_else(|| bad("an item has a jid"))?;
    let jid = address::parse_bare(jid).map_err(|_| bad("the jid of an item is a bare address"))?;
    if item.attr("subscription") == Some("remove") {
        return Ok(Wish::Remove(jid));
    }
    if jid == *session.account() {
        return Err(
            StanzaError::from(Condition::NotAllowed).with_text("nobody is their own contact")
        );
    }
    let name = item
        .attr("name")
        .map(str::to_owned)
        .filter(|name| !name.is_empty());
    let groups = groups(item)?;
    if name
        .as_ref()
        .is_some_and(|name| name.len() > MAX_NAME_BYTES)
    {
        return Err(too_long());
    }
    Ok(Wish::Put { jid, name, groups })
}

fn groups(item: &Element) -> Result<Vec<String>, StanzaError> {
    let mut groups: Vec<String> = Vec::new();
    for group in item.children().filter(|child| child.is("group", NS)) {
        let group = group.text();
        if groups.contains(&group) {
            return Err(bad("a group is named twice"));
        }
        if group.is_empty() || group.len() > MAX_NAME_BYTES || groups.len() == MAX_GROUPS {
            return Err(too_long());
        }
        groups.push(group);
    }
    Ok(groups)
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).with_text(text)
}

fn too_long() -> StanzaError {
    let refused = StanzaError::from(Condition::NotAcceptable);
    refused.with_text("a name or a group is empty or too long, or there are too many")
}

impl Local {
    async fn put_contact(
        &self,
        account: &Account,
        jid: BareJid,
        name: Option<String>,
        groups: Vec<String>,
    ) -> Result<(), StanzaError> {
        let limit = self.options.load().roster_items;
        let _turn = account.turn.lock().await;
        let (known, full) = account
            .with_roster(|roster| (roster.items.get(&jid).cloned(), roster.items.len() >= limit));
        if known.is_none() && full {
            return Err(StanzaError::from(Condition::NotAllowed).with_text("the roster is full"));
        }
        let known = known.unwrap_or_else(|| RosterItem::new(jid));
        let item = RosterItem {
            name,
            groups,
            ..known
        };
        let change = RosterChange {
            put: vec![item.clone()],
            ..RosterChange::default()
        };
        let version = account
            .change(&*self.store, change)
            .await
            .map_err(|e| store_trouble(&e))?;
        self.push_roster(&account.jid, &item_element(&item), &version);
        Ok(())
    }

    /// §2.5: the item goes, and with it the subscriptions in both directions.
    pub(super) async fn remove_contact(
        &self,
        account: &Arc<Account>,
        jid: &BareJid,
    ) -> Result<(), StanzaError> {
        let turn = account.turn.lock().await;
        let known = account.with_roster(|roster| roster.items.get(jid).cloned());
        let Some(item) = known else {
            return Err(Condition::ItemNotFound.into());
        };
        let change = RosterChange {
            remove: vec![jid.clone()],
            ..RosterChange::default()
        };
        let version = account
            .change(&*self.store, change)
            .await
            .map_err(|e| store_trouble(&e))?;
        let removed = Element::new("item", NS)
            .with_attr("jid", jid.as_str())
            .with_attr("subscription", "remove");
        self.push_roster(&account.jid, &removed, &version);
        drop(turn);
        self.part_with(account, &item).await;
        Ok(())
    }

    /// Tells a contact that was removed (§2.5.2).
    async fn part_with(&self, account: &Arc<Account>, item: &RosterItem) {
        if !self.options.load().serves(item.jid.domain().as_str()) {
            return;
        }
        let own = &account.jid;
        let say = async |sent: Move| {
            let text = subscription(own, &item.jid, sent);
            self.receive_subscription(item.jid.clone(), own.clone(), sent, text)
                .await;
        };
        if item.subscription.to() || item.ask {
            say(Move::Unsubscribe).await;
        }
        if item.subscription.from() {
            say(Move::Unsubscribed).await;
            self.conceal(own, &item.jid, &mut Default::default());
        }
    }

    /// To every resource that asked for the roster, and to no other (§2.1.6).
    pub(super) fn push_roster(&self, account: &BareJid, item: &Element, version: &str) {
        let query = Element::new("query", NS)
            .with_attr("ver", version)
            .with_child(item.clone())
            .to_string();
        for session in self.sessions.of_account(account.as_str()) {
            if session.is_interested() {
                let to = escape_attribute(session.jid().as_str());
                let id = random_name::<6>().unwrap_or_default();
                let text = format!(
                    "<iq xmlns=\"{CLIENT_NS}\" type=\"set\" id=\"push-{id}\" to=\"{to}\">{query}</iq>"
                );
                self.answer(&session, text.into(), Kind::Iq(IqType::Set));
            }
        }
    }
}
