//! One step: what a client, a backend, a link or the time may do next.

use std::time::{Duration, SystemTime};

use stanzad::stanza::{IqType, Kind, MessageType, PresenceType};
use stanzad::stream::{Framing, OpenRequest, Outbound, StreamFault};

use super::frames::{self, Known};
use super::session::Session;
use super::setup::OPTIONS_BYTES;
use super::world::World;
use crate::input::{Input, counted};

const RAW_FRAME: u8 = 5;
const REPLY: u8 = 10;
const INTERFERE: u8 = 14;
const BEGIN: u8 = 15;
/// Steps that came later have the bytes from here on, so that older files mean what they meant.
const LATER: u8 = 240;
const LEAVE: u8 = 0;
const KILL: u8 = 1;

/// Takes one step.
pub fn step(world: &mut World, input: &mut Input<'_>) {
    match input.below(16) {
        0..=4 => {
            let text = frame(world, input);
            world.say(&text);
            if !input.once_in(4) {
                world.reply(input);
            }
        }
        RAW_FRAME => {
            let text = input.text();
            world.say(&text);
        }
        6 | 7 => deliver(world, input),
        8 => read(world, input.below(8)),
        9 => acknowledge(world),
        REPLY => world.reply(input),
        11 => wait(world, input),
        12 => come_back(world, input),
        13 => pause(world),
        INTERFERE => interfere(world, input),
        BEGIN => {
            if world.session.is_none() {
                world.begin();
            }
        }
        _ => unreachable!("below 16"),
    }
}

/// Default options but for the counters, and a session with stream management.
pub fn prologue(first_h: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(if first_h == 0 {
        vec![0]
    } else {
        vec![1, first_h - 1]
    });
    bytes.extend([0, 0, 1, 5, 1, 7, 255]); // sm: enabled, frequencies, delays, bounds
    bytes.push(0); // over WebSocket
    debug_assert!(bytes.len() <= OPTIONS_BYTES);
    bytes.push(BEGIN);
    bytes
}

/// Says one frame as it is.
pub fn saying(frame: &[u8]) -> Vec<u8> {
    [&[RAW_FRAME], &*counted(frame)].concat()
}

/// The backend takes a stanza, two are there for the client, the server stops in one of its ways,
/// and the client comes again.
pub fn stopping(how: u8) -> Vec<u8> {
    // The second byte is the yes, if there is something to answer.
    let before = [REPLY, REPLY, 6, 1, 1, 2, INTERFERE, LATER + how];
    // It resumes, and the backend says yes.
    let after: &[u8] = match how % 4 {
        LEAVE => &[],
        KILL => &[0, 2, 0],
        _ => &[2, 0],
    };
    [&before[..], after].concat()
}

fn frame(world: &World, input: &mut Input<'_>) -> String {
    let known = Known {
        honest_h: world.session.as_ref().map_or(0, Session::honest_h),
        previd: world.session.as_ref().map_or("", |session| &session.previd),
    };
    frames::frame(input, &known)
}

/// Stanzas for the client: those that the stream put into its mailbox, and new ones.
fn deliver(world: &mut World, input: &mut Input<'_>) {
    let Some(session) = &mut world.session else {
        return;
    };
    for _ in 0..=input.below(3) {
        let stanza = stanza(session, input);
        session.mailbox.push_back(stanza);
    }
    while world.stream.has_room() {
        let Some(session) = &mut world.session else {
            return;
        };
        let Some(stanza) = session.mailbox.pop_front() else {
            return;
        };
        session.delivered.push(stanza.text.clone());
        world.stream.deliver(world.now, stanza);
        world.settle();
    }
}

fn stanza(session: &Session, input: &mut Input<'_>) -> Outbound {
    let n = session.delivered.len() + session.mailbox.len();
    let (kind, text) = match input.below(4) {
        0 => (
            Kind::Iq(IqType::Get),
            format!(
                "<iq xmlns='jabber:client' type='get' id='{n}'><ping xmlns='urn:xmpp:ping'/></iq>"
            ),
        ),
        1 => (
            Kind::Presence(PresenceType::Available),
            format!("<presence xmlns='jabber:client'><status>{n}</status></presence>"),
        ),
        2 => (
            Kind::Message(MessageType::Chat),
            format!(
                "<message xmlns='jabber:client'><body>{n}</body><delay xmlns='urn:xmpp:delay' stamp=''/></message>"
            ),
        ),
        _ => {
            let filler = "x".repeat(usize::from(input.byte()));
            let text =
                format!("<message xmlns='jabber:client'><body>{n} {filler}</body></message>");
            (Kind::Message(MessageType::Chat), text)
        }
    };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
    Outbound::new(text.into(), kind, at)
}

/// The client reads some of what is under way.
fn read(world: &mut World, most: u8) {
    if let Some(session) = &mut world.session {
        (0..most).for_each(|_| session.read_one());
    }
}

/// It reads everything and says so.
fn acknowledge(world: &mut World) {
    let Some(session) = &mut world.session else {
        return;
    };
    session.read_all();
    let text = frames::answer(session.honest_h());
    world.say(&text);
}

fn wait(world: &mut World, input: &mut Input<'_>) {
    let seconds = [0, 1, 2, 4, 5, 31, 61, 601][usize::from(input.below(8))];
    let until = world.now + Duration::from_secs(seconds);
    while let Some(due) = world.stream.poll_timeout().filter(|due| *due <= until) {
        world.now = due.max(world.now);
        world.stream.on_timeout(world.now);
        world.settle();
        let next = world.stream.poll_timeout();
        assert!(
            next.is_none_or(|next| next > world.now),
            "time stands still"
        );
    }
    world.now = until;
}

/// The link breaks, and the client comes back on another one.
fn come_back(world: &mut World, input: &mut Input<'_>) {
    world.lose();
    begin_anew(world, input);
}

/// What a client does on a new link.
fn begin_anew(world: &mut World, input: &mut Input<'_>) {
    match input.below(4) {
        0 => {}
        1 => world.log_in(),
        2 => {
            world.log_in();
            let h = world.session.as_ref().map(Session::honest_h);
            world.resume(h.unwrap_or_default());
            world.reply(input);
        }
        _ => world.begin(),
    }
}

fn pause(world: &mut World) {
    world.is_paused = !world.is_paused;
    world.stream.set_paused(world.now, world.is_paused);
    world.settle();
}

/// Something that comes neither from the client nor from the time.
fn interfere(world: &mut World, input: &mut Input<'_>) {
    let limit_bytes = world.stream.max_frame_bytes();
    let which = input.byte();
    if which >= LATER {
        return stop(world, which, input);
    }
    match which % 7 {
        0 => world.stream.hand_over(world.now),
        1 => world.stream.end(world.now, StreamFault::Shutdown),
        2 => world.stream.on_fault(world.now, StreamFault::Binary),
        3 => world.stream.on_timeout(world.now),
        4 => return world.say(&"x".repeat(limit_bytes + 1)),
        5 if world.framing == Framing::Bosh => world.stream.on_close(),
        _ if world.framing == Framing::Bosh && world.stream.wants_frame() => {
            let (to, version) = (Some(input.text()), Some("1.0".to_owned()));
            world
                .stream
                .on_open(world.now, &OpenRequest { to, version });
        }
        _ => {}
    }
    world.settle();
}

/// The server stops, or it dies, and the next one is there at once.
fn stop(world: &mut World, which: u8, input: &mut Input<'_>) {
    match which % 4 {
        LEAVE => return world.leave(),
        KILL => world.kill(input),
        _ => world.restart(),
    }
    begin_anew(world, input);
}
