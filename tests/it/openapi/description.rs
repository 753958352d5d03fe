//! Discord's OpenAPI file, and what disagrees with it in requests and answers that were made. Headers and queries are not looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jsonschema::{Draft, Registry, Resource, ValidationError, Validator, error::ValidationErrorKind};
use muster::simulator::Exchange;
use serde_json::{Value, json};

const ROOT: &str = "urn:discord";

/// The file, ready to look things up in.
pub struct Description {
    document: Value,
    registry: &'static Registry<'static>,
    validators: BTreeMap<String, Validator>,
}

/// What an exchange was about, by the file.
pub struct Operation {
    /// `POST /guilds/{guild_id}/channels`
    pub name: String,
    pointer: String,
}

impl Description {
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let document: Value = serde_json::from_str(&text).unwrap();
        let resource = Resource::from_contents(document.clone());
        let registry = Registry::new().draft(Draft::Draft202012).add(ROOT, resource).unwrap();
        let registry = Box::leak(Box::new(registry.prepare().unwrap()));
        Self {
            document,
            registry,
            validators: BTreeMap::new(),
        }
    }

    /// The path with the most words of its own that fits.
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation> {
        let path = path.split('?').next().unwrap().trim_start_matches("/api/v10");
        let segments: Vec<&str> = path.split('/').collect();
        let method = method.to_lowercase();
        let fits = |template: &&String| {
            let named: Vec<&str> = template.split('/').collect();
            let same = |(name, segment): (&&str, &&str)| name.starts_with('{') || *name == segment.replace("%40", "@");
            named.len() == segments.len() && named.iter().zip(&segments).all(same)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let described = paths.iter().filter(|(_, operations)| operations.get(&method).is_some());
        let (template, _) = described
            .filter(|(template, _)| fits(template))
            .max_by_key(|(template, _)| template.split('/').filter(|word| !word.starts_with('{')).count())?;
        Some(Operation {
            name: format!("{} {template}", method.to_uppercase()),
            pointer: format!("/paths/{}/{method}", escaped(template)),
        })
    }

    /// Everything in an exchange that the file has otherwise, each as `POST /users/@me/channels sends /recipient_id: type`.
    pub fn disagreements(&mut self, operation: &Operation, exchange: &Exchange) -> Vec<String> {
        let mut wrong = Vec::new();
        let status = exchange.entry.status;
        // What the simulator refused may well have been no good.
        if (200..300).contains(&status) {
            for why in self.sent(operation, exchange) {
                wrong.push(format!("{} sends {why}", operation.name));
            }
        }
        for why in self.answered(operation, exchange) {
            wrong.push(format!("{} answers {status} {why}", operation.name));
        }
        wrong
    }

    fn sent(&mut self, operation: &Operation, exchange: &Exchange) -> Vec<String> {
        let body = format!("{}/requestBody", operation.pointer);
        let described = self.document.pointer(&body).is_some();
        if exchange.sent.is_empty() {
            let required = self.document.pointer(&format!("{body}/required")) == Some(&json!(true));
            return required.then(|| "no body".to_owned()).into_iter().collect();
        }
        if !described {
            return vec!["a body".to_owned()];
        }
        let Some(sent) = payload(exchange) else {
            return vec![format!("{}", exchange.sent_type)];
        };
        self.compare(&format!("{body}/content/application~1json/schema"), &sent)
    }

    fn answered(&mut self, operation: &Operation, exchange: &Exchange) -> Vec<String> {
        let responses = format!("{}/responses", operation.pointer);
        let own = format!("{responses}/{}", exchange.entry.status);
        let response = if self.document.pointer(&own).is_some() {
            own
        } else if (400..500).contains(&exchange.entry.status) {
            format!("{responses}/4XX")
        } else {
            return vec!["at all".to_owned()];
        };
        let response = self.follow(&response);
        let schema = format!("{response}/content/application~1json/schema");
        match (self.document.pointer(&schema).is_some(), exchange.answered.is_empty()) {
            (false, true) => Vec::new(),
            (false, false) => vec!["a body".to_owned()],
            (true, true) => vec!["no body".to_owned()],
            (true, false) if exchange.answered_type != "application/json" => vec![exchange.answered_type.clone()],
            (true, false) => match serde_json::from_slice(&exchange.answered) {
                Ok(body) => self.compare(&schema, &body),
                Err(_) => vec!["no JSON".to_owned()],
            },
        }
    }

    /// The pointer that a reference leads to, if it is one.
    fn follow(&self, pointer: &str) -> String {
        match self.document.pointer(pointer).and_then(|value| value["$ref"].as_str()) {
            Some(reference) => reference.trim_start_matches('#').to_owned(),
            None => pointer.to_owned(),
        }
    }

    fn compare(&mut self, schema: &str, body: &Value) -> Vec<String> {
        let registry = self.registry;
        let validator = self.validators.entry(schema.to_owned()).or_insert_with(|| {
            let options = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .with_registry(registry);
            let options = options.should_validate_formats(true);
            let fragment = schema.replace('{', "%7B").replace('}', "%7D");
            options.build(&json!({ "$ref": format!("{ROOT}#{fragment}") })).unwrap()
        });
        let mut wrong = BTreeSet::new();
        for error in validator.iter_errors(body) {
            name(&error, &mut wrong);
        }
        if wrong.is_empty() {
            let items = body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
            let mut known = BTreeSet::new();
            if self.fields(schema, &mut known) {
                let named = items.iter().filter_map(Value::as_object).flat_map(|item| item.keys());
                wrong.extend(
                    named
                        .filter(|field| !known.contains(*field))
                        .map(|field| format!("/{field}: unknown")),
                );
            }
        }
        wrong.into_iter().collect()
    }

    /// The fields that a schema or any of its alternatives names, of the items if it is a list; `false` where any name will do.
    fn fields(&self, schema: &str, known: &mut BTreeSet<String>) -> bool {
        let schema = self.follow(schema);
        let Some(value) = self.document.pointer(&schema) else {
            return false;
        };
        if value["items"].is_object() {
            return self.fields(&format!("{schema}/items"), known);
        }
        if value["additionalProperties"].is_object() {
            return false;
        }
        known.extend(
            value["properties"]
                .as_object()
                .into_iter()
                .flat_map(|named| named.keys().cloned()),
        );
        let alternatives = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(|kind| {
            let count = value[kind].as_array().map_or(0, Vec::len);
            (0..count).map(move |index| format!("{kind}/{index}"))
        });
        let mut closed = true;
        for alternative in alternatives {
            closed &= self.fields(&format!("{schema}/{alternative}"), known);
        }
        closed
    }
}

