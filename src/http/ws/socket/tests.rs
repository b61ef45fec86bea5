//! The socket beside tungstenite, which is the oracle of what a WebSocket may say.

use super::buffers::POOLED_BYTES;
use super::*;
use proptest::prelude::*;
use std::task::Waker;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

const LIMIT_BYTES: usize = 10_000;

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked(first, payload, [0x37, 0xfa, 0x21, 0x3d])
}

/// RFC 6455 §5.2, written down once more.
fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// How many bytes a frame with such a payload takes.
fn frame_bytes(payload_bytes: usize) -> usize {
    let mut out = Vec::new();
    write_frame(&mut out, OpCode::Data(Data::Text), &vec![0; payload_bytes]);
    out.len()
}

fn pair() -> (DuplexStream, Socket<DuplexStream>) {
    let (peer, io) = tokio::io::duplex(1024 * 1024);
    (peer, Socket::new(io, &[], LIMIT_BYTES))
}

/// What came, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary,
    SignOfLife,
    Close,
    Protocol(u16),
    TooLarge,
}

/// Everything until nothing more comes or can come.
fn hear(socket: &mut Socket<DuplexStream>) -> Vec<Heard> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut heard = Vec::new();
    loop {
        let one = match socket.poll_read(&mut cx) {
            Poll::Pending => break,
            Poll::Ready(Ok(Incoming::Text(text))) => Heard::Text(text.to_owned()),
            Poll::Ready(Ok(Incoming::Part)) => continue,
            Poll::Ready(Ok(Incoming::Binary)) => Heard::Binary,
            Poll::Ready(Ok(Incoming::SignOfLife)) => Heard::SignOfLife,
            Poll::Ready(Ok(Incoming::Close)) => Heard::Close,
            Poll::Ready(Err(SocketError::Protocol(code))) => Heard::Protocol(code.into()),
            Poll::Ready(Err(SocketError::TooLarge)) => Heard::TooLarge,
            Poll::Ready(Err(SocketError::Lost)) => break,
        };
        let is_last = !matches!(one, Heard::Text(_) | Heard::Binary | Heard::SignOfLife);
        heard.push(one);
        if is_last {
            break;
        }
    }
    socket.rest();
    heard
}

