//! Callers that never give up against a Discord that never says yes: how much is sent all the same.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use proptest::prelude::*;

use crate::discord::{
    limiter::{Key, Permit, Scope, Seen, Told, Verdict},
    line::{By, Class, Line, Rank, Turn, Waiter},
};

const MAIN: usize = 0;
const MOVER: usize = 1;
/// How many wait for each key at any time.
const EACH: usize = 4;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Of several kinds, guilds and bots.
const CALLS: [(&str, u64, By); 6] = [
    ("PATCH /guilds/{guild}/members/{user}", 1, By::AnyIn(1)),
    ("PATCH /guilds/{guild}/members/{user}", 2, By::AnyIn(2)),
    ("POST /guilds/{guild}/channels", 1, By::Bot(MAIN)),
    ("DELETE /channels/{channel}", 7, By::Bot(MAIN)),
    ("GET /guilds/{guild}", 1, By::Bot(MOVER)),
    (
        "PATCH /webhooks/{application}/{token}/messages/@original",
        3,
        By::Nobody,
    ),
];

/// An answer, and how long it takes.
#[derive(Clone, Copy, Debug)]
struct Said {
    status: u16,
    seen: Seen<'static>,
    after: Duration,
}

impl Said {
    fn is_invalid(&self) -> bool {
        let shared = matches!(
            self.seen.verdict,
            Verdict::Limited {
                scope: Scope::Shared,
                ..
            }
        );
        self.status == 403 || (self.status == 429 && !shared)
    }
}

fn any_429() -> impl Strategy<Value = Said> {
    let kinds = prop::sample::select(vec![
        (Scope::Bucket, Some(0)),
        (Scope::Route, Some(4)),
        (Scope::Route, None),
        (Scope::Shared, None),
        (Scope::Global, None),
        (Scope::Address, None),
    ]);
    // As often as not there is no time in it, or one that has passed already.
    let pause = prop_oneof![Just(0), 1_u64..3_000];
    (kinds, pause, 0_u64..400).prop_map(|((scope, remaining), pause, after)| Said {
        status: 429,
        seen: Seen {
            told: remaining.map(|remaining| Told {
                limit: 5,
                remaining,
                reset_after: ms(50),
            }),
            bucket: None,
            verdict: Verdict::Limited {
                pause: ms(pause),
                scope,
            },
        },
        after: ms(after),
    })
}

fn passed() -> impl Strategy<Value = Said> {
    (prop::sample::select(vec![200, 200, 404, 403]), 0_u64..400).prop_map(|(status, after)| Said {
        status,
        seen: Seen {
            verdict: Verdict::Passed,
            ..Seen::default()
        },
        after: ms(after),
    })
}

#[derive(Default)]
struct Storm {
    line: Option<Line>,
    now: Duration,
    /// When what was sent, and whether its answer counts against us.
    sent: Vec<(Duration, &'static str, bool)>,
    waiting: BTreeMap<Rank, usize>,
    /// How many of them wait for each of `CALLS`.
    counts: [usize; CALLS.len()],
    under_way: BinaryHeap<Reverse<(Duration, u64)>>,
    permits: BTreeMap<u64, (usize, Permit, Said)>,
}

impl Storm {
    fn new() -> Self {
        let mut line = Line::new(2);
        line.admit(MOVER, 1);
        line.admit(MOVER, 2);
        Self {
            line: Some(line),
            now: secs(1000),
            ..Self::default()
        }
    }

