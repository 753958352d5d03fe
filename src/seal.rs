//! Floor 1: seals secrets for the database with XChaCha20-Poly1305 and a ring of keys: the first seals, every one opens. Knows no table.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};

const NONCE: usize = 24;
const KEY: usize = 32;
/// How a person makes a key; for messages about settings.
pub const HOW: &str = "make one with: echo \"1:$(openssl rand -base64 32)\"; to change keys, put the new one first, as 2:…,1:…, and run \
                       `muster keys rotate`";

/// The keys of `MUSTER_ENCRYPTION_KEYS`. `Debug` shows their names only.
#[derive(Clone)]
pub struct Ring(Vec<(String, XChaCha20Poly1305)>);

/// A sealed text and the name of the key that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub key: String,
    /// The nonce, then the text with its tag.
    pub bytes: Vec<u8>,
}

/// Why something can't be opened. Says nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it was sealed with key {0:?}, which MUSTER_ENCRYPTION_KEYS does not list")]
    NoKey(String),
    #[error("it does not fit its key or the row that it stands in")]
    Broken,
}

impl Ring {
    /// Reads `name:base64,name:base64`. The error shows nothing of the keys.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<(String, XChaCha20Poly1305)> = Vec::new();
        for (at, part) in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .enumerate()
        {
            let place = format!("its key number {}", at + 1);
            let (name, key) = part
                .split_once(':')
                .ok_or_else(|| format!("{place} has no name: write name:key; {HOW}"))?;
            let plain = !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric());
            if !plain {
                return Err(format!(
                    "{place} has a name that is not 1 to 32 letters and digits; {HOW}"
                ));
            }
            if keys.iter().any(|(other, _)| other == name) {
                return Err(format!("{place} has the name of an earlier one; {HOW}"));
            }
            let bytes = STANDARD
                .decode(key)
                .ok()
                .and_then(|bytes| <[u8; KEY]>::try_from(bytes).ok());
            let bytes = bytes.ok_or_else(|| format!("{place} is not {KEY} bytes in base64; {HOW}"))?;
            if bytes.iter().all(|byte| *byte == bytes[0]) {
                return Err(format!("{place} is no random key; {HOW}"));
            }
            keys.push((name.to_owned(), XChaCha20Poly1305::new(&Key::from(bytes))));
        }
        if keys.is_empty() {
            return Err(format!("holds no key; {HOW}"));
        }
        Ok(Self(keys))
    }

    /// The name of the key that seals.
    pub fn current(&self) -> &str {
        self.0.first().map_or("", |(name, _)| name)
    }

    /// `bound_to` names the row that it is for: elsewhere it can't be opened.
    pub fn seal(&self, text: &[u8], bound_to: &str) -> Result<Sealed, Error> {
        let (name, cipher) = self.0.first().ok_or(Error::Broken)?;
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: text,
            aad: bound_to.as_bytes(),
        };
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::Broken)?;
        Ok(Sealed {
            key: name.clone(),
            bytes: [nonce.as_slice(), &sealed].concat(),
        })
    }

    pub fn open(&self, sealed: &Sealed, bound_to: &str) -> Result<Vec<u8>, Error> {
        let key = self.0.iter().find(|(name, _)| *name == sealed.key);
        let (_, cipher) = key.ok_or_else(|| Error::NoKey(sealed.key.clone()))?;
        let (nonce, text) = sealed.bytes.split_first_chunk::<NONCE>().ok_or(Error::Broken)?;
        let payload = Payload {
            msg: text,
            aad: bound_to.as_bytes(),
        };
        cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Error::Broken)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, seed: u8) -> String {
        let bytes: Vec<u8> = (0..32).map(|at| at ^ seed).collect();
        format!("{name}:{}", STANDARD.encode(bytes))
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let old = Ring::parse(&key("1", 7)).unwrap();
        let both = Ring::parse(&format!("{},{}", key("2", 9), key("1", 7))).unwrap();
        let sealed = old.seal(b"token", "user 1").unwrap();
        assert!(!sealed.bytes.windows(5).any(|part| part == b"token"));
        assert_eq!(both.open(&sealed, "user 1").unwrap(), b"token");
        let fresh = both.seal(b"token", "user 1").unwrap();
        assert_eq!(fresh.key, "2");
        assert_eq!(old.open(&fresh, "user 1"), Err(Error::NoKey("2".to_owned())));
    }

    #[test]
    fn another_row_another_key_or_a_changed_byte_opens_nothing() {
        let ring = Ring::parse(&key("1", 7)).unwrap();
        let sealed = ring.seal(b"token", "user 1").unwrap();
        assert_eq!(ring.open(&sealed, "user 2"), Err(Error::Broken));
        assert_eq!(
            Ring::parse(&key("1", 8)).unwrap().open(&sealed, "user 1"),
            Err(Error::Broken)
        );
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(ring.open(&changed, "user 1"), Err(Error::Broken), "byte {at}");
        }
        let short = Sealed {
            bytes: vec![0; 10],
            ..sealed
        };
        assert_eq!(ring.open(&short, "user 1"), Err(Error::Broken));
    }

    #[test]
    fn a_bad_ring_is_refused_without_showing_its_keys() {
        let twice = format!("{},{}", key("1", 7), key("1", 9));
        for bad in [
            "",
            "secret-without-a-name",
            "1:c2hvcnQ=",
            "1:not base64!",
            "a b:AAAA",
            twice.as_str(),
        ] {
            let why = Ring::parse(bad).unwrap_err();
            assert!(why.contains("openssl rand"), "{why}");
            assert!(!why.contains("c2hvcnQ") && !why.contains("secret-without"), "{why}");
        }
        let zeros = format!("1:{}", STANDARD.encode([0; 32]));
        assert!(Ring::parse(&zeros).is_err());
        assert_eq!(format!("{:?}", Ring::parse(&key("1", 7)).unwrap()), r#"["1"]"#);
    }
}
