use super::*;
use crate::backend::local::accounts::{self, AccountError, Imported};
use crate::sessions::Command;

const REGISTER: &str = "jabber:iq:register";

async fn has_password(server: &Server, name: &str, password: &str) -> bool {
    let credentials = server
        .store
        .credentials(&bare(name))
        .await
        .unwrap()
        .unwrap();
    let keys = credentials.strongest().unwrap();
    let derived = crate::auth::ScramKeys::derive(
        keys.hash(),
        password,
        keys.salt().to_vec(),
        keys.iterations(),
    );
    derived.unwrap() == *keys
}

fn change(username: &str, password: &str) -> String {
    format!(
        "<query xmlns='{REGISTER}'><username>{username}</username>\
         <password>{password}</password></query>"
    )
}

#[tokio::test]
async fn a_user_changes_the_own_password_and_the_other_sessions_end() {
    let server = Server::start().await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = server.login("romeo", "garden").await;
    orchard.mail();
    let form = orchard
        .ask(
            "get",
            "example.org",
            &format!("<query xmlns='{REGISTER}'/>"),
        )
        .await;
    let query = form.child("query", REGISTER).unwrap();
    assert!(query.child("registered", REGISTER).is_some());
    orchard.mail();
    let answer = orchard
        .ask("set", "example.org", &change("romeo", "new secret"))
        .await;
    assert_eq!(answer.attr("type"), Some("result"));
    assert!(has_password(&server, "romeo", "new secret").await);
    let mut context = Context::from_waker(Waker::noop());
    let mail = garden.session.poll_mail(&mut context, false);
    assert!(matches!(
        mail,
        Poll::Ready(Mail::Command(Command::End(EndReason::Revoked)))
    ));
    assert!(orchard.session.poll_mail(&mut context, false).is_pending());
}

#[tokio::test]
async fn nobody_changes_the_password_of_another_or_to_nothing() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    for (payload, expected) in [
        (change("juliet", "x"), "not-allowed"),
        (change("", "x"), "not-allowed"),
        (change("romeo", ""), "not-acceptable"),
        (
            format!("<query xmlns='{REGISTER}'><password>x</password></query>"),
            "bad-request",
        ),
        (
            format!("<query xmlns='{REGISTER}'><remove/></query>"),
            "not-allowed",
        ),
    ] {
        let answer = romeo.ask("set", "example.org", &payload).await;
        assert_eq!(condition(&answer), expected, "{payload}");
    }
    assert!(has_password(&server, "romeo", "secret").await);
    assert!(has_password(&server, "juliet", "secret").await);
}

#[tokio::test]
async fn a_user_may_be_allowed_to_cancel_and_leaves_no_subscription_to_who_comes_after() {
    let options = LocalOptions {
        cancellation: true,
        ..options()
    };
    let server = Server::with(options, bounds()).await;
    let romeo = server.login("romeo", "orchard").await;
    let juliet = server.login("juliet", "balcony").await;
    server.befriend(&romeo, &juliet).await;
    romeo.send(&format!("<iq type='set' id='c' to='example.org'><query xmlns='{REGISTER}'><remove/></query></iq>")).await;
    assert!(
        romeo
            .elements()
            .iter()
            .any(|stanza| stanza.attr("id") == Some("c"))
    );
    romeo.end().await;
    assert!(!server.store.account_exists(&bare("romeo")).await.unwrap());
    server
        .store
        .create_account(&bare("romeo"), SECRET.clone())
        .await
        .unwrap();
    let impostor = server.login("romeo", "orchard").await;
    juliet.mail();
    impostor.mail();
    juliet.send("<presence><show>away</show></presence>").await;
    impostor
        .send("<presence><show>away</show></presence>")
        .await;
    assert_eq!(impostor.mail().len(), 1);
    assert_eq!(juliet.mail().len(), 1);
}

async fn register(server: &Server, request: &str) -> Element {
    let host = Arc::from("example.org");
    let request = format!("<iq xmlns='jabber:client' id='1' {request}</iq>");
    let answer = server
        .local
        .register(&Arc::new(connection()), &host, request.into())
        .await;
    Element::parse(&answer).unwrap()
}

#[tokio::test]
async fn a_stranger_makes_an_account_where_that_is_allowed() {
    let server = Server::start().await;
    let set = |name: &str| format!("type='set'>{}", change(name, "a secret"));
    assert_eq!(
        condition(&register(&server, &set("tybalt")).await),
        "not-allowed"
    );
    server
        .local
        .set_options(LocalOptions {
            registration: true,
            ..options()
        })
        .unwrap();
    let form = register(&server, &format!("type='get'><query xmlns='{REGISTER}'/>")).await;
    assert!(
        form.child("query", REGISTER)
            .unwrap()
            .child("username", REGISTER)
            .is_some()
    );
    assert_eq!(
        register(&server, &set("tybalt")).await.attr("type"),
        Some("result")
    );
    assert!(has_password(&server, "tybalt", "a secret").await);
    assert_eq!(
        condition(&register(&server, &set("romeo")).await),
        "conflict"
    );
    assert!(has_password(&server, "romeo", "secret").await);
    for name in ["", "a@b", "anonymous-x"] {
        assert_eq!(
            condition(&register(&server, &set(name)).await),
            "not-acceptable",
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn an_import_makes_new_accounts_and_changes_old_ones() {
    let server = Server::start().await;
    let lines = "# people\n\nromeo@example.org new one\r\ntybalt@example.org\tp w \n";
    let imported = accounts::import(&*server.store, lines.as_bytes(), ITERATIONS_MIN).await;
    assert_eq!(imported.unwrap(), Imported { new: 1, changed: 1 });
    assert!(has_password(&server, "romeo", "new one").await);
    assert!(has_password(&server, "tybalt", "p w ").await);
}

#[tokio::test]
async fn an_import_names_the_line_that_it_refuses_and_not_the_password() {
    let server = Server::start().await;
    for line in [
        "hunter2",
        "not an address hunter2",
        "a@b@c hunter2",
        "a@example.org ",
    ] {
        let lines = format!("# one\n{line}\n");
        let error = accounts::import(&*server.store, lines.as_bytes(), ITERATIONS_MIN)
            .await
            .unwrap_err();
        assert!(
            matches!(error, AccountError::Line { line: 2, .. }),
            "{line}: {error}"
        );
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn names_of_guests_and_of_nobody_are_no_accounts() {
    for name in [
        "example.org",
        "a@example.org/r",
        "anonymous-1@example.org",
        "@x",
        "",
    ] {
        assert!(accounts::parse_account(name).is_err(), "{name}");
    }
    assert!(accounts::parse_account("Romeo@example.org").is_ok());
}
