//! The limiter against a model of Discord's limits, with random sizes, latencies and orders; and single rules by example.

use std::collections::{BTreeMap, BinaryHeap};

use proptest::prelude::*;

use super::*;

const MOVE: Key = key("PATCH /guilds/{guild}/members/{user}", 1000);

const fn key(route: &'static str, resource: u64) -> Key {
    Key { route, resource }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One bucket as Discord keeps it.
#[derive(Clone, Copy, Debug)]
struct Model {
    limit: u32,
    period: Duration,
    window: bool,
    /// Leaky: full again then. Window: over then.
    full_at: Duration,
    used: u32,
}

impl Model {
    fn leaky(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            window: false,
            full_at: Duration::ZERO,
            used: 0,
        }
    }

    fn interval(&self) -> Duration {
        self.period / self.limit
    }

    /// What it says to a request, and how long to wait if it refuses.
    fn take(&mut self, now: Duration) -> (Told, Option<Duration>) {
        let owed = self.full_at.saturating_sub(now);
        let (remaining, reset_after, wait) = if self.window {
            if owed.is_zero() {
                (self.used, self.full_at) = (0, now + self.period);
            }
            let wait = (self.used >= self.limit).then_some(owed);
            self.used = (self.used + 1).min(self.limit);
            (self.limit - self.used, self.full_at - now, wait)
        } else {
            let room = self.period - self.interval();
            if owed > room {
                (0, owed, Some(owed - room))
            } else {
                let owed = owed + self.interval();
                self.full_at = now + owed;
                let left = self.period.saturating_sub(owed).as_nanos() / self.interval().as_nanos();
                (left as u32, owed, None)
            }
        };
        let reset_after = ms((reset_after + Duration::from_micros(500)).as_millis() as u64);
        let told = Told {
            limit: self.limit,
            remaining,
            reset_after,
        };
        (told, wait)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Answer { number: usize },
    Arrive { number: usize },
    Wish { number: usize },
    Wake,
}

/// One request somebody wishes to send.
#[derive(Clone, Copy, Debug)]
struct Wish {
    at: Duration,
    key: Key,
    there: Duration,
    back: Duration,
    /// No answer comes, or nobody waits for it.
    lost: bool,
}

#[derive(Debug, Default)]
struct Run {
    refused: usize,
    sent: Vec<Duration>,
    arrived: Vec<Duration>,
    finished: Duration,
    /// Slept until the named time, and then had to sleep again although nothing had happened meanwhile.
    slept_twice: usize,
}

/// Plays the wishes, in their order, against the model; `buckets` says which bucket a key falls into.
fn play(
    limiter: &mut Limiter,
    wishes: &[Wish],
    buckets: &mut BTreeMap<(&'static str, u64), Model>,
    names: &Names,
) -> Run {
    let mut run = Run::default();
    let mut steps = BinaryHeap::new();
    for (number, wish) in wishes.iter().enumerate() {
        steps.push(std::cmp::Reverse((wish.at, Step::Wish { number })));
    }
    let mut waiting: Vec<usize> = Vec::new();
    let mut permits: BTreeMap<usize, Permit> = BTreeMap::new();
    let mut answers: BTreeMap<usize, (Told, Option<Duration>)> = BTreeMap::new();
    let (mut guard, mut alarm) = (0, None);
    while let Some(std::cmp::Reverse((now, step))) = steps.pop() {
        guard += 1;
        assert!(guard < 20_000, "it goes round in circles");
        match step {
            Step::Wish { number } => waiting.push(number),
            Step::Wake => {}
            Step::Arrive { number } => {
                let wish = wishes[number];
                let named = names.of(wish.key.route);
                let bucket = buckets
                    .get_mut(&(named, wish.key.resource))
                    .expect("every bucket is in the model");
                run.arrived.push(now);
                answers.insert(number, bucket.take(now));
                steps.push(std::cmp::Reverse((now + wish.back, Step::Answer { number })));
            }
            Step::Answer { number } => {
                let (told, wait) = answers[&number];
                let permit = permits.remove(&number).expect("it was sent");
                let verdict = match wait {
                    None => Verdict::Passed,
                    Some(wait) => Verdict::Limited {
                        pause: wait.max(told.reset_after),
                        scope: Scope::Bucket,
                    },
                };
                let seen = Seen {
                    told: Some(told),
                    bucket: Some(names.of(wishes[number].key.route)),
                    verdict,
                };
                let lost = wishes[number].lost;
                limiter.answered(
                    permit,
                    if lost {
                        &Seen {
                            told: None,
                            bucket: None,
                            verdict: Verdict::Lost,
                        }
                    } else {
                        &seen
                    },
                    now,
                );
                run.finished = now;
                if wait.is_some() {
                    run.refused += 1;
                }
                if wait.is_some() && !lost {
                    waiting.push(number);
                    waiting.sort_unstable();
                }
            }
        }
        let mut left = Vec::new();
        let mut wake: Option<Duration> = None;
        for number in waiting.drain(..) {
            match limiter.permit(wishes[number].key, now) {
                Ok(permit) => {
                    permits.insert(number, permit);
                    run.sent.push(now);
                    steps.push(std::cmp::Reverse((now + wishes[number].there, Step::Arrive { number })));
                }
                Err(wait) => {
                    if let Wait::Until(until) = wait {
                        assert!(until > now);
                        wake = Some(wake.map_or(until, |wake| wake.min(until)));
                    }
                    left.push(number);
                }
            }
        }
        waiting = left;
        if let Some(until) = wake {
            let first = waiting
                .iter()
                .find(|number| limiter.look(wishes[**number].key, now) == Err(Wait::Until(until)));
            if let Some(number) = first
                && limiter.look(wishes[*number].key, until).is_err()
            {
                run.slept_twice += 1;
            }
            if alarm.replace(until) != Some(until) {
                steps.push(std::cmp::Reverse((until, Step::Wake)));
            }
        }
    }
    assert!(waiting.is_empty(), "{} starve", waiting.len());
    assert!(
        limiter.flights.is_empty() && limiter.buckets.values().all(|bucket| bucket.in_flight() == 0),
        "a permit is lost"
    );
    run
}

/// Which bucket value the model tells for a route.
struct Names(BTreeMap<&'static str, &'static str>);

impl Names {
    fn own() -> Self {
        Self(BTreeMap::new())
    }

    fn of(&self, route: &'static str) -> &'static str {
        self.0.get(route).copied().unwrap_or(route)
    }
}

fn wave(count: usize, at: Duration, latency: Duration) -> Vec<Wish> {
    let wish = Wish {
        at,
        key: MOVE,
        there: latency / 2,
        back: latency / 2,
        lost: false,
    };
    vec![wish; count]
}

fn one_bucket(model: Model) -> BTreeMap<(&'static str, u64), Model> {
    BTreeMap::from([((MOVE.route, MOVE.resource), model)])
}

fn a_model() -> impl Strategy<Value = Model> {
    (1_u32..=20, 50_u64..3_000).prop_map(|(limit, interval)| Model::leaky(limit, ms(interval) * limit))
}

fn wishes(most: usize, latency: u64, gap: u64) -> impl Strategy<Value = Vec<Wish>> {
    let one = (0..gap, 0..latency, 0..latency, prop::bool::weighted(0.03));
    prop::collection::vec(one, 1..most).prop_map(|list| {
        let mut at = secs(100);
        let wish = |(gap, there, back, lost)| {
            // Half of them come at once.
            at += ms(gap / 2 * (gap % 2));
            Wish {
                at,
                key: MOVE,
                there: ms(there),
                back: ms(back),
                lost,
            }
        };
        list.into_iter().map(wish).collect()
    })
}

/// One request alone, so that the bucket is known.
fn warm(limiter: &mut Limiter, buckets: &mut BTreeMap<(&'static str, u64), Model>) {
    play(limiter, &wave(1, Duration::ZERO, ms(1)), buckets, &Names::own());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However long each request takes on its way there and back, overtaking others: never one more than the bucket allows.
    #[test]
    fn a_known_bucket_never_refuses(model in a_model(), wishes in wishes(80, 8_000, 3_000)) {
        let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(model));
        warm(&mut limiter, &mut buckets);
        let run = play(&mut limiter, &wishes, &mut buckets, &Names::own());
        prop_assert_eq!(run.refused, 0);
        prop_assert_eq!(run.slept_twice, 0);
    }

    /// Nor does it take longer than it must: behind the ideal schedule by the way there and back once, not by a share of the whole.
    #[test]
    fn a_wave_is_through_as_soon_as_the_bucket_allows(
        limit in 2_u32..=20, interval in 50_u64..3_000, count in 1_usize..80, latency in 0_u64..400,
    ) {
        let model = Model::leaky(limit, ms(interval) * limit);
        // An answer must be there when the next token is, or there is nothing to go by.
        prop_assume!(latency <= interval / 2);
        let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(model));
        warm(&mut limiter, &mut buckets);
        let start = secs(1000);
        let run = play(&mut limiter, &wave(count, start, ms(latency)), &mut buckets, &Names::own());
        prop_assert_eq!(run.refused, 0);
        // Not more than 48 in a second, counted from the answers.
        let paced = (SECOND + ms(latency)) * ((count - 1) / PER_SECOND) as u32;
        let ideal = (model.interval() * (count as u32).saturating_sub(limit)).max(paced);
        let last = *run.sent.last().unwrap() - start;
        prop_assert!(last <= ideal + ms(latency + 10), "{:?} instead of {:?}", last, ideal);
    }

    /// Found in any state, by a cold start: the guess may cost refusals, but no more than the guess itself.
    #[test]
    fn a_cold_start_costs_no_more_than_the_guess(
        model in a_model(), used in 0_u32..20, wishes in wishes(40, 300, 1_000),
    ) {
        let mut model = model;
        (0..used).for_each(|_| _ = model.take(secs(100)));
        let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(model));
        let run = play(&mut limiter, &wishes, &mut buckets, &Names::own());
        let lost = wishes.iter().filter(|wish| wish.lost).count();
        prop_assert!(run.refused <= 12 + lost, "{} refused", run.refused);
    }

    /// A route that turns out to be a fixed window is survived.
    #[test]
    fn a_fixed_window_refuses_one_burst_at_most(
        limit in 2_u32..=20, period in 500_u64..10_000, wishes in wishes(60, 200, 800),
    ) {
        let model = Model { window: true, ..Model::leaky(limit, ms(period)) };
        let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(model));
        let wishes: Vec<Wish> = wishes.into_iter().map(|wish| Wish { lost: false, ..wish }).collect();
        let run = play(&mut limiter, &wishes, &mut buckets, &Names::own());
        prop_assert!(run.refused <= 10, "{} refused", run.refused);
    }

    /// Two routes with one bucket value share its tokens; another top-level id has its own.
    #[test]
    fn routes_with_one_bucket_value_share_it(
        model in a_model(), wishes in wishes(60, 400, 1_000), picks in prop::collection::vec(0_usize..4, 60),
    ) {
        let keys = [key("PUT /a", 1), key("DELETE /a", 1), key("PUT /a", 2), key("DELETE /a", 2)];
        let names = Names(BTreeMap::from([("PUT /a", "one"), ("DELETE /a", "one")]));
        let mut buckets = BTreeMap::from([(("one", 1), model), (("one", 2), model)]);
        let mut limiter = Limiter::default();
        for (number, key) in keys.into_iter().enumerate() {
            let wish = Wish { key, lost: false, ..wave(1, ms(number as u64), Duration::ZERO)[0] };
            play(&mut limiter, &[wish], &mut buckets, &names);
        }
        let wishes: Vec<Wish> = wishes.into_iter().zip(picks).map(|(wish, pick)| Wish { key: keys[pick], ..wish }).collect();
        let run = play(&mut limiter, &wishes, &mut buckets, &names);
        prop_assert_eq!(run.refused, 0);
        prop_assert_eq!(limiter.buckets.len(), 2);
    }

    /// Over all routes fewer than 50 arrive in any second, however long they are on their way; and nobody sleeps twice for it.
    #[test]
    fn fifty_a_second_never_arrive(
        wishes in wishes(250, 1_500, 20), limit in 1_u32..=20, period in 50_u64..3_000, guilds in 1_u64..40,
    ) {
        let mut buckets = BTreeMap::new();
        let wishes: Vec<Wish> = (0..).zip(wishes).map(|(number, wish)| {
            let key = key("DELETE /channels/{channel}", number % guilds);
            buckets.entry((key.route, key.resource)).or_insert(Model::leaky(limit, ms(period)));
            Wish { key, lost: false, ..wish }
        }).collect();
        let mut limiter = Limiter::default();
        for guild in 0..guilds.min(wishes.len() as u64) {
            let first = Wish { key: key("DELETE /channels/{channel}", guild), ..wave(1, secs(guild), Duration::ZERO)[0] };
            play(&mut limiter, &[first], &mut buckets, &Names::own());
        }
        let run = play(&mut limiter, &wishes, &mut buckets, &Names::own());
        for (first, at) in run.arrived.iter().enumerate() {
            let end = run.arrived.partition_point(|other| *other < *at + SECOND);
            prop_assert!(end - first < 50, "{} in a second", end - first);
        }
        prop_assert_eq!(run.slept_twice, 0);
    }

    /// One answer is enough to know a bucket by, in whatever state it was found.
    #[test]
    fn after_one_answer_nothing_is_refused_any_more(
        model in a_model(), used in 0_u32..20, wait in 0_u64..3_000, wishes in wishes(60, 1_000, 1_000),
    ) {
        let mut model = model;
        let used = used.min(model.limit - 1);
        (0..used).for_each(|_| _ = model.take(secs(100)));
        let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(model));
        let first = secs(100) + ms(wait);
        play(&mut limiter, &wave(1, first, ms(2)), &mut buckets, &Names::own());
        let later = |wish: Wish| Wish { at: wish.at + ms(wait + 2), ..wish };
        let wishes: Vec<Wish> = wishes.into_iter().map(later).collect();
        let run = play(&mut limiter, &wishes, &mut buckets, &Names::own());
        prop_assert_eq!(run.refused, 0);
    }
}

