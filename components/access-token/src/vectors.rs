//! Vectors: tokens that every verifier must accept, or refuse for the same reason.
//!
//! The private keys were made for tests and are used nowhere else. The module exists in tests, and for the tests of the
//! programs that verify tokens.

#![expect(clippy::unwrap_used, reason = "a test may stop at its first surprise")]

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::{LEEWAY, MAX_LENGTH, SigningKey, TokenError, now};

/// An issuer.
pub const ISSUER: &str = "https://issuer.example";

/// The name of this platform in tokens.
pub const AUDIENCE: &str = "socar";

/// The private keys of an issuer.
pub struct VectorKeys([TestKey; 3]);

/// Tokens, and the public keys to verify them with. Some tokens are close to a limit of time: they are what they should be
/// for half a minute.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// A JSON Web Key Set.
    pub keys: String,
    /// The tokens. Those that are accepted are of the customer `alice`.
    pub tokens: Vec<Vector>,
    /// A token that is accepted and gives no role.
    pub without_role: String,
}

/// One token.
#[derive(Clone, Debug)]
pub struct Vector {
    /// What the token tests.
    pub name: String,
    /// The token.
    pub token: String,
    /// Whether it is accepted, or why not.
    pub expected: Result<(), TokenError>,
}

/// A key of an issuer.
pub(crate) struct TestKey {
    pub(crate) id: &'static str,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

/// An RSA key of 2048 bits in PKCS #1.
const RSA: &str = "\
    MIIEpAIBAAKCAQEAswH2pzD/+WhIQhhPLlbyMzkUPBo27rr7O+4iofde4UEoA/hYFYFD9g24r/8yhcb85Dl6fp5Pl+SYowslMx/ZHz4OxAIvEa\
    MW2/Bgzb0YuTN7Bx6YM6JDYszubv+XId/pylp+ByXSz2bi6Dm8zg1yVQ96fKgEyMtB0CjPdCLWcVI2OgISoGLgd4vKVh8p/HzSLkYf7kcoa4iY\
    A74lRvNQ1bO7yjdliKZGL+XEasOJSwkdRnLdtgQz7OCHbwGclS8M2QtDt5H+7BHtwoDPqVRRtgyniFIM6lmHL43HcAiEaTT3Sy7EFLSXKIh328\
    26UGlD8Mt4gAUd9VrndHvHCwXKPwIDAQABAoIBABE4WKJ3x8AV5JGbJg7WpWEBFi279dncWevHekRreBCiRHexTcPv1fpXEpO3sIQHAu/viZWh\
    pBWAE6DnoxH6d9gWD7SSYzXGox3QT3erP7QdPDIQouKgsuvPvAYoh0DmeeaR8vq8DD4QbzaYy01lJMEDBqz0OtWYHAIq0t4gtdFbxhX71MSa0U\
    8g5fa3pX9MHZJ+1uUVI/kKEs11cMxwbM1AHB1G0ymryZOuZLq/exy8RuCdRgsjfyxhdildPOh8Dfp636083CDdRMx/9amywhkp2aVHaRifsSem\
    kPw9RniXPNSo2sU5eak0C1WRyxAjmJ+/31W5xRSoabIMAUkzee0CgYEA+fVDrXdGb3IYQsxDEXTM6b/zpEhyrGydfkJjzkz+U55EfvOBL1i1yy\
    kJttcFxXRs1sk057qZBtadhvFyyJHJ5gJYVXSzqktuCj/otIJsspk5M1SEItejDTZmtrqP+BGEannRdmmi7YVDHoXmiMIBSyUe5QM+8PEYWULV\
    U0+R2j0CgYEAt1Wo0rz+jxzKkIH6TEOluJzry4sHV00QBI7Esk3RxiXV3+V5d7mybLboYWwuvIALCzBO2LVz+ZVVHEWgmj4IFZ7Pl5VWbZIbgd\
    Jan0HEz2qhB3RYXYOqsH46wO0XJXkPKkBK1J5pB+rfAA8Pl1FEeLsWNYBDETRborOZ7pO6yisCgYEA7OUmXyDMAJOBqs0sQz8PdfoWT3zaMdA+\
    84q4TK1r3JQDFs5xgQ3yPbmHG2JuddUB0g6ftX+DyJdedKYgwzZowzU1wsf3/0293Lj1Mx7pJdtR+vP+x4bXYY5NiqEGEXWIqeEKQ8+aOsIx+p\
    utAa/cyftEbIfG/1OAYBiXVX30HYECgYB26xs8xtaf4d8K6SR//4kpPLA+MQor+JKhQjIYLh4Z10TpnCG0JUG0/texCckvACcptMYQD3MQu2qf\
    khJgukfoLkEdZALRw+oPxXB+yNxuZg3ZlgATeGppXRejOKbA6cuKbnWbgL1EI3dOxHYqgs5VOZVoUrAuIrYlzTXV6QFKTQKBgQDiZtNbgr31Cl\
    NfgNRvVpCf9LUVy/YhG++so6LaJyzh8UAZO/4MLj+85yRN32BV1Liz1F2ECGPaNF9VWoWuESmuWQ1CPoom9t8pNE7cktDvaU5i+m2UJpvYSdgI\
    j/opi1rrBmCUbNP15ujZu5jzUcuA5rS4IRNly8su1zLrpgG2Ng==";

/// A P-256 key in PKCS #8.
const EC: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguwBhwYZHkjwS6mMT31Ac9LW7kQP/BCtN0yBblfU9LW2hRANCAATSOiJp8Gp6Wv\
    i1YiegEYTWVhuJRtW6SB118t2nrDbKX7ykt9kXZy6CiREUNBPUCp4dVMnnlYjlsVPDKiFNaAVT";

// === impl VectorKeys ===

impl VectorKeys {
    /// Keys of each algorithm.
    #[must_use]
    pub fn new() -> Self {
        Self([TestKey::rsa(), TestKey::ec(), TestKey::ed()])
    }

