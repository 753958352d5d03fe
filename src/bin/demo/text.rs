//! Lines that fit: broken between words, or cut. Counts characters, which is right for the names of this story.

/// Breaks a line between words; what follows is indented as the line is, and two more.
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    broken(line, indent, indent + 2, width)
}

/// Breaks a text that is no list between words.
pub fn paragraph(text: &str, width: usize) -> Vec<String> {
    broken(text, 0, 0, width)
}

fn broken(line: &str, indent: usize, hanging: usize, width: usize) -> Vec<String> {
    let hanging = " ".repeat(hanging);
    let mut lines = Vec::new();
    let mut current = " ".repeat(indent);
    let mut fresh = true;
    for word in line.trim_start().split(' ') {
        let gap = usize::from(!fresh);
        if !fresh && current.chars().count() + gap + word.chars().count() > width {
            lines.push(std::mem::replace(&mut current, hanging.clone()));
            fresh = true;
        }
        if !fresh {
            current.push(' ');
        }
        current.push_str(word);
        fresh = false;
    }
    lines.push(current);
    lines.iter().map(|line| cut(line, width)).collect()
}

/// Drops what does not fit.
pub fn cut(line: &str, width: usize) -> String {
    line.chars().take(width).collect()
}

/// `A`, `A and B`, `A, B and C`.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_itself_a_little_further_in() {
        assert_eq!(wrap("  one two three", 11), ["  one two", "    three"]);
        assert_eq!(wrap("fits", 11), ["fits"]);
        assert_eq!(wrap("", 11), [""]);
    }

    #[test]
    fn a_word_that_is_too_long_is_cut() {
        assert_eq!(wrap("a unbreakable", 5), ["a", "  unb"]);
    }

    #[test]
    fn a_list_reads_as_people_say_it() {
        assert_eq!(list(&[]), "nobody");
        assert_eq!(list(&["A"]), "A");
        assert_eq!(list(&["A", "B", "C"]), "A, B and C");
    }
}
