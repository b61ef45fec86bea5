//! Conversations from the specifications, byte for byte.

use super::*;

struct Vector {
    mechanism: Mechanism,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    proof: &'static str,
    signature: &'static str,
}

#[track_caller]
fn replay(vector: &Vector) {
    let hash = vector
        .mechanism
        .scram_hash()
        .expect("one of the SCRAM family");
    let salt = STANDARD.decode(vector.salt).expect("base64");
    let keys = ScramKeys::derive(hash, "pencil", salt, 4096).expect("sound");
    let link = LinkSecurity::Confidential;
    let offer = Arc::new(Offer::new([vector.mechanism], &link).without_downgrade_hash());
    let mut exchange = Exchange::new(vector.mechanism, realm(), offer, ChannelBinding::NONE)
        .expect("offered")
        .with_nonce(vector.server_nonce);

    let first = format!("n,,n=user,r={}", vector.client_nonce);
    let step = exchange.on_message(Some(first.as_bytes()));
    assert_eq!(
        step,
        Step::LookUp {
            username: "user".to_owned()
        }
    );
    let server_first = challenge(exchange.on_credentials(Some([keys].into_iter().collect())));
    let Vector {
        client_nonce,
        server_nonce,
        salt,
        proof,
        signature,
        ..
    } = vector;
    assert_eq!(
        server_first,
        format!("r={client_nonce}{server_nonce},s={salt},i=4096")
    );

    let client_final = format!("c=biws,r={client_nonce}{server_nonce},p={proof}");
    let data = Some(format!("v={signature}").into_bytes());
    let success = Step::Success {
        username: "user".to_owned(),
        data,
    };
    assert_eq!(exchange.on_message(Some(client_final.as_bytes())), success);
}

/// RFC 5802 §5.
#[test]
fn conversation_of_rfc_5802_succeeds_with_its_signature() {
    replay(&Vector {
        mechanism: Mechanism::ScramSha1,
        client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        signature: "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    });
}

/// RFC 7677 §3.
#[test]
fn conversation_of_rfc_7677_succeeds_with_its_signature() {
    replay(&Vector {
        mechanism: Mechanism::ScramSha256,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    });
}

/// No specification has a conversation for SHA-512; this is RFC 7677's, reckoned with `hashlib` and
/// `hmac` of Python 3.
#[test]
fn conversation_with_sha_512_succeeds_with_the_signature_that_python_computes() {
    replay(&Vector {
        mechanism: Mechanism::ScramSha512,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        proof: "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTx\
                wnYPJQ==",
        signature: "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199R\
                    VG2rR7N7Zw==",
    });
}

/// The conversation of XEP-0474 §6.3, whose binding value is too short for a real exporter.
#[test]
fn conversation_of_xep_0474_has_its_hash_and_its_signature() {
    let enabled = [Mechanism::ScramSha1, Mechanism::ScramSha1Plus];
    let offer = Offer::new(enabled, &LinkSecurity::Tls(tls()));
    let h = offer.downgrade_hash(ScramHash::Sha1);
    assert_eq!(h.as_deref(), Some("G6k/rBLDqgOhRRaCuuatSDFkJ08="));

    let salt = STANDARD.decode("QSXCR+Q6sek8bf92").expect("base64");
    let keys = ScramKeys::derive(ScramHash::Sha1, "pencil", salt, 4096).expect("sound");
    let client_nonce = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
    let nonce = format!("{client_nonce}a09117a6-ac50-4f2f-93f1-93799c2bddf6");
    let bare = format!("n=user,r={client_nonce}");
    let binding_data = b"p=tls-exporter,,THIS IS FAKE CB DATA".to_vec();
    let challenge =
        super::super::scram::Challenge::new(keys, &bare, nonce.clone(), binding_data, h.as_deref());
    let client_final = format!(
        "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r={nonce},\
         x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4="
    );
    let signature = b"v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=".to_vec();
    assert_eq!(challenge.verify(client_final.as_bytes()), Ok(signature));
}
