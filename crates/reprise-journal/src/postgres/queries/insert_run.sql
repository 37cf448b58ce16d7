insert into runs (id, plan_hash, target_us, created_us, env_file, sites, tasks, head)
values ($1, $2, $3, $4, $5, $6, $7, $8)
