//! BOSH as HTTP (XEP-0124 §5, RFC 9112): requests that are wrong, large, slow, or from a page.

mod kit;

use kit::bosh::{Bosh, CREATE, PATH, body_of, create, post, terminated, wrap};
use kit::{Client, Http, Response, TestServer};
use stanzad::xml::Element;

/// Posts any text; the condition with which it is refused, or that of HTTP.
async fn refusal(server: &TestServer, text: &str) -> String {
    let response = post(server, text).await;
    assert!(response.status < 500, "{response:?}");
    if response.status != 200 {
        return format!("HTTP {}", response.status);
    }
    terminated(&body_of(&response)).to_owned()
}

fn is_bad_request(refusal: &str) -> bool {
    matches!(refusal, "bad-request" | "HTTP 400")
}

async fn still_serves(server: &TestServer) {
    Bosh::create(server).await;
}

mod malformed {
    use super::*;

    /// B-16
    #[tokio::test]
    async fn what_is_not_xml_is_a_bad_request() {
        let server = TestServer::start().await;
        let cut = wrap(&format!("rid='1' {CREATE}"), "").replace("</body>", "");
        for text in [
            "",
            " ",
            "hello",
            "{\"rid\":1}",
            "<body",
            &cut,
            "<a></b>",
            "\u{0}",
        ] {
            let found = refusal(&server, text).await;
            assert!(is_bad_request(&found), "{text:?}: {found}");
        }
        let mut http = Http::connect(&server).await;
        let head =
            format!("POST {PATH} HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\n");
        http.send([head.as_bytes(), b"<\xff>"].concat()).await;
        let answer = body_of(&http.response().await);
        assert_eq!(terminated(&answer), "bad-request");
    }

    /// B-17
    #[tokio::test]
    async fn another_namespace_or_element_is_a_bad_request() {
        let server = TestServer::start().await;
        let good = wrap(&format!("rid='1' {CREATE}"), "");
        for text in [
            good.replace("http://jabber.org/protocol/httpbind", "urn:example"),
            good.replace("xmlns='http://jabber.org/protocol/httpbind'", ""),
            good.replace("<body", "<Body").replace("/body", "/Body"),
            "<presence xmlns='jabber:client'/>".to_owned(),
        ] {
            let found = refusal(&server, &text).await;
            assert!(is_bad_request(&found), "{text}: {found}");
        }
    }

    /// B-18
    #[tokio::test]
    async fn no_rid_is_a_bad_request() {
        let server = TestServer::start().await;
        let found = refusal(&server, &wrap(CREATE, "")).await;
        assert!(is_bad_request(&found), "{found}");
        let bosh = Bosh::create(&server).await;
        let found = refusal(&server, &wrap(&format!("sid='{}'", bosh.sid), "")).await;
        assert!(is_bad_request(&found), "{found}");
    }

    /// B-19
    #[tokio::test]
    async fn numbers_of_nonsense_or_enormous_size_are_refused_or_cut_down() {
        let server = TestServer::start().await;
        let huge = "9".repeat(400);
        for rid in [
            "",
            "-1",
            "abc",
            "1.5",
            "0x10",
            "9007199254740993",
            "18446744073709551616",
            &huge,
        ] {
            let text = wrap(&format!("rid='{rid}' {CREATE}"), "");
            let found = refusal(&server, &text).await;
            assert!(
                is_bad_request(&found) || found == "item-not-found",
                "{rid}: {found}"
            );
        }
        for (name, value) in [
            ("wait", "-1"),
            ("wait", "soon"),
            ("wait", &*huge),
            ("hold", "-1"),
            ("hold", "many"),
            ("hold", &*huge),
            ("ver", "one.two"),
            ("ver", &*huge),
        ] {
            let attributes = format!("rid='1' to='example.org' {name}='{value}'");
            let response = post(&server, &wrap(&attributes, "")).await;
            assert!(response.status < 500, "{response:?}");
            let body = body_of(&response);
            if body.attr("type").is_none() {
                let number = |name| body.attr(name).map(|n| n.parse::<u32>().expect("a number"));
                assert!(number("wait").expect("wait") <= 60, "{body}");
                assert!(number("hold").is_none_or(|hold| hold <= 1), "{body}");
            }
        }
        still_serves(&server).await;
    }

    /// B-34
    #[tokio::test]
    async fn document_types_and_entities_are_refused() {
        let server = TestServer::start().await;
        let inner = wrap(&format!("rid='1' {CREATE}"), "&a;");
        for dtd in [
            "<!DOCTYPE b [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>",
            "<!DOCTYPE b [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
            "<!DOCTYPE b>",
            "<?pi?>",
        ] {
            let found = refusal(&server, &format!("{dtd}{inner}")).await;
            assert!(is_bad_request(&found), "{dtd}: {found}");
        }
        let mut bosh = Bosh::authenticated(&server, "romeo").await;
        let mut pending = bosh
            .request("", "<message xmlns='jabber:client'>&a;</message>")
            .await;
        terminated(&pending.answer().await);
    }