#[test]
fn a_cold_wave_of_ten_goes_at_once_and_twenty_take_ten_seconds_more() {
    let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(Model::leaky(10, secs(10))));
    let run = play(&mut limiter, &wave(20, secs(100), ms(100)), &mut buckets, &Names::own());
    assert_eq!(run.sent.iter().filter(|at| **at == secs(100)).count(), 10);
    assert_eq!(run.refused, 0);
    let took = run.finished - secs(100);
    println!("20 moves, bucket 10 per 10 s, latency 100 ms: {took:?}; ideal 10.1 s");
    assert!(took <= ms(10_100 + 200), "{took:?}");
}

#[test]
fn fifty_moves_take_as_long_as_the_bucket_says() {
    let (mut limiter, mut buckets) = (Limiter::default(), one_bucket(Model::leaky(10, secs(10))));
    let run = play(&mut limiter, &wave(50, secs(100), ms(100)), &mut buckets, &Names::own());
    let took = run.finished - secs(100);
    println!("50 moves, bucket 10 per 10 s, latency 100 ms: {took:?}; ideal 40.1 s");
    assert_eq!(run.refused, 0);
    assert!(took <= ms(40_100 + 200), "{took:?}");
}

fn told(limit: u32, remaining: u32, reset_after: Duration) -> Option<Told> {
    Some(Told {
        limit,
        remaining,
        reset_after,
    })
}

