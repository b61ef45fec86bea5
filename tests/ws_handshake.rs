//! The WebSocket handshake (RFC 6455 §4.2, RFC 7395 §3.1), over a socket.

mod kit;

use kit::ws::{PING, accept_key};
use kit::{Got, Handshake, Http, TestServer, Ws, within};

mod accepted {
    use super::*;

    /// W-01
    #[tokio::test]
    async fn a_correct_upgrade_gets_the_accept_key_the_subprotocol_and_no_extension() {
        let server = TestServer::start().await;
        let (response, _ws) = Handshake::new().send(&server).await;
        assert_eq!(response.status, 101);
        assert_eq!(response.header("sec-websocket-accept"), Some(accept_key()));
        assert_eq!(
            response.header("sec-websocket-protocol").as_deref(),
            Some("xmpp")
        );
        assert_eq!(
            response.header("upgrade").map(|u| u.to_lowercase()),
            Some("websocket".to_owned())
        );
        assert_eq!(
            response.header("connection").map(|c| c.to_lowercase()),
            Some("upgrade".to_owned())
        );
        assert_eq!(response.header("sec-websocket-extensions"), None);
    }

    /// W-04
    #[tokio::test]
    async fn xmpp_is_picked_out_of_one_list_or_several_lines() {
        let server = TestServer::start().await;
        let offers: [&[&str]; 6] = [
            &["xmpp, chat"],
            &["chat,xmpp"],
            &["chat ,  xmpp , mqtt"],
            &["chat", "xmpp"],
            &["xmpp", "chat"],
            &["chat, mqtt", "v12.stomp,\txmpp"],
        ];
        for offer in offers {
            let mut handshake = Handshake::new().without("Sec-WebSocket-Protocol");
            for line in offer {
                handshake = handshake.with("Sec-WebSocket-Protocol", line);
            }
            let (response, _ws) = handshake.send(&server).await;
            assert_eq!(response.status, 101, "{offer:?}");
            assert_eq!(
                response.header("sec-websocket-protocol").as_deref(),
                Some("xmpp"),
                "{offer:?}"
            );
        }
    }

    /// W-10
    #[tokio::test]
    async fn names_and_tokens_compare_without_case_and_connection_is_a_list() {
        let server = TestServer::start().await;
        let firefox = Handshake::new().replace("Connection", "keep-alive, Upgrade");
        let loud = Handshake::new()
            .without("Upgrade")
            .without("Connection")
            .with("UPGRADE", "WebSocket")
            .with("CONNECTION", "UPGRADE");
        let two_lines = Handshake::new()
            .replace("Connection", "keep-alive")
            .with("connection", "upgrade");
        for handshake in [firefox, loud, two_lines] {
            assert_eq!(handshake.status(&server).await, 101);
        }
    }

    /// W-11
    #[tokio::test]
    async fn x12_e10_a_client_without_an_origin_is_served_and_any_origin_gets_a_quick_answer() {
        let server = TestServer::start().await;
        assert_eq!(Handshake::new().status(&server).await, 101);
        let huge = format!("https://{}.example", "a".repeat(4000));
        for origin in [
            "https://evil.example",
            "null",
            "!%&/()=",
            "https://example.org:99999999",
            "",
            &huge,
        ] {
            let status = Handshake::new()
                .with("Origin", origin)
                .status(&server)
                .await;
            assert_eq!(status, 403, "{origin}");
        }
    }

    /// W-11
    #[tokio::test]
    async fn x12_origins_that_the_operator_lists_are_served() {
        let server = TestServer::with(&["endpoint.0.origins=[\"https://app.example.org\"]"]).await;
        let of = |origin: &str| Handshake::new().with("Origin", origin);
        assert_eq!(of("https://app.example.org").status(&server).await, 101);
        assert_eq!(of("https://APP.example.org:443").status(&server).await, 101);
        assert_eq!(of("http://app.example.org").status(&server).await, 403);
    }

