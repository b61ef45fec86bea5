//! Questions and answers (RFC 6121 §8.5, RFC 6120 §10).

use super::Local;
use super::delivery::Deliveries;
use super::routing::Place;
use super::services::{Answer, Entity, Request};
use crate::backend::Routed;
use crate::sessions::Session;
use crate::stanza::{Condition, IqType, Kind, Stanza, StanzaError, iq_result};
use crate::stream::Outbound;
use std::sync::Arc;

impl Local {
    pub(super) fn route_iq(&self, session: &Arc<Session>, stanza: Stanza, kind: IqType) -> Routed {
        let asks = matches!(kind, IqType::Get | IqType::Set);
        match self.place(session, stanza.to.as_ref()) {
            Place::Resource(to) => match self.sessions.at(to) {
                Some(recipient) => self.iq_to_session(&stanza, &recipient),
                None => self.refuse(session, &stanza, Condition::ServiceUnavailable),
            },
            // RFC 6120 §8.2.3: an answer to nothing is dropped.
            _ if !asks => Routed::Done,
            Place::Own => self.serve(session, stanza, Entity::Own),
            Place::Domain => self.serve(session, stanza, Entity::Domain),
            Place::Account => self.serve(session, stanza, Entity::Other),
            Place::Elsewhere => self.refuse(session, &stanza, Condition::RemoteServerNotFound),
            Place::DomainResource | Place::Service(_) => {
                self.refuse(session, &stanza, Condition::ServiceUnavailable)
            }
        }
    }

    fn iq_to_session(&self, stanza: &Stanza, recipient: &Arc<Session>) -> Routed {
        let mut deliveries = Deliveries::default();
        let (text, at) = (stanza.text.clone(), crate::clock::time_of_day());
        self.push(
            recipient,
            Outbound::new(text, stanza.kind, at),
            &mut deliveries,
        );
        self.routed(deliveries)
    }

    /// The service that knows the payload answers for the server or for an account.
    fn serve(&self, session: &Arc<Session>, stanza: Stanza, entity: Entity) -> Routed {
        let service = stanza.payload.as_ref().and_then(|payload| {
            self.services
                .iter()
                .find(|service| service.answers(entity, payload))
        });
        let (Some(service), Some(local)) = (service, self.arc()) else {
            return self.refuse(session, &stanza, Condition::ServiceUnavailable);
        };
        let request = Request {
            session: session.clone(),
            entity,
            stanza,
        };
        match service.answer(&local, &request) {
            Answer::Now(answer) => self.answer_request(&request, answer),
            Answer::Later(answer) => Routed::Later(Box::pin(async move {
                let answer = answer.await;
                match local.answer_request(&request, answer) {
                    Routed::Pressed(session) => Some(session),
                    Routed::Done | Routed::Later(_) => None,
                }
            })),
        }
    }

    fn answer_request(&self, request: &Request, answer: Result<String, StanzaError>) -> Routed {
        match answer {
            Ok(content) => {
                let text = iq_result(&request.stanza, &content);
                self.answer(&request.session, text, Kind::Iq(IqType::Result))
            }
            Err(error) => self.refuse(&request.session, &request.stanza, error),
        }
    }
}
