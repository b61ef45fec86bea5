//! Frames (RFC 6455 §5), over a socket. W-99, what the server itself may send, is checked by the
//! kit on every frame of every test.

mod kit;

use kit::ws::{BINARY, CLOSE, FIN, PING, PONG, TEXT, code_bytes, frame, header, unmasked};
use kit::xmpp::{OPEN, fresh_id};
use kit::{Client, Got, TestServer, Ws, within};

/// A message to `to` as text of a frame.
fn message(to: &str, body: &str) -> String {
    let id = fresh_id();
    format!(
        "<message xmlns='jabber:client' to='{to}' id='{id}' type='chat'><body>{body}</body></message>"
    )
}

/// Romeo, who sends; Juliet, who would hear it.
async fn pair(server: &TestServer) -> (Client, Client) {
    let romeo = Client::login(server, "romeo").await;
    let juliet = Client::available_as(server, "juliet", "balcony").await;
    (romeo, juliet)
}

mod fragments {
    use super::*;

    /// W-12
    #[tokio::test]
    async fn a_message_in_any_number_of_fragments_is_put_together() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        for pieces in [2, 3, 17, 100] {
            let text = message(&juliet.jid, &format!("in {pieces} pieces"));
            let bytes = text.as_bytes();
            let size = bytes.len().div_ceil(pieces);
            let mut chunks = bytes.chunks(size).peekable();
            let mut opcode = 1;
            while let Some(chunk) = chunks.next() {
                let fin = if chunks.peek().is_none() { FIN } else { 0 };
                romeo.ws.frame(fin | opcode, chunk).await;
                romeo.ws.frame(if fin == 0 { 0 } else { PONG }, b"").await; // empty ones, too
                opcode = 0;
            }
        }
        romeo.sync().await;
        let wanted = [
            "in 2 pieces",
            "in 3 pieces",
            "in 17 pieces",
            "in 100 pieces",
        ];
        assert_eq!(juliet.bodies().await, wanted);
    }

    /// W-13
    #[tokio::test]
    async fn control_frames_between_fragments_are_answered_at_once() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let text = message(&juliet.jid, "whole");
        let (head, tail) = text.as_bytes().split_at(30);
        romeo.ws.frame(1, head).await;
        romeo.ws.frame(PING, b"still there?").await;
        // Before the rest of the message is even sent:
        assert_eq!(romeo.ws.recv().await, Got::Pong(b"still there?".to_vec()));
        romeo.ws.frame(PONG, b"").await;
        romeo.ws.frame(FIN, tail).await;
        romeo.sync().await;
        assert_eq!(juliet.bodies().await, ["whole"]);
    }

    /// W-25
    #[tokio::test]
    async fn a_character_split_between_fragments_arrives_whole() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let text = message(&juliet.jid, "\u{1f339}");
        let at = text.find('\u{1f339}').expect("the rose");
        for cut in 1..4 {
            let (head, tail) = text.as_bytes().split_at(at + cut);
            romeo.ws.frame(1, head).await;
            romeo.ws.frame(FIN, tail).await;
        }
        romeo.sync().await;
        assert_eq!(juliet.bodies().await, ["\u{1f339}"; 3]);
    }

    /// W-22
    #[tokio::test]
    async fn a_continuation_of_nothing_fails_the_connection() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        romeo.ws.frame(FIN, message(&juliet.jid, "never")).await;
        assert!(romeo.ws.ends_with(1002).await.is_empty());
        juliet.hears_nothing().await;
    }

    /// W-23
    #[tokio::test]
    async fn a_new_message_inside_a_fragmented_one_fails_the_connection() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        romeo.ws.frame(1, "<message ").await;
        romeo.ws.text(&message(&juliet.jid, "never")).await;
        assert!(romeo.ws.ends_with(1002).await.is_empty());
        juliet.hears_nothing().await;
    }

    /// L-06, L-07
    #[tokio::test]
    async fn fragments_without_end_are_refused_at_the_limit() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.frame(1, vec![b' '; 1024]).await;
        for _ in 0..20 {
            ws.frame(0, vec![b' '; 1024]).await;
        }
        ws.ends_with(1009).await;
        let mut many = Client::login(&server, "juliet").await;
        many.ws.frame(1, "").await;
        many.ws.raw(frame(0, b"").repeat(20_000)).await;
        many.ws.frame(FIN, message("juliet@example.org", "x")).await;
        many.sync().await;
    }
}

