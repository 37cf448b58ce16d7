insert into pages (run, first_seq, last_seq, epoch, hash, body)
values (?1, ?2, ?3, ?4, ?5, ?6)
