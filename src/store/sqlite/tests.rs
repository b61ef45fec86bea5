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
