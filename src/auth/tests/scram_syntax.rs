//! What SCRAM messages may not look like.

use super::*;

///
#[test]
fn final_message_with_another_nonce_is_not_authorized() {
    for nonce in ["clientnonce", "clientnonceAAAAAAAAAAAAAAAAAAAAAAAA", ""] {
        let refusal = refusal_of_final(|honest| ClientFinal { nonce, ..honest }.message());
        assert_eq!(refusal, Refusal::NonceMismatch.into(), "{nonce:?}");
    }
}

///
#[test]
fn proof_that_is_zero_empty_or_not_of_the_hashs_size_is_refused() {
    let with_proof = |proof: &str| {
        refusal_of_final(|honest| format!("{},p={proof}", honest.without_proof()).into_bytes())
    };
    assert_eq!(
        with_proof(&STANDARD.encode([0; 32])),
        Refusal::WrongPassword.into()
    );
    let [overlong, short] = [&[0; 33][..], &[0; 20]].map(|proof| STANDARD.encode(proof));
    for proof in [&overlong, &short, "", "AAA", "no base64"] {
        assert_eq!(with_proof(proof), Malformed::BadProof.into(), "{proof:?}");
    }
}

///
#[test]
fn channel_binding_that_does_not_repeat_the_gs2_header_is_not_authorized() {
    for binding_data in [&b"y,,"[..], b"n,a=user@example.org,", b"n,,x", b""] {
        let refusal = refusal_of_final(|honest| {
            ClientFinal {
                binding_data,
                ..honest
            }
            .message()
        });
        assert_eq!(
            refusal,
            Refusal::ChannelBindingMismatch.into(),
            "{binding_data:?}"
        );
    }
}

///
#[test]
fn final_message_with_parts_missing_or_out_of_order_is_malformed() {
    for message in [
        "",
        "c=biws",
        "c=biws,r=x",
        "r=x,c=biws,p=AA==",
        "c=biws,p=AA==",
        "p=AA==",
    ] {
        let refusal = refusal_of_final(|_| message.as_bytes().to_vec());
        assert_eq!(refusal, Malformed::Syntax.into(), "{message:?}");
    }
}

///
#[test]
fn final_message_with_parts_repeated_or_extensions_that_are_none_is_malformed() {
    for extensions in [
        ",c=biws", ",r=x", ",p=AA==", ",xx=1", ",1=x", ",x", ",x=", ",",
    ] {
        let refusal = refusal_of_final(|honest| {
            ClientFinal {
                extensions,
                ..honest
            }
            .message()
        });
        assert_eq!(refusal, Malformed::Syntax.into(), "{extensions:?}");
    }
}

///
#[test]
fn reserved_extension_is_refused_wherever_it_stands() {
    let refused = SaslFailure::from(Malformed::ReservedExtension);
    assert_eq!(refusal_of_first("n,,m=1,n=user,r=nonce"), refused);
    assert_eq!(refusal_of_first("n,,n=user,r=nonce,m=1"), refused);
    assert_eq!(
        refusal_of_final(|_| b"m=1,c=biws,r=x,p=AA==".to_vec()),
        refused
    );
    let refusal = refusal_of_final(|honest| {
        ClientFinal {
            extensions: ",m=1",
            ..honest
        }
        .message()
    });
    assert_eq!(refusal, refused);
}

///
#[test]
fn empty_name_bare_equals_and_empty_nonce_are_malformed() {
    assert_eq!(
        refusal_of_first("n,,n=,r=nonce"),
        Malformed::EmptyUsername.into()
    );
    assert_eq!(
        refusal_of_first("n,,n=us=er,r=nonce"),
        Malformed::BareEquals.into()
    );
    assert_eq!(
        refusal_of_first("n,,n=user=2c,r=nonce"),
        Malformed::BareEquals.into()
    );
    assert_eq!(refusal_of_first("n,,n=user,r="), Malformed::BadNonce.into());
    assert_eq!(
        refusal_of_first("n,,n=user,r=a b"),
        Malformed::BadNonce.into()
    );
    assert_eq!(
        refusal_of_first("n,,n=user,r=é"),
        Malformed::BadNonce.into()
    );
}

#[test]
fn first_message_with_parts_missing_repeated_or_out_of_order_is_malformed() {
    let messages = "|n|n,|n,,|n,,n=user|n,,r=nonce,n=user|n,n=user,r=nonce|,,n=user,r=nonce|\
                    n,,n=user,r=nonce,n=other|n,,n=user,r=nonce,|n,,n=user,r=nonce,1=x|\
                    nn,,n=user,r=nonce|n,a,n=user,r=nonce|n,a=,n=user,r=nonce|\
                    n,b=user,n=user,r=nonce";
    for message in messages.split('|') {
        let refusal = refusal_of_first(message);
        assert_eq!(
            refusal.condition(),
            "malformed-request",
            "{message:?}: {refusal}"
        );
    }
}

#[test]
fn message_that_is_not_utf8_or_has_a_nul_is_malformed() {
    let not_utf8 = send(
        &mut exchange(Mechanism::ScramSha256),
        b"n,,n=us\xffer,r=nonce",
    );
    assert_eq!(failure(not_utf8), Malformed::NotText.into());
    assert_eq!(
        refusal_of_first("n,,n=us\0er,r=nonce"),
        Malformed::NotText.into()
    );
}
