//! Reads a JSON body whole, and refuses what serde_json refuses, but keeps only the fields that are asked for: building the tree of a whole delivery is
//! most of the work of taking it. Knows nothing of what the fields mean.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A field to keep: as it is, or of an object only some.
#[derive(Clone, Copy, Debug)]
pub enum Keep {
    Whole(&'static str),
    Some(&'static str, &'static [Keep]),
}

impl Keep {
    fn name(self) -> &'static str {
        match self {
            Self::Whole(name) | Self::Some(name, _) => name,
        }
    }
}

/// The object in `body` with only these fields; null when it is something else. A field that stands there twice counts as its last, as in a tree.
pub fn glance(body: &[u8], fields: &'static [Keep]) -> serde_json::Result<Value> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value = Pick(fields).deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

struct Pick(&'static [Keep]);

impl<'de> DeserializeSeed<'de> for Pick {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Everything but an object comes to null, having been read.
macro_rules! nulls {
    ($($method:ident($kind:ty)),* $(,)?) => {$(
        fn $method<E: Error>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    )*};
}

impl<'de> Visitor<'de> for Pick {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    nulls!(
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value, A::Error> {
        Skim.visit_seq(items)?;
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = fields.next_key_seed(Name(self.0))? {
            let value = match name {
                None => {
                    fields.next_value_seed(Skim)?;
                    continue;
                }
                Some(Keep::Whole(_)) => fields.next_value()?,
                Some(Keep::Some(_, inner)) => fields.next_value_seed(Pick(inner))?,
            };
            kept.extend(name.map(|keep| (keep.name().to_owned(), value)));
        }
        Ok(Value::Object(kept))
    }
}

/// A field's name: the one of the fields to keep that it is, if any.
struct Name(&'static [Keep]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<Keep>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<Keep>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|keep| keep.name() == name))
    }
}

/// Reads a value and keeps nothing. Not serde's own `IgnoredAny`: serde_json skips for that without looking at texts, numbers and depth.
#[derive(Clone, Copy)]
struct Skim;

impl<'de> DeserializeSeed<'de> for Skim {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skim {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    nulls!(
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key_seed(Name(&[]))?.is_some() {
            fields.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FIELDS: &[Keep] = &[Keep::Whole("a"), Keep::Some("b", &[Keep::Whole("a")])];

    /// What `glance` must come to, by way of the whole tree.
    fn by_tree(body: &[u8], fields: &[Keep]) -> Option<Value> {
        serde_json::from_slice(body).ok().map(|value| thin(value, fields))
    }

    fn thin(value: Value, fields: &[Keep]) -> Value {
        let Value::Object(mut object) = value else {
            return Value::Null;
        };
        let kept = fields.iter().filter_map(|keep| {
            let value = object.remove(keep.name())?;
            let value = match keep {
                Keep::Whole(_) => value,
                Keep::Some(_, inner) => thin(value, inner),
            };
            Some((keep.name().to_owned(), value))
        });
        Value::Object(kept.collect())
    }

    fn json_text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof!["null|true|false|-?[0-9]{1,3}(\\.[0-9])?|1e999", "\"[a-z\\\\\"]{0,3}\""];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let name = "[abc]".prop_map(|name| format!("\"{name}\""));
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec((name, inner), 0..5).prop_map(|fields| {
                    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_says_what_the_tree_would_say(body in json_text(), cut in any::<Option<prop::sample::Index>>()) {
            let body = cut.map_or(body.as_bytes(), |cut| &body.as_bytes()[..cut.index(body.len() + 1)]);
            prop_assert_eq!(glance(body, FIELDS).ok(), by_tree(body, FIELDS));
        }
    }

    #[test]
    fn depth_bad_text_and_what_comes_after_the_end_are_refused() {
        let deep = format!(r#"{{"c": {}{}}}"#, "[".repeat(200), "]".repeat(200));
        for body in [
            deep.as_bytes(),
            b"{\"c\": \"\xff\"}",
            b"{} {}",
            br#"{"c": 1e999}"#,
            br#"{"c": "\ud800"}"#,
        ] {
            assert!(glance(body, FIELDS).is_err(), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(
            glance(br#"{"a": 1, "a": 2, "b": [{"a": 1}]}"#, FIELDS).unwrap(),
            json!({"a": 2, "b": null})
        );
    }
}