/// The JSON of a body, or of the part of a form that holds it.
fn payload(exchange: &Exchange) -> Option<Value> {
    if exchange.sent_type.starts_with("application/json") {
        return serde_json::from_slice(&exchange.sent).ok();
    }
    let text = String::from_utf8_lossy(&exchange.sent).into_owned();
    let (_, rest) = text.split_once("name=\"payload_json\"")?;
    let (_, rest) = rest.split_once("\r\n\r\n")?;
    serde_json::from_str(rest.split("\r\n--").next()?).ok()
}

/// `/permission_overwrites/*/allow: type`; where no alternative fits, what is wrong with the one that fits best.
fn name(error: &ValidationError<'_>, wrong: &mut BTreeSet<String>) {
    let path = error.instance_path().to_string();
    let place: String = path.split('/').skip(1).fold(String::new(), |place, word| {
        let word = if word.parse::<u64>().is_ok() { "*" } else { word };
        format!("{place}/{word}")
    });
    let alternatives = match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => context,
        kind => {
            let place = if place.is_empty() { "/" } else { &place };
            let what = match kind {
                ValidationErrorKind::Required { property } => format!("{property} missing"),
                _ => kind.keyword().to_owned(),
            };
            wrong.insert(format!("{place}: {what}"));
            return;
        }
    };
    // An alternative that is about another kind of thing fails at its type already.
    let weight = |errors: &&Vec<ValidationError<'_>>| {
        let plain = errors.iter().filter(|error| {
            let kind = matches!(
                error.kind(),
                ValidationErrorKind::Type { .. } | ValidationErrorKind::Enum { .. }
            );
            kind && error.instance_path().to_string().len() <= path.len() + "/type".len()
        });
        (plain.count(), errors.len())
    };
    match alternatives.iter().min_by_key(weight) {
        Some(errors) => errors.iter().for_each(|error| name(error, wrong)),
        None => _ = wrong.insert(format!("{place}: no alternative")),
    }
}

fn escaped(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}