mod control {
    use super::*;

    /// W-15
    #[tokio::test]
    async fn a_ping_is_answered_by_its_own_bytes_also_before_the_open() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        for data in [&b""[..], b"\x00\xff binary", &[b'x'; 125]] {
            ws.frame(PING, data).await;
            assert_eq!(ws.recv().await, Got::Pong(data.to_vec()));
        }
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.ws.frame(PING, b"later").await;
        assert_eq!(romeo.ws.recv().await, Got::Pong(b"later".to_vec()));
    }

    /// W-16
    #[tokio::test]
    async fn a_pong_that_nobody_asked_for_is_ignored() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.ws.frame(PONG, b"unasked").await;
        romeo.hears_nothing().await;
    }

    /// W-17
    #[tokio::test]
    async fn a_control_frame_over_125_bytes_fails_the_connection() {
        let server = TestServer::start().await;
        for opcode in [PING, PONG, CLOSE] {
            let mut ws = Ws::connect(&server).await;
            ws.frame(opcode, [b'x'; 126]).await;
            ws.ends_with(1002).await;
        }
    }

    /// W-18
    #[tokio::test]
    async fn a_fragmented_control_frame_fails_the_connection() {
        let server = TestServer::start().await;
        for opcode in [PING, PONG, CLOSE] {
            let mut ws = Ws::connect(&server).await;
            ws.frame(opcode & !FIN, b"xx").await;
            ws.ends_with(1002).await;
        }
    }

    /// L-08
    #[tokio::test]
    async fn five_thousand_pings_are_answered_in_order() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        for n in 0..5000_u32 {
            ws.frame(PING, n.to_be_bytes()).await;
            if n % 100 == 99 {
                for m in n - 99..=n {
                    assert_eq!(ws.recv().await, Got::Pong(m.to_be_bytes().to_vec()));
                }
            }
        }
    }
}

mod illegal_bits {
    use super::*;

    /// W-14
    #[tokio::test]
    async fn a_binary_message_is_not_processed_and_ends_the_connection() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        romeo.ws.frame(BINARY, message(&juliet.jid, "never")).await;
        romeo.ws.ends_with(1003).await;
        juliet.hears_nothing().await;
        let mut stranger = Ws::connect(&server).await;
        stranger.frame(BINARY, OPEN).await;
        assert!(stranger.ends_with(1003).await.is_empty());
    }

    /// W-19
    #[tokio::test]
    async fn an_unmasked_frame_is_not_processed_and_ends_the_connection() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let text = message(&juliet.jid, "never");
        romeo.ws.raw(unmasked(TEXT, text.as_bytes())).await;
        assert!(romeo.ws.ends_with(1002).await.is_empty());
        juliet.hears_nothing().await;
    }

    /// W-20
    #[tokio::test]
    async fn a_reserved_bit_fails_the_connection() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        romeo
            .ws
            .frame(TEXT | 0x40, message(&juliet.jid, "never"))
            .await;
        assert!(romeo.ws.ends_with(1002).await.is_empty());
        juliet.hears_nothing().await;
        for first in [TEXT | 0x20, TEXT | 0x10, PING | 0x40, CLOSE | 0x70] {
            let mut ws = Ws::connect(&server).await;
            ws.frame(first, OPEN).await;
            assert!(ws.ends_with(1002).await.is_empty(), "{first:x}");
        }
    }

    /// W-21
    #[tokio::test]
    async fn a_reserved_opcode_fails_the_connection() {
        let server = TestServer::start().await;
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            let mut ws = Ws::connect(&server).await;
            ws.frame(FIN | opcode, OPEN).await;
            assert!(ws.ends_with(1002).await.is_empty(), "{opcode}");
        }
    }
}

mod utf8 {
    use super::*;

    const BAD: [(&str, &[u8]); 9] = [
        ("FF", b"\xff"),
        ("a lone continuation byte", b"\x80"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("an overlong slash", b"\xc0\xaf"),
        ("an overlong NUL in three bytes", b"\xe0\x80\x80"),
        ("above U+10FFFF", b"\xf4\x90\x80\x80"),
        ("five bytes", b"\xf8\x88\x80\x80\x80"),
        ("a cut character and more", b"\xe2\x82 "),
        ("Latin-1", b"caf\xe9 "),
    ];

    fn spoilt(to: &str, bad: &[u8]) -> Vec<u8> {
        let text = message(to, "@");
        let at = text.find(">@<").expect("the mark") + 1;
        let bytes = text.into_bytes();
        [&bytes[..at], bad, &bytes[at + 1..]].concat()
    }

    /// W-24
    #[tokio::test]
    async fn bytes_that_are_not_utf8_fail_the_connection_and_are_not_replaced() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        for (what, bad) in BAD {
            let mut romeo = Client::login(&server, "romeo").await;
            romeo.ws.frame(TEXT, spoilt(&juliet.jid, bad)).await;
            assert!(romeo.ws.ends_with(1007).await.is_empty(), "{what}");
        }
        juliet.hears_nothing().await;
    }

