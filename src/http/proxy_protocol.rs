//! The PROXY protocol, versions 1 and 2: how a proxy that passes bytes on, and does not read
//! HTTP, tells whose connection it is.
//!
//! A pure function over the first bytes of a connection. The listener calls it only when the
//! socket belongs to a trusted proxy; the bytes of anybody else are never read as PROXY.
//!
//! Spec: <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header of version 1, line end included (§2.1).
pub const V1_HEADER_MAX_BYTES: usize = 107;
/// Longest header of version 2 that is read: the largest address block and room for its
/// extensions. The format allows 64 KiB, which nobody needs.
pub const V2_HEADER_MAX_BYTES: usize = 4096;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preface {
    /// So far the beginning of a header: read more and ask again with everything.
    Incomplete,
    /// No PROXY header: all bytes belong to the connection itself.
    Absent,
    /// A whole header.
    Header(ProxyHeader),
    /// Begins as a header and then is none, or is over its bound: end the connection (§2).
    Invalid,
}

/// What a PROXY header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The client. `None` when the proxy speaks for itself (a health check: `LOCAL`, §2.2) or
    /// cannot say (`UNKNOWN`, a UNIX socket): the socket's own address then counts.
    pub source: Option<SocketAddr>,
    /// Whether the client came to the proxy by TLS; `None` when the header does not say
    /// (`PP2_TYPE_SSL`, §2.2.6).
    pub tls: Option<bool>,
    /// How many bytes the header took; what follows is the connection's.
    pub len_bytes: usize,
}

/// Reads the first bytes of a connection from a trusted proxy.
///
/// Decides `Absent` at the first byte that no header has there, so that no connection waits for
/// bytes that will not come. Cost: O(bytes), bounded by [`V2_HEADER_MAX_BYTES`].
pub fn read_preface(bytes: &[u8]) -> Preface {
    if begins(bytes, V2_SIGNATURE) {
        read_v2(bytes)
    } else if begins(bytes, V1_SIGNATURE) {
        read_v1(bytes)
    } else {
        Preface::Absent
    }
}

/// Whether `bytes` begin with `signature`, or are themselves a beginning of it.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(a, b)| a == b)
}

fn read_v1(bytes: &[u8]) -> Preface {
    let head = bytes.get(..V1_HEADER_MAX_BYTES).unwrap_or(bytes);
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if head.len() < V1_HEADER_MAX_BYTES {
            Preface::Incomplete
        } else {
            Preface::Invalid
        };
    };
    let line = head
        .get(V1_SIGNATURE.len()..end)
        .and_then(|line| std::str::from_utf8(line).ok());
    match line.and_then(v1_source) {
        Some(source) => Preface::Header(ProxyHeader {
            source,
            tls: None,
            len_bytes: end + 2,
        }),
        None => Preface::Invalid,
    }
}

/// The source of `TCP4 192.0.2.1 198.51.100.1 56324 443`; the outer `None` means malformed (§2.1).
fn v1_source(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None); // whatever follows is to be ignored (§2.1)
    }
    let (source, destination): (IpAddr, IpAddr) = match family {
        "TCP4" => (
            v1_address::<Ipv4Addr>(words.next())?,
            v1_address::<Ipv4Addr>(words.next())?,
        ),
        "TCP6" => (
            v1_address::<Ipv6Addr>(words.next())?,
            v1_address::<Ipv6Addr>(words.next())?,
        ),
        _ => return None,
    };
    let source = SocketAddr::new(source.to_canonical(), v1_port(words.next())?);
    let _ = SocketAddr::new(destination, v1_port(words.next())?);
    words.next().is_none().then_some(Some(source))
}

fn v1_address<A: std::str::FromStr + Into<IpAddr>>(word: Option<&str>) -> Option<IpAddr> {
    word?.parse::<A>().ok().map(Into::into)
}

