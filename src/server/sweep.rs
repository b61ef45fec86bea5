//! What happens about once a second: sessions that hibernated long enough end, and, where all hold
//! too much (`limits.memory`), those that hold most.

use super::endings::Endings;
use crate::http::driver::Rooms;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(1);

/// The budget is not looked at more often than this, as that means to look at all sessions.
const RELIEF_INTERVAL: Duration = Duration::from_millis(100);

/// Runs until `closing` turns true, and then until what it ended is dealt with. Sessions end beside
/// each other: one that takes its time holds up no other.
pub(super) async fn run(rooms: Arc<Rooms>, mut closing: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut endings = Endings::default();
    let mut relieved_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            // An error means that the server is gone, which is the same.
            _ = closing.wait_for(|closing| *closing) => break,
            _ = ticks.tick() => {}
            () = too_much(&rooms, relieved_at + RELIEF_INTERVAL) => {}
        }
        endings.forget_finished();
        for ending in rooms.sessions.expire(crate::clock::now()) {
            endings.begin(&rooms, ending);
        }
        relieve(&rooms, &mut endings);
        relieved_at = Instant::now();
    }
    endings.all_done().await;
}

/// Ready when the budget was used up, but not before `earliest`.
async fn too_much(rooms: &Rooms, earliest: Instant) {
    tokio::time::sleep_until(earliest).await;
    rooms.sessions.budget().reached().await;
}

/// What those that end hold goes from memory to the store, one stanza of each after the other.
fn relieve(rooms: &Rooms, endings: &mut Endings) {
    let relief = rooms.sessions.relieve();
    let ended = relief.endings.len() + relief.told;
    if ended == 0 {
        return;
    }
    let budget = rooms.sessions.budget();
    tracing::warn!(
        limit = budget.limit(),
        held = budget.held(),
        ended,
        "limits.memory is reached: the sessions that hold most end"
    );
    for ending in relief.endings {
        endings.begin(rooms, ending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Mechanism, Offer};
    use crate::backend::{Backend, BoxFuture, Connection, Routed, SaslExchange};
    use crate::config::{Config, Sources};
    use crate::sessions::{Bind, Ending, Session, Sessions, SessionsOptions};
    use crate::stanza::address::{BareJid, FullJid};
    use crate::stanza::{ByteString, Stanza, StanzaError};
    use crate::stream::{Outbound, Sm};
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// Deals with the endings of `slow@` when it is told to, and with others at once.
    struct Slow {
        sessions: Arc<Sessions>,
        go_on: Arc<Notify>,
    }

    impl Backend for Slow {
        fn offer(&self, _: &Connection) -> Arc<Offer> {
            unreachable!("nobody connects")
        }

        fn begin_sasl(
            &self,
            _: &Arc<Connection>,
            _: &Arc<str>,
            _: Mechanism,
        ) -> Box<dyn SaslExchange> {
            unreachable!("nobody logs in")
        }

        fn register(
            &self,
            _: &Arc<Connection>,
            _: &Arc<str>,
            _: ByteString,
        ) -> BoxFuture<ByteString> {
            unreachable!("nobody registers")
        }

        fn bind(
            &self,
            _: &Arc<Connection>,
            _: &BareJid,
            _: Option<String>,
        ) -> BoxFuture<Result<Arc<Session>, StanzaError>> {
            unreachable!("nobody binds")
        }

        fn route(&self, _: &Arc<Session>, _: Stanza) -> Routed {
            unreachable!("nobody sends")
        }

        fn restore(&self, _: Arc<Session>) -> BoxFuture<()> {
            unreachable!("nobody was here before")
        }

        fn place_stray(&self, _: Outbound) -> BoxFuture<()> {
            unreachable!("nothing was here before")
        }

        fn ended(&self, ending: Ending) -> BoxFuture<()> {
            let (sessions, go_on) = (self.sessions.clone(), self.go_on.clone());
            Box::pin(async move {
                if ending.session.account().as_str().starts_with("slow") {
                    go_on.notified().await;
                }
                sessions.remove(&ending.session);
            })
        }
    }

    /// A server of sessions that hibernate and are due.
    fn rooms(jids: &[&str]) -> (Rooms, Arc<Notify>) {
        let sessions = Arc::new(Sessions::new(SessionsOptions {
            sessions_per_user: 1,
            send_queue: 1,
            send_queue_bytes: 1000,
            max_unacked: 1,
            max_hibernating_per_user: 1,
            repeat_window: 128,
        }));
        for jid in jids {
            let Bind::Bound(session) = sessions.bind(FullJid::new(jid).unwrap()) else {
                panic!("{jid} is taken")
            };
            let sm = Box::new(Sm::new(0, Some(Duration::ZERO)));
            sessions.hibernate(&session, sm, crate::clock::now());
        }
        let go_on = Arc::new(Notify::new());
        let backend = Arc::new(Slow {
            sessions: sessions.clone(),
            go_on: go_on.clone(),
        });
        let set = vec!["domain=example.org".to_owned()];
        let config = Config::load(&Sources {
            set,
            ..Sources::default()
        })
        .unwrap();
        let options = crate::server::options::stream(&config);
        let options = Arc::new(arc_swap::ArcSwap::from_pointee(options));
        (Rooms::unlimited(backend, sessions, options), go_on)
    }

    #[tokio::test(start_paused = true)]
    async fn an_ending_that_takes_its_time_holds_up_no_other_and_is_not_cut_short_by_a_stop() {
        let (rooms, go_on) = rooms(&["slow@example.org/a", "quick@example.org/a"]);
        let rooms = Arc::new(rooms);
        let (close, closing) = watch::channel(false);
        let sweep = tokio::spawn(run(rooms.clone(), closing));
        while rooms.sessions.len() > 1 {
            tokio::time::sleep(INTERVAL).await;
        }
        close.send_replace(true);
        tokio::time::sleep(INTERVAL).await;
        assert!(!sweep.is_finished());
        go_on.notify_one();
        sweep.await.unwrap();
        assert!(rooms.sessions.is_empty());
    }
}