    /// W-24
    #[tokio::test]
    async fn a_character_cut_at_the_end_of_a_message_is_not_waited_for() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.frame(TEXT, [OPEN.as_bytes(), b"\xe2\x82"].concat())
            .await;
        assert!(ws.ends_with(1007).await.is_empty());
    }

    /// W-26
    #[tokio::test]
    async fn bad_utf8_that_only_shows_across_fragments_is_found() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let bytes = spoilt(&juliet.jid, b"\xed\xa0\x80");
        let at = bytes.iter().position(|b| *b == 0xed).expect("the start") + 1;
        romeo.ws.frame(1, &bytes[..at]).await;
        romeo.ws.frame(FIN, &bytes[at..]).await;
        assert!(romeo.ws.ends_with(1007).await.is_empty());
        juliet.hears_nothing().await;
    }
}

mod lengths {
    use super::*;

    /// W-27
    #[tokio::test]
    async fn a_length_over_the_limit_is_refused_from_the_header_alone() {
        let server = TestServer::start().await;
        for length in [
            1 << 63,
            u64::MAX,
            1 << 40,
            1 << 32,
            64 * 1024 * 1024,
            20_000,
        ] {
            let mut ws = Ws::connect(&server).await;
            // Not one byte of the payload follows, and nothing is waited for.
            ws.raw([&header(TEXT, length, FIN)[..], &[1, 2, 3, 4]].concat())
                .await;
            let (_, code) = within("a refusal", ws.read_to_end()).await;
            let top_bit = length >> 63 == 1;
            assert!(
                code == Some(1009) || (top_bit && code == Some(1002)),
                "{length:x}: {code:?}"
            );
        }
    }

    /// W-28
    #[tokio::test]
    async fn a_length_that_is_encoded_too_long_is_not_misread() {
        let server = TestServer::start().await;
        let payload = OPEN.as_bytes();
        let masked: Vec<u8> = frame(TEXT, payload).split_off(2);
        let length = payload.len() as u64;
        let long = [&[TEXT, FIN | 127][..], &length.to_be_bytes()].concat();
        let medium = [&[TEXT, FIN | 126][..], &(length as u16).to_be_bytes()].concat();
        assert!(length < 126);
        for head in [long, medium] {
            let mut ws = Ws::connect(&server).await;
            ws.raw([&head[..], &masked].concat()).await;
            match ws.recv().await {
                Got::Text(open) => assert!(open.starts_with("<open "), "{open}"),
                Got::Close(code) => assert_eq!(code, Some(1002)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// W-73
    #[tokio::test]
    async fn frames_that_arrive_byte_by_byte_are_served() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        for byte in frame(TEXT, message(&juliet.jid, "drop by drop").as_bytes()) {
            romeo.ws.raw([byte]).await;
            tokio::task::yield_now().await;
        }
        romeo.sync().await;
        assert_eq!(juliet.bodies().await, ["drop by drop"]);
    }

    /// W-74
    #[tokio::test]
    async fn fifty_frames_in_one_segment_are_served_in_order() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let numbers: Vec<_> = (0..50).map(|n| n.to_string()).collect();
        let frames = numbers
            .iter()
            .map(|n| frame(TEXT, message(&juliet.jid, n).as_bytes()));
        romeo.ws.raw(frames.collect::<Vec<_>>().concat()).await;
        romeo.sync().await;
        assert_eq!(juliet.bodies().await, numbers);
    }
}

mod closing {
    use super::*;

    /// What was asked before the end is answered, also where both are read in one go.
    #[tokio::test]
    async fn an_answer_comes_before_the_end_that_was_sent_with_the_question() {
        let server = TestServer::start().await;
        let ping =
            "<iq xmlns='jabber:client' id='last' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
        let ends = [
            frame(TEXT, kit::xmpp::CLOSE_STREAM.as_bytes()),
            frame(CLOSE, &code_bytes(1000)),
            frame(BINARY, b"x"),
            frame(TEXT, b"<broken"),
        ];
        for end in ends {
            let mut romeo = Client::login(&server, "romeo").await;
            let question = frame(TEXT, ping.as_bytes());
            romeo.ws.raw([question, end.clone()].concat()).await;
            let (texts, _) = romeo.ws.read_to_end().await;
            let answer = texts.first().map_or("", String::as_str);
            assert!(
                answer.contains("id='last'") || answer.contains("id=\"last\""),
                "{end:?}: {texts:?}"
            );
        }
    }

    #[tokio::test]
    async fn who_has_closed_its_half_hears_what_it_asked_before() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo
            .ws
            .text(
                "<iq xmlns='jabber:client' id='last' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
            )
            .await;
        romeo.ws.half_close().await;
        let (texts, _) = romeo.ws.read_to_end().await;
        assert!(texts.iter().any(|text| text.contains("last")), "{texts:?}");
    }

    /// The same for an ack.
    #[tokio::test]
    async fn an_ack_comes_before_the_close_frame_that_was_sent_with_its_request() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.enable("").await;
        let request = frame(TEXT, b"<r xmlns='urn:xmpp:sm:3'/>");
        romeo
            .ws
            .raw([request, frame(CLOSE, &code_bytes(1000))].concat())
            .await;
        let (texts, _) = romeo.ws.read_to_end().await;
        assert!(texts[0].starts_with("<a "), "{texts:?}");
    }

