//! What a step says about things that are live and were not so at T, and about
//! sites of which there is nothing.

use serde::Deserialize;

/// A thing whose live state is another one than at T.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Stop before anything is written, and say how many there are.
    #[default]
    Refuse,
    /// What is live wins.
    Keep,
    /// What was there at T wins.
    Replace,
}

/// A thing that was not there at T and is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreatedAfter {
    #[default]
    Keep,
    Remove,
}

/// So many other sites of the batch are asked whether they have anything. One
/// that has shows that the template leads to where sites have their things:
/// then a site that has nothing just has nothing.
pub const OTHERS: usize = 20;

/// A site of which nothing was there at T, is there now, or ever was, and none
/// of the others that were asked either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// A wrong prefix or folder looks like that.
    #[default]
    Unknown,
    Allowed,
}
