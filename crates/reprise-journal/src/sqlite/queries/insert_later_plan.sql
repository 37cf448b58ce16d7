-- A runbook that was edited back brings back a plan that is there already.
insert into later_plans (run, hash, first_seq, digest, body)
values (?1, ?2, ?3, ?4, ?5)
on conflict (run, hash) do nothing
