select epoch, owner_host, owner_pid, owner_version
from runs
where id = $1
