//! Sessions that do nothing: what each takes of the server's memory.

use std::rc::Rc;

use anyhow::Result;
use tokio::time::sleep;

use crate::args::Idle;
use crate::crowd::{Crowd, Order};
use crate::login::Env;
use crate::meter::{Memory, Meter};
use crate::report::{Report, Step};

struct Steps {
    meter: Meter,
    settle: std::time::Duration,
    done: Vec<Step>,
}

impl Steps {
    /// Reads the memory when all is quiet, and compares it with the step of that index.
    async fn take(&mut self, label: &str, sessions: usize, against: Option<usize>) -> Result<()> {
        sleep(self.settle).await;
        let memory = self.meter.memory()?;
        let per_session = against.map(|at| slope(&self.done[at], sessions, &memory));
        self.done.push(Step {
            label: label.to_owned(),
            sessions,
            memory,
            per_session,
        });
        Ok(())
    }
}

fn slope(before: &Step, sessions: usize, after: &Memory) -> Memory {
    let more = sessions.saturating_sub(before.sessions).max(1) as u64;
    let per = |after: u64, before: u64| after.saturating_sub(before) / more;
    Memory {
        rss: per(after.rss, before.memory.rss),
        pss: per(after.pss, before.memory.pss),
        anonymous: per(after.anonymous, before.memory.anonymous),
    }
}

pub async fn run(env: Rc<Env>, args: &Idle) -> Result<Report> {
    let mut steps = Steps {
        meter: Meter::new(&env.args.pid)?,
        settle: args.settle,
        done: Vec::new(),
    };
    let mut crowd = Crowd::new(&env);
    steps.take("before", 0, None).await?;
    let (mut up, mut filled) = (0, 0);
    for sessions in &args.sessions {
        crowd.grow(up..*sessions).await?;
        up = *sessions;
        // What messages left free is taken by the sessions that come next: no slope of these then.
        let last = (filled == 0).then(|| steps.done.len() - 1);
        steps.take("idle", up, last).await?;
        if let Some(size) = args.message_bytes {
            crowd.order(Order::Send(size)).await;
            steps.take("after a message", up, Some(filled)).await?;
            filled = steps.done.len() - 1;
        }
    }
    if args.hibernate {
        crowd.order(Order::Cut).await;
        steps.take("hibernating", up, Some(0)).await?;
    } else {
        crowd.order(Order::Leave).await;
    }
    let mut report = Report {
        scenario: "idle",
        memory: steps.done,
        faults: crowd.faults(),
        ..Report::default()
    };
    report.parameter("sessions", args.sessions.clone());
    report.parameter("message_bytes", args.message_bytes);
    report.parameter("hibernate", args.hibernate);
    Ok(report)
}
