//! Configuration in a real git repository.

mod git;
