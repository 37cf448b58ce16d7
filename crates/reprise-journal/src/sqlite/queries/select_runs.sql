select id, plan_hash, target_us, created_us, env_file, sites, tasks,
       epoch, owner_host, owner_pid, owner_version
from runs
order by created_us desc, id desc
