//! `muster links`: the table of who is who, in and out as CSV (`faceit_id,discord_id,nickname`).

use std::{collections::BTreeMap, io};

use crate::{
    domain::ids::{PlayerId, UserId, is_plausible_id},
    store::links::LinkRow,
};

/// The columns, in order.
pub const COLUMNS: [&str; 3] = ["faceit_id", "discord_id", "nickname"];

/// Reads the whole table, or says what is wrong with every bad line.
pub fn read(input: impl io::Read) -> Result<Vec<(u64, LinkRow)>, Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(input);
    let mut problems = Vec::new();
    match reader.headers() {
        Ok(headers)
            if headers
                .iter()
                .take(3)
                .map(|name| name.trim_start_matches('\u{feff}'))
                .eq(COLUMNS) => {}
        Ok(_) => return Err(vec![format!("line 1: the first line must be '{}'", COLUMNS.join(","))]),
        Err(error) => return Err(vec![format!("line 1: {error}")]),
    }
    let mut rows = Vec::new();
    let (mut players, mut users) = (BTreeMap::new(), BTreeMap::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let why = match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => "it is not UTF-8; save the table as 'CSV UTF-8'".to_owned(),
                    _ => error.to_string(),
                };
                problems.push(match error.position() {
                    Some(at) => format!("line {}: {why}", at.line()),
                    None => why,
                });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        match row(&record) {
            Ok(row) => {
                if let Some(first) = players.insert(row.player.clone(), line) {
                    problems.push(format!("line {line}: player {} is already on line {first}", row.player));
                }
                if let Some(first) = users.insert(row.user, line) {
                    problems.push(format!(
                        "line {line}: Discord account {} is already on line {first}",
                        row.user
                    ));
                }
                rows.push((line, row));
            }
            Err(why) => problems.push(format!("line {line}: {why}")),
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

fn row(record: &csv::StringRecord) -> Result<LinkRow, String> {
    if record.len() != COLUMNS.len() {
        return Err(format!("{} columns instead of {}", record.len(), COLUMNS.len()));
    }
    let (player, user, nickname) = (&record[0], &record[1], &record[2]);
    if !is_plausible_id(player) {
        return Err(format!("'{player}' is no FACEIT player id"));
    }
    let user: UserId = user.parse().map_err(|error| format!("{error}"))?;
    if i64::try_from(user.get()).is_err() {
        return Err(format!("'{user}' is larger than any Discord id"));
    }
    if nickname.is_empty() || nickname.len() > 100 || nickname.chars().any(char::is_control) {
        return Err("the nickname is empty, longer than 100 bytes, or has control characters".to_owned());
    }
    Ok(LinkRow {
        player: PlayerId::new(player),
        user,
        nickname: nickname.to_owned(),
    })
}

/// Writes the table.
pub fn write(rows: &[LinkRow], output: impl io::Write) -> csv::Result<()> {
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(COLUMNS)?;
    for row in rows {
        writer.write_record([row.player.as_str(), &row.user.to_string(), &row.nickname])?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_line_is_named_with_its_number() {
        let table = "faceit_id,discord_id,nickname\n\
            p1,2001,Nova\n\
            p2,zero,Rex\n\
            p1,2002,\"Nova, again\"\n\
            p4,2001,Ada\n\
            ,2005,Bo\n\
            p6,2006\n\
            p7,2007,\n";
        let problems = read(table.as_bytes())
            .map(|rows| rows.len())
            .expect_err("six lines are bad");
        insta::assert_snapshot!(problems.join("\n"), @r"
        line 3: 'zero' is no Discord id: expected a whole number above 0, such as 1234567890123456789
        line 4: player p1 is already on line 2
        line 5: Discord account 2001 is already on line 2
        line 6: '' is no FACEIT player id
        line 7: 2 columns instead of 3
        line 8: the nickname is empty, longer than 100 bytes, or has control characters
        ");
    }

    #[test]
    fn what_was_written_reads_back() {
        let table = "\u{feff}faceit_id,discord_id,nickname\r\np1,2001,\"No,va\"\r\n";
        let rows: Vec<_> = read(table.as_bytes())
            .expect("it is good")
            .into_iter()
            .map(|(_, row)| row)
            .collect();
        let mut written = Vec::new();
        write(&rows, &mut written).expect("writing to memory works");
        assert_eq!(
            String::from_utf8_lossy(&written),
            "faceit_id,discord_id,nickname\np1,2001,\"No,va\"\n"
        );
    }

    #[test]
    fn a_file_without_the_right_first_line_is_refused() {
        assert!(read("p1,2001,Nova\n".as_bytes()).is_err());
        assert!(read("".as_bytes()).is_err());
    }
}
