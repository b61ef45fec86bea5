use super::*;
use crate::auth::{Credentials, ITERATIONS_MIN, Secret};
use crate::stanza::address::BareJid;
use crate::store::{
    Kept, OfflineMessage, PendingRequest, RosterChange, RosterItem, Store, Subscription,
};
use std::time::SystemTime;

fn bare(name: &str) -> BareJid {
    BareJid::new(&format!("{name}@example.org")).unwrap()
}

fn open(directory: &tempfile::TempDir) -> Sqlite {
    Sqlite::open(&directory.path().join("stanzad.sqlite")).unwrap()
}

async fn with_account(directory: &tempfile::TempDir) -> Sqlite {
    let store = open(directory);
    assert!(
        store
            .create_account(&bare("romeo"), Credentials::default())
            .await
            .unwrap()
    );
    store
}

fn message(text: &str, at_microseconds: u64) -> OfflineMessage {
    let at = SystemTime::UNIX_EPOCH + Duration::from_micros(at_microseconds);
    OfflineMessage {
        stanza: text.to_owned().into(),
        at,
    }
}

async fn keep(store: &Sqlite, message: OfflineMessage, limit: usize) -> Kept {
    store
        .keep_offline(&bare("romeo"), message, limit, Vec::new())
        .await
        .unwrap()
        .await
        .unwrap()
}

#[tokio::test]
async fn credentials_come_back_as_they_were_put() {
    let directory = tempfile::tempdir().unwrap();
    let credentials = Credentials::derive("secret", ITERATIONS_MIN).unwrap();
    let store = open(&directory);
    assert!(
        store
            .create_account(&bare("romeo"), credentials.clone())
            .await
            .unwrap()
    );
    assert!(
        !store
            .create_account(&bare("romeo"), Credentials::default())
            .await
            .unwrap()
    );
    store.close().await.unwrap();
    let store = open(&directory);
    assert_eq!(
        store.credentials(&bare("romeo")).await.unwrap(),
        Some(credentials)
    );
    assert_eq!(store.credentials(&bare("juliet")).await.unwrap(), None);
    assert!(
        !store
            .set_credentials(&bare("juliet"), Credentials::default())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_secret_of_the_server_stays_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = |secret: Secret| *secret.as_bytes();
    let store = open(&directory);
    let first = bytes(store.secret().await.unwrap());
    assert_eq!(bytes(store.secret().await.unwrap()), first);
    store.close().await.unwrap();
    assert_eq!(bytes(open(&directory).secret().await.unwrap()), first);
}

#[tokio::test]
async fn accounts_are_listed_in_order_and_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let rows = ["c", "a", "b"].map(|name| (bare(name), Credentials::default()));
    assert_eq!(store.import_accounts(rows.to_vec()).await.unwrap(), 3);
    assert_eq!(store.import_accounts(rows.to_vec()).await.unwrap(), 0);
    assert_eq!(
        store.accounts(None, 2).await.unwrap(),
        [bare("a"), bare("b")]
    );
    assert_eq!(
        store.accounts(Some(&bare("b")), 2).await.unwrap(),
        [bare("c")]
    );
}

#[tokio::test]
async fn a_roster_comes_back_as_it_was_changed_and_its_version_moves_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_account(&directory).await;
    let item = RosterItem {
        name: Some("Jule".to_owned()),
        groups: vec!["A \"b\"".to_owned(), "ü".to_owned()],
        subscription: Subscription::From,
        ask: true,
        approved: true,
        ..RosterItem::new(bare("juliet"))
    };
    let request = PendingRequest {
        from: bare("nurse"),
        stanza: "<presence/>".into(),
    };
    let change = RosterChange {
        put: vec![item.clone()],
        ask: vec![request.clone()],
        ..RosterChange::default()
    };
    let before = store.roster(&bare("romeo")).await.unwrap().unwrap().version;
    let version = store.change_roster(&bare("romeo"), change).await.unwrap();
    assert_ne!(version, before);
    let roster = store.roster(&bare("romeo")).await.unwrap().unwrap();
    assert_eq!(roster.items, [item]);
    assert_eq!(roster.pending, [request]);
    assert_eq!(roster.version, version);
    let settle = RosterChange {
        settle: vec![bare("nurse")],
        ..RosterChange::default()
    };
    assert_eq!(
        store.change_roster(&bare("romeo"), settle).await.unwrap(),
        version
    );
    assert_eq!(store.roster(&bare("juliet")).await.unwrap(), None);
}

