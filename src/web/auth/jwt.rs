//! The signed token that a session's holder carries: HS256 only, by one of several named keys. It says who and until when; whether the
//! session still exists says the database.

use std::fmt;

use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::domain::{Timestamp, ids::UserId};

/// Shorter ones can be guessed: HS256 asks for as many bytes as its digest has.
const SHORTEST: usize = 32;
const ISSUER: &str = "muster";
/// How a person makes a secret; for messages about settings.
pub const HOW: &str = "make one with: openssl rand -base64 48; to change it, put the new one first, as 2:new,1:old, and drop the old one \
                       after a week";

/// The keys of `JWT_SECRET`: the first signs, every one verifies. `Debug` shows their names only.
#[derive(Clone)]
pub struct Keys(Vec<Named>);

#[derive(Clone)]
struct Named {
    name: String,
    signs: EncodingKey,
    verifies: DecodingKey,
    /// For signing cookies, which are no tokens.
    cookies: [u8; 64],
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    sub: String,
    /// The session's secret id.
    pub jti: String,
    pub iat: i64,
    pub exp: i64,
}

impl Claims {
    pub fn new(audience: &str, user: UserId, session: &str, now: Timestamp, until: Timestamp) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            sub: user.to_string(),
            jti: session.to_owned(),
            iat: now.unix_timestamp(),
            exp: until.unix_timestamp(),
        }
    }

    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix_timestamp(self.exp).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    pub fn user(&self) -> Option<UserId> {
        self.sub.parse().ok()
    }
}

impl Keys {
    /// Reads `secret`, or `name:secret,name:secret`. The error shows nothing of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<Named> = Vec::new();
        for (at, part) in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .enumerate()
        {
            let place = format!("its secret number {}", at + 1);
            let (name, secret) = part.split_once(':').unwrap_or(("1", part));
            if name.is_empty() || name.len() > 32 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(format!(
                    "{place} has a name that is not 1 to 32 letters and digits; {HOW}"
                ));
            }
            if keys.iter().any(|other| other.name == name) {
                return Err(format!("{place} has the name of an earlier one; {HOW}"));
            }
            let mut letters: Vec<u8> = secret.bytes().collect();
            letters.sort_unstable();
            letters.dedup();
            if secret.len() < SHORTEST || letters.len() < 8 {
                return Err(format!(
                    "{place} is too weak: at least {SHORTEST} random characters; {HOW}"
                ));
            }
            let mut cookies = [0; 64];
            Hkdf::<Sha256>::new(None, secret.as_bytes())
                .expand(b"muster cookies", &mut cookies)
                .map_err(|_| format!("{place} can't be used; {HOW}"))?;
            keys.push(Named {
                name: name.to_owned(),
                signs: EncodingKey::from_secret(secret.as_bytes()),
                verifies: DecodingKey::from_secret(secret.as_bytes()),
                cookies,
            });
        }
        if keys.is_empty() {
            return Err(format!("holds no secret; {HOW}"));
        }
        Ok(Self(keys))
    }

    pub fn cookie_key(&self) -> [u8; 64] {
        self.0.first().map_or([0; 64], |key| key.cookies)
    }

    /// None only when the library fails.
    pub fn sign(&self, claims: &Claims) -> Option<String> {
        let key = self.0.first()?;
        let header = Header {
            kid: Some(key.name.clone()),
            ..Header::new(Algorithm::HS256)
        };
        encode(&header, claims, &key.signs).ok()
    }

    /// The claims of a token that one of our keys signed for this audience and that has not expired.
    pub fn verify(&self, token: &str, audience: &str, now: Timestamp) -> Option<Claims> {
        let name = decode_header(token).ok()?.kid?;
        let key = self.0.iter().find(|key| key.name == name)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By our own clock, below.
        rules.validate_exp = false;
        let claims = decode::<Claims>(token, &key.verifies, &rules).ok()?.claims;
        (claims.exp > now.unix_timestamp()).then_some(claims)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: Timestamp = datetime!(2026-05-28 20:00 UTC);
    const HERE: &str = "https://muster.example";

    fn keys(text: &str) -> Keys {
        Keys::parse(text).unwrap()
    }

    fn claims() -> Claims {
        Claims::new(HERE, UserId::new(7).unwrap(), "session", NOW, NOW + Duration::hours(1))
    }

    fn old() -> String {
        format!("1:{}", "an-old-secret-0123456789-abcdefgh")
    }

    #[test]
    fn a_token_counts_here_until_it_expires_and_also_under_an_older_key() {
        let token = keys(&old()).sign(&claims()).unwrap();
        let both = keys(&format!("2:a-new-secret-9876543210-zyxwvuts,{}", old()));
        assert_eq!(both.verify(&token, HERE, NOW), Some(claims()));
        assert_eq!(both.verify(&token, "https://else.example", NOW), None);
        assert_eq!(both.verify(&token, HERE, NOW + Duration::hours(1)), None);
        let fresh = both.sign(&claims()).unwrap();
        assert_eq!(keys(&old()).verify(&fresh, HERE, NOW), None);
    }

    #[test]
    fn a_token_of_another_key_algorithm_or_issuer_counts_nowhere() {
        let ours = keys(&old());
        let other = keys("1:another-secret-0123456789-abcdefg").sign(&claims()).unwrap();
        assert_eq!(ours.verify(&other, HERE, NOW), None);
        let header = |alg| Header {
            kid: Some("1".to_owned()),
            ..Header::new(alg)
        };
        let secret = EncodingKey::from_secret(b"an-old-secret-0123456789-abcdefgh");
        let longer = encode(&header(Algorithm::HS512), &claims(), &secret).unwrap();
        assert_eq!(ours.verify(&longer, HERE, NOW), None);
        let stranger = Claims {
            iss: "else".to_owned(),
            ..claims()
        };
        let stranger = encode(&header(Algorithm::HS256), &stranger, &secret).unwrap();
        assert_eq!(ours.verify(&stranger, HERE, NOW), None);
    }

    #[test]
    fn weak_secrets_are_refused_without_showing_them() {
        for bad in [
            "",
            "short",
            "1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "a b:0123456789abcdef0123456789abcdef",
        ] {
            let why = Keys::parse(bad).unwrap_err();
            assert!(
                why.contains("openssl rand") && !why.contains("short") && !why.contains("aaaa"),
                "{why}"
            );
        }
    }
}
