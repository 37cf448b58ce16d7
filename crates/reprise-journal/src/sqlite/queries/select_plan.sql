select digest, body
from plans
where run = ?1
