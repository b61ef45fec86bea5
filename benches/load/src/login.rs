//! From nothing to a bound session: upgrade, SASL, resource, stream management.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};

use crate::args::Common;
use crate::link::{Link, Target};
use crate::scan::{attribute, content, has};
use crate::scram::{Cache, Exchange, Hash};
use crate::session::{SM, Session, Sm};
use crate::ws::{self, Frame};

const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

/// What all sessions of a run share.
pub struct Env {
    pub args: Common,
    pub target: Target,
    pub keys: Cache,
    pub start: Instant,
    nonce: Cell<u64>,
    pub complaint: RefCell<Option<String>>,
}

impl Env {
    pub fn new(args: Common) -> Result<Rc<Self>> {
        let keys = match &args.keys {
            Some(path) => Cache::read(path)?,
            None => Cache::default(),
        };
        let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        Ok(Rc::new(Self {
            target: Target::parse(&args.url)?,
            args,
            keys,
            start: Instant::now(),
            // It is to differ from login to login, and nobody is there to guess it.
            nonce: Cell::new(seed.as_nanos() as u64),
            complaint: RefCell::default(),
        }))
    }

    /// Microseconds since the run began.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// The account of the session with that number, and its resource.
    pub fn account(&self, index: usize) -> (String, String) {
        let users = self.args.users.unwrap_or(usize::MAX);
        let user = self.args.user.replace("{}", &(index % users).to_string());
        (user, format!("r{}", index / users))
    }

    pub fn jid(&self, index: usize) -> String {
        let (user, resource) = self.account(index);
        format!("{user}@{}/{resource}", self.args.domain)
    }

    /// Keeps the first thing that went wrong, to show it beside the counts.
    pub fn complain(&self, error: &anyhow::Error) {
        self.complaint
            .borrow_mut()
            .get_or_insert_with(|| format!("{error:#}"));
    }

    pub fn nonce(&self) -> String {
        self.nonce.set(self.nonce.get().wrapping_add(1));
        format!("{:016x}load", self.nonce.get())
    }
}

/// Reads and writes one element at a time; only for the time before the session.
pub struct Dialog {
    pub link: Link,
}

impl Dialog {
    pub async fn ask(&mut self, text: &str, answer: &str) -> Result<String> {
        ws::write_text(&mut self.link.output, text.as_bytes());
        self.link.flush().await?;
        self.expect(answer).await
    }

    /// Waits for an element whose text has `what` near its start; stanzas may stand before it.
    pub async fn expect(&mut self, what: &str) -> Result<String> {
        loop {
            while let Some(frame) = self.link.next()? {
                let Frame::Text(range) = frame else {
                    bail!("closed while {what} was waited for");
                };
                let text = std::str::from_utf8(&self.link.input.bytes[range])?;
                let start = text.get(..40).unwrap_or(text);
                if start.contains(what) {
                    return Ok(text.to_owned());
                }
                if !start.starts_with("<message") && !start.starts_with("<presence") {
                    bail!("{what} was waited for, and this came: {text}");
                }
            }
            if !self.link.fill().await? {
                bail!("the end while {what} was waited for");
            }
        }
    }

    pub async fn open(&mut self, env: &Env) -> Result<String> {
        let open = format!(
            "<open xmlns='{FRAMING}' to='{}' version='1.0'/>",
            env.args.domain
        );
        self.ask(&open, "<open").await?;
        self.expect("features").await
    }

    async fn enable(&mut self) -> Result<Sm> {
        let enabled = self
            .ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<enabled")
            .await?;
        let previd = attribute(enabled.as_bytes(), "id").map(str::to_owned);
        Ok(Sm {
            previd,
            ..Sm::default()
        })
    }
}

/// Sends an element and waits for the one that answers it, over either transport.
pub trait Ask {
    async fn ask(&mut self, text: &str, answer: &str) -> Result<String>;
}

impl Ask for Dialog {
    async fn ask(&mut self, text: &str, answer: &str) -> Result<String> {
        self.ask(text, answer).await
    }
}

