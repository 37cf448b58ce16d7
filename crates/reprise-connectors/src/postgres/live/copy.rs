//! One table's rows from a server straight into another: `copy` to `copy`.
//!
//! Reading and writing overlap by a short channel of large chunks. What is in
//! memory is those chunks and one row, however large the slice is. The writer
//! ends its `copy` only after the reader has said that all rows were sent; a
//! reader that fails or is dropped says nothing, and the rows are discarded.

use futures::TryStreamExt;
use sqlx::PgConnection;
use tokio::sync::mpsc;

/// Large enough that the cost of a chunk vanishes against its rows.
const CHUNK: usize = 256 * 1024;
/// Chunks between reader and writer.
const CHUNKS: usize = 4;

enum Piece {
    Rows { data: Vec<u8>, rows: u64 },
    End,
}

#[derive(Debug)]
pub enum CopyError {
    Reading(sqlx::Error),
    Writing(sqlx::Error),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Copied {
    /// As the receiving server counted them.
    pub rows: u64,
    pub bytes: u64,
}

/// Runs the two statements against each other. `told` hears of every chunk
/// that was handed to the receiving server, as rows and bytes so far.
pub async fn copy(
    from: &mut PgConnection,
    out: &str,
    to: &mut PgConnection,
    into: &str,
    told: impl Fn(Copied) + Send,
) -> Result<Copied, CopyError> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let reading = async { read(from, out, sender).await.map_err(CopyError::Reading) };
    let writing = async {
        let copied = write(to, into, receiver, told).await;
        copied.map_err(CopyError::Writing)
    };
    let ((), copied) = futures::try_join!(reading, writing)?;
    Ok(copied)
}

async fn read(
    from: &mut PgConnection,
    out: &str,
    sender: mpsc::Sender<Piece>,
) -> Result<(), sqlx::Error> {
    let mut stream = from.copy_out_raw(out).await?;
    let mut data = Vec::with_capacity(CHUNK);
    let mut rows = 0;
    while let Some(row) = stream.try_next().await? {
        data.extend_from_slice(&row);
        rows += 1;
        if data.len() >= CHUNK {
            let full = std::mem::replace(&mut data, Vec::with_capacity(CHUNK));
            let piece = Piece::Rows { data: full, rows };
            // A receiver that is gone has failed, and says so itself.
            if sender.send(piece).await.is_err() {
                return Ok(());
            }
            rows = 0;
        }
    }
    for piece in [Piece::Rows { data, rows }, Piece::End] {
        if sender.send(piece).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn write(
    to: &mut PgConnection,
    into: &str,
    mut receiver: mpsc::Receiver<Piece>,
    told: impl Fn(Copied) + Send,
) -> Result<Copied, sqlx::Error> {
    let mut sink = to.copy_in_raw(into).await?;
    let mut copied = Copied::default();
    while let Some(piece) = receiver.recv().await {
        match piece {
            Piece::Rows { data, rows } => {
                sink.send(data.as_slice()).await?;
                copied.bytes += data.len() as u64;
                copied.rows += rows;
                told(copied);
            }
            Piece::End => {
                copied.rows = sink.finish().await?;
                return Ok(copied);
            }
        }
    }
    sink.abort("the rows did not all arrive").await?;
    Err(sqlx::Error::Protocol(
        "the reading end stopped early".to_owned(),
    ))
}