    /// Whoever was answered asks again at once, until then.
    fn rages(&mut self, said: &[Said], until: Duration) {
        let mut line = self.line.take().expect("there is a line");
        while self.now < until {
            for (nth, (route, resource, by)) in CALLS.into_iter().enumerate() {
                while self.counts[nth] < EACH {
                    self.counts[nth] += 1;
                    let rank = Rank {
                        class: Class::Move,
                        since: 0,
                        nth: 0,
                        number: 0,
                    };
                    let waiter = Waiter {
                        key: Key { route, resource },
                        by,
                        joined: self.now,
                        last_start: Duration::MAX,
                    };
                    self.waiting.insert(line.join(rank, waiter), nth);
                }
            }
            let (turns, again) = line.serve(self.now);
            for (rank, turn) in turns {
                let Turn::Go { bot, permit } = turn else {
                    panic!("{turn:?}")
                };
                let which = self.waiting.remove(&rank).expect("it waited");
                self.counts[which] -= 1;
                let answer = said[self.sent.len() % said.len()];
                self.sent.push((self.now, CALLS[which].0, answer.is_invalid()));
                self.permits.insert(rank.number, (bot, permit, answer));
                self.under_way.push(Reverse((self.now + answer.after, rank.number)));
            }
            let answered = self.under_way.peek().map(|Reverse((at, _))| *at);
            self.now = match (answered, again) {
                (Some(at), Some(again)) => at.min(again),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => panic!("nothing would ever wake them"),
            };
            while let Some(Reverse((at, number))) = self.under_way.peek().copied() {
                if at > self.now {
                    break;
                }
                self.under_way.pop();
                let (bot, permit, answer) = self.permits.remove(&number).expect("it is under way");
                line.answered(bot, permit, answer.status, &answer.seen, self.now);
            }
        }
        self.line = Some(line);
    }

    /// The most of these within ten minutes.
    fn most_in_ten_minutes(&self, wanted: impl Fn(&(Duration, &'static str, bool)) -> bool) -> usize {
        let times: Vec<Duration> = self
            .sent
            .iter()
            .filter(|sent| wanted(sent))
            .map(|sent| sent.0)
            .collect();
        let ends = times
            .iter()
            .map(|at| times.partition_point(|other| *other < *at + secs(600)));
        ends.enumerate().map(|(first, end)| end - first).max().unwrap_or(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// A daily cap, a ban, a sub-limit, whatever mixture of them and with whatever times: each key is asked about a dozen times in ten minutes.
    #[test]
    fn a_discord_that_only_says_429_is_hardly_asked(said in prop::collection::vec(any_429(), 1..40)) {
        let mut storm = Storm::new();
        storm.rages(&said, secs(1600));
        // Those under way before the first answer, then one at a time, twice as late each time, by each bot.
        let most = 48 + CALLS.len() * 2 * 13;
        prop_assert!(storm.sent.len() <= most, "{} in ten minutes", storm.sent.len());
        // And when it gives way, everybody gets his turn again.
        let fine = [Said { status: 200, seen: Seen { verdict: Verdict::Passed, ..Seen::default() }, after: ms(50) }];
        let before = storm.sent.len();
        storm.rages(&fine, secs(1600 + 620));
        for (route, ..) in CALLS {
            prop_assert!(storm.sent[before..].iter().any(|sent| sent.1 == route), "{} starves", route);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Discord bans an address after 10,000 invalid requests in ten minutes. We never come near, however many of the answers are invalid.
    #[test]
    fn no_mixture_of_answers_comes_near_a_ban(
        said in prop::collection::vec(prop_oneof![3 => passed(), 1 => any_429()], 1..40),
    ) {
        let mut storm = Storm::new();
        storm.rages(&said, secs(1000 + 1300));
        let invalid = storm.most_in_ten_minutes(|sent| sent.2);
        prop_assert!(invalid <= 5_000, "{} invalid requests", invalid);
    }
}

#[test]
fn an_address_where_everything_is_forbidden_is_slowed_long_before_the_ban_and_never_stops_for_good() {
    let forbidden = [Said {
        status: 403,
        seen: Seen {
            verdict: Verdict::Passed,
            ..Seen::default()
        },
        after: ms(20),
    }];
    let mut storm = Storm::new();
    storm.rages(&forbidden, secs(1000 + 3600));
    let within = |from: u64, to: u64| {
        let inside = storm
            .sent
            .iter()
            .filter(|sent| (secs(1000 + from)..secs(1000 + to)).contains(&sent.0));
        inside.count()
    };
    println!(
        "requests when all are forbidden: first minute {}, then {} to 10 min, {} to 20 min, {} to the hour",
        within(0, 60),
        within(60, 600),
        within(600, 1200),
        within(1200, 3600)
    );
    assert!(storm.most_in_ten_minutes(|_| true) <= 5_000);
    assert!(within(0, 60) >= 1_000, "not before there is reason to");
    assert!(within(3000, 3600) > 100, "it goes on, slowly");
}
