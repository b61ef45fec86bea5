//! Accounts that strangers make before they log in (XEP-0077 §3.1).

use super::Local;
use super::accounts::{self, AccountError};
use crate::backend::BoxFuture;
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, CLIENT_NS, Condition, StanzaError};
use crate::xml::Element;
use std::net::IpAddr;
use std::sync::Arc;

const NS: &str = "jabber:iq:register";

/// The name under which the throttle counts new accounts: no account can have it.
const THROTTLED_AS: &str = "/register";

impl Local {
    pub(super) fn register_stranger(
        &self,
        address: IpAddr,
        host: Arc<str>,
        request: ByteString,
    ) -> BoxFuture<ByteString> {
        let Some(local) = self.arc() else {
            return Box::pin(async move { request });
        };
        Box::pin(async move {
            let Ok(iq) = Element::parse(&request) else {
                return answer("", &host, Err(Condition::BadRequest.into()));
            };
            let outcome = local.try_register(address, &host, &iq).await;
            answer(iq.attr("id").unwrap_or_default(), &host, outcome)
        })
    }

    async fn try_register(
        &self,
        address: IpAddr,
        host: &str,
        iq: &Element,
    ) -> Result<Option<Element>, StanzaError> {
        if !self.options.load().registration {
            return Err(Condition::NotAllowed.into());
        }
        let query = iq.child("query", NS).ok_or(Condition::BadRequest)?;
        if iq.attr("type") == Some("get") {
            return Ok(Some(form()));
        }
        let text = |name| {
            query
                .child(name, NS)
                .map(Element::text)
                .filter(|text| !text.is_empty())
        };
        let (Some(username), Some(password)) = (text("username"), text("password")) else {
            return Err(Condition::NotAcceptable.into()); // §3.1
        };
        let account = BareJid::new(&format!("{username}@{host}"));
        let account = account.map_err(|_| StanzaError::from(Condition::NotAcceptable))?;
        // Each counts like a failed login: many from one address come slowly.
        self.hold_back(THROTTLED_AS, address).await;
        let credentials = self.derive(password).await?;
        accounts::create(&*self.store, &account, credentials)
            .await
            .map_err(|error| match error {
                AccountError::Exists(_) => Condition::Conflict.into(), // §3.1
                error => error.to_stanza_error(),
            })?;
        tracing::info!(%account, %address, "account registered");
        Ok(None)
    }
}

fn form() -> Element {
    let instructions = "Choose a user name and a password.";
    Element::new("query", NS)
        .with_child(Element::new("instructions", NS).with_text(instructions))
        .with_child(Element::new("username", NS))
        .with_child(Element::new("password", NS))
}

fn answer(id: &str, host: &str, outcome: Result<Option<Element>, StanzaError>) -> ByteString {
    let kind = if outcome.is_ok() { "result" } else { "error" };
    let content = match outcome {
        Ok(form) => form.map(|form| form.to_string()).unwrap_or_default(),
        Err(error) => error.to_xml(),
    };
    let (id, host) = (
        crate::xml::escape_attribute(id),
        crate::xml::escape_attribute(host),
    );
    format!("<iq xmlns=\"{CLIENT_NS}\" type=\"{kind}\" id=\"{id}\" from=\"{host}\">{content}</iq>")
        .into()
}
