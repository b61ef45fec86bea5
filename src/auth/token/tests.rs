//! W6: who is let in by which token.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

/// What is now in these tests, in seconds.
const NOW: u64 = 1_800_000_000;

/// Bytes of a PKCS#8 wrapping before an RSA key of 2,048 bits.
const PKCS8_OF_RSA_BYTES: usize = 26;

/// Somebody who issues tokens.
pub(crate) struct Issuer {
    key: EncodingKey,
    algorithm: Algorithm,
    kid: Option<String>,
    /// Signs by itself where it is an Ed25519 key.
    pair: rcgen::KeyPair,
}

impl Issuer {
    fn new(kind: &'static rcgen::SignatureAlgorithm, algorithm: Algorithm, kid: &str) -> Self {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let der = pair.serialize_der();
        let key = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_der(&der),
            Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
            _ => EncodingKey::from_rsa_der(&der[PKCS8_OF_RSA_BYTES..]),
        };
        Self {
            key,
            algorithm,
            kid: Some(kid.to_owned()),
            pair,
        }
    }

    /// Signs by ES256, which is quick to make keys for.
    pub(crate) fn named(kid: &str) -> Self {
        Self::new(&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256, kid)
    }

    pub(crate) fn jwk(&self) -> Value {
        if self.algorithm == Algorithm::EdDSA {
            let x = URL_SAFE_NO_PAD.encode(self.pair.public_key_raw());
            return json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid});
        }
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = self.kid.clone();
        serde_json::to_value(jwk).unwrap()
    }

    /// The set of this key alone.
    fn set(&self) -> Arc<KeySet> {
        set(&[self.jwk()]).unwrap()
    }

    pub(crate) fn token(&self, claims: &Value) -> Token {
        self.token_with(claims, |_| {})
    }

    fn token_with(&self, claims: &Value, change: impl FnOnce(&mut Header)) -> Token {
        let mut header = Header::new(self.algorithm);
        header.kid = self.kid.clone();
        change(&mut header);
        let text = match self.algorithm {
            Algorithm::EdDSA => self.sign(&header, claims),
            _ => jsonwebtoken::encode(&header, claims, &self.key).unwrap(),
        };
        Token::new(&text).expect("a token")
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        let header = serde_json::to_vec(header).unwrap();
        let parts = [header, claims.to_string().into_bytes()];
        let message = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = rcgen::SigningKey::sign(&self.pair, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::named("one"));
static RSA: LazyLock<Issuer> =
    LazyLock::new(|| Issuer::new(&rcgen::PKCS_RSA_SHA256, Algorithm::RS256, "rsa"));

fn set(keys: &[Value]) -> Result<Arc<KeySet>, KeySetError> {
    KeySet::from_json(&json!({ "keys": keys }).to_string()).map(Arc::new)
}

fn options() -> JwtOptions {
    JwtOptions {
        issuer: Some("https://id.example.org".to_owned()),
        audience: Some("xmpp".to_owned()),
        leeway: Duration::from_secs(10),
        tier_claim: Some("tier".to_owned()),
        login_claim: Some("sid".to_owned()),
        ..JwtOptions::for_domain("example.org")
    }
}

fn bearers() -> Bearers {
    Bearers::new(Some(options()), FixedTokens::default()).with_keys(ISSUER.set())
}

/// Sound claims with one of them changed; `null` takes it away.
fn claims(name: &str, value: Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.example.org", "aud": ["mail", "xmpp"], "sub": "Romeo",
        "exp": NOW + 60, "nbf": NOW - 60, "tier": "gold", "sid": "S1",
    });
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value),
    };
    claims
}

