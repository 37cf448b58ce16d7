select number, body
from commands
where run = ?1 and number > ?2
order by number