fn v1_port(word: Option<&str>) -> Option<u16> {
    let digits = word?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn read_v2(bytes: &[u8]) -> Preface {
    let Some((fixed, rest)) = bytes.split_first_chunk::<V2_FIXED_BYTES>() else {
        return Preface::Incomplete;
    };
    let [.., version_command, family, len_high, len_low] = *fixed;
    let body_bytes = usize::from(u16::from_be_bytes([len_high, len_low]));
    let len_bytes = V2_FIXED_BYTES + body_bytes;
    if version_command >> 4 != 2 || len_bytes > V2_HEADER_MAX_BYTES {
        return Preface::Invalid;
    }
    let Some(body) = rest.get(..body_bytes) else {
        return Preface::Incomplete;
    };
    match v2_content(version_command & 0x0f, family, body) {
        Some((source, tls)) => Preface::Header(ProxyHeader {
            source,
            tls,
            len_bytes,
        }),
        None => Preface::Invalid,
    }
}

type Content = (Option<SocketAddr>, Option<bool>);

/// The outer `None` means malformed (§2.2).
fn v2_content(command: u8, family: u8, body: &[u8]) -> Option<Content> {
    match command {
        COMMAND_LOCAL => Some((None, None)),
        COMMAND_PROXY => {
            let (source, extensions) = v2_source(family, body)?;
            Some((source, v2_tls(extensions)?))
        }
        _ => None,
    }
}

/// The source address, and the extensions that follow the address block.
fn v2_source(family: u8, body: &[u8]) -> Option<(Option<SocketAddr>, &[u8])> {
    match family >> 4 {
        FAMILY_INET => {
            let (block, extensions) = body.split_first_chunk::<12>()?;
            let [a, b, c, d, _, _, _, _, port_high, port_low, ..] = *block;
            let port = u16::from_be_bytes([port_high, port_low]);
            Some((Some((Ipv4Addr::new(a, b, c, d), port).into()), extensions))
        }
        FAMILY_INET6 => {
            let (block, extensions) = body.split_first_chunk::<36>()?;
            let address = Ipv6Addr::from(*block.first_chunk::<16>()?);
            let [.., port_high, port_low, _, _] = *block;
            let port = u16::from_be_bytes([port_high, port_low]);
            Some((
                Some(SocketAddr::new(IpAddr::V6(address).to_canonical(), port)),
                extensions,
            ))
        }
        FAMILY_UNIX => body
            .get(UNIX_BLOCK_BYTES..)
            .map(|extensions| (None, extensions)),
        FAMILY_UNSPEC => Some((None, &[])),
        _ => None,
    }
}

/// Walks the extensions (type, two bytes of length, value) for `PP2_TYPE_SSL`; the outer `None`
/// means that one runs over the end.
fn v2_tls(mut extensions: &[u8]) -> Option<Option<bool>> {
    let mut tls = None;
    while let [kind, len_high, len_low, rest @ ..] = extensions {
        let len = usize::from(u16::from_be_bytes([*len_high, *len_low]));
        let (value, after) = rest.split_at_checked(len)?;
        if *kind == TYPE_SSL {
            tls = value.first().map(|client| client & CLIENT_SSL != 0);
        }
        extensions = after;
    }
    extensions.is_empty().then_some(tls)
}

const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length (§2.2).
const V2_FIXED_BYTES: usize = 16;
const COMMAND_LOCAL: u8 = 0;
const COMMAND_PROXY: u8 = 1;
const FAMILY_UNSPEC: u8 = 0;
const FAMILY_INET: u8 = 1;
const FAMILY_INET6: u8 = 2;
const FAMILY_UNIX: u8 = 3;
const UNIX_BLOCK_BYTES: usize = 216;
const TYPE_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(source: &str, len_bytes: usize) -> Preface {
        let source = Some(source.parse().unwrap());
        Preface::Header(ProxyHeader {
            source,
            tls: None,
            len_bytes,
        })
    }

    /// A version 2 header with the given command, family and body.
    pub(crate) fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    pub(crate) const V4_BLOCK: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];

    #[test]
    fn v1_line_names_the_source() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /";
        assert_eq!(read_preface(line), header("192.0.2.1:56324", 45));
        let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n";
        assert_eq!(read_preface(line), header("[2001:db8::1]:56324", 46));
    }

    #[test]
    fn v1_unknown_keeps_the_sockets_own_address() {
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"] {
            let expected = ProxyHeader {
                source: None,
                tls: None,
                len_bytes: line.len(),
            };
            assert_eq!(read_preface(line.as_bytes()), Preface::Header(expected));
        }
    }

    #[test]
    fn v1_line_that_is_malformed_ends_the_connection() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 9\r\n",
            "PROXY TCP4 2001:db8::1 198.51.100.1 56324 443\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +5632 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            "PROXY \r\n",
        ] {
            assert_eq!(read_preface(line.as_bytes()), Preface::Invalid, "{line:?}");
        }
    }

    #[test]
    fn v1_line_longer_than_107_bytes_is_refused_without_waiting_for_its_end() {
        let endless = [b"PROXY ".as_slice(), &[b'A'; 101]].concat();
        assert_eq!(read_preface(&endless[..106]), Preface::Incomplete);
        assert_eq!(read_preface(&endless), Preface::Invalid);
    }

    #[test]
    fn v2_header_names_the_source_of_both_families() {
        assert_eq!(
            read_preface(&v2(1, 0x11, &V4_BLOCK)),
            header("192.0.2.1:56324", 28)
        );
        let mut block = [0; 36];
        block[15] = 1;
        block[32..34].copy_from_slice(&56324u16.to_be_bytes());
        assert_eq!(
            read_preface(&v2(1, 0x21, &block)),
            header("[::1]:56324", 52)
        );
    }

    #[test]
    fn v2_local_and_unix_and_unspecified_keep_the_sockets_own_address() {
        for bytes in [
            v2(0, 0x11, &V4_BLOCK),
            v2(1, 0x31, &[0; 216]),
            v2(1, 0x00, b"junk"),
        ] {
            let expected = ProxyHeader {
                source: None,
                tls: None,
                len_bytes: bytes.len(),
            };
            assert_eq!(read_preface(&bytes), Preface::Header(expected));
        }
    }

    #[test]
    fn v2_extension_says_whether_the_client_used_tls() {
        for (flags, tls) in [(0x01, true), (0x00, false)] {
            let body = [V4_BLOCK.as_slice(), &[0x20, 0, 5, flags, 0, 0, 0, 0]].concat();
            let Preface::Header(header) = read_preface(&v2(1, 0x11, &body)) else {
                panic!("no header");
            };
            assert_eq!(header.tls, Some(tls));
        }
    }

    #[test]
    fn v2_header_that_is_malformed_ends_the_connection() {
        let overrun = [V4_BLOCK.as_slice(), &[0x20, 0, 9, 1]].concat();
        let stub = [V4_BLOCK.as_slice(), &[0x20, 0]].concat();
        for bytes in [
            v2(2, 0x11, &V4_BLOCK),
            v2(1, 0x41, &V4_BLOCK),
            v2(1, 0x11, &V4_BLOCK[..11]),
            v2(1, 0x11, &overrun),
            v2(1, 0x11, &stub),
            v2(1, 0x11, &[0; V2_HEADER_MAX_BYTES]),
        ] {
            assert_eq!(read_preface(&bytes), Preface::Invalid, "{bytes:?}");
        }
        let mut version_1 = v2(1, 0x11, &V4_BLOCK);
        version_1[12] = 0x11;
        assert_eq!(read_preface(&version_1), Preface::Invalid);
    }

    #[test]
    fn other_protocols_are_absent_at_the_first_byte_that_differs() {
        for bytes in [
            "GET / HTTP/1.1\r\n",
            "POST",
            "PROPFIND / HTTP/1.1",
            "\r\n\r\nGET",
            "\u{16}",
        ] {
            assert_eq!(read_preface(bytes.as_bytes()), Preface::Absent, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_header_is_incomplete(cut in 0usize..28) {
            prop_assert_eq!(read_preface(&v2(1, 0x11, &V4_BLOCK)[..cut]), Preface::Incomplete);
            let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
            prop_assert_eq!(read_preface(&line[..cut]), Preface::Incomplete);
        }

        #[test]
        fn any_bytes_are_answered_and_a_header_never_exceeds_them(
            which in 0usize..3, tail in proptest::collection::vec(any::<u8>(), 0..300)
        ) {
            let start: &[u8] = [b"".as_slice(), V1_SIGNATURE, V2_SIGNATURE][which];
            let bytes = [start, &tail].concat();
            if let Preface::Header(header) = read_preface(&bytes) {
                prop_assert!(header.len_bytes <= bytes.len());
            }
        }
    }
}