fn sound() -> Value {
    claims("nothing", Value::Null)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn check(claims: &Value) -> Result<Admission, TokenError> {
    bearers().check(at(NOW), &ISSUER.token(claims))
}

fn fault(name: &str, fault: &'static str) -> TokenError {
    TokenError::Claim {
        name: name.to_owned(),
        fault,
    }
}

#[test]
fn w6_the_claims_of_a_token_are_an_admission() {
    let admission = check(&sound()).unwrap();
    let expected = Admission {
        jid: Some("romeo@example.org".parse().unwrap()),
        login: Some("S1".to_owned()),
        tier: Some("gold".to_owned()),
        expires: Some(at(NOW + 70)),
        ..Admission::default()
    };
    assert_eq!(admission, expected);
    let bare = check(&claims("sub", json!("juliet@example.net"))).unwrap();
    assert_eq!(bare.jid.unwrap().as_str(), "juliet@example.net");
    let without = check(&claims("tier", Value::Null)).unwrap();
    assert_eq!(without.tier, None);
}

#[test]
fn w6_a_token_may_name_no_account_where_it_is_a_gate_only() {
    let options = JwtOptions {
        user_claim: None,
        ..options()
    };
    let bearers = Bearers::new(Some(options), FixedTokens::default()).with_keys(ISSUER.set());
    let token = ISSUER.token(&claims("sub", Value::Null));
    assert_eq!(bearers.check(at(NOW), &token).unwrap().jid, None);
}

/// W6, W7: `exp` and `nbf`, each with the leeway and not a second more.
#[test]
fn w7_a_token_is_good_from_nbf_until_exp_with_the_leeway() {
    let token = ISSUER.token(&sound());
    for (seconds, expected) in [
        (NOW - 71, Err(TokenError::NotYet)),
        (NOW - 70, Ok(())),
        (NOW + 69, Ok(())),
        (NOW + 70, Err(TokenError::Expired)),
    ] {
        let found = bearers().check(at(seconds), &token).map(|_| ());
        assert_eq!(found, expected, "{seconds}");
    }
    let half = check(&claims("exp", json!(NOW as f64 + 0.5))).unwrap();
    assert_eq!(
        half.expires,
        Some(at(NOW + 10) + Duration::from_millis(500))
    );
}

#[test]
fn w6_each_claim_that_is_wrong_is_named_to_the_operator() {
    for (name, value, expected) in [
        ("exp", Value::Null, fault("exp", "is missing")),
        ("exp", json!("soon"), fault("exp", "is no time")),
        ("exp", json!(-1), fault("exp", "is no time")),
        ("exp", json!(1e300), fault("exp", "is no time")),
        ("exp", json!(u64::MAX), fault("exp", "is no time")),
        ("nbf", json!([]), fault("nbf", "is no time")),
        ("iss", Value::Null, TokenError::Issuer),
        ("iss", json!("https://id.example.net"), TokenError::Issuer),
        ("iss", json!(["https://id.example.org"]), TokenError::Issuer),
        ("aud", Value::Null, TokenError::Audience),
        ("aud", json!("mail"), TokenError::Audience),
        ("aud", json!(["mail", 7]), TokenError::Audience),
        ("aud", json!({"xmpp": true}), TokenError::Audience),
        ("sub", Value::Null, fault("sub", "is missing")),
        ("sub", json!(7), fault("sub", "is no text")),
        ("tier", json!(1), fault("tier", "is no text")),
    ] {
        assert_eq!(
            check(&claims(name, value.clone())),
            Err(expected),
            "{name} {value}"
        );
    }
    let no_account = fault(
        "sub",
        "is neither a bare address nor the name of an account",
    );
    for sub in [
        "",
        "a b",
        "a/b",
        "romeo@example.org/orchard",
        "@example.org",
        &"n".repeat(1024),
    ] {
        assert_eq!(
            check(&claims("sub", json!(sub))),
            Err(no_account.clone()),
            "{sub}"
        );
    }
}

#[test]
fn w6_without_issuer_and_audience_configured_none_are_asked_for() {
    let bearers = Bearers::new(
        Some(JwtOptions::for_domain("example.org")),
        FixedTokens::default(),
    );
    let token = ISSUER.token(&json!({"sub": "romeo", "exp": NOW + 1}));
    assert_eq!(bearers.check(at(NOW), &token), Err(TokenError::NoKeys));
    let bearers = bearers.with_keys(ISSUER.set());
    assert!(bearers.check(at(NOW), &token).is_ok());
}

#[test]
fn w6_every_asymmetric_algorithm_is_taken() {
    let issuers = [
        Issuer::named("p256"),
        Issuer::new(&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::ES384, "p384"),
        Issuer::new(&rcgen::PKCS_ED25519, Algorithm::EdDSA, "ed"),
    ];
    let mut keys: Vec<_> = issuers.iter().map(Issuer::jwk).collect();
    let mut any_rsa = RSA.jwk();
    any_rsa.as_object_mut().unwrap().remove("alg");
    keys.push(any_rsa);
    let bearers = bearers().with_keys(set(&keys).unwrap());
    for issuer in &issuers {
        let token = issuer.token(&sound());
        assert!(
            bearers.check(at(NOW), &token).is_ok(),
            "{:?}",
            issuer.algorithm
        );
    }
    for algorithm in [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ] {
        let token = RSA.token_with(&sound(), |header| header.alg = algorithm);
        assert!(bearers.check(at(NOW), &token).is_ok(), "{algorithm:?}");
    }
    // A key that names its algorithm is for no other one.
    let bearers = bearers.with_keys(RSA.set());
    let token = RSA.token_with(&sound(), |header| header.alg = Algorithm::PS256);
    let refused = bearers.check(at(NOW), &token);
    assert!(
        matches!(refused, Err(TokenError::UnknownKey { .. })),
        "{refused:?}"
    );
}

/// Whoever knows a public key could sign with it if it were taken for a secret.
#[test]
fn w6_a_token_signed_by_a_shared_secret_or_not_at_all_is_refused() {
    let public = RSA.jwk()["n"].as_str().unwrap().to_owned();
    for secret in [public.as_bytes(), b"", b"secret"] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("one".to_owned());
        let key = EncodingKey::from_secret(secret);
        let text = jsonwebtoken::encode(&header, &sound(), &key).unwrap();
        let token = Token::new(&text).unwrap();
        assert_eq!(bearers().check(at(NOW), &token), Err(TokenError::Algorithm));
    }
    // {"alg":"none"} and {}, of these claims, with no signature.
    let body = ISSUER
        .token(&sound())
        .as_str()
        .split('.')
        .nth(1)
        .unwrap()
        .to_owned();
    for header in ["eyJhbGciOiJub25lIn0", "e30"] {
        let token = Token::new(&format!("{header}.{body}.")).unwrap();
        let refused = bearers().check(at(NOW), &token);
        assert!(matches!(refused, Err(TokenError::NoJwt(_))), "{refused:?}");
    }
}

