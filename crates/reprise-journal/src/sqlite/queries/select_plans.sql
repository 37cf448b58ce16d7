select digest, body
from (
    select digest, body, -1 as first_seq
    from plans
    where run = ?1
    union all
    select digest, body, first_seq
    from later_plans
    where run = ?1
) as plans
order by first_seq