    /// The public keys: a JSON Web Key Set.
    #[must_use]
    pub fn public_set(&self) -> String {
        let keys = self.0.each_ref().map(TestKey::public);
        json!({ "keys": keys }).to_string()
    }
}

impl Default for VectorKeys {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Vectors ===

impl Vectors {
    /// Vectors of this issuer for this audience, with keys of their own.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self::signed_by(&VectorKeys::new(), issuer, audience)
    }

    /// Vectors of this issuer for this audience. The time of the tokens begins with this call.
    #[must_use]
    pub fn signed_by(keys: &VectorKeys, issuer: &str, audience: &str) -> Self {
        let [rsa, ec, ed] = &keys.0;
        let claims = Claims { issuer, audience };
        let mut vectors = Self {
            keys: keys.public_set(),
            tokens: Vec::new(),
            without_role: ec.token(&claims.with("roles", json!(["visitor"]))),
        };
        for key in [ec, rsa, ed] {
            let name = format!("a token of {:?}", key.algorithm);
            vectors.add(&name, key.token(&claims.valid()), Ok(()));
        }
        vectors.add_claims(ec, &claims);
        vectors.add_headers(ec, &claims);
        vectors.add_keys([rsa, ec, ed], &claims);
        vectors.add_forms(ec, &claims);
        vectors
    }

    /// A token that is accepted.
    #[must_use]
    pub fn accepted(&self) -> &Vector {
        &self.tokens[0]
    }

    fn add(&mut self, name: &str, token: String, expected: Result<(), TokenError>) {
        self.tokens.push(Vector {
            name: name.to_owned(),
            token,
            expected,
        });
    }

