-- One round trip for the whole commit. The page goes in only where the run's
-- row moved; one row comes back then, and none otherwise.
begin immediate;
update runs
set next_seq = ?4, head = ?5
where id = ?1 and epoch = ?2 and next_seq = ?3;
insert into pages (run, first_seq, last_seq, epoch, hash, body)
select ?1, ?3, ?6, ?2, ?5, ?7
where changes() = 1
returning 1;
commit
