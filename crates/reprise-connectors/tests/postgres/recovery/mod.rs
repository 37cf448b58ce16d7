//! Recovery to a moment, with every trap that real archives hold.

mod archives;
mod moments;
mod origin;
mod pgbackrest;
mod scratch;
