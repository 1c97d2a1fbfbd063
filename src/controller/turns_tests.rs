use std::sync::Arc;

use futures::FutureExt as _;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use tokio::sync::Semaphore;

use super::*;

const LATER: Duration = Duration::from_mins(1);
const LIMITS: Limits = Limits {
    count: 2,
    weight: 10,
    patience: Duration::from_secs(1),
    quiet: Duration::from_millis(100),
    delay: Duration::from_millis(300),
};

/// What has begun so far.
fn begun(beginnings: &mut UnboundedReceiver<&'static str>) -> Vec<&'static str> {
    std::iter::from_fn(|| beginnings.try_recv().ok()).collect()
}

/// Runs everything that need not wait.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Turns, two at a time unless they are too heavy, which end when they are let to; and what has begun.
fn turns() -> (Arc<Turns<&'static str>>, Arc<Semaphore>, UnboundedReceiver<&'static str>) {
    let (turns, ends) = (Arc::new(Turns::new(LIMITS)), Arc::new(Semaphore::new(0)));
    let (begins, beginnings) = unbounded();
    let (working, ending) = (Arc::clone(&turns), Arc::clone(&ends));
    tokio::spawn(async move {
        let work = |key: &'static str| {
            begins.unbounded_send(key).unwrap();
            let ending = Arc::clone(&ending);
            async move {
                ending.acquire().await.unwrap().forget();
                (key == "again").then_some(LATER)
            }
        };
        let weigh = |key: &&str| if key.starts_with("heavy") { 100 } else { 5 };
        working.work(weigh, pending(), work).await;
    });
    (turns, ends, beginnings)
}

#[tokio::test]
async fn what_came_first_comes_first_though_others_keep_coming() {
    let (turns, ends, mut beginnings) = turns();
    for key in ["a", "b", "c", "d"] {
        turns.push(key);
    }
    settle().await;
    assert_eq!(begun(&mut beginnings), ["a", "b"]);
    turns.push("a");
    turns.push("b");
    ends.add_permits(2);
    settle().await;
    assert_eq!(begun(&mut beginnings), ["c", "d"]);
    ends.add_permits(2);
    settle().await;
    assert_eq!(begun(&mut beginnings).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_several_times_is_worked_on_once_and_once_more_if_it_was_under_way() {
    let (turns, ends, mut beginnings) = turns();
    for expected in [&["a"][..], &[]] {
        turns.push("a");
        turns.push("a");
        tokio::time::advance(LIMITS.delay).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), expected, "none twice at once");
    }
    ends.add_permits(9);
    settle().await;
    assert_eq!(begun(&mut beginnings), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_changes_the_first_has_its_turn_at_once_and_the_others_after_the_last() {
    let (turns, ends, mut beginnings) = turns();
    ends.add_permits(9);
    turns.push("a");
    settle().await;
    assert_eq!(begun(&mut beginnings), ["a"]);
    for _ in 0..3 {
        turns.push("a");
        turns.push("a");
        tokio::time::advance(LIMITS.quiet / 2).await;
        settle().await;
    }
    turns.push("b");
    settle().await;
    assert_eq!(begun(&mut beginnings), ["b"], "what is due once waits for nobody");
    tokio::time::advance(LIMITS.quiet / 2).await;
    settle().await;
    assert_eq!(begun(&mut beginnings), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_changes_that_come_one_by_one_two_have_a_turn_at_once_and_the_others_after_the_last() {
    let (turns, ends, mut beginnings) = turns();
    ends.add_permits(9);
    for _ in 0..2 {
        for expected in [&["a"][..], &["a"], &[], &[]] {
            turns.push("a");
            settle().await;
            assert_eq!(begun(&mut beginnings), expected);
            tokio::time::advance(LIMITS.quiet / 2).await;
        }
        tokio::time::advance(LIMITS.quiet / 2).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), ["a"]);
        turns.push("a");
        tokio::time::advance(LIMITS.quiet / 2).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), [""; 0], "there are still many");
        tokio::time::advance(LIMITS.quiet / 2).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), ["a"]);
        tokio::time::advance(LIMITS.quiet).await;
    }
}