    /// W-72
    #[tokio::test]
    async fn frames_in_the_same_segment_as_the_handshake_are_served_after_the_101() {
        let server = TestServer::start().await;
        let mut bytes = Handshake::new().bytes();
        bytes.extend(kit::ws::frame(PING, b"early"));
        bytes.extend(kit::ws::frame(kit::ws::TEXT, kit::xmpp::OPEN.as_bytes()));
        let mut http = Http::connect(&server).await;
        http.send(bytes).await;
        assert_eq!(http.response().await.status, 101);
        let mut ws = Ws::from_http(http);
        assert_eq!(ws.recv().await, Got::Pong(b"early".to_vec()));
        let Got::Text(open) = ws.recv().await else {
            panic!("no <open/>");
        };
        assert!(open.starts_with("<open "), "{open}");
    }

    /// W-37: left out
    #[tokio::test]
    async fn o15_f9_an_offer_of_compression_is_not_taken() {
        let server = TestServer::start().await;
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits; server_no_context_takeover",
            "x-webkit-deflate-frame",
        ] {
            let (response, _ws) = Handshake::new()
                .with("Sec-WebSocket-Extensions", offer)
                .send(&server)
                .await;
            assert_eq!(response.status, 101, "{offer}");
            assert_eq!(response.header("sec-websocket-extensions"), None, "{offer}");
        }
    }
}

mod refused {
    use super::*;

    /// W-02
    #[tokio::test]
    async fn x11_without_an_offer_of_a_subprotocol_there_is_no_upgrade() {
        let server = TestServer::start().await;
        let handshake = Handshake::new().without("Sec-WebSocket-Protocol");
        assert_eq!(handshake.status(&server).await, 400);
    }

    /// W-03
    #[tokio::test]
    async fn x11_an_offer_of_other_subprotocols_is_answered_with_none() {
        let server = TestServer::start().await;
        for offer in ["chat", "XMPP", "xmpp-json, mqtt", "x mpp", ","] {
            let (response, _) = Handshake::new()
                .replace("Sec-WebSocket-Protocol", offer)
                .send(&server)
                .await;
            assert_eq!(response.status, 400, "{offer}");
            assert_eq!(response.header("sec-websocket-protocol"), None, "{offer}");
        }
    }

    /// W-05
    #[tokio::test]
    async fn another_version_of_the_protocol_gets_426_and_hears_which_one_is_spoken() {
        let server = TestServer::start().await;
        let header = "Sec-WebSocket-Version";
        for handshake in [
            Handshake::new().without(header),
            Handshake::new().replace(header, "8"),
            Handshake::new().replace(header, "14"),
            Handshake::new().replace(header, "thirteen"),
        ] {
            let (response, _) = handshake.send(&server).await;
            assert_eq!(response.status, 426);
            assert_eq!(
                response.header("sec-websocket-version").as_deref(),
                Some("13")
            );
        }
    }

    /// W-06
    #[tokio::test]
    async fn a_missing_key_or_one_that_is_not_16_bytes_gets_400() {
        let server = TestServer::start().await;
        let header = "Sec-WebSocket-Key";
        let missing = Handshake::new().without(header);
        assert_eq!(missing.status(&server).await, 400);
        for key in ["", "c2hvcnQ=", "!!!!!!!!!!!!!!!!!!!!!!==", "AAAA AAAA"] {
            let wrong = Handshake::new().replace(header, key);
            assert_eq!(wrong.status(&server).await, 400, "{key}");
        }
    }

    /// W-07
    #[tokio::test]
    async fn there_is_no_101_without_both_upgrade_and_connection() {
        let server = TestServer::start().await;
        for handshake in [
            Handshake::new().without("Upgrade"),
            Handshake::new().without("Connection"),
            Handshake::new().replace("Upgrade", "h2c"),
            Handshake::new().replace("Connection", "keep-alive"),
            Handshake::new().replace("Connection", "upgraded"),
        ] {
            let status = handshake.status(&server).await;
            assert!(matches!(status, 400 | 426), "{status}");
        }
    }

