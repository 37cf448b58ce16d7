//! A restore that is cut off at every point where it can be, and repeated by a
//! process that knows nothing of it.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use reprise_model::Action;

use crate::bench::{Bench, call, perform};

/// Drops the future when `enough` says so, which is asked after each poll;
/// `None` where it had not ended by then.
async fn cut<F: Future>(future: F, mut enough: impl FnMut() -> bool) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if enough() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// One effect is asked for after another, so that each number of them is seen
/// between two requests.
#[tokio::test]
async fn cut_off_between_two_effects_the_rest_is_asked_for() {
    for kept in 1..5 {
        let bench = Bench::new().await;
        let connector = bench.connector();
        let restore = call(Action::Restore, "7");
        let first = cut(perform(&*connector, &restore), || {
            bench.vendor.apps("7").len() == kept
        });
        assert!(first.await.is_none(), "it came to its end before {kept}");
        let outcome = bench.restore("7").await.unwrap();
        assert!(outcome.output["installed"].as_u64() <= Some(5 - kept as u64));
        bench.all_once();
        bench.verify("7").await.unwrap();
    }
}

#[tokio::test]
async fn cut_off_anywhere_each_effect_happens_once() {
    let mut ended = false;
    for polls in 1..400 {
        let bench = Bench::new().await;
        let first = {
            let connector = bench.connector();
            let mut polled = 0;
            let enough = || {
                polled += 1;
                polled == polls
            };
            cut(perform(&*connector, &call(Action::Restore, "7")), enough).await
        };
        bench.restore("7").await.unwrap();
        bench.all_once();
        bench.verify("7").await.unwrap();
        if let Some(outcome) = first {
            outcome.unwrap();
            ended = true;
            break;
        }
    }
    assert!(ended, "the restore never came to its end");
}