fn answer(limiter: &mut Limiter, key: Key, seen: Seen<'_>, now: Duration) {
    let permit = limiter.permit(key, now).unwrap();
    limiter.answered(permit, &seen, now);
}

fn limited(pause: Duration, scope: Scope) -> Seen<'static> {
    Seen {
        verdict: Verdict::Limited { pause, scope },
        ..Seen::default()
    }
}

#[test]
fn an_answer_that_left_before_a_later_request_gives_no_tokens_back() {
    let mut limiter = Limiter::default();
    let (first, second) = (
        limiter.permit(MOVE, secs(1)).unwrap(),
        limiter.permit(MOVE, secs(1)).unwrap(),
    );
    let passed = |told| Seen {
        told,
        verdict: Verdict::Passed,
        bucket: None,
    };
    limiter.answered(first, &passed(told(2, 1, secs(5))), secs(1));
    assert!(limiter.look(MOVE, secs(1)).is_err(), "the second is under way");
    limiter.answered(second, &passed(told(2, 0, secs(10))), secs(1));
    assert_eq!(limiter.look(MOVE, secs(1)), Err(Wait::Until(secs(6) + ms(1))));
}

#[test]
fn a_global_429_stops_all_routes_and_a_sub_limit_only_its_own() {
    let other = key("DELETE /channels/{channel}", 5);
    let mut limiter = Limiter::default();
    let sub_limit = Seen {
        told: told(10, 7, secs(3)),
        ..limited(secs(600), Scope::Route)
    };
    answer(&mut limiter, MOVE, sub_limit, secs(1));
    assert_eq!(limiter.look(MOVE, secs(2)), Err(Wait::Until(secs(601))));
    assert_eq!(limiter.look(key(MOVE.route, 2000), secs(2)), Ok(()), "another guild");
    assert_eq!(limiter.look(other, secs(2)), Ok(()));
    answer(&mut limiter, other, limited(secs(4), Scope::Global), secs(3));
    assert_eq!(limiter.look(other, secs(4)), Err(Wait::Until(secs(7))));
    assert_eq!(limiter.look(other, secs(7)), Ok(()));
    assert_eq!(
        limiter.look(MOVE, secs(8)),
        Err(Wait::Until(secs(601))),
        "a shorter pause never shortens a longer one"
    );
}

