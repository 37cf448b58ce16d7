//! The scheduler, the fold of the journal and the resume table: pure, without input or output
