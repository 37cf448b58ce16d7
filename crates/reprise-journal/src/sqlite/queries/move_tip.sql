update runs
set next_seq = ?4, head = ?5
where id = ?1 and epoch = ?2 and next_seq = ?3