    /// B-20
    #[tokio::test]
    async fn a_line_end_in_content_puts_no_header_into_the_answer() {
        let server = TestServer::start().await;
        for content in [
            "text/xml&#13;&#10;X-Evil: 1",
            "text/xml; charset=utf-8&#10;X-Evil: 1",
            "text/xml\u{85}X-Evil: 1",
        ] {
            let attributes = format!("rid='1' to='example.org' content='{content}'");
            let response = post(&server, &wrap(&attributes, "")).await;
            assert_eq!(response.header("x-evil"), None, "{response:?}");
            assert!(response.status < 500);
        }
    }

    /// B-03
    #[tokio::test]
    async fn content_is_honoured_for_harmless_types_of_xml_only() {
        let server = TestServer::start().await;
        for (content, wanted) in [
            ("text/html", false),
            ("text/html; charset=utf-8", false),
            ("application/javascript", false),
            ("image/svg+xml", false),
            ("application/xhtml+xml", false),
            ("text/xml; charset=utf-8", true),
        ] {
            let attributes = format!("rid='1' to='example.org' content='{content}'");
            let response = post(&server, &wrap(&attributes, "")).await;
            let found = response.header("content-type").expect("a type");
            assert_eq!(found == content, wanted, "{content}: {found}");
        }
    }

    /// B-21
    #[tokio::test]
    async fn markup_in_what_a_client_supplies_comes_back_escaped_or_not_at_all() {
        let server = TestServer::start().await;
        let evil = "&lt;script&gt;&quot;&apos;";
        for name in [
            "to", "sid", "from", "route", "path", "key", "content", "ver", "ack",
        ] {
            let attributes = format!("rid='1' {name}='{evil}'");
            let response = post(&server, &wrap(&attributes, "")).await;
            assert!(
                !response.text().contains("<script"),
                "{name}: {}",
                response.text()
            );
            assert!(response.status < 500, "{response:?}");
        }
    }
}

mod methods {
    use super::*;

    /// B-35
    #[tokio::test]
    async fn other_methods_get_a_page_or_a_plain_refusal() {
        let server = TestServer::start().await;
        for method in ["GET", "PUT", "DELETE", "HEAD", "PATCH", "FROB"] {
            let mut http = Http::connect(&server).await;
            http.send(format!(
                "{method} {PATH} HTTP/1.1\r\nHost: example.org\r\n\r\n"
            ))
            .await;
            let response = http.response_to(method).await.expect("an answer");
            assert!(
                matches!(response.status, 200 | 400 | 405 | 501),
                "{method}: {}",
                response.status
            );
        }
        still_serves(&server).await;
    }

    async fn preflight(server: &TestServer, origin: &str) -> Response {
        let mut http = Http::connect(server).await;
        http.send(format!(
            "OPTIONS {PATH} HTTP/1.1\r\nHost: example.org\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n"
        ))
        .await;
        http.response().await
    }

    /// B-23
    #[tokio::test]
    async fn f9_a_page_that_may_asks_first_and_then_reads_the_answers() {
        let origin = "https://app.example.org";
        for (options, wanted) in [
            ("endpoint.0.origins=[\"https://app.example.org\"]", origin),
            ("endpoint.0.origins=*", "*"),
        ] {
            let server = TestServer::with(&[options]).await;
            let response = preflight(&server, origin).await;
            assert!((200..300).contains(&response.status), "{response:?}");
            let allowed = response.header("access-control-allow-origin");
            assert_eq!(allowed.as_deref(), Some(wanted));
            let methods = response
                .header("access-control-allow-methods")
                .expect("methods");
            assert!(methods.contains("POST"), "{methods}");
            let headers = response
                .header("access-control-allow-headers")
                .expect("headers");
            assert!(headers.to_lowercase().contains("content-type"), "{headers}");
            let mut http = Http::connect(&server).await;
            let origin_header = format!("Origin: {origin}\r\n");
            http.request(
                "POST",
                PATH,
                &origin_header,
                &wrap(&format!("rid='1' {CREATE}"), ""),
            )
            .await;
            let response = http.response().await;
            let allowed = response.header("access-control-allow-origin");
            assert_eq!(allowed.as_deref(), Some(wanted));
            body_of(&response);
            if wanted == "*" {
                assert_eq!(response.header("access-control-allow-credentials"), None);
            }
        }
    }

    /// B-23
    #[tokio::test]
    async fn f9_a_page_that_may_not_is_refused() {
        let server = TestServer::start().await;
        assert_eq!(preflight(&server, "https://evil.example").await.status, 403);
        let mut http = Http::connect(&server).await;
        let text = wrap(&format!("rid='1' {CREATE}"), "");
        http.request("POST", PATH, "Origin: https://evil.example\r\n", &text)
            .await;
        assert_eq!(http.response().await.status, 403);
    }
}

mod bodies {
    use super::*;

