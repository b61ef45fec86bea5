//! A client: one device of an account, with a mind of its own.

mod connecting;
mod listening;
mod talking;

use super::managed::{Managed, NS as SM, Out};
use super::oracle::{Number, View};
use super::rng::Rng;
use super::wire::Wire;
use super::world::World;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

const CLIENT: &str = "jabber:client";
const CARBONS: &str = "urn:xmpp:carbons:2";
const CSI: &str = "urn:xmpp:csi:0";

/// How long a client waits for one answer while it connects.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client is like.
#[derive(Debug, Clone)]
pub(super) struct Habits {
    account: usize,
    is_managed: bool,
    /// In a hundred connections.
    bosh_percent: u64,
    carbons: bool,
    /// Says everything after `<enable/>` without waiting for its answer.
    hurries: bool,
    /// Between two things that it does, in milliseconds.
    pace_ms: u64,
    /// How many messages it has to say.
    messages: u64,
}

impl Habits {
    pub fn draw(account: usize, is_managed: bool, rng: &mut Rng) -> Self {
        Self {
            account,
            is_managed,
            bosh_percent: *rng.pick(&[0, 0, 50, 100]),
            carbons: rng.percent(50),
            hurries: rng.percent(30),
            pace_ms: *rng.pick(&[200, 1_000, 3_000]),
            messages: rng.between(5, 40),
        }
    }

    /// One that comes when all are gone.
    pub fn of_collector(account: usize) -> Self {
        Self {
            account,
            is_managed: true,
            bosh_percent: 0,
            carbons: false,
            hurries: false,
            pace_ms: 1_000,
            messages: 0,
        }
    }
}

pub(super) struct Client {
    world: Arc<World>,
    rng: Rng,
    name: String,
    device: usize,
    habits: Habits,
    session: Option<Session>,
    /// What goes out with the next session.
    again: Vec<Out>,
    /// How many resources it had, and requests.
    resources: u32,
    requests: u32,
    resource: Option<String>,
}

/// A session, whatever link it has.
struct Session {
    view: View,
    jid: String,
    managed: Option<Managed>,
    /// Messages sent without stream management, and the request whose answer covers so many.
    plain: Vec<Number>,
    plain_sync: Option<(String, usize)>,
    /// The server said why it ends the stream.
    has_error: bool,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoesOn,
    /// The link is gone.
    Lost,
    /// The server closed the stream, after everything that was said before.
    Closed,
}

/// What came while something else was expected ends the connection.
type Step<T> = Option<T>;

impl Client {
    pub fn new(world: &Arc<World>, device: usize, habits: Habits, rng: Rng) -> Self {
        Self {
            world: world.clone(),
            rng,
            name: format!("user{}/{device}", habits.account),
            device,
            habits,
            session: None,
            again: Vec::new(),
            resources: 0,
            requests: 0,
            resource: None,
        }
    }

    /// All its life: through the rough times, and then to an orderly end.
    pub async fn live(mut self) {
        while !self.world.is_calm() {
            if let Some(mut wire) = self.connect().await {
                self.be_there(&mut wire).await;
            }
            self.be_away().await;
        }
        self.end_well(self.world.calm_until).await;
    }

    /// Takes what is stored, and goes.
    pub async fn collect(mut self) {
        self.end_well(Instant::now() + Duration::from_secs(20))
            .await;
    }

    async fn end_well(&mut self, until: Instant) {
        for _ in 0..200 {
            let Some(mut wire) = self.connect().await else {
                sleep(Duration::from_secs(1)).await;
                continue;
            };
            self.say_stanza(&mut wire, "<presence xmlns='jabber:client'/>", None);
            if self.listen(&mut wire, until).await != Flow::GoesOn {
                continue;
            }
            if self.say_goodbye(&mut wire).await {
                return;
            }
        }
        self.world.fail(&self.name, "cannot end well".to_owned());
    }

    async fn listen(&mut self, wire: &mut Wire, until: Instant) -> Flow {
        loop {
            let heard = tokio::select! {
                biased;
                heard = wire.hear() => heard,
                () = sleep_until(until) => return Flow::GoesOn,
            };
            let flow = self.on_heard(wire, heard);
            if flow != Flow::GoesOn {
                return flow;
            }
        }
    }

