//! Makes accounts as a client can (XEP-0077); one that is there already is as good.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::args::Register;
use crate::ledger::Faults;
use crate::link::Link;
use crate::login::{Dialog, Env};
use crate::report::Report;

pub async fn run(env: Rc<Env>, args: &Register) -> Result<Report> {
    let next = Rc::new(Cell::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..env.args.parallel {
        tasks.spawn_local(lane(env.clone(), next.clone(), args.accounts));
    }
    let failed = tasks.join_all().await.into_iter().sum();
    let mut report = Report {
        scenario: "register",
        faults: Faults {
            dropped: failed,
            ..Faults::default()
        },
        ..Report::default()
    };
    report.parameter("accounts", args.accounts);
    Ok(report)
}

async fn lane(env: Rc<Env>, next: Rc<Cell<usize>>, accounts: usize) -> u64 {
    let mut failed = 0;
    while next.get() < accounts {
        let number = next.get();
        next.set(number + 1);
        if let Err(error) = register(&env, number).await {
            env.complain(&error.context(format!("account {number}")));
            failed += 1;
        }
    }
    failed
}

async fn register(env: &Env, number: usize) -> Result<()> {
    let mut dialog = Dialog {
        link: Link::websocket(&env.target).await?,
    };
    dialog.open(env).await?;
    let user = env.args.user.replace("{}", &number.to_string());
    let set = format!(
        "<iq xmlns='jabber:client' type='set' id='register'><query xmlns='jabber:iq:register'>\
         <username>{user}</username><password>{}</password></query></iq>",
        env.args.password
    );
    let answer = dialog.ask(&set, "<iq").await?;
    if answer.contains("<error") && !answer.contains("<conflict") {
        bail!("{answer}");
    }
    Ok(())
}