    /// B-22
    #[tokio::test]
    async fn a_body_of_12_mb_is_refused_and_a_length_of_10_gb_reserves_nothing() {
        let server = TestServer::start().await;
        for length in [12_u64 << 20, 10 << 30, u64::MAX] {
            let mut http = Http::connect(&server).await;
            // Not a byte of the body follows.
            http.send(format!(
                "POST {PATH} HTTP/1.1\r\nHost: example.org\r\nContent-Length: {length}\r\n\r\n"
            ))
            .await;
            if let Some(response) = http.try_response().await {
                assert!(matches!(response.status, 400 | 413 | 431), "{response:?}");
            }
        }
        let mut http = Http::connect(&server).await;
        http.send(format!(
            "POST {PATH} HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        for _ in 0..192 {
            http.send(&chunk).await;
        }
        if let Some(response) = http.try_response().await {
            assert_eq!(response.status, 413, "{response:?}");
        }
        still_serves(&server).await;
    }

    /// B-44
    #[tokio::test]
    async fn chunked_requests_on_a_connection_that_is_kept_are_served() {
        let server = TestServer::start().await;
        let mut http = Http::connect(&server).await;
        for _ in 0..5 {
            let text = wrap(&format!("rid='1' {CREATE}"), "");
            http.send(format!(
                "POST {PATH} HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
            ))
            .await;
            for piece in text.as_bytes().chunks(7) {
                http.send(format!("{:x}\r\n", piece.len())).await;
                http.send(piece).await;
                http.send("\r\n").await;
            }
            http.send("0\r\n\r\n").await;
            assert!(body_of(&http.response().await).attr("sid").is_some());
        }
        // HTTP/1.0 and "close" end it.
        let text = wrap(&format!("rid='1' {CREATE}"), "");
        http.request("POST", PATH, "Connection: close\r\n", &text)
            .await;
        body_of(&http.response().await);
        assert!(http.try_response().await.is_none());
    }

    /// B-27
    #[tokio::test]
    async fn nothing_is_compressed_that_was_not_asked_to_be() {
        let server = TestServer::start().await;
        let response = post(&server, &wrap(&format!("rid='1' {CREATE}"), "")).await;
        assert_eq!(response.header("content-encoding"), None);
        let mut http = Http::connect(&server).await;
        let headers = "Accept-Encoding: gzip, deflate, br\r\n";
        http.request(
            "POST",
            PATH,
            headers,
            &wrap(&format!("rid='1' {CREATE}"), ""),
        )
        .await;
        let response = http.response().await;
        if response.header("content-encoding").is_none() {
            body_of(&response);
        }
    }

    /// B-27
    #[tokio::test]
    async fn attributes_that_are_optional_or_unknown_do_no_harm() {
        let server = TestServer::start().await;
        for more in [
            "secure='true'",
            "secure='maybe'",
            "charsets='ISO-8859-1 UTF-16'",
            "frob='1'",
            "xmlns:x='urn:x' x:sid='1'",
            "accept='gzip,deflate'",
        ] {
            let body = create(&server, &format!("{CREATE} {more}")).await;
            assert!(body.attr("sid").is_some(), "{more}: {body}");
        }
    }

    /// B-26: the port named in `route` would notice.
    #[tokio::test]
    async fn a_route_to_elsewhere_makes_no_connection() {
        let server = TestServer::start().await;
        let trap = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        trap.set_nonblocking(true).expect("a socket");
        let port = trap.local_addr().expect("a port").port();
        let route = format!("route='xmpp:127.0.0.1:{port}'");
        let body: Element = create(&server, &format!("{CREATE} {route}")).await;
        assert!(body.attr("sid").is_some() || body.attr("type") == Some("terminate"));
        let visited = trap.accept().map_err(|error| error.kind());
        assert_eq!(visited.err(), Some(std::io::ErrorKind::WouldBlock));
    }

    /// B-45
    #[tokio::test]
    async fn slow_bodies_leave_others_unharmed() {
        let server = TestServer::start().await;
        let mut slow = Vec::new();
        for _ in 0..50 {
            let mut http = Http::connect(&server).await;
            http.send(format!(
                "POST {PATH} HTTP/1.1\r\nHost: example.org\r\nContent-Length: 200\r\n\r\n<body"
            ))
            .await;
            slow.push(http);
        }
        let mut romeo = Bosh::available(&server, "romeo").await;
        assert!(romeo.sync().await.is_empty());
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.hears_nothing().await;
    }

    /// B-46
    #[tokio::test]
    async fn hundreds_of_abandoned_sessions_leave_others_unharmed() {
        let server = TestServer::start().await;
        let mut http = Http::connect(&server).await;
        let mut served = 0;
        for _ in 0..300 {
            http.request("POST", PATH, "", &wrap(&format!("rid='1' {CREATE}"), ""))
                .await;
            let response = http.response().await;
            assert!(matches!(response.status, 200 | 503), "{response:?}");
            served += usize::from(response.status == 200);
        }
        assert!(served >= 10, "{served}");
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        romeo.hears_nothing().await;
    }
}