    /// Dates, issuers, audiences and subjects.
    fn add_claims(&mut self, key: &TestKey, claims: &Claims<'_>) {
        let Claims { issuer, audience } = claims;
        for (name, value, expected) in [
            ("exp", json!(now() - LEEWAY + 30), Ok(())),
            ("nbf", json!(now() + LEEWAY - 30), Ok(())),
            ("aud", json!(["other", audience]), Ok(())),
            ("exp", json!(now() - LEEWAY - 2), Err(TokenError::Expired)),
            ("exp", Value::Null, Err(TokenError::Claim)),
            ("exp", json!("tomorrow"), Err(TokenError::Claim)),
            ("exp", json!(-1), Err(TokenError::Claim)),
            (
                "nbf",
                json!(now() + LEEWAY + 60),
                Err(TokenError::NotYetValid),
            ),
            ("nbf", json!("today"), Err(TokenError::Claim)),
            (
                "iss",
                json!("https://other.example"),
                Err(TokenError::Issuer),
            ),
            ("iss", json!(format!("{issuer}/")), Err(TokenError::Issuer)),
            ("iss", json!([issuer]), Err(TokenError::Claim)),
            ("iss", Value::Null, Err(TokenError::Claim)),
            ("aud", json!("other"), Err(TokenError::Audience)),
            ("aud", json!([]), Err(TokenError::Audience)),
            ("aud", json!(7), Err(TokenError::Claim)),
            ("aud", Value::Null, Err(TokenError::Claim)),
            ("sub", Value::Null, Err(TokenError::Claim)),
            ("sub", json!(""), Err(TokenError::Claim)),
            ("sub", json!(7), Err(TokenError::Claim)),
            (
                "sub",
                json!("alice\r\nsocar-principal: operator"),
                Err(TokenError::Claim),
            ),
            ("sub", json!("x".repeat(256)), Err(TokenError::Claim)),
        ] {
            let shown: String = value.to_string().chars().take(40).collect();
            let token = key.token(&claims.with(name, value));
            self.add(&format!("{name} {shown}"), token, expected);
        }
    }

    /// Types, algorithms, extensions and key identifiers in the header.
    fn add_headers(&mut self, key: &TestKey, claims: &Claims<'_>) {
        let claims = claims.valid().to_string();
        let id = key.id;
        for (header, expected) in [
            (json!({"typ": "at+jwt", "alg": "ES256"}), Ok(())),
            (
                json!({"typ": "application/AT+JWT", "alg": "ES256", "kid": id}),
                Ok(()),
            ),
            (json!({"alg": "ES256", "kid": id}), Err(TokenError::Type)),
            (
                json!({"typ": "JWT", "alg": "ES256", "kid": id}),
                Err(TokenError::Type),
            ),
            (
                json!({"typ": "at+jwt", "alg": "ES256", "kid": id, "cty": "JWT"}),
                Err(TokenError::Extension),
            ),
            (
                json!({"typ": "at+jwt", "alg": "ES256", "kid": id, "zip": "DEF"}),
                Err(TokenError::Extension),
            ),
            (
                json!({"typ": "at+jwt", "alg": "ES256", "kid": id, "crit": ["b64"], "b64": false}),
                Err(TokenError::Extension),
            ),
            (
                json!({"typ": "at+jwt", "alg": "ES256", "kid": 7}),
                Err(TokenError::Claim),
            ),
        ] {
            let token = key.sign(&header.to_string(), &claims);
            self.add(&format!("the header {header}"), token, expected);
        }
        for id in ["", "other", "../../ec", "ec\u{0}", "' OR 1=1"] {
            let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": id});
            let token = key.sign(&header.to_string(), &claims);
            self.add(&format!("kid {id:?}"), token, Err(TokenError::UnknownKey));
        }
        for algorithm in ["none", "None", "HS256", "RS512", "PS256", "ES384", ""] {
            let header = json!({"typ": "at+jwt", "alg": algorithm, "kid": id});
            let signed = key.sign(&header.to_string(), &claims);
            let (message, _) = signed.rsplit_once('.').unwrap();
            let unsigned = format!("{message}.");
            let name = format!("alg {algorithm:?}");
            self.add(&name, signed, Err(TokenError::Algorithm));
            let name = format!("{name} without a signature");
            self.add(&name, unsigned, Err(TokenError::Algorithm));
        }
    }

    /// Other keys, and keys under the name of another one.
    fn add_keys(&mut self, [rsa, ec, ed]: [&TestKey; 3], claims: &Claims<'_>) {
        let valid = claims.valid();
        let token = TestKey::ed().token(&valid);
        self.add("a key of another issuer", token, Err(TokenError::Signature));
        let (own, other) = (
            ed.token(&valid),
            ed.token(&claims.with("sub", json!("bob"))),
        );
        let (message, _) = own.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        let mixed = format!("{message}.{signature}");
        self.add(
            "the signature of another token",
            mixed,
            Err(TokenError::Signature),
        );
        // The public key as the secret of HMAC: a verifier that trusts `alg` accepts what every client can sign.
        let modulus = rsa.public()["n"].as_str().unwrap().to_owned();
        let secret = TestKey {
            id: rsa.id,
            algorithm: Algorithm::HS256,
            key: EncodingKey::from_secret(modulus.as_bytes()).unwrap(),
        };
        let token = secret.token(&valid);
        self.add(
            "a public key as a secret",
            token,
            Err(TokenError::Algorithm),
        );
        let confused = TestKey {
            id: rsa.id,
            ..TestKey::ec()
        };
        let token = confused.token(&valid);
        self.add("a key of another kind", token, Err(TokenError::Algorithm));
        let other = TestKey::ed();
        let header = json!({
            "typ": "at+jwt", "alg": "EdDSA", "kid": ec.id, "jwk": other.public(), "jku": "https://evil.example/keys",
        });
        let token = other.sign(&header.to_string(), &valid.to_string());
        self.add(
            "a key that the token brings along",
            token,
            Err(TokenError::Algorithm),
        );
    }

