use std::sync::Arc;

use futures::FutureExt;
use reprise_journal::MemoryJournal;
use reprise_ports::Journal;

use crate::suite;

#[tokio::test]
async fn memory_holds_the_contract() {
    let root = MemoryJournal::new();
    let open = || {
        let sibling: Arc<dyn Journal> = Arc::new(root.sibling());
        async move { sibling }.boxed()
    };
    suite::hold(&open).await;
}
