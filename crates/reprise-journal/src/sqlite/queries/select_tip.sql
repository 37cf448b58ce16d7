select epoch, next_seq, head
from runs
where id = ?1
