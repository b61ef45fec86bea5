//! A session over BOSH (XEP-0124, XEP-0206): two connections that stay open, one request held.

use std::ops::Range;

use anyhow::{Context, Result, bail};

use crate::link::Link;
use crate::login::{Ask, Env, authenticate, bind};
use crate::scan::{attribute, digits, has};
use crate::ws::Input;

const HTTPBIND: &str = "http://jabber.org/protocol/httpbind";
const XBOSH: &str = "urn:xmpp:xbosh";

pub struct Bosh {
    links: [Link; 2],
    /// Requests whose answers are awaited.
    open: [bool; 2],
    path: String,
    authority: String,
    rid: u64,
    sid: String,
    pub jid: String,
}

/// A `<body/>` that came: on which connection, and where in its input.
pub type Answer = (usize, Range<usize>);

impl Bosh {
    pub async fn login(env: &Env, index: usize) -> Result<Self> {
        let (user, resource) = env.account(index);
        let mut bosh = Self {
            links: [
                Link::open(&env.target).await?,
                Link::open(&env.target).await?,
            ],
            open: [false; 2],
            path: env.target.path.clone(),
            authority: env.target.authority.clone(),
            rid: 1_000_000 + index as u64 * 10_000,
            sid: String::new(),
            jid: String::new(),
        };
        let domain = &env.args.domain;
        let begin = format!(
            " content='text/xml; charset=utf-8' hold='1' wait='60' ver='1.6' to='{domain}' \
             xml:lang='en' xmpp:version='1.0' xmlns:xmpp='{XBOSH}'"
        );
        bosh.post(&begin, b"")?;
        let mut features = bosh.wait_for("sid=").await?;
        bosh.sid = attribute(features.as_bytes(), "sid")
            .context("no sid")?
            .to_owned();
        if !has(features.as_bytes(), "mechanism") {
            features = bosh.wait_for("mechanism").await?;
        }
        authenticate(&mut bosh, env, &features, &user).await?;
        bosh.post(
            &format!(" to='{domain}' xmpp:restart='true' xmlns:xmpp='{XBOSH}'"),
            b"",
        )?;
        bosh.wait_for("features").await?;
        bosh.jid = bind(&mut bosh, &resource).await?;
        Ok(bosh)
    }

    pub fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.post("", payload)
    }

    fn post(&mut self, attributes: &str, payload: &[u8]) -> Result<()> {
        use std::io::Write;
        let free = self
            .open
            .iter()
            .position(|open| !open)
            .context("both connections wait")?;
        let sid = if self.sid.is_empty() {
            String::new()
        } else {
            format!(" sid='{}'", self.sid)
        };
        let head = format!(
            "<body rid='{}'{sid} xmlns='{HTTPBIND}'{attributes}>",
            self.rid
        );
        const END: &str = "</body>";
        let out = &mut self.links[free].output;
        write!(
            out,
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n{head}",
            self.path,
            self.authority,
            head.len() + payload.len() + END.len()
        )?;
        out.extend_from_slice(payload);
        out.extend_from_slice(END.as_bytes());
        self.rid += 1;
        self.open[free] = true;
        Ok(())
    }

    /// Whether the server has a request that it can answer.
    pub fn held(&self) -> bool {
        self.open.contains(&true)
    }

    pub async fn flush(&mut self) -> Result<()> {
        for link in &mut self.links {
            link.flush().await?;
        }
        Ok(())
    }

    pub fn text(&self, answer: &Answer) -> &[u8] {
        &self.links[answer.0].input.bytes[answer.1.clone()]
    }

    /// The next answer; can be dropped while it waits.
    pub async fn receive(&mut self) -> Result<Answer> {
        loop {
            for at in 0..2 {
                if self.open[at]
                    && let Some(body) = response(&mut self.links[at].input)?
                {
                    self.open[at] = false;
                    let answer = (at, body);
                    let text = self.text(&answer);
                    if has(&text[..text.len().min(300)], "terminate") {
                        bail!("the session ended: {}", String::from_utf8_lossy(text));
                    }
                    return Ok(answer);
                }
            }
            let [first, second] = &mut self.links;
            let more = tokio::select! {
                more = first.fill(), if self.open[0] => more?,
                more = second.fill(), if self.open[1] => more?,
                else => bail!("no request is open"),
            };
            if !more {
                bail!("the server closed a connection of BOSH");
            }
        }
    }

    /// Asks again with empty requests until something with `what` comes.
    async fn wait_for(&mut self, what: &str) -> Result<String> {
        loop {
            if !self.held() {
                self.send(b"")?;
            }
            self.flush().await?;
            let answer = self.receive().await?;
            let text = std::str::from_utf8(self.text(&answer))?;
            if has(text.as_bytes(), what) {
                return Ok(text.to_owned());
            }
            if has(text.as_bytes(), "<failure") {
                bail!("{what} was waited for, and this came: {text}");
            }
        }
    }

    /// Ends the session.
    pub async fn leave(mut self) -> Result<()> {
        self.post(" type='terminate'", b"")?;
        self.flush().await?;
        // The answer says `terminate`, too.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), self.receive()).await;
        Ok(())
    }
}

impl Ask for Bosh {
    async fn ask(&mut self, text: &str, answer: &str) -> Result<String> {
        self.send(text.as_bytes())?;
        self.wait_for(answer).await
    }
}

/// The body of an HTTP answer, when all of it is there.
fn response(input: &mut Input) -> Result<Option<Range<usize>>> {
    let rest = input.rest();
    let Some(head) = memchr::memmem::find(rest, b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = (&rest[..head], head + 4);
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("an answer of BOSH: {}", String::from_utf8_lossy(head));
    }
    let length = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:"))
        .and_then(|line| digits(line[15..].trim_ascii()))
        .context("an answer without Content-Length")? as usize;
    if rest.len() < body + length {
        return Ok(None);
    }
    let start = input.bytes.len() - rest.len() + body;
    input.skip(body + length);
    Ok(Some(start..start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length:  7\r\nDate: x\r\n\r\n<body/>";

    fn body(input: &mut Input) -> Option<String> {
        let range = response(input).unwrap()?;
        Some(String::from_utf8(input.bytes[range].to_vec()).unwrap())
    }

    #[test]
    fn an_answer_counts_when_all_of_it_is_there() {
        let mut input = Input::default();
        for byte in ANSWER.bytes() {
            assert_eq!(body(&mut input), None);
            input.put(&[byte]);
        }
        assert_eq!(body(&mut input).unwrap(), "<body/>");
        assert!(input.is_empty());
    }

    #[test]
    fn two_answers_in_one_read_are_two() {
        let mut input = Input::default();
        input.put(format!("{ANSWER}{ANSWER}").as_bytes());
        assert_eq!(body(&mut input).unwrap(), "<body/>");
        assert_eq!(body(&mut input).unwrap(), "<body/>");
        assert_eq!(body(&mut input), None);
    }

    #[test]
    fn another_status_is_an_error() {
        let mut input = Input::default();
        input.put(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        assert!(response(&mut input).is_err());
    }
}