#[test]
fn what_one_route_was_refused_another_one_of_the_same_bucket_does_not_try() {
    let (put, delete) = (key("PUT /a", 1), key("DELETE /a", 1));
    let mut limiter = Limiter::default();
    let named = |seen| Seen {
        bucket: Some("one"),
        ..seen
    };
    for key in [put, delete] {
        let passed = Seen {
            told: told(5, 4, secs(1)),
            verdict: Verdict::Passed,
            bucket: None,
        };
        answer(&mut limiter, key, named(passed), secs(1));
    }
    let refused = Seen {
        told: told(5, 0, secs(3)),
        ..limited(secs(30), Scope::Bucket)
    };
    answer(&mut limiter, put, named(refused), secs(10));
    assert_eq!(limiter.look(delete, secs(11)), Err(Wait::Until(secs(40) + ms(1))));
    assert_eq!(limiter.look(key("DELETE /a", 2), secs(11)), Ok(()), "another channel");
}

#[test]
fn what_was_closed_opens_for_one_first_and_for_all_once_that_has_passed() {
    let mut limiter = Limiter::default();
    let passed = Seen {
        verdict: Verdict::Passed,
        ..Seen::default()
    };
    for scope in [Scope::Route, Scope::Global] {
        answer(&mut limiter, MOVE, limited(secs(5), scope), secs(10));
        let first = limiter.permit(MOVE, secs(15)).unwrap();
        assert_eq!(limiter.look(MOVE, secs(15)), Err(Wait::Answer), "{scope:?}");
        assert_eq!(limiter.room(MOVE, secs(15)), 0);
        let other = limiter.look(key(MOVE.route, 2000), secs(15));
        assert_eq!(other.is_err(), scope == Scope::Global, "{scope:?}");
        limiter.answered(first, &passed, secs(15));
        assert_eq!(limiter.look(MOVE, secs(15)), Ok(()), "{scope:?}");
        limiter.all = Closing::default();
        limiter.closed.clear();
    }
}

