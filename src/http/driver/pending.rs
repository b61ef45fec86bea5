//! What the backend was asked, and what it says.

use crate::auth::Admission;
use crate::backend::{BoxFuture, SaslReply};
use crate::sessions::{ClaimError, Claimed, Session};
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, StanzaError};
use crate::stream::Reply;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// What the backend was asked and has not answered yet.
pub(super) enum Pending {
    Sasl(BoxFuture<SaslReply>),
    Register(BoxFuture<ByteString>),
    /// A login whose turn has not come. It may be dropped, as nothing of it has happened.
    Turn(Pin<Box<Sleep>>, Login),
    Bind(Login),
    Claim(BoxFuture<Result<Claimed, ClaimError>>),
    Route(BoxFuture<Option<Arc<Session>>>),
}

type Login = BoxFuture<Result<Arc<Session>, StanzaError>>;

/// Answers of the backend, whatever was asked.
pub(super) enum Answer {
    Reply(Reply),
    Authenticated {
        account: BareJid,
        data: Option<Vec<u8>>,
        admission: Option<Arc<Admission>>,
    },
    Bound(Arc<Session>),
    Claimed(Claimed),
    NotClaimed(ClaimError),
    Routed(Option<Arc<Session>>),
}

impl Pending {
    /// A login that waits for its turn, if it has to.
    pub(super) fn login(turn: Result<Duration, StanzaError>, login: Login) -> Self {
        match turn {
            Ok(Duration::ZERO) => Self::Bind(login),
            Ok(wait) => Self::Turn(Box::pin(tokio::time::sleep(wait)), login),
            Err(error) => Self::Bind(Box::pin(std::future::ready(Err(error)))),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        match self {
            Self::Turn(turn, login) => {
                ready!(turn.as_mut().poll(cx));
                let begun = std::mem::replace(login, Box::pin(std::future::pending()));
                *self = Self::Bind(begun);
                self.poll(cx)
            }
            Self::Sasl(future) => future.as_mut().poll(cx).map(|reply| match reply {
                SaslReply::Challenge(data) => Answer::Reply(Reply::Challenge(data)),
                SaslReply::Success {
                    account,
                    data,
                    admission,
                } => Answer::Authenticated {
                    account,
                    data,
                    admission,
                },
                SaslReply::Failure(failure) => Answer::Reply(Reply::SaslFailed(failure)),
            }),
            Self::Register(future) => future
                .as_mut()
                .poll(cx)
                .map(|answer| Answer::Reply(Reply::Registered(answer))),
            Self::Bind(future) => future.as_mut().poll(cx).map(|bound| match bound {
                Ok(session) => Answer::Bound(session),
                Err(error) => Answer::Reply(Reply::BindRefused(error)),
            }),
            Self::Claim(future) => future.as_mut().poll(cx).map(|claim| match claim {
                Ok(claimed) => Answer::Claimed(claimed),
                Err(error) => Answer::NotClaimed(error),
            }),
            Self::Route(future) => future.as_mut().poll(cx).map(Answer::Routed),
        }
    }
}
