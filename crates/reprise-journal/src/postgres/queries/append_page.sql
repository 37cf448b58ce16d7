-- One statement, so that the fence and the page cost one round trip.
with moved as (
    update runs
    set next_seq = $4, head = $5
    where id = $1 and epoch = $2 and next_seq = $3
    returning id
)
insert into pages (run, first_seq, last_seq, epoch, hash, body)
select id, $3, $4 - 1, $2, $5, $6
from moved
