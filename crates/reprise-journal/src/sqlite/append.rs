//! Pages, each in one transaction with the run's row.

use reprise_chain::{Page, compose, conflict};
use reprise_model::{Entry, Plan, RunId};
use reprise_ports::{Claim, JournalError};
use sqlx::{Connection, SqliteConnection, query, query_scalar};

use super::{SqliteJournal, Writer, plans};

impl SqliteJournal {
    /// Moves the run's row and writes the page in one transaction. False when
    /// the row was not where the claim says.
    async fn write(
        &self,
        writer: &mut Writer,
        run: &RunId,
        claim: &Claim,
        page: Page,
    ) -> Result<bool, sqlx::Error> {
        let moved = page.moved(claim);
        writer.in_transaction = true;
        let written: Result<Vec<i64>, _> = query_scalar(include_str!("queries/append_page.sql"))
            .bind(run.as_str())
            .bind(claim.epoch.0.cast_signed())
            .bind(claim.next.0.cast_signed())
            .bind(moved.next.0.cast_signed())
            .bind(moved.head.as_bytes().as_slice())
            .bind(page.last.0.cast_signed())
            .bind(page.body)
            .fetch_all(&mut writer.connection)
            .await;
        match written {
            Ok(rows) => {
                writer.in_transaction = false;
                Ok(!rows.is_empty())
            }
            Err(error) => {
                writer.roll_back().await;
                Err(error)
            }
        }
    }

    /// The same, with the plan that the page puts in force.
    async fn write_with_plan(
        &self,
        connection: &mut SqliteConnection,
        run: &RunId,
        claim: &Claim,
        plan: &Plan,
        page: Page,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = connection.begin_with("begin immediate").await?;
        let moved = page.moved(claim);
        let found = query(include_str!("queries/move_tip.sql"))
            .bind(run.as_str())
            .bind(claim.epoch.0.cast_signed())
            .bind(claim.next.0.cast_signed())
            .bind(moved.next.0.cast_signed())
            .bind(moved.head.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if found == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        plans::put_in_force(&mut transaction, run, plan, page.first).await?;
        query(include_str!("queries/insert_page.sql"))
            .bind(run.as_str())
            .bind(page.first.0.cast_signed())
            .bind(page.last.0.cast_signed())
            .bind(page.epoch.0.cast_signed())
            .bind(page.hash.as_bytes().as_slice())
            .bind(page.body)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Appends, and puts a plan in force where one is given.
    pub(super) async fn append_with(
        &self,
        run: &RunId,
        claim: &mut Claim,
        plan: Option<&Plan>,
        entries: &[Entry],
    ) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer().await;
        let page = compose(run, claim, entries, writer.last_bytes)?;
        if !self.holds(run, claim) {
            let tip = self.tip_on(run, &mut writer.connection).await?;
            return Err(if tip.epoch == claim.epoch {
                crate::not_held(run, &self.place)
            } else {
                conflict(run, claim, tip)
            });
        }
        self.still_there()?;
        let (moved, bytes) = (page.moved(claim), page.body.len());
        let written = match plan {
            None => self.write(&mut writer, run, claim, page).await,
            Some(plan) => {
                let connection = &mut writer.connection;
                self.write_with_plan(connection, run, claim, plan, page)
                    .await
            }
        };
        let written = written.map_err(|error| self.fault(&error))?;
        if !written {
            let tip = self.tip_on(run, &mut writer.connection).await?;
            return Err(conflict(run, claim, tip));
        }
        writer.last_bytes = bytes;
        *claim = moved;
        Ok(())
    }
}
