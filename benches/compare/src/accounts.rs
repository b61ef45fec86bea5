//! Accounts, made once for each server and copied for each start.
//!
//! All have the password `pass`. The peers get one salt for all, so that their keys are computed
//! once and written to disk in the form that each keeps; no server runs PBKDF2 for a SCRAM login,
//! so this changes nothing of what a login costs. stanzad makes its own with `user import`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::servers::{Server, Tools, erlang, fill};

/// More than any scenario logs in as.
pub const ACCOUNTS: usize = 16_000;
pub const PASSWORD: &str = "pass";
const SALT: &[u8] = b"one salt for all";
const ROUNDS: u32 = 4096;

/// How long ejabberd may take to write them; it needs five seconds.
const WRITING: Duration = Duration::from_secs(120);

/// Makes the accounts of a server in a directory below `root`, unless they are there.
pub fn prepare(server: Server, tools: &Tools, root: &Path) -> Result<PathBuf> {
    let dir = root.join(server.name());
    let done = dir.join("done");
    if fs::read_to_string(&done).is_ok_and(|count| count == ACCOUNTS.to_string()) {
        return Ok(dir);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    eprintln!("{ACCOUNTS} accounts for {}", server.name());
    match server {
        Server::Stanzad => stanzad(tools, &dir)?,
        Server::Yardstick => {} // It lets in everybody.
        Server::Ejabberd => ejabberd(tools, &dir)?,
        Server::Prosody => prosody(&dir, &root.join("Prosody-accounts"))?,
    }
    fs::write(done, ACCOUNTS.to_string())?;
    Ok(dir)
}

/// The name of the account with that number.
fn user(number: usize) -> String {
    format!("user{number}")
}

fn stanzad(tools: &Tools, dir: &Path) -> Result<()> {
    let settings = dir.join("stanzad.toml");
    fs::write(
        &settings,
        fill(
            &fs::read_to_string(tools.settings.join("stanzad.toml"))?,
            dir,
            1,
            2,
        ),
    )?;
    let mut child = Command::new(&tools.stanzad)
        .arg("--config")
        .arg(&settings)
        .args(["user", "import"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut lines = String::new();
    for number in 0..ACCOUNTS {
        lines += &format!("{}@localhost {PASSWORD}\n", user(number));
    }
    child
        .stdin
        .take()
        .context("no standard input")?
        .write_all(lines.as_bytes())?;
    ensure!(child.wait()?.success(), "stanzad user import failed");
    Ok(())
}

/// A file for each. They lie elsewhere, as Prosody only reads them, and to copy so many would take
/// longer than to measure.
fn prosody(dir: &Path, accounts: &Path) -> Result<()> {
    let keys = Keys::of(PASSWORD);
    fs::create_dir_all(accounts)?;
    fs::create_dir_all(dir.join("data/localhost"))?;
    fs::create_dir_all(dir.join("certs"))?;
    symlink(accounts, dir.join("data/localhost/accounts"))?;
    let text = format!(
        "return {{\n\t[\"iteration_count\"] = {ROUNDS};\n\t[\"salt\"] = \"{}\";\n\t\
         [\"stored_key\"] = \"{}\";\n\t[\"server_key\"] = \"{}\";\n}};\n",
        String::from_utf8_lossy(SALT),
        hex(&keys.stored),
        hex(&keys.server),
    );
    for number in 0..ACCOUNTS {
        fs::write(accounts.join(format!("{}.dat", user(number))), &text)?;
    }
    Ok(())
}

/// ejabberd itself writes them into its Mnesia table and says so by a file.
fn ejabberd(tools: &Tools, dir: &Path) -> Result<()> {
    let keys = Keys::of(PASSWORD);
    let said = dir.join("said");
    let script = format!(
        "P = {{scram, <<\"{}\">>, <<\"{}\">>, <<\"{}\">>, sha256, {ROUNDS}}},\n\
         Add = fun(N) -> mnesia:dirty_write({{passwd, \
         {{<<\"user\", (integer_to_binary(N))/binary>>, <<\"localhost\">>}}, P}}) end,\n\
         ok = lists:foreach(Add, lists:seq(0, {})),\n\
         ok = mnesia:sync_log(),\n\
         Size = integer_to_list(mnesia:table_info(passwd, size)),\n\
         stopped = mnesia:stop(),\n\
         ok = file:write_file({said:?}, Size),\n\
         halt(0).\n",
        BASE64.encode(keys.stored),
        BASE64.encode(keys.server),
        BASE64.encode(SALT),
        ACCOUNTS - 1,
    );
    let file = dir.join("accounts.erl");
    fs::write(&file, script)?;
    let settings = dir.join("ejabberd.yml");
    let text = fs::read_to_string(tools.settings.join("ejabberd.yml"))?;
    // Port 0: any that is free, as nobody is to connect.
    fs::write(&settings, fill(&text, dir, 0, 0))?;
    let log = fs::File::create(dir.join("log"))?;
    let mut child = erlang(dir, &settings)
        .arg("-eval")
        .arg(format!("{{ok, _}} = file:script({file:?})."))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("erl does not start: is ejabberd installed?")?;
    let since = Instant::now();
    while child.try_wait()?.is_none() {
        if since.elapsed() > WRITING {
            child.kill()?;
            child.wait()?;
        }
        sleep(Duration::from_millis(50));
    }
    let count = fs::read_to_string(&said).unwrap_or_default();
    ensure!(
        count == ACCOUNTS.to_string(),
        "ejabberd wrote {count:?} accounts; see its log"
    );
    Ok(())
}

/// What a server keeps of a password (RFC 5802 §3).
struct Keys {
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Keys {
    fn of(password: &str) -> Keys {
        let mut salted = [0; 32];
        // It fails for an output that is too long only.
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), SALT, ROUNDS, &mut salted);
        Keys {
            stored: Sha256::digest(hmac(&salted, b"Client Key")).to_vec(),
            server: hmac(&salted, b"Server Key"),
        }
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies a directory with all that is in it; links stay links.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_symlink() {
            symlink(fs::read_link(entry.path())?, target)?;
        } else if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hashlib for the same password, salt and rounds.
    #[test]
    fn keys_are_those_of_rfc_5802() {
        let keys = Keys::of("pass");
        assert_eq!(
            hex(&keys.stored),
            "8a0f5e68e9e130806e76bac9d2d13ccdcf0ee930d46ae7e8122d3ccea7642a0f"
        );
        assert_eq!(
            hex(&keys.server),
            "56d7d7643318880e384483f5ffbd3c099a139c9d98e4981b5a468d784c8aa805"
        );
    }
}