    /// Acknowledges everything, closes, and waits for the server to close. Returns whether it did.
    async fn say_goodbye(&mut self, wire: &mut Wire) -> bool {
        self.sync(wire);
        let synced = async {
            while !self.is_synced() {
                let heard = wire.hear().await;
                if self.on_heard(wire, heard) != Flow::GoesOn {
                    return false;
                }
            }
            true
        };
        if !timeout(PATIENCE * 4, synced).await.unwrap_or(false) {
            return false;
        }
        self.close(wire).await
    }

    async fn close(&mut self, wire: &mut Wire) -> bool {
        self.note(format_args!("closes"));
        self.tell(wire);
        if let Some(session) = &mut self.session
            && let Some(managed) = &mut session.managed
        {
            managed.sync("close".to_owned()); // what is told after it is not read any more
        }
        wire.close();
        let closed = self.listen(wire, Instant::now() + PATIENCE).await;
        let is_bosh = matches!(wire, Wire::Bosh(_));
        let is_certain = closed == Flow::Closed && !is_bosh;
        let Some(session) = self.session.take() else {
            return true;
        };
        if session
            .managed
            .as_ref()
            .is_some_and(|managed| !managed.is_on())
        {
            self.world.oracle().hole(session.jid);
        }
        if let Some(mut managed) = session.managed
            && is_certain
        {
            // Everything before our <close/> was read before it was answered.
            let mut oracle = self.world.oracle();
            for number in managed.on_synced("close") {
                oracle.settled(number);
            }
            for out in managed.into_unacked() {
                out.number
                    .into_iter()
                    .for_each(|number| oracle.handled(number));
            }
        }
        self.note(format_args!("is closed: {closed:?}"));
        closed != Flow::GoesOn
    }

    async fn be_away(&mut self) {
        let resume = self.world.config.sm.resume_timeout.as_millis().min(90_000) as u64;
        let away = match self.rng.weighted(&[55, 30, 15]) {
            0 => self.rng.millis(0, 1_500),
            1 => self.rng.millis(1_000, 20_000),
            _ => self.rng.millis(resume / 2, resume * 2),
        };
        let back = (Instant::now() + away).min(self.world.rough_until);
        sleep_until(back).await;
        // Nobody looks at the calm before it is there.
        sleep(Duration::from_millis(1)).await;
    }

    async fn be_there(&mut self, wire: &mut Wire) {
        let mut patience: Option<Instant> = None;
        while !self.world.is_calm() {
            let pace = self.rng.millis(1, self.habits.pace_ms * 2);
            let next =
                (Instant::now() + pace).min(self.world.rough_until + Duration::from_millis(1));
            if self.listen(wire, next).await != Flow::GoesOn {
                break;
            }
            if patience.is_some_and(|until| until <= Instant::now()) {
                self.note(format_args!("leaves the link"));
                break;
            }
            if patience.is_none() && self.rng.percent(4) {
                self.note(format_args!("link is half open"));
                wire.half_open(&mut self.rng);
                patience = Some(Instant::now() + self.rng.millis(100, 60_000));
            }
            if !self.act(wire).await {
                break;
            }
        }
        if self.session.as_ref().is_some_and(|session| {
            session
                .managed
                .as_ref()
                .is_none_or(|managed| !managed.is_on())
        }) {
            self.give_up_session(None);
        }
    }

    /// Returns whether the link is still there.
    async fn act(&mut self, wire: &mut Wire) -> bool {
        match self.rng.weighted(&[40, 10, 12, 12, 4, 4, 5, 3, 3, 3]) {
            0 => self.write_messages(wire),
            1 => wire.say_if(self.can_resume(), &format!("<r xmlns='{SM}'/>")),
            2 => self.tell(wire),
            3 => self.sync(wire),
            4 => {
                self.note(format_args!("link breaks"));
                wire.reset();
                return false;
            }
            5 => {
                let time = self.rng.millis(100, 20_000);
                self.note(format_args!("link freezes for {time:?}"));
                wire.freeze(time);
            }
            6 => {
                let time = self.rng.millis(100, 40_000);
                self.note(format_args!("looks away for {time:?}"));
                wire.look_away(time).await;
            }
            7 => {
                self.close(wire).await;
                return false;
            }
            8 => {
                let state = *self.rng.pick(&["active", "inactive"]);
                wire.say(&format!("<{state} xmlns='{CSI}'/>"));
            }
            _ => {
                let kind = *self.rng.pick(&["", " type='unavailable'"]);
                self.say_stanza(wire, &format!("<presence xmlns='{CLIENT}'{kind}/>"), None);
            }
        }
        true
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.world.note(&self.name, what);
    }
}