    /// W-29
    #[tokio::test]
    async fn a_close_frame_is_answered_and_the_server_ends_tcp() {
        let server = TestServer::start().await;
        for payload in [vec![], code_bytes(1000), code_bytes(1001), code_bytes(4000)] {
            let mut ws = Ws::connect(&server).await;
            ws.frame(CLOSE, &payload).await;
            assert!(matches!(ws.recv().await, Got::Close(_)), "{payload:?}");
            assert_eq!(within("the end of TCP", ws.recv()).await, Got::End);
        }
    }

    /// W-30
    #[tokio::test]
    async fn a_close_payload_of_one_byte_is_a_protocol_error() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.frame(CLOSE, [3]).await;
        ws.ends_with(1002).await;
    }

    /// W-31
    #[tokio::test]
    async fn close_codes_that_may_not_be_sent_end_the_connection_cleanly() {
        let server = TestServer::start().await;
        for code in [0, 999, 1004, 1005, 1006, 1015, 65535] {
            let mut ws = Ws::connect(&server).await;
            ws.frame(CLOSE, code_bytes(code)).await;
            let (texts, answer) = ws.read_to_end().await;
            assert!(texts.is_empty());
            // Whatever it says, it is a code that may be sent.
            assert!(
                answer.is_none_or(|a| !matches!(a, 0..=999 | 1004 | 1006 | 1015)),
                "{code}: {answer:?}"
            );
        }
    }

    /// W-33
    #[tokio::test]
    async fn data_after_a_close_frame_is_not_processed() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let mut bytes = frame(CLOSE, &code_bytes(1000));
        bytes.extend(frame(TEXT, message(&juliet.jid, "never").as_bytes()));
        romeo.ws.raw(bytes).await;
        let (texts, code) = romeo.ws.read_to_end().await;
        assert!(texts.is_empty() && code.is_some(), "{texts:?} {code:?}");
        juliet.hears_nothing().await;
    }

    /// W-98: 1002, 1003 and 1007 stand at the faults above.
    #[tokio::test]
    async fn close_codes_say_why() {
        let server = TestServer::start().await;
        let mut long = Client::open(&server).await;
        long.send(&format!("<a>{}</a>", "x".repeat(11_000))).await;
        long.ws.ends_with(1009).await;
        let mut deep = Client::open(&server).await;
        deep.send(&"<a>".repeat(200)).await;
        deep.ws.ends_with(1008).await;
        let mut bye = Client::open(&server).await;
        bye.send(kit::xmpp::CLOSE_STREAM).await;
        bye.ws.ends_with(1000).await;
        let mut last = Client::login(&server, "romeo").await;
        let stopping = tokio::spawn(server.server.stop());
        let texts = last.ws.ends_with(1001).await;
        assert!(texts[0].contains("<system-shutdown "), "{texts:?}");
        drop(last);
        assert!(
            within("the stop", stopping)
                .await
                .expect("no panic")
                .in_time
        );
    }
}