#[test]
fn who_waits_for_several_things_is_told_of_the_last_of_them() {
    let mut limiter = Limiter::default();
    let two = Model::leaky(2, secs(20));
    play(
        &mut limiter,
        &wave(2, secs(1), Duration::ZERO),
        &mut one_bucket(two),
        &Names::own(),
    );
    let bucket = limiter.look(MOVE, secs(2));
    assert!(
        matches!(bucket, Err(Wait::Until(until)) if (secs(11)..secs(11) + ms(5)).contains(&until)),
        "{bucket:?}"
    );
    let other = key("DELETE /channels/{channel}", 5);
    answer(&mut limiter, other, limited(secs(5), Scope::Global), secs(3));
    assert_eq!(
        limiter.look(MOVE, secs(4)),
        bucket,
        "longer than the pause of the whole bot"
    );
    answer(&mut limiter, other, limited(secs(9), Scope::Global), secs(8));
    assert_eq!(limiter.look(MOVE, secs(9)), Err(Wait::Until(secs(17))), "the whole bot");
}

#[test]
fn nothing_is_retried_hot_whatever_discord_says() {
    let (mut limiter, mut now, mut sent) = (Limiter::default(), secs(1), 0);
    while now < secs(601) {
        match limiter.permit(MOVE, now) {
            Ok(permit) => {
                sent += 1;
                limiter.answered(permit, &limited(Duration::ZERO, Scope::Route), now);
            }
            Err(Wait::Until(until)) => now = until,
            Err(Wait::Answer) => panic!("nothing is under way"),
        }
    }
    assert!(sent <= 12, "{sent} in ten minutes");
}