#[tokio::test]
async fn a_name_that_is_used_again_shares_nothing_with_who_had_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_account(&directory).await;
    store
        .create_account(&bare("juliet"), Credentials::default())
        .await
        .unwrap();
    let friend = RosterItem {
        subscription: Subscription::Both,
        ..RosterItem::new(bare("romeo"))
    };
    let change = RosterChange {
        put: vec![friend],
        ..RosterChange::default()
    };
    store.change_roster(&bare("juliet"), change).await.unwrap();
    keep(&store, message("a", 1), 10).await;
    let version = store.roster(&bare("romeo")).await.unwrap().unwrap().version;
    assert!(store.delete_account(&bare("romeo")).await.unwrap());
    assert!(!store.delete_account(&bare("romeo")).await.unwrap());
    store
        .create_account(&bare("romeo"), Credentials::default())
        .await
        .unwrap();
    assert_ne!(
        store.roster(&bare("romeo")).await.unwrap().unwrap().version,
        version
    );
    assert!(store.offline(&bare("romeo"), 10).await.unwrap().is_empty());
    let contacts = store.roster(&bare("juliet")).await.unwrap().unwrap().items;
    assert_eq!(contacts[0].subscription, Subscription::None);
}

#[tokio::test]
async fn messages_come_in_the_order_of_their_sending_and_stay_until_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_account(&directory).await;
    for (text, at) in [("second", 2), ("third", 3), ("first", 1)] {
        assert_eq!(keep(&store, message(text, at), 10).await, Kept::Kept);
    }
    let stored = store.offline(&bare("romeo"), 2).await.unwrap();
    let texts: Vec<_> = stored.iter().map(|one| &*one.message.stanza).collect();
    assert_eq!(texts, ["first", "second"]);
    assert_eq!(stored[1].message.at, message("", 2).at);
    store
        .forget_offline(&bare("romeo"), vec![stored[0].id])
        .await
        .unwrap();
    assert_eq!(store.offline(&bare("romeo"), 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_message_is_kept_once_and_only_up_to_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_account(&directory).await;
    assert_eq!(keep(&store, message("a", 1), 2).await, Kept::Kept);
    assert_eq!(keep(&store, message("a", 1), 2).await, Kept::Kept);
    assert_eq!(keep(&store, message("b", 1), 2).await, Kept::Kept);
    assert_eq!(keep(&store, message("c", 1), 2).await, Kept::Full);
    assert_eq!(store.offline(&bare("romeo"), 10).await.unwrap().len(), 2);
    let nobody = store
        .keep_offline(&bare("nobody"), message("a", 1), 2, Vec::new())
        .await
        .unwrap();
    assert_eq!(nobody.await.unwrap(), Kept::NoAccount);
}

#[tokio::test]
async fn what_was_handed_over_survives_a_clean_stop() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_account(&directory).await;
    let mut handed_over = Vec::new();
    for at in 0..2000 {
        let message = message("a", at);
        handed_over.push(
            store
                .keep_offline(&bare("romeo"), message, 10_000, Vec::new())
                .await
                .unwrap(),
        );
    }
    drop(handed_over);
    store.close().await.unwrap();
    assert_eq!(
        store.account_exists(&bare("romeo")).await,
        Err(StoreError::Closed)
    );
    let nothing_more = store
        .create_account(&bare("juliet"), Credentials::default())
        .await;
    assert_eq!(nothing_more, Err(StoreError::Closed));
    let store = open(&directory);
    assert_eq!(
        store.offline(&bare("romeo"), 10_000).await.unwrap().len(),
        2000
    );
}

#[tokio::test]
async fn a_job_that_fails_is_undone_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_account(&directory).await;
    let failing = store.write(|connection| -> Result<(), StoreError> {
        connection.execute("DELETE FROM account", [])?;
        Err(StoreError::Corrupt("a test"))
    });
    let fine = store.create_account(&bare("juliet"), Credentials::default());
    let (failed, made) = tokio::join!(failing, fine);
    assert_eq!(failed, Err(StoreError::Corrupt("a test")));
    assert_eq!(made, Ok(true));
    assert!(store.account_exists(&bare("romeo")).await.unwrap());
}