#[test]
fn w6_a_token_that_was_changed_or_is_somebody_elses_is_refused() {
    let token = ISSUER.token(&sound());
    let other = ISSUER.token(&claims("sub", json!("juliet")));
    let parts: Vec<_> = token.as_str().split('.').collect();
    let others: Vec<_> = other.as_str().split('.').collect();
    let mixed = format!("{}.{}.{}", parts[0], others[1], parts[2]);
    let unsigned = format!("{}.{}.", parts[0], parts[1]);
    for changed in [mixed, unsigned] {
        let changed = Token::new(&changed).unwrap();
        assert_eq!(
            bearers().check(at(NOW), &changed),
            Err(TokenError::Signature)
        );
    }
    let impostor = Issuer::named("one").token(&sound());
    assert_eq!(
        bearers().check(at(NOW), &impostor),
        Err(TokenError::Signature)
    );
}

#[test]
fn w6_a_key_that_is_not_in_the_set_is_told_from_a_wrong_signature() {
    let token = Issuer::named("two").token(&sound());
    let kid = Some("two".to_owned());
    let refused = bearers().check(at(NOW), &token).unwrap_err();
    assert_eq!(refused, TokenError::UnknownKey { kid });
    assert!(refused.wants_keys() && !refused.is_temporary());
    // Where one side names no key, any that fits is tried.
    let nameless = ISSUER.token_with(&sound(), |header| header.kid = None);
    let keys = set(&[Issuer::named("two").jwk(), ISSUER.jwk()]).unwrap();
    assert!(bearers().with_keys(keys).check(at(NOW), &nameless).is_ok());
}

#[test]
fn w6_a_token_with_critical_extensions_is_refused() {
    let token = ISSUER.token_with(&sound(), |header| {
        header.crit = Some(vec!["b64".to_owned()]);
    });
    assert_eq!(bearers().check(at(NOW), &token), Err(TokenError::Critical));
}

#[test]
fn w6_keys_that_cannot_be_meant_are_passed_over() {
    let mut encryption = ISSUER.jwk();
    encryption["use"] = json!("enc");
    let mut other_operations = ISSUER.jwk();
    other_operations["key_ops"] = json!(["encrypt"]);
    let mut short = RSA.jwk();
    short["n"] = json!(&short["n"].as_str().unwrap()[..170]); // 1,020 bits
    let useless = [
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "new", "alg": "ML-DSA-65"}),
        json!("not even an object"),
        encryption,
        other_operations,
        short,
    ];
    for key in &useless {
        let found = set(std::slice::from_ref(key)).unwrap_err();
        assert_eq!(found, KeySetError::NoneUsable(1), "{key}");
    }
    let mut keys = useless.to_vec();
    keys.push(ISSUER.jwk());
    let keys = set(&keys).unwrap();
    assert_eq!((keys.len(), keys.skipped()), (1, useless.len()));
}

#[test]
fn w6_a_text_that_is_no_set_of_keys_is_refused() {
    for text in ["", "{}", "[]", "<html>", r#"{"keys":7}"#] {
        let refused = KeySet::from_json(text);
        assert!(matches!(refused, Err(KeySetError::Json(_))), "{text}");
    }
    assert_eq!(set(&[]).unwrap_err(), KeySetError::NoneUsable(0));
    let many = vec![ISSUER.jwk(); KEYS_MAX + 1];
    assert_eq!(set(&many).unwrap_err(), KeySetError::TooMany(101));
}