    /// W-08
    #[tokio::test]
    async fn only_a_get_is_an_upgrade() {
        let server = TestServer::start().await;
        for method in ["POST", "PUT", "OPTIONS", "FROB"] {
            let (response, _) = Handshake::new()
                .line(&format!("{method} /ws/ HTTP/1.1"))
                .send(&server)
                .await;
            assert_eq!(response.status, 405, "{method}");
        }
    }

    /// W-09
    #[tokio::test]
    async fn http_1_0_is_too_old_for_an_upgrade() {
        let server = TestServer::start().await;
        let old = Handshake::new().line("GET /ws/ HTTP/1.0");
        let status = old.status(&server).await;
        assert!((400..500).contains(&status), "{status}");
    }
}

mod hostile {
    use super::*;

    /// A client that nobody disturbs.
    async fn still_serves(server: &TestServer) {
        assert_eq!(Handshake::new().status(server).await, 101);
    }

    /// W-75
    #[tokio::test]
    async fn huge_headers_are_refused_within_seconds() {
        let server = TestServer::start().await;
        let long = Handshake::new().with("X-Long", &"a".repeat(128 * 1024));
        let mut many = Handshake::new();
        for n in 0..2000 {
            many = many.with(&format!("X-{n}"), "1");
        }
        for handshake in [long, many] {
            let mut http = Http::connect(&server).await;
            http.send(handshake.bytes()).await;
            if let Some(response) = within("a refusal", http.try_response()).await {
                assert!(matches!(response.status, 400 | 431), "{response:?}");
            }
        }
        still_serves(&server).await;
    }

    /// W-76
    #[tokio::test]
    async fn what_is_not_http_ends_the_connection_and_nothing_else() {
        let server = TestServer::start().await;
        let noise: Vec<u8> = (0..4096_u32).map(|n| ((n * 7919) >> 3) as u8).collect();
        let tls_hello = [
            &[
                0x16, 0x03, 0x01, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x2b, 0x03, 0x03,
            ][..],
            &[0x5a; 32],
            &[0, 0, 2, 0x13, 0x01, 1, 0, 0, 0],
        ]
        .concat();
        let stream = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' \
            xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\r\n\r\n";
        for bytes in [noise, tls_hello, stream.as_bytes().to_vec()] {
            let mut http = Http::connect(&server).await;
            http.send(&bytes).await;
            let said = kit::ws::end_of(http).await;
            let said = String::from_utf8_lossy(&said);
            assert!(
                said.is_empty() || said.starts_with("HTTP/1.1 400"),
                "{said}"
            );
        }
        still_serves(&server).await;
    }

    /// W-77
    #[tokio::test]
    async fn content_length_with_transfer_encoding_makes_no_second_request() {
        let server = TestServer::start().await;
        let smuggled = "GET /.well-known/host-meta HTTP/1.1\r\nHost: example.org\r\n\r\n";
        let handshake = Handshake::new()
            .with("Content-Length", &(5 + smuggled.len()).to_string())
            .with("Transfer-Encoding", "chunked");
        let mut bytes = handshake.bytes();
        bytes.extend(b"0\r\n\r\n");
        bytes.extend(smuggled.as_bytes());
        let mut http = Http::connect(&server).await;
        http.send(bytes).await;
        http.send(kit::ws::frame(kit::ws::CLOSE, b"")).await;
        let said = kit::ws::end_of(http).await;
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("XRD"), "{said}");
        assert!(said.matches("HTTP/1.1").count() <= 1, "{said}");
        still_serves(&server).await;
    }

    /// L-03, L-10: one who dribbles its handshake is cut off, while others are served.
    #[tokio::test]
    async fn a_handshake_that_never_ends_is_dropped() {
        let server = TestServer::with(&["limits.header_timeout=1s"]).await;
        let mut slow = Vec::new();
        for _ in 0..200 {
            let mut http = Http::connect(&server).await;
            http.send("GET /ws/ HTTP/1.1\r\nHost: exam").await;
            slow.push(http);
        }
        still_serves(&server).await;
        for http in slow {
            let said = kit::ws::end_of(http).await;
            assert!(
                said.is_empty() || said.starts_with(b"HTTP/1.1 408"),
                "{}",
                String::from_utf8_lossy(&said)
            );
        }
    }
}
