//! The webhook secret: FACEIT signs nothing, it repeats a header and a query value of our choice. Compared in constant time.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// What a delivery must carry to be believed.
#[derive(Clone, Debug)]
pub struct Secret {
    value: SecretString,
    header: String,
    query: Option<String>,
}

impl Secret {
    /// `header` and `query` are the names under which FACEIT sends the value; without `query`, only the header counts.
    pub fn new(value: SecretString, header: impl Into<String>, query: Option<String>) -> Self {
        Self {
            value,
            header: header.into(),
            query: query.filter(|name| !name.is_empty()),
        }
    }

    /// The header to look for.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The query parameter to look for.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether one of the two carries the secret. An empty secret accepts nothing.
    pub fn accepts(&self, header_value: Option<&[u8]>, query_value: Option<&str>) -> bool {
        let header_value = header_value.map(|value| self.without_scheme(value));
        let query_value = query_value.filter(|_| self.query.is_some()).map(str::as_bytes);
        (self.is_same(header_value) | self.is_same(query_value)).into()
    }

    /// `Authorization` is by custom written `Bearer <secret>`; the bare secret is fine, too.
    fn without_scheme<'a>(&self, value: &'a [u8]) -> &'a [u8] {
        match value.split_at_checked(7) {
            Some((scheme, rest))
                if self.header.eq_ignore_ascii_case("authorization") && scheme.eq_ignore_ascii_case(b"bearer ") =>
            {
                rest.trim_ascii()
            }
            _ => value,
        }
    }

    /// Compares hashes, so that the time taken tells nothing about the length either.
    fn is_same(&self, given: Option<&[u8]>) -> Choice {
        let own = self.value.expose_secret().as_bytes();
        let given = given.unwrap_or_default();
        let usable = Choice::from(u8::from(!own.is_empty() && !given.is_empty()));
        usable & Sha256::digest(own).as_slice().ct_eq(Sha256::digest(given).as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(header: &str, query: Option<&str>) -> Secret {
        Secret::new("tulip-harbour".into(), header, query.map(str::to_owned))
    }

    #[test]
    fn the_right_header_or_the_right_query_value_is_enough() {
        let secret = secret("X-Muster", Some("wh"));
        assert!(secret.accepts(Some(b"tulip-harbour"), None));
        assert!(secret.accepts(None, Some("tulip-harbour")));
        assert!(secret.accepts(Some(b"wrong"), Some("tulip-harbour")));
        for (header, query) in [
            (None, None),
            (Some(&b""[..]), Some("")),
            (Some(b"tulip"), None),
            (Some(b"tulip-harbour2"), Some("tulip")),
            (Some(b"Bearer tulip-harbour"), None),
            (Some(b"\xff\xfe"), None),
        ] {
            assert!(!secret.accepts(header, query), "{header:?} {query:?}");
        }
    }

    #[test]
    fn a_query_value_counts_only_when_a_name_for_it_is_set() {
        assert!(!secret("X-Muster", None).accepts(None, Some("tulip-harbour")));
        assert!(!secret("X-Muster", Some("")).accepts(None, Some("tulip-harbour")));
    }

    #[test]
    fn authorization_may_carry_the_bearer_scheme_or_not() {
        let secret = secret("authorization", None);
        for good in ["Bearer tulip-harbour", "bearer  tulip-harbour", "tulip-harbour"] {
            assert!(secret.accepts(Some(good.as_bytes()), None), "{good}");
        }
        for bad in ["Bearer ", "Bearer", "Basic tulip-harbour", "Bearertulip-harbour"] {
            assert!(!secret.accepts(Some(bad.as_bytes()), None), "{bad}");
        }
    }

    #[test]
    fn an_empty_secret_opens_nothing_and_no_secret_shows_in_debug() {
        let empty = Secret::new("".into(), "X-Muster", Some("wh".to_owned()));
        assert!(!empty.accepts(Some(b""), Some("")));
        assert!(!format!("{:?}", secret("X-Muster", None)).contains("tulip"));
    }
}