/// SHA-256 of `sesame` and of `mellon`.
const LIST: &str = "
# token                                                          account           tier
d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5affb5d272 Romeo             gold
  D0C04F4B1951E4AEAAEC8223ED2039E542F3AAE805A6FA7F6D794E5AFFB5D273\tbot@example.net
";

#[test]
fn w6_a_fixed_token_is_known_by_its_hash() {
    let sesame: String = sha2_hex("sesame");
    let mellon: String = sha2_hex("mellon");
    let list = LIST
        .replace(
            "d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5affb5d272",
            &sesame,
        )
        .replace(
            "D0C04F4B1951E4AEAAEC8223ED2039E542F3AAE805A6FA7F6D794E5AFFB5D273",
            &mellon.to_uppercase(),
        );
    let fixed = FixedTokens::from_text(&list, "example.org").unwrap();
    assert_eq!(fixed.len(), 2);
    let bearers = Bearers::new(None, fixed);
    let check = |text| bearers.check(at(NOW), &Token::new(text).unwrap());
    let admission = check("sesame").unwrap();
    assert_eq!(admission.jid.unwrap().as_str(), "romeo@example.org");
    assert_eq!(admission.tier.as_deref(), Some("gold"));
    assert_eq!(admission.expires, None);
    assert_eq!(
        check("mellon").unwrap().jid.unwrap().as_str(),
        "bot@example.net"
    );
    assert_eq!(check("Sesame"), Err(TokenError::Unknown));
    let jwt = ISSUER.token(&sound());
    assert_eq!(bearers.check(at(NOW), &jwt), Err(TokenError::Unknown));
}

#[test]
fn w6_fixed_tokens_and_signed_ones_are_taken_side_by_side() {
    let line = format!("{} bot", sha2_hex("sesame"));
    let fixed = FixedTokens::from_text(&line, "example.org").unwrap();
    let bearers = Bearers::new(Some(options()), fixed).with_keys(ISSUER.set());
    let sesame = Token::new("sesame").unwrap();
    assert!(bearers.check(at(NOW), &sesame).is_ok());
    assert!(bearers.check(at(NOW), &ISSUER.token(&sound())).is_ok());
    let other = bearers.check(at(NOW), &Token::new("other").unwrap());
    assert!(matches!(other, Err(TokenError::NoJwt(_))));
}

#[test]
fn w6_a_list_of_tokens_says_which_line_is_wrong_and_nothing_of_it() {
    let hash = sha2_hex("sesame");
    for (line, why) in [
        ("sesame romeo".to_owned(), "64 hexadecimal digits"),
        (format!("{}g romeo", &hash[1..]), "64 hexadecimal digits"),
        (hash.clone(), "no account"),
        (format!("{hash} a@b/c"), "cannot be one"),
        (format!("{hash} romeo gold x"), "after the tier"),
        (format!("{hash} romeo\n{hash} juliet"), "line 4: the same"),
    ] {
        let refused = FixedTokens::from_text(&format!("# tokens\n\n{line}"), "example.org");
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(why) && refused.starts_with("line"),
            "{refused}"
        );
        assert!(
            !refused.contains("sesame") && !refused.contains(&hash[1..20]),
            "{refused}"
        );
    }
}

fn sha2_hex(text: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_can_be_a_token_is_one_and_is_never_shown() {
    for text in ["a", "a.b.c", "AZaz09-._~+/==", &"t".repeat(TOKEN_BYTES_MAX)] {
        let token = Token::new(text).expect("a token");
        assert_eq!(token.as_str(), text);
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
    for text in [
        "",
        "=",
        "a b",
        "a=b",
        "é",
        "a\n",
        &"t".repeat(TOKEN_BYTES_MAX + 1),
    ] {
        assert_eq!(Token::new(text), None, "{text:?}");
    }
    let fixed = FixedTokens::default();
    assert!(fixed.is_empty());
    assert_eq!(format!("{fixed:?}"), "FixedTokens(0)");
}

proptest::proptest! {
    #[test]
    fn anything_at_all_can_be_shown_as_a_token(text in "[A-Za-z0-9._~+/-]{1,300}={0,2}") {
        let token = Token::new(&text).unwrap();
        proptest::prop_assert!(bearers().check(at(NOW), &token).is_err());
    }

    /// Claims of any kind are answered without a panic.
    #[test]
    fn claims_may_be_anything(exp in proptest::num::f64::ANY, nbf in proptest::num::f64::ANY, sub in ".{0,40}") {
        let mut any = claims("sub", json!(sub));
        any["exp"] = json!(exp);
        any["nbf"] = json!(nbf);
        let _ = check(&any);
    }
}
