//! A steady rate: stanzas one by one at even distances, so that no server can take two at once.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::traffic::Traffic;

/// Gives the flows the right to send, in turn. Tokio's own timer has steps of a millisecond.
pub async fn pace(traffic: Rc<Traffic>, rate: u32) -> Result<()> {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    let step = TimeSpec::from(Duration::from_secs(1) / rate.max(1));
    timer.set(Expiration::Interval(step), TimerSetTimeFlags::empty())?;
    // A timer is read as a pipe is; tokio's `AsyncFd` has no way in without unsafe code.
    let mut timer = Receiver::from_owned_fd_unchecked(OwnedFd::from(timer))?;
    let mut turn = 0;
    while !traffic.ended() {
        let mut count = [0; 8];
        timer.read_exact(&mut count).await?;
        for _ in 0..u64::from_ne_bytes(count) {
            let flow = &traffic.flows[turn];
            flow.tokens.set(flow.tokens.get() + 1);
            flow.room.notify_one();
            turn = (turn + 1) % traffic.flows.len();
        }
    }
    Ok(())
}
