//! Just enough of Rust's grammar to read paths and words off a source. Knows no rule.

/// Where a `#[cfg(test)] mod tests { … }` begins that nothing follows.
pub fn tests_module(tokens: &[Token]) -> Option<usize> {
    (0..tokens.len()).find(|&start| {
        let Some(name) = tests_under(tokens, start) else {
            return false;
        };
        is(tokens, name + 1, "{") && closing(tokens, name + 1) + 1 >= tokens.len()
    })
}

/// Whether the `cfg` at `cfg` is that of a `#[cfg(test)] mod tests;`.
pub fn declares_a_tests_file(tokens: &[Token], cfg: usize) -> bool {
    let name = cfg.checked_sub(2).and_then(|start| tests_under(tokens, start));
    name.is_some_and(|name| is(tokens, name + 1, ";"))
}

/// Where the word `tests` is in the `#[cfg(test)] mod tests` that begins at `start`, if one does.
fn tests_under(tokens: &[Token], start: usize) -> Option<usize> {
    let switch = ["#", "[", "cfg", "(", "test", ")", "]"];
    if !switch.iter().zip(start..).all(|(text, at)| is(tokens, at, text)) {
        return None;
    }
    let mut at = start;
    while is(tokens, at, "#") {
        at = closing(tokens, at + 1) + 1;
    }
    (is(tokens, at, "mod") && is(tokens, at + 1, "tests")).then_some(at + 1)
}

/// The index of the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match &token.kind {
            Kind::Mark("{" | "(" | "[") => depth += 1,
            Kind::Mark("}" | ")" | "]") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// One path in the code, or one leaf of a `use` tree, and the module that it stands in.
pub struct CodePath {
    pub at: usize,
    pub in_use: bool,
    pub module: Vec<String>,
    pub segments: Vec<String>,
}

impl CodePath {
    /// From the crate's root, if the path leads into the crate.
    pub fn resolved(&self) -> Option<Vec<String>> {
        let ups = self.segments.iter().take_while(|segment| *segment == "super").count();
        let base = match self.segments.first()?.as_str() {
            "crate" if self.segments.len() > 1 || self.in_use => &[],
            "self" => self.module.as_slice(),
            "super" => &self.module[..self.module.len().saturating_sub(ups)],
            _ => return None,
        };
        Some(base.iter().chain(&self.segments[ups.max(1)..]).cloned().collect())
    }
}

