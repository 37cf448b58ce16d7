update runs
set plan_hash = ?2, sites = ?3, tasks = ?4
where id = ?1
