//! What the person in front of it sees: on a terminal one picture, redrawn in place; elsewhere plain lines, only changes.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use muster::clock::Clock;

use crate::{
    report::Counts,
    text::{cut, paragraph, wrap},
};

/// Another screen, so that what was on the terminal comes back; no cursor; long lines are ours to break.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const USUAL: &str = "\x1b[0m";
/// A pipe has no width; this reads well in a log.
const PLAIN_WIDTH: usize = 120;
/// A terminal with so many rows has room for empty ones.
const AIRY: usize = 36;
/// Events that are kept for the screen.
const REMEMBERED: usize = 100;

/// Who did something.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    Faceit,
    Muster,
    Player,
    Demo,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faceit => "FACEIT",
            Self::Muster => "Muster",
            Self::Player => "Player",
            Self::Demo => "demo",
        })
    }
}

#[derive(Debug)]
pub struct Show(RefCell<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    screen: bool,
    step: String,
    explanation: String,
    waiting: Option<String>,
    picture: String,
    events: VecDeque<String>,
    counts: Counts,
    drawn: String,
}

impl Show {
    pub fn new() -> Self {
        Self(RefCell::new(Inner {
            clock: Clock::system(),
            screen: false,
            step: String::new(),
            explanation: String::new(),
            waiting: None,
            picture: String::new(),
            events: VecDeque::new(),
            counts: Counts::default(),
            drawn: String::new(),
        }))
    }

    /// Turns to the redrawn picture, where there is a terminal that can show it.
    pub fn open(&self) {
        let mut inner = self.0.borrow_mut();
        inner.screen = io::stdout().is_terminal() && size().is_some();
        if inner.screen {
            put(ENTER);
        }
        drop(inner);
        self.redraw();
    }

    /// Gives the terminal back as it was.
    pub fn close(&self) {
        let mut inner = self.0.borrow_mut();
        if std::mem::take(&mut inner.screen) {
            put(LEAVE);
        }
    }

    /// The next step of the story, and what there is to see.
    pub fn step(&self, number: usize, of: usize, title: &str, explanation: &str) {
        let mut inner = self.0.borrow_mut();
        inner.step = format!("Step {number} of {of}: {title}");
        inner.explanation = explanation.to_owned();
        if !inner.screen {
            put(&format!("\n== {}\n", inner.step));
            put_lines(&paragraph(explanation, PLAIN_WIDTH));
        }
        drop(inner);
        self.redraw();
    }

    /// Something happened.
    pub fn say(&self, who: Who, what: &str) {
        let mut inner = self.0.borrow_mut();
        let event = format!("{} {who:<6} {what}", time_of_day(&inner.clock));
        if !inner.screen {
            put_lines(&wrap(&format!("  {event}"), PLAIN_WIDTH));
        }
        inner.events.push_back(event);
        if inner.events.len() > REMEMBERED {
            inner.events.pop_front();
        }
        drop(inner);
        self.redraw();
    }

    /// Why nothing happens right now.
    pub fn waiting(&self, why: Option<&str>) {
        let mut inner = self.0.borrow_mut();
        if inner.waiting.as_deref() == why {
            return;
        }
        if let (false, Some(why)) = (inner.screen, why) {
            put_lines(&wrap(&format!("  ... {why}"), PLAIN_WIDTH));
        }
        inner.waiting = why.map(str::to_owned);
        drop(inner);
        self.redraw();
    }

    pub fn picture(&self, picture: String, counts: Counts) {
        let mut inner = self.0.borrow_mut();
        inner.picture = picture;
        inner.counts = counts;
        drop(inner);
        self.redraw();
    }

    /// Where nothing is redrawn, prints the picture as it is at this moment.
    pub fn print_picture(&self) {
        let inner = self.0.borrow();
        if !inner.screen {
            put("\n");
            put_lines(&wrapped_picture(&inner.picture, PLAIN_WIDTH, "  | "));
        }
    }

    /// A line outside of the story: before it begins and after its end.
    pub fn line(&self, text: &str) {
        put(text);
        put("\n");
    }

    /// Draws the screen anew, if it shows anything else than before.
    pub fn redraw(&self) {
        let mut inner = self.0.borrow_mut();
        let Some((rows, columns)) = size().filter(|_| inner.screen) else {
            return;
        };
        let frame = inner.frame(rows, columns);
        if frame != inner.drawn {
            put(&frame);
            inner.drawn = frame;
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn frame(&self, rows: usize, columns: usize) -> String {
        let rule = |title: &str| {
            let line = "-".repeat(columns.saturating_sub(title.len() + 4));
            format!("{DIM}-- {title} {line}{USUAL}")
        };
        let bold = |line: String| format!("{BOLD}{line}{USUAL}");
        let airy = rows >= AIRY;
        let mut top = Vec::new();
        let title = format!(
            "Muster demo  {} UTC  the real service and database; FACEIT and Discord are simulated",
            time_of_day(&self.clock)
        );
        top.push(format!("{DIM}{}{USUAL}", cut(&title, columns)));
        top.extend(airy.then(String::new));
        let newest = self.events.back().map_or("", String::as_str);
        top.extend(wrap(&format!("> {newest}"), columns).into_iter().map(bold));
        top.extend(airy.then(String::new));
        top.extend(wrap(&self.step, columns).into_iter().map(bold));
        top.extend(paragraph(&self.explanation, columns));
        match &self.waiting {
            Some(why) => top.push(format!("{DIM}{}{USUAL}", cut(&format!("... {why}"), columns))),
            None => top.extend(airy.then(String::new)),
        }
        top.push(rule("the Discord servers, right now"));
        top.extend(wrapped_picture(&self.picture, columns, ""));
        top.push(rule("what happened"));
        let bottom = cut(&self.counts.to_string(), columns);
        let room = rows.saturating_sub(top.len() + 2);
        let events: Vec<String> = self.events.iter().flat_map(|event| wrap(event, columns)).collect();
        let newest = events[events.len().saturating_sub(room)..].to_vec();
        top.extend(newest);
        top.truncate(rows.saturating_sub(2));
        top.resize(rows.saturating_sub(2), String::new());
        top.push(rule("so far"));
        top.push(bottom);
        // Home, and each line cleared before it is written: behind a full line, clearing would take its last character.
        format!("\x1b[H\x1b[K{}", top.join("\r\n\x1b[K"))
    }
}

fn wrapped_picture(picture: &str, columns: usize, prefix: &str) -> Vec<String> {
    let width = columns.saturating_sub(prefix.len());
    let lines = picture.lines().flat_map(|line| wrap(line, width));
    lines.map(|line| format!("{prefix}{line}")).collect()
}

fn put_lines(lines: &[String]) {
    put(&(lines.join("\n") + "\n"));
}

/// Somebody who went away (`| head`) is no reason to leave the story in the middle.
fn put(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Rows and columns of the terminal; none where there is no terminal, or too small a one.
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let (rows, columns) = (usize::from(size.ws_row), usize::from(size.ws_col));
    (rows >= 16 && columns >= 40).then_some((rows, columns))
}

fn time_of_day(clock: &Clock) -> String {
    let (hour, minute, second) = clock.now().to_hms();
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// Minutes and seconds, for people.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