async fn written(peer: &mut DuplexStream, socket: &mut Socket<DuplexStream>) -> Vec<u8> {
    let waiting = socket.queued_bytes();
    let flushed = socket.poll_flush(&mut Context::from_waker(Waker::noop()));
    assert_eq!(flushed, Poll::Ready(Ok(())));
    let mut bytes = vec![0; waiting];
    peer.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// What waits for a peer is known to whoever reads from it, pongs among it.
#[tokio::test]
async fn pongs_that_the_peer_does_not_read_count_as_queued() {
    let (mut peer, mut socket) = pair();
    for pings in 1..=10 {
        peer.write_all(&frame(0x89, &[b'x'; 125])).await.unwrap();
        assert_eq!(hear(&mut socket), [Heard::SignOfLife]);
        assert_eq!(socket.queued_bytes(), pings * frame_bytes(125));
    }
    let pongs = written(&mut peer, &mut socket).await;
    assert_eq!(pongs.len(), 10 * frame_bytes(125));
    assert_eq!(socket.queued_bytes(), 0);
}

mod memory {
    use super::*;

    /// How much of the heap a socket holds.
    fn held(socket: &Socket<DuplexStream>) -> usize {
        socket.inbox.capacity() + socket.outbox.capacity() + socket.reader.capacity()
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_long_message_in_either_direction() {
        let (mut peer, mut socket) = pair();
        socket.set_max_message_bytes(300_000);
        let long = "x".repeat(200_000);
        peer.write_all(&frame(0x81, long.as_bytes())).await.unwrap();
        assert_eq!(hear(&mut socket), [Heard::Text(long.clone())]);
        socket.queue_text(&long);
        written(&mut peer, &mut socket).await;
        socket.rest();
        assert_eq!(held(&socket), 0);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_message_in_fragments() {
        let (mut peer, mut socket) = pair();
        peer.write_all(&frame(0x01, &[b'x'; 5000])).await.unwrap();
        assert_eq!(hear(&mut socket), []);
        peer.write_all(&frame(0x80, &[b'y'; 4000])).await.unwrap();
        assert_eq!(hear(&mut socket).len(), 1);
        assert_eq!(held(&socket), 0);
    }

    #[tokio::test]
    async fn half_a_frame_is_kept_in_as_many_bytes_as_it_has() {
        let (mut peer, mut socket) = pair();
        let whole = frame(0x81, "half of this waits".as_bytes());
        peer.write_all(&whole[..10]).await.unwrap();
        assert_eq!(hear(&mut socket), []);
        assert_eq!(held(&socket), 10);
        peer.write_all(&whole[10..]).await.unwrap();
        assert_eq!(
            hear(&mut socket),
            [Heard::Text("half of this waits".into())]
        );
        assert_eq!(held(&socket), 0);
    }

    /// A peer that announces much and sends little does not make the server hold much.
    #[tokio::test]
    async fn what_a_peer_announces_takes_no_room_before_it_comes() {
        let (mut peer, mut socket) = pair();
        socket.set_max_message_bytes(usize::MAX);
        let mut head = vec![0x81, 0x80 | 127];
        head.extend((1u64 << 40).to_be_bytes());
        head.extend([0; 4]);
        head.extend([b'x'; 100]);
        peer.write_all(&head).await.unwrap();
        assert_eq!(hear(&mut socket), []);
        assert_eq!(held(&socket), head.len());
    }

    #[tokio::test]
    async fn a_long_frame_in_small_pieces_takes_at_most_twice_its_bytes() {
        let (mut peer, mut socket) = pair();
        socket.set_max_message_bytes(1_000_000);
        let long = "y".repeat(500_000);
        let whole = frame(0x81, long.as_bytes());
        let mut sent = 0;
        for piece in whole.chunks(7_000) {
            assert!(
                held(&socket) <= 2 * sent.max(POOLED_BYTES),
                "{} of {sent}",
                held(&socket)
            );
            peer.write_all(piece).await.unwrap();
            sent += piece.len();
            let heard = hear(&mut socket);
            assert_eq!(heard.len(), usize::from(sent == whole.len()));
        }
        assert_eq!(held(&socket), 0);
    }

    /// What the peer does not take waits, and no more than that is held.
    #[tokio::test]
    async fn what_waits_for_a_peer_is_held_in_about_its_own_size() {
        let (peer, io) = tokio::io::duplex(1000);
        let mut socket = Socket::new(io, &[], LIMIT_BYTES);
        socket.queue_text(&"z".repeat(3000));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(socket.poll_flush(&mut cx).is_pending());
        socket.rest();
        assert_eq!(socket.queued_bytes(), frame_bytes(3000) - 1000);
        assert!(held(&socket) <= 2 * socket.queued_bytes());
        drop(peer);
    }
}

/// Pieces of what a client may send, right and wrong.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => "\\PC{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..400usize).prop_map(|len| vec![b'a'; len]),
        1 => Just(vec![b'b'; 11_000]),
    ];
    let first = prop_oneof![
        6 => Just(0x81u8), // text
        2 => Just(0x01), // the first fragment of one
        2 => Just(0x00), // a fragment
        2 => Just(0x80), // the last fragment
        1 => Just(0x82), // binary
        2 => Just(0x89), // ping
        1 => Just(0x8a), // pong
        1 => any::<u8>(),
    ];
    let close = (
        prop_oneof![Just(1000u16), Just(1005), Just(4000), any::<u16>()],
        "[a-z]{0,10}",
    );
    prop_oneof![
        12 => (first, payload, any::<[u8; 4]>())
            .prop_map(|(first, payload, mask)| masked(first, &payload, mask)),
        1 => close.prop_map(|(code, reason)| {
            let mut payload = code.to_be_bytes().to_vec();
            payload.extend(reason.into_bytes());
            frame(0x88, &payload)
        }),
        1 => Just(frame(0x88, &[])),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

/// What tungstenite makes of the same bytes.
fn oracle(bytes: &[u8]) -> Vec<Heard> {
    struct Bytes<'a>(&'a [u8]);
    impl std::io::Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match std::io::Read::read(&mut self.0, buffer)? {
                0 => Err(std::io::ErrorKind::WouldBlock.into()),
                read => Ok(read),
            }
        }
    }
    impl std::io::Write for Bytes<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT_BYTES))
        .max_frame_size(Some(LIMIT_BYTES));
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut io = Bytes(bytes);
    let mut heard = Vec::new();
    loop {
        let one = match context.read(&mut io) {
            Ok(Message::Text(text)) => Heard::Text(text.as_str().to_owned()),
            Ok(Message::Binary(_)) => Heard::Binary,
            Ok(Message::Close(_)) => Heard::Close,
            Ok(_) => Heard::SignOfLife,
            Err(Error::Capacity(_)) => Heard::TooLarge,
            Err(Error::Utf8(_)) => Heard::Protocol(1007),
            Err(Error::Protocol(_)) => Heard::Protocol(1002),
            Err(_) => return heard,
        };
        let is_last = !matches!(one, Heard::Text(_) | Heard::Binary | Heard::SignOfLife);
        heard.push(one);
        if is_last {
            return heard;
        }
    }
}

