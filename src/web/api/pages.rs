//! Lists in pages: how much at once, and the word that says where the next page begins. Callers can't read it and need not.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::web::refused::Refused;

/// How much a page has when nobody says.
const USUAL: i64 = 50;
/// How much it has at most.
const MOST: i64 = 200;

/// The number of rows of a page.
pub fn limit(asked: Option<i64>) -> Result<i64, Refused> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Refused::malformed(format!("the limit must be 1 to {MOST}")))
}

/// Leaves `limit` rows of one more than that, and gives the cursor of the next page, made of the last row that stays; None when there is none.
pub fn cut<T>(rows: &mut Vec<T>, limit: i64, last: impl Fn(&T) -> String) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(|row| seal(&last(row)))
}

fn seal(inner: &str) -> String {
    URL_SAFE_NO_PAD.encode(inner)
}

/// Reads a cursor of ours.
pub fn open<T>(cursor: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Refused> {
    let inner = URL_SAFE_NO_PAD.decode(cursor).ok();
    let inner = inner.and_then(|inner| String::from_utf8(inner).ok());
    let read = inner.as_deref().and_then(read);
    read.ok_or_else(|| Refused::malformed("the cursor is none that a page gave; leave it out to begin anew"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_is_refused() {
        let number = |text: &str| text.parse::<i64>().ok();
        assert_eq!(open(&seal("17"), number).ok(), Some(17));
        for foreign in ["", "17", "!", &seal("x"), &seal("")] {
            assert!(open(foreign, number).is_err(), "{foreign}");
        }
    }

    #[test]
    fn only_a_page_that_another_one_follows_has_a_cursor() {
        let mut rows = vec![1, 2, 3];
        assert_eq!(cut(&mut rows, 2, i32::to_string), Some(seal("2")));
        assert_eq!(rows, [1, 2]);
        assert_eq!(cut(&mut rows, 2, i32::to_string), None);
    }

    #[test]
    fn a_page_has_at_least_one_row_and_not_too_many() {
        assert_eq!(limit(None).ok(), Some(USUAL));
        assert_eq!(limit(Some(1)).ok(), Some(1));
        assert!(limit(Some(0)).is_err() && limit(Some(MOST + 1)).is_err());
    }
}
