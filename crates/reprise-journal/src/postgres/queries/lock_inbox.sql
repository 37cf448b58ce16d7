-- Two posts at once must not draw the same number. A transaction's lock of
-- its own kind, so that the owner's appends do not wait for it.
select pg_advisory_xact_lock($1)
