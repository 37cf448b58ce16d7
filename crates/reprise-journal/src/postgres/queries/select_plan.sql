-- The plan in force.
select coalesce(later.digest, plans.digest) as digest,
       coalesce(later.body, plans.body) as body
from runs
join plans on plans.run = runs.id
left join later_plans as later on later.run = runs.id and later.hash = runs.plan_hash
where runs.id = $1
