//! In-band change of the password and deletion of the account (XEP-0077 §3.2, §3.3).
//!
//! Accounts are made before login; see [`crate::backend::Backend::register`].

use super::{Answer, Entity, Local, Payload, Request, Service};
use crate::backend::local::sasl;
use crate::sessions::Session;
use crate::stanza::address::BareJid;
use crate::stanza::{Condition, StanzaError};
use crate::xml::Element;
use std::sync::Arc;

const NS: &str = "jabber:iq:register";

/// What users do with their own accounts.
#[derive(Debug)]
pub(super) struct Register;

impl Service for Register {
    fn features(&self, of: Entity) -> &'static [&'static str] {
        if of == Entity::Domain { &[NS] } else { &[] }
    }

    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity != Entity::Other && request.is("query", NS)
    }

    fn answer(&self, local: &Arc<Local>, request: &Request) -> Answer {
        if sasl::is_temporary(request.session.account()) {
            return Answer::Now(Err(Condition::NotAllowed.into()));
        }
        if request.is_get() {
            return Answer::Now(Ok(form(request.session.account())));
        }
        let iq = match request.element() {
            Ok(iq) => iq,
            Err(error) => return Answer::Now(Err(error)),
        };
        let (local, session) = (local.clone(), request.session.clone());
        Answer::Later(Box::pin(async move { set(&local, &session, &iq).await }))
    }
}

fn form(account: &BareJid) -> String {
    let username = account.node().map_or("", |node| node.as_str());
    Element::new("query", NS)
        .with_child(Element::new("registered", NS))
        .with_child(Element::new("username", NS).with_text(username))
        .with_child(Element::new("password", NS))
        .to_string()
}

async fn set(
    local: &Arc<Local>,
    session: &Arc<Session>,
    iq: &Element,
) -> Result<String, StanzaError> {
    let query = iq.child("query", NS).ok_or(Condition::BadRequest)?;
    let account = session.account();
    if query.child("remove", NS).is_some() {
        return cancel(local, query, account).await;
    }
    // §3.3: both are there. One's own password only.
    let (Some(username), Some(password)) =
        (query.child("username", NS), query.child("password", NS))
    else {
        return Err(Condition::BadRequest.into());
    };
    let own = format!("{}@{}", username.text(), account.domain());
    if BareJid::new(&own).ok().as_ref() != Some(account) {
        return Err(Condition::NotAllowed.into());
    }
    local
        .change_password(account, password.text(), Some(session))
        .await?;
    Ok(String::new())
}

/// §3.2: the account goes with everything; its sessions, this one too, end with it.
async fn cancel(
    local: &Arc<Local>,
    query: &Element,
    account: &BareJid,
) -> Result<String, StanzaError> {
    if !local.options.load().cancellation {
        return Err(Condition::NotAllowed.into());
    }
    if query.children().count() != 1 {
        return Err(Condition::BadRequest.into());
    }
    local.delete_account(account).await?;
    Ok(String::new())
}
