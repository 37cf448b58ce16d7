update runs
set epoch = epoch + 1, owner_host = $2, owner_pid = $3, owner_version = $4
where id = $1
returning epoch, next_seq, head