pub async fn authenticate(to: &mut impl Ask, env: &Env, features: &str, user: &str) -> Result<()> {
    let offered = |name: &str| has(features.as_bytes(), &format!(">{name}<"));
    let password = &env.args.password;
    let plain = match () {
        () if offered("SCRAM-SHA-256") => return scram(to, env, Hash::Sha256, user).await,
        () if offered("SCRAM-SHA-1") => return scram(to, env, Hash::Sha1, user).await,
        () if offered("PLAIN") => BASE64_STANDARD.encode(format!("\0{user}\0{password}")),
        () => bail!("no mechanism that is known here: {features}"),
    };
    to.ask(
        &format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{plain}</auth>"),
        "<success",
    )
    .await?;
    Ok(())
}

async fn scram(to: &mut impl Ask, env: &Env, hash: Hash, user: &str) -> Result<()> {
    let nonce = env.nonce();
    let exchange = Exchange::new(hash, user, &env.args.password, &nonce);
    let first = BASE64_STANDARD.encode(exchange.first());
    let auth = format!(
        "<auth xmlns='{SASL}' mechanism='{}'>{first}</auth>",
        hash.mechanism()
    );
    let challenge = decoded(&to.ask(&auth, "<challenge").await?, "challenge")?;
    let end = exchange.answer(&challenge, &env.keys)?;
    let response = BASE64_STANDARD.encode(&end.message);
    let response = format!("<response xmlns='{SASL}'>{response}</response>");
    let success = to.ask(&response, "<success").await?;
    end.check(&decoded(&success, "success")?)
}

pub async fn bind(to: &mut impl Ask, resource: &str) -> Result<String> {
    let bind = format!(
        "<iq xmlns='jabber:client' type='set' id='bind'>\
         <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>\
         </iq>"
    );
    let result = to.ask(&bind, "<iq").await?;
    let jid = content(result.as_bytes(), "jid").with_context(|| format!("no JID in {result}"))?;
    Ok(jid.to_owned())
}

fn decoded(text: &str, name: &str) -> Result<String> {
    let text = content(text.as_bytes(), name).context("nothing inside")?;
    Ok(String::from_utf8(BASE64_STANDARD.decode(text)?)?)
}

/// Everything up to the features after SASL.
pub async fn authenticated(env: &Env, user: &str) -> Result<Dialog> {
    let mut dialog = Dialog {
        link: Link::websocket(&env.target).await?,
    };
    if !env.args.pause.is_zero() {
        tokio::time::sleep(env.args.pause).await;
    }
    let features = dialog.open(env).await?;
    authenticate(&mut dialog, env, &features, user).await?;
    dialog.open(env).await?;
    Ok(dialog)
}

/// Comes back to the session of which only `sm` is left.
pub async fn resume(env: &Env, index: usize, sm: Sm) -> Result<Session> {
    let whole = async {
        let (user, _) = env.account(index);
        let mut dialog = authenticated(env, &user).await?;
        let previd = sm
            .previd
            .as_deref()
            .context("the session cannot be resumed")?;
        let resume = format!(
            "<resume xmlns='{SM}' h='{}' previd='{previd}'/>",
            sm.handled
        );
        dialog.ask(&resume, "<resumed").await?;
        Ok(Session {
            link: dialog.link,
            jid: env.jid(index),
            sm: Some(sm),
            ack_every: env.args.ack_every,
        })
    };
    tokio::time::timeout(env.args.timeout, whole)
        .await
        .unwrap_or_else(|_| bail!("a resumption took longer than --timeout"))
        .with_context(|| format!("session {index}"))
}

/// Logs the session with that number in.
pub async fn login(env: &Env, index: usize) -> Result<Session> {
    let (user, resource) = env.account(index);
    login_as(env, &user, &resource).await
}

pub async fn login_as(env: &Env, user: &str, resource: &str) -> Result<Session> {
    let whole = async {
        let mut dialog = authenticated(env, user).await?;
        let jid = bind(&mut dialog, resource).await?;
        let sm = if env.args.no_sm {
            None
        } else {
            Some(dialog.enable().await?)
        };
        let mut session = Session {
            link: dialog.link,
            jid,
            sm,
            ack_every: env.args.ack_every,
        };
        if env.args.presence {
            session.send(b"<presence xmlns='jabber:client'/>");
            session.link.flush().await?;
        }
        Ok(session)
    };
    tokio::time::timeout(env.args.timeout, whole)
        .await
        .unwrap_or_else(|_| bail!("a login took longer than --timeout"))
        .with_context(|| format!("{user}/{resource}"))
}
