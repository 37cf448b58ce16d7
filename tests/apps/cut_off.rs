//! A restore that is cut off at every point where it can be, and repeated by a
//! process that knows nothing of it.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use reprise_model::Action;

use crate::bench::{Bench, call, perform};

/// Drops the future after so many polls; `None` where it had not ended by then.
async fn cut<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn cut_off_anywhere_each_effect_happens_once() {
    let mut ended = false;
    let mut partly = 0;
    for polls in 1..400 {
        let bench = Bench::new().await;
        let first = {
            let connector = bench.connector();
            cut(perform(&*connector, &call(Action::Restore, "7")), polls).await
        };
        let kept = bench.vendor.apps("7").len();
        partly += usize::from((1..5).contains(&kept));
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
    assert!(partly >= 4, "only {partly} cuts fell between the effects");
}