#[tokio::test]
async fn a_service_brings_tables_of_its_own() {
    const NOTES: Schema = Schema {
        name: "notes",
        migrations: &["CREATE TABLE note (text TEXT NOT NULL) STRICT"],
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stanzad.sqlite");
    let store = Sqlite::open_with(&path, &[NOTES], Journaling::Off).unwrap();
    let insert = "INSERT INTO note (text) VALUES ('a')";
    store
        .write(move |connection| Ok(connection.execute(insert, [])?))
        .await
        .unwrap();
    let count: i64 = store
        .read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(count, 1);
}

mod sessions {
    use super::*;
    use crate::store::SavedSessions;
    use crate::store::journal::{
        Record, STRAYS, SavedCopies, SavedSession, SavedSm, SavedStanza, SavedState,
    };
    use std::future::poll_fn;

    const ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    fn at(microseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(microseconds)
    }

    fn stanza(number: u64, text: &str) -> SavedStanza {
        SavedStanza {
            number,
            text: text.to_owned().into(),
            at: at(1_000_000 + number),
            copies: None,
        }
    }

    fn queued(session: u128, stanza: SavedStanza) -> Record {
        Record::Queued { session, stanza }
    }

    fn admission() -> crate::auth::Admission {
        crate::auth::Admission {
            jid: Some("romeo@example.org".parse().unwrap()),
            login: Some("L1".to_owned()),
            tier: Some("gold".to_owned()),
            expires: Some(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000)),
            data: [("k".to_owned(), "v".to_owned())].into(),
        }
    }

    fn saved() -> SavedSession {
        SavedSession {
            id: ID,
            jid: "romeo@example.org/orchard".parse().unwrap(),
            sm: Some(SavedSm {
                handled: u32::MAX,
                acked: 7,
                resume_seconds: Some(600),
            }),
            ended: false,
            state: SavedState {
                presence: Some((-3, "<presence/>".into(), at(5))),
                carbons: true,
                interested: true,
                inactive: true,
                notes: "juliet@example.org\nnurse@example.org/x".to_owned(),
                admission: Some(admission()),
            },
            recent: vec![1, u64::MAX],
            stanzas: vec![stanza(8, "a"), stanza(9, "b")],
        }
    }

    /// The records that say what `saved` says.
    fn records(saved: &SavedSession) -> Vec<Record> {
        let session = saved.id;
        let mut records = vec![
            Record::Bound {
                session,
                jid: saved.jid.clone(),
            },
            Record::Managed {
                session,
                sm: saved.sm.unwrap(),
            },
            Record::State {
                session,
                state: Box::new(saved.state.clone()),
            },
            Record::Recent {
                session,
                fingerprints: saved.recent.clone(),
            },
        ];
        let stanzas = saved.stanzas.iter().cloned();
        records.extend(stanzas.map(|stanza| queued(session, stanza)));
        records
    }

    async fn after(records: Vec<Record>) -> SavedSessions {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        store.record(records).await.unwrap();
        store.sessions().await.unwrap()
    }

    #[tokio::test]
    async fn a_session_comes_back_as_it_was_recorded() {
        let found = after(records(&saved())).await;
        assert_eq!(found.sessions, [saved()]);
        assert_eq!(found.next_number, 10);
        assert!(found.strays.is_empty());
    }

    /// W7: nobody stays for longer than was said because the store is damaged.
    #[tokio::test]
    async fn w7_a_session_whose_admission_cannot_be_read_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        store.record(records(&saved())).await.unwrap();
        let path = directory.path().join("stanzad.sqlite");
        let other = rusqlite::Connection::open(path).unwrap();
        let changed = other.execute("UPDATE session SET admission = '{'", []);
        assert_eq!(changed, Ok(1));
        let found = store.sessions().await.unwrap();
        let admission = found.sessions[0].state.admission.as_ref().unwrap();
        assert!(admission.has_expired(std::time::SystemTime::now()));
    }

    #[tokio::test]
    async fn records_that_are_carried_out_twice_have_happened_once() {
        let twice = [records(&saved()), records(&saved())].concat();
        assert_eq!(after(twice).await.sessions, [saved()]);
    }

    #[tokio::test]
    async fn what_has_arrived_is_gone_and_its_copies_elsewhere_know() {
        let copy = |number, copies| SavedStanza {
            copies: Some(SavedCopies {
                number: copies,
                original: None,
                arrived: false,
            }),
            ..stanza(number, "x")
        };
        let jid = "romeo@example.org/desk".parse().unwrap();
        let found = after(vec![
            Record::Bound { session: 1, jid },
            queued(1, copy(1, 50)),
            queued(1, copy(2, 51)),
            queued(2, copy(1, 50)),
            queued(2, copy(2, 51)),
            Record::Arrived {
                session: 1,
                through: 1,
                acked: 1,
                has_copies: true,
            },
        ])
        .await;
        let arrived = |stanza: &SavedStanza| stanza.copies.as_ref().unwrap().arrived;
        assert_eq!(found.sessions[0].stanzas.len(), 1);
        assert!(!arrived(&found.sessions[0].stanzas[0]));
        // The other session is not known; what it held looks for a place.
        assert_eq!(
            found.strays.iter().map(arrived).collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(found.next_number, 52);
    }

    #[tokio::test]
    async fn a_session_that_is_gone_leaves_nothing_and_a_stray_stays_until_it_is_placed() {
        let mut all = records(&saved());
        all.push(Record::Gone { session: ID });
        all.push(queued(STRAYS, stanza(3, "lost")));
        all.push(queued(STRAYS, stanza(4, "found")));
        all.push(Record::Placed {
            session: STRAYS,
            number: 4,
        });
        let found = after(all).await;
        assert!(found.sessions.is_empty());
        assert_eq!(found.strays, [stanza(3, "lost")]);
    }

    #[tokio::test]
    async fn what_goes_along_with_a_message_goes_with_it_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let store = with_account(&directory).await;
        store
            .record(vec![
                queued(STRAYS, stanza(1, "a")),
                queued(STRAYS, stanza(2, "b")),
            ])
            .await
            .unwrap();
        for (number, limit) in [(1, 1), (2, 1)] {
            let placed = Record::Placed {
                session: STRAYS,
                number,
            };
            let kept =
                store.keep_offline(&bare("romeo"), message("m", number), limit, vec![placed]);
            let expected = if number == 1 { Kept::Kept } else { Kept::Full };
            assert_eq!(kept.await.unwrap().await.unwrap(), expected);
        }
        assert_eq!(store.sessions().await.unwrap().strays, [stanza(2, "b")]);
    }

    fn journaled(directory: &tempfile::TempDir) -> Sqlite {
        let path = directory.path().join("stanzad.sqlite");
        Sqlite::open_with(&path, &[], Journaling::On).unwrap()
    }

    #[tokio::test]
    async fn who_waits_for_the_journal_finds_its_records_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = journaled(&directory);
        let journal = store.journal().unwrap();
        for record in records(&saved()) {
            journal.append(record);
        }
        let position = journal.position();
        poll_fn(|cx| journal.poll_durable(cx, position)).await;
        // As another process would read it while this one has just been killed.
        let other = open(&directory);
        assert_eq!(other.sessions().await.unwrap().sessions, [saved()]);
    }

    /// What a crash leaves: the database and its log, copied while the server runs. The end of
    /// the log is cut off or overwritten at every place that matters.
    #[tokio::test]
    async fn a_torn_tail_costs_the_last_commit_and_nothing_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = journaled(&directory);
        let journal = store.journal().unwrap();
        let commit = async |record| {
            journal.append(record);
            let position = journal.position();
            poll_fn(|cx| journal.poll_durable(cx, position)).await;
        };
        for record in records(&saved()) {
            commit(record).await;
        }
        let log = directory.path().join("stanzad.sqlite-wal");
        let whole = std::fs::metadata(&log).unwrap().len();
        commit(queued(ID, stanza(10, "the last one"))).await;
        let longer = std::fs::metadata(&log).unwrap().len();
        assert!(longer > whole, "the commit is not in the log");
        for cut in [
            whole,
            whole + 1,
            whole + 24,
            (whole + longer) / 2,
            longer - 1,
        ] {
            assert_eq!(torn(&directory, |log| log.truncate(cut as usize)).await, 2);
        }
        let scribble = |log: &mut Vec<u8>| log[longer as usize - 100] ^= 0x40;
        assert_eq!(torn(&directory, scribble).await, 2);
        assert_eq!(torn(&directory, |_| {}).await, 3);
    }

    /// How many stanzas the session has after the log was damaged.
    async fn torn(directory: &tempfile::TempDir, damage: impl FnOnce(&mut Vec<u8>)) -> usize {
        let copy = tempfile::tempdir().unwrap();
        let file = |directory: &tempfile::TempDir, name| directory.path().join(name);
        std::fs::copy(
            file(directory, "stanzad.sqlite"),
            file(&copy, "stanzad.sqlite"),
        )
        .unwrap();
        let mut log = std::fs::read(file(directory, "stanzad.sqlite-wal")).unwrap();
        damage(&mut log);
        std::fs::write(file(&copy, "stanzad.sqlite-wal"), log).unwrap();
        let found = journaled(&copy).sessions().await.unwrap();
        found.sessions[0].stanzas.len()
    }
}
