//! A task of the runtime that lives as long as somebody waits for it.

use tokio::task::JoinHandle;

/// Drives the future on the runtime's own threads. It is gone when this one is
/// dropped; its panic goes on here. None when the runtime cut it off.
pub(crate) async fn tied<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut task = AbortOnDrop(tokio::spawn(future));
    match (&mut task.0).await {
        Ok(value) => Some(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
