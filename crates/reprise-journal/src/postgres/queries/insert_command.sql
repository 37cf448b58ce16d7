insert into commands (run, number, at_us, body)
select $1, coalesce(max(number), 0) + 1, $2, $3
from commands
where run = $1
returning number