#[tokio::test(start_paused = true)]
async fn changes_that_never_end_keep_nothing_waiting_for_long() {
    let (turns, ends, mut beginnings) = turns();
    ends.add_permits(9);
    let began = Instant::now();
    while begun(&mut beginnings).is_empty() {
        turns.push("a");
        turns.push("a");
        tokio::time::advance(LIMITS.quiet / 2).await;
        settle().await;
    }
    assert_eq!(began.elapsed(), LIMITS.delay);
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_few_changes_at_once_waits_no_more_than_the_first() {
    let (turns, ends, mut beginnings) = turns();
    turns.push("a");
    settle().await;
    for (meanwhile, expected) in [(LIMITS.quiet / 2, &["a"][..]), (LIMITS.quiet, &[])] {
        begun(&mut beginnings);
        turns.push("a");
        tokio::time::advance(meanwhile).await;
        turns.push("a");
        ends.add_permits(1);
        settle().await;
        assert_eq!(begun(&mut beginnings), expected, "{meanwhile:?}");
    }
}

#[tokio::test]
async fn single_changes_wait_for_nobody_however_heavy_they_are() {
    let (turns, _ends, mut beginnings) = turns();
    turns.push("heavy");
    turns.push("heavy as well");
    settle().await;
    assert_eq!(begun(&mut beginnings), ["heavy", "heavy as well"]);
}

/// So many changes of each of them that they are taken on by what they weigh.
async fn push_many(turns: &Turns<&'static str>, keys: &[&'static str]) {
    for key in keys {
        turns.push(key);
        turns.push(key);
    }
    tokio::time::advance(LIMITS.quiet).await;
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn of_those_amid_many_changes_one_that_is_heavy_is_the_only_one_and_nothing_lighter_overtakes_it() {
    let (turns, ends, mut beginnings) = turns();
    push_many(&turns, &["a", "heavy", "b"]).await;
    assert_eq!(begun(&mut beginnings), ["a"]);
    turns.push("single");
    for expected in [&["single"][..], &["heavy"], &[], &["b"]] {
        settle().await;
        assert_eq!(begun(&mut beginnings), expected);
        ends.add_permits(1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_it_is_worked_on_is_amid_many_changes() {
    let (turns, ends, mut beginnings) = turns();
    turns.push("heavy");
    turns.push("heavy as well");
    settle().await;
    turns.push("heavy");
    turns.push("heavy as well");
    for expected in [&["heavy", "heavy as well"][..], &["heavy"], &[], &["heavy as well"]] {
        settle().await;
        assert_eq!(begun(&mut beginnings), expected);
        ends.add_permits(1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_waited_for_no_more_by_others() {
    let (turns, _ends, mut beginnings) = turns();
    push_many(&turns, &["heavy", "a"]).await;
    assert_eq!(begun(&mut beginnings), ["heavy"]);
    tokio::time::advance(LIMITS.patience).await;
    settle().await;
    assert_eq!(begun(&mut beginnings), ["a"]);
    turns.push("heavy");
    turns.push("b");
    tokio::time::advance(LIMITS.patience).await;
    settle().await;
    assert_eq!(begun(&mut beginnings), [""; 0], "no more than two at a time, and none of them twice");
}

#[tokio::test(start_paused = true)]
async fn what_is_due_again_by_itself_is_so_in_its_time_and_not_where_it_had_a_turn_before() {
    let (turns, ends, mut beginnings) = turns();
    ends.add_permits(9);
    turns.push("again");
    settle().await;
    tokio::time::advance(LATER / 2).await;
    turns.push("again");
    settle().await;
    assert_eq!(begun(&mut beginnings), ["again", "again"]);
    tokio::time::advance(LATER * 3 / 4).await;
    settle().await;
    assert_eq!(begun(&mut beginnings), [""; 0]);
    tokio::time::advance(LATER / 4).await;
    settle().await;
    assert_eq!(begun(&mut beginnings), ["again"]);
}

#[tokio::test]
async fn what_is_under_way_ends_before_the_end_and_nothing_else_begins() {
    let one = Limits { count: 1, ..LIMITS };
    let (turns, (begins, mut beginnings)) = (Turns::new(one), unbounded());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    for key in ["a", "b"] {
        turns.push(key);
    }
    let ends = Arc::new(Semaphore::new(0));
    let working = turns.work(
        |_| 0,
        stopped.map(drop),
        |key| {
            begins.unbounded_send(key).unwrap();
            let ends = Arc::clone(&ends);
            async move {
                ends.acquire().await.unwrap().forget();
                None
            }
        },
    );
    futures::pin_mut!(working);
    assert!(working.as_mut().now_or_never().is_none());
    stop.send(()).unwrap();
    assert!(working.as_mut().now_or_never().is_none(), "a is under way");
    ends.add_permits(9);
    working.await;
    assert_eq!(begun(&mut beginnings), ["a"]);
}
