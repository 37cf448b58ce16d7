insert into summaries (run, next_seq, at_us, body)
select id, $3, $4, $5
from runs
where id = $1 and epoch = $2
on conflict (run) do update
set next_seq = excluded.next_seq, at_us = excluded.at_us, body = excluded.body