pub fn paths(tokens: &[Token], file_module: &[String]) -> Vec<CodePath> {
    let mut found = Vec::new();
    // For every open brace, the inline module that it opens, if it opens one.
    let mut braces: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let module = || {
            file_module
                .iter()
                .cloned()
                .chain(braces.iter().flatten().cloned())
                .collect::<Vec<_>>()
        };
        match &tokens[at].kind {
            Kind::Mark("{") => {
                let name = (at >= 2 && is(tokens, at - 2, "mod"))
                    .then(|| word(tokens, at - 1))
                    .flatten();
                braces.push(name.map(String::from));
            }
            Kind::Mark("}") => drop(braces.pop()),
            Kind::Word(word) if word == "use" => {
                let mut leaves = Vec::new();
                at = use_tree(tokens, at + 1, &[], &mut leaves);
                found.extend(leaves.into_iter().map(|(at, segments)| CodePath {
                    at,
                    in_use: true,
                    module: module(),
                    segments,
                }));
                continue;
            }
            Kind::Word(first) if !continues_a_path(tokens, at) => {
                let (start, mut segments) = (at, vec![first.clone()]);
                while let (true, Some(next)) = (is(tokens, at + 1, "::"), word(tokens, at + 2)) {
                    segments.push(next.into());
                    at += 2;
                }
                found.push(CodePath {
                    at: start,
                    in_use: false,
                    module: module(),
                    segments,
                });
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the word at `at` comes after `.`, or after a `::` that has something before it.
fn continues_a_path(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| {
        at.checked_sub(back)
            .and_then(|at| tokens.get(at))
            .map(|token| &token.kind)
    };
    match before(1) {
        Some(Kind::Mark(".")) => true,
        Some(Kind::Mark("::")) => matches!(before(2), Some(Kind::Word(_) | Kind::Mark(">"))),
        _ => false,
    }
}

/// Collects the leaves of the tree that starts at `at`; gives where it ends.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], leaves: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut segments = prefix.to_vec();
    let start = at;
    loop {
        match tokens.get(at).map(|token| &token.kind) {
            Some(Kind::Mark("::")) => at += 1,
            Some(Kind::Mark("{")) => {
                let end = closing(tokens, at);
                at += 1;
                while at < end {
                    at = use_tree(tokens, at, &segments, leaves);
                    at += usize::from(is(tokens, at, ","));
                }
                return end + 1;
            }
            Some(Kind::Mark("*")) => {
                segments.push("*".into());
                at += 1;
            }
            Some(Kind::Word(name)) if name == "as" => at += 2,
            Some(Kind::Word(name)) => {
                // `a::{self}` is `a`.
                if name != "self" || segments.is_empty() {
                    segments.push(name.clone());
                }
                at += 1;
            }
            _ => {
                leaves.push((start, segments));
                return at.max(start + usize::from(!is(tokens, at, "}") && !is(tokens, at, ",")));
            }
        }
    }
}

pub struct Token {
    pub line: usize,
    pub kind: Kind,
}

pub enum Kind {
    Word(String),
    Text(String),
    Mark(&'static str),
    Other,
}

fn word(tokens: &[Token], at: usize) -> Option<&str> {
    match &tokens.get(at)?.kind {
        Kind::Word(word) => Some(word),
        _ => None,
    }
}

pub fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    match tokens.get(at).map(|token| &token.kind) {
        Some(Kind::Word(word)) => word == text,
        Some(Kind::Mark(mark)) => *mark == text,
        _ => false,
    }
}

const MARKS: [&str; 18] = [
    "::", "{", "}", "(", ")", "[", "]", "#", ".", ";", ",", "*", "!", ">", "<", "&", "$", "=",
];

/// Words, string literals and marks; comments and the insides of strings are no code.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let char_at = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let (start, first_line) = (at, line);
        let kind = match chars[at] {
            '/' if char_at(at + 1) == '/' => {
                at += chars[at..].iter().take_while(|c| **c != '\n').count();
                None
            }
            '/' if char_at(at + 1) == '*' => {
                at = end_of_block_comment(&chars, at);
                None
            }
            '"' => Some(Kind::Text(quoted(&chars, &mut at))),
            '\'' if char_at(at + 1) == '\\' => {
                at += 3;
                at += chars[at.min(chars.len())..].iter().take_while(|c| **c != '\'').count() + 1;
                Some(Kind::Other)
            }
            '\'' if char_at(at + 2) == '\'' => {
                at += 3;
                Some(Kind::Other)
            }
            '\'' => {
                at += 1 + chars[at + 1..].iter().take_while(|c| is_word(**c)).count();
                Some(Kind::Other)
            }
            c if is_word(c) => {
                at += chars[at..].iter().take_while(|c| is_word(**c)).count();
                let word: String = chars[start..at].iter().collect();
                let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
                match word.as_str() {
                    "r" | "br" | "cr" if char_at(at + hashes) == '"' => Some(Kind::Text(raw(&chars, &mut at, hashes))),
                    "r" if hashes == 1 => None,
                    "b" | "c" if ['"', '\''].contains(&char_at(at)) => None,
                    _ if c.is_ascii_digit() => Some(Kind::Other),
                    _ => Some(Kind::Word(word)),
                }
            }
            c if c.is_whitespace() => {
                at += 1;
                None
            }
            _ => {
                let known = MARKS
                    .iter()
                    .find(|mark| mark.chars().zip(at..).all(|(c, at)| char_at(at) == c));
                at += known.map_or(1, |mark| mark.len());
                Some(known.map_or(Kind::Other, |mark| Kind::Mark(mark)))
            }
        };
        at = at.min(chars.len());
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
        tokens.extend(kind.map(|kind| Token { line: first_line, kind }));
    }
    tokens
}

fn end_of_block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(chars: &[char], at: &mut usize) -> String {
    *at += 1;
    let start = *at;
    while *at < chars.len() && chars[*at] != '"' {
        *at += if chars[*at] == '\\' { 2 } else { 1 };
    }
    let end = (*at).min(chars.len());
    *at = end + 1;
    chars[start..end].iter().collect()
}

fn raw(chars: &[char], at: &mut usize, hashes: usize) -> String {
    *at += hashes + 1;
    let start = *at;
    let ends = |at: usize| chars[at] == '"' && (1..=hashes).all(|ahead| chars.get(at + ahead) == Some(&'#'));
    let end = (start..chars.len()).find(|&at| ends(at)).unwrap_or(chars.len());
    *at = end + 1 + hashes;
    chars[start..end].iter().collect()
}