#[test]
fn failures_back_off_and_a_success_ends_it() {
    let mut limiter = Limiter::default();
    let failed = Seen {
        verdict: Verdict::Failed,
        ..Seen::default()
    };
    let passed = Seen {
        verdict: Verdict::Passed,
        ..Seen::default()
    };
    answer(&mut limiter, MOVE, failed, secs(1));
    assert_eq!(limiter.look(MOVE, secs(1)), Err(Wait::Until(ms(1250))));
    answer(&mut limiter, MOVE, failed, secs(2));
    assert_eq!(limiter.look(MOVE, secs(2)), Err(Wait::Until(ms(2500))));
    answer(&mut limiter, MOVE, passed, secs(3));
    answer(&mut limiter, MOVE, failed, secs(4));
    assert_eq!(limiter.look(MOVE, secs(4)), Err(Wait::Until(ms(4250))));
}

#[test]
fn a_cancelled_permit_leaves_no_trace() {
    let mut limiter = Limiter::default();
    for _ in 0..1000 {
        let permit = limiter.permit(MOVE, secs(1)).unwrap();
        limiter.cancel(permit);
    }
    assert_eq!(limiter.room(MOVE, secs(1)), 10);
}

#[test]
fn buckets_of_deleted_channels_are_forgotten() {
    let mut limiter = Limiter::default();
    for channel in 0..10_000 {
        let seen = Seen {
            told: told(5, 4, secs(1)),
            bucket: Some("delete"),
            verdict: Verdict::Passed,
        };
        answer(
            &mut limiter,
            key("DELETE /channels/{channel}", channel),
            seen,
            secs(channel),
        );
    }
    assert!(limiter.buckets.len() <= MANY && limiter.by_key.len() <= MANY && limiter.by_name.len() <= MANY);
}
