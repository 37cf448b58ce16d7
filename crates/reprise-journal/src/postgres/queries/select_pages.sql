select first_seq, last_seq, epoch, hash, body
from pages
where run = $1
order by first_seq