fn is_refusal(heard: Option<&Heard>) -> bool {
    matches!(heard, Some(Heard::Protocol(_) | Heard::TooLarge))
}

/// The same, but for when a refusal comes: tungstenite finds bad UTF-8 in the first fragments of a
/// message, and all else only when a frame is whole.
fn agree(ours: &[Heard], theirs: &[Heard], theirs_if_more_came: &[Heard]) -> bool {
    if let Some((Heard::Protocol(1007), before)) = theirs.split_last() {
        let of_data = |heard: &Heard| matches!(heard, Heard::Text(_) | Heard::Binary);
        return ours.starts_with(before) && !ours[before.len()..].iter().any(of_data);
    }
    match (ours.split_last(), theirs.split_last()) {
        (Some((last, before)), Some((refusal, same))) if is_refusal(Some(refusal)) => {
            is_refusal(Some(last)) && before == same
        }
        (Some((last, before)), _) if is_refusal(Some(last)) => {
            before == theirs && is_refusal(theirs_if_more_came.last())
        }
        _ => ours == theirs,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever comes, in whatever portions: the same messages as tungstenite has, and a refusal
    /// where it has one.
    #[test]
    fn it_hears_what_tungstenite_hears(
        pieces in prop::collection::vec(piece(), 0..12),
        portions in prop::collection::vec(1..200usize, 1..20),
    ) {
        let bytes: Vec<u8> = pieces.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ours = runtime.block_on(async {
            let (mut peer, mut socket) = pair();
            let mut heard = Vec::new();
            let mut rest = &bytes[..];
            for portion in portions.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*portion).min(rest.len()));
                rest = later;
                peer.write_all(now).await.unwrap();
                heard.extend(hear(&mut socket));
                if matches!(heard.last(), Some(Heard::Close)) || is_refusal(heard.last()) {
                    break;
                }
            }
            heard
        });
        let theirs = oracle(&bytes);
        let with_more = [&bytes[..], &[0; 2 * LIMIT_BYTES]].concat();
        prop_assert!(agree(&ours, &theirs, &oracle(&with_more)), "{ours:?}, but {theirs:?}");
    }

    /// What is queued is what a client of tungstenite reads.
    #[test]
    fn a_client_reads_what_was_queued(texts in prop::collection::vec("\\PC{0,300}", 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = runtime.block_on(async {
            let (mut peer, mut socket) = pair();
            for text in &texts {
                socket.queue_text(text);
            }
            written(&mut peer, &mut socket).await
        });
        let mut client = WebSocketContext::from_partially_read(bytes, Role::Client, None);
        let mut io = std::io::Cursor::new(Vec::new());
        for text in &texts {
            let message = client.read(&mut io).unwrap();
            prop_assert_eq!(message, Message::text(text.clone()));
        }
    }
}