    /// Nested, oversized and malformed tokens, and names that are there twice.
    fn add_forms(&mut self, key: &TestKey, claims: &Claims<'_>) {
        let (header, valid) = (key.header().to_string(), claims.valid());
        let nested = key.sign(&header, &key.token(&valid));
        self.add("a token in a token", nested, Err(TokenError::Malformed));
        let deep = key.sign(&header, &"[".repeat(2000));
        self.add(
            "claims that are nested deeply",
            deep,
            Err(TokenError::Malformed),
        );
        let long = key.token(&claims.with("note", json!("x".repeat(MAX_LENGTH))));
        self.add("an oversized token", long, Err(TokenError::TooLong));
        for text in ["", "x", "a.b.c", "a.b.c.d.e", "..", "platform"] {
            self.add(
                &format!("the text {text:?}"),
                text.to_owned(),
                Err(TokenError::Malformed),
            );
        }
        let twice = valid.to_string().replacen('{', r#"{"sub":"mallory","#, 1);
        let twice = key.sign(&header, &twice);
        self.add("a claim twice", twice, Err(TokenError::DuplicateName));
        let inner = claims.with("realm", json!({})).to_string();
        let inner = inner.replace("{}", r#"{"roles":[],"roles":["operator"]}"#);
        let inner = key.sign(&header, &inner);
        self.add(
            "an inner claim twice",
            inner,
            Err(TokenError::DuplicateName),
        );
        let twice = header.replacen('{', r#"{"alg":"none","#, 1);
        let twice = key.sign(&twice, &valid.to_string());
        self.add("alg twice", twice, Err(TokenError::DuplicateName));
    }
}

// === impl TestKey ===

impl TestKey {
    pub(crate) fn rsa() -> Self {
        Self {
            id: "rsa",
            algorithm: Algorithm::RS256,
            key: EncodingKey::from_rsa_der(&BASE64_STANDARD.decode(RSA).unwrap()),
        }
    }

    pub(crate) fn ec() -> Self {
        Self {
            id: "ec",
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(&BASE64_STANDARD.decode(EC).unwrap()),
        }
    }

    pub(crate) fn ed() -> Self {
        Self {
            id: "ed",
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(&SigningKey::generate().unwrap()),
        }
    }

    pub(crate) fn public(&self) -> Value {
        let mut public = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        public.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(public).unwrap()
    }

    pub(crate) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm, "kid": self.id})
    }

    /// A token with these parts, whatever they contain.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let message = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let message = message.join(".");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        format!("{message}.{}", signature.unwrap())
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

/// What valid tokens say.
struct Claims<'a> {
    issuer: &'a str,
    audience: &'a str,
}

// === impl Claims ===

impl Claims<'_> {
    fn valid(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": self.audience, "sub": "alice", "roles": ["customer"],
            "iat": now(), "exp": now() + 600,
        })
    }

    /// The claims with another value of one of them; `Null` removes it.
    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.valid();
        let members = claims.as_object_mut().unwrap();
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.to_owned(), value),
        };
        claims
    }
}

/// Valid claims of [`ISSUER`] for [`AUDIENCE`], with another value of one of them.
#[cfg(test)]
pub(crate) fn with(name: &str, value: Value) -> Value {
    let (issuer, audience) = (ISSUER, AUDIENCE);
    Claims { issuer, audience }.with(name, value)
}

/// Valid claims of [`ISSUER`] for [`AUDIENCE`].
#[cfg(test)]
pub(crate) fn claims() -> Value {
    let (issuer, audience) = (ISSUER, AUDIENCE);
    Claims { issuer, audience }.valid()
}
